// A gated layer: values times the sigmoids of their gates.
//
// Work per thread: one element of the output. Grid: linear, rows * width threads.

#import "shared/grid.wgsl"
#import "shared/sigmoid.wgsl"

struct Params {
    rows: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> product: array<f32>; // rows x 2 width: values, then gates
@group(0) @binding(2) var<storage, read_write> output: array<f32>; // rows x width

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 256u + local;
    if i < params.rows * params.width {
        // The rows before this one have as many gates as values.
        let at = i + i / params.width * params.width;
        output[i] = product[at] * sigmoid(product[at + params.width]);
    }
}
