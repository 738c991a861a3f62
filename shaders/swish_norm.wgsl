// x = product + skip, n = (swish(x) - mean) / sqrt(variance + epsilon) in each row, output = (1 + gain) n + shift,
// sum = skip + output.
//
// Work per workgroup: one row, with one column per thread at a time. Grid: linear, rows workgroups.

#import "shared/grid.wgsl"
#import "shared/reduce.wgsl"
#import "shared/sigmoid.wgsl"

struct Params {
    rows: u32,
    width: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> product: array<f32>; // rows x width
@group(0) @binding(2) var<storage, read> skip: array<f32>; // rows x width
@group(0) @binding(3) var<storage, read> gain: array<f32>; // width
@group(0) @binding(4) var<storage, read> shift: array<f32>; // width
@group(0) @binding(5) var<storage, read_write> output: array<f32>; // rows x width
@group(0) @binding(6) var<storage, read_write> normalised: array<f32>; // rows x width
@group(0) @binding(7) var<storage, read_write> scale: array<f32>; // rows
@group(0) @binding(8) var<storage, read_write> sum: array<f32>; // rows x width

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
    for (var d = local; d < params.width; d += 64u) {
        let x = product[first + d] + skip[first + d];
        let swish = x * sigmoid(x);
        product[first + d] = x;
        normalised[first + d] = swish;
        total += swish;
    }
    let mean = workgroup_sum(total, local) / f32(params.width);
    var squares = 0.0;
    for (var d = local; d < params.width; d += 64u) {
        let off = normalised[first + d] - mean;
        squares += off * off;
    }
    let variance = workgroup_sum(squares, local) / f32(params.width);
    let inverse = 1.0 / sqrt(variance + params.epsilon);
    for (var d = local; d < params.width; d += 64u) {
        let n = (normalised[first + d] - mean) * inverse;
        let value = (1.0 + gain[d]) * n + shift[d];
        normalised[first + d] = n;
        output[first + d] = value;
        sum[first + d] = skip[first + d] + value;
    }
    if local == 0u {
        scale[row] = inverse;
    }
}
