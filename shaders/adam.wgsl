// One step of Adam on part of a tensor.
//
// Work per thread: one element. Grid: linear, len threads.

#import "shared/grid.wgsl"
#import "shared/adam.wgsl"

struct Params {
    len: u32,
    /// First element of the parameter and its moments.
    offset: u32,
    rate: f32,
    beta1: f32,
    beta2: f32,
    root: f32,
    epsilon: f32,
    keep: f32,
    l2: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradient: array<f32>; // len
@group(0) @binding(2) var<storage, read_write> value: array<f32>; // offset + len
@group(0) @binding(3) var<storage, read_write> first: array<f32>; // offset + len
@group(0) @binding(4) var<storage, read_write> second: array<f32>; // offset + len

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 256u + local;
    if i >= params.len {
        return;
    }
    let at = params.offset + i;
    let next = adam(gradient[i], value[at], first[at], second[at]);
    value[at] = next.x;
    first[at] = next.y;
    second[at] = next.z;
}
