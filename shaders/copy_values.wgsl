// output = input, to measure the bandwidth of a device's memory.
//
// Work per thread: four elements. Grid: linear, len / 4 threads.

#import "shared/grid.wgsl"

struct Params {
    /// len / 4.
    vectors: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>; // len / 4
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>; // len / 4

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = linear_group(group, groups) * 256u + local;
    if at < params.vectors {
        output[at] = input[at];
    }
}
