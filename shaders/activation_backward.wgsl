// gradient *= activation'(.), with the derivative computed from the activation's output.
//
// Work per thread: one element. Grid: linear, len threads.

#import "shared/grid.wgsl"
#import "shared/activation.wgsl"

struct Params {
    len: u32,
    activation: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> output: array<f32>; // len
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>; // len

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 256u + local;
    if i < params.len {
        gradient[i] *= activation_derivative(params.activation, output[i]);
    }
}
