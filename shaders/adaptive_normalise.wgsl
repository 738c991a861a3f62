// ln p(f) of the factors of a query, p(f) ~ |query_f| sigma_f (Rendle and Freudenthaler, WSDM 2014). A factor beyond the
// width of a query is that of the item biases, which every query has with the value 1.
//
// Work per thread: one query row. Grid: linear, rows threads.

#import "shared/grid.wgsl"

struct Params {
    rows: u32,
    width: u32,
    /// F.
    factors: u32,
    /// Added to each weight, so that none is zero.
    least: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<f32>; // R x width
@group(0) @binding(2) var<storage, read> deviations: array<f32>; // F
@group(0) @binding(3) var<storage, read_write> log_shares: array<f32>; // R x F

fn weight(row: u32, factor: u32) -> f32 {
    var value = 1.0;
    if factor < params.width {
        value = abs(queries[row * params.width + factor]);
    }
    return value * deviations[factor] + params.least;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= params.rows {
        return;
    }
    var sum = 0.0;
    for (var f = 0u; f < params.factors; f++) {
        sum += weight(row, f);
    }
    let log_sum = log(sum);
    for (var f = 0u; f < params.factors; f++) {
        log_shares[row * params.factors + f] = log(weight(row, f)) - log_sum;
    }
}
