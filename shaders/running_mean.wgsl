// mean = (1 - weight) mean + weight value.
//
// Work per thread: one element. Grid: linear, len threads.

#import "shared/grid.wgsl"

struct Params {
    len: u32,
    weight: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> mean: array<f32>; // len
@group(0) @binding(2) var<storage, read> value: array<f32>; // len

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 256u + local;
    if i < params.len {
        mean[i] = (1.0 - params.weight) * mean[i] + params.weight * value[i];
    }
}
