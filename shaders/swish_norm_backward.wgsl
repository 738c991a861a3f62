// The gradient of swish_norm.wgsl: from that of the output to that of x, in place.
//
// Work per workgroup: one row, with one column per thread at a time. Grid: linear, rows workgroups.

#import "shared/grid.wgsl"
#import "shared/reduce.wgsl"
#import "shared/sigmoid.wgsl"

struct Params {
    rows: u32,
    width: u32,
    /// 1 if no layer follows.
    last: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> product: array<f32>; // x, rows x width
@group(0) @binding(2) var<storage, read> normalised: array<f32>; // rows x width
@group(0) @binding(3) var<storage, read> scale: array<f32>; // rows
@group(0) @binding(4) var<storage, read> gain: array<f32>; // width
@group(0) @binding(5) var<storage, read_write> gradient: array<f32>; // rows x width
@group(0) @binding(6) var<storage, read_write> skip_gradient: array<f32>; // rows x width
@group(0) @binding(7) var<storage, read_write> gain_terms: array<f32>; // rows x width
@group(0) @binding(8) var<storage, read_write> shift_terms: array<f32>; // rows x width

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups);
    if row >= params.rows {
        return;
    }
    let first = row * params.width;
    var total = 0.0;
    var total_along = 0.0;
    for (var d = local; d < params.width; d += 64u) {
        let at = first + d;
        let of_output = gradient[at] + select(skip_gradient[at], 0.0, params.last == 1u);
        shift_terms[at] = of_output;
        gain_terms[at] = of_output * normalised[at];
        let of_n = of_output * (1.0 + gain[d]);
        total += of_n;
        total_along += of_n * normalised[at];
    }
    let mean = workgroup_sum(total, local) / f32(params.width);
    let along = workgroup_sum(total_along, local) / f32(params.width);
    for (var d = local; d < params.width; d += 64u) {
        let at = first + d;
        let of_n = shift_terms[at] * (1.0 + gain[d]);
        let x = product[at];
        let open = sigmoid(x);
        let of_x = scale[row] * (of_n - mean - normalised[at] * along) * open * (1.0 + x * (1.0 - open));
        gradient[at] = of_x;
        skip_gradient[at] = of_x + select(skip_gradient[at], 0.0, params.last == 1u);
    }
}
