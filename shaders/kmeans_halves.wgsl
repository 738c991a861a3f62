// halves[k] = |c_k|^2 / 2.
//
// Work per workgroup: one codeword. Grid: linear, K workgroups.

#import "shared/grid.wgsl"
#import "shared/reduce.wgsl"

struct Params {
    /// d.
    dimensions: u32,
    /// K.
    codewords: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> centres: array<f32>; // K x d
@group(0) @binding(2) var<storage, read_write> halves: array<f32>; // K

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let k = linear_group(group, groups);
    if k >= params.codewords {
        return;
    }
    var sum = 0.0;
    for (var d = local; d < params.dimensions; d += 64u) {
        let x = centres[k * params.dimensions + d];
        sum += x * x;
    }
    sum = workgroup_sum(sum, local);
    if local == 0u {
        halves[k] = 0.5 * sum;
    }
}
