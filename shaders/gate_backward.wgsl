// The gradient of gate.wgsl: from that of the output to those of values and gates.
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
@group(0) @binding(2) var<storage, read> output_gradient: array<f32>; // rows x width
@group(0) @binding(3) var<storage, read_write> product_gradient: array<f32>; // rows x 2 width

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
        let of_output = output_gradient[i];
        let open = sigmoid(product[at + params.width]);
        product_gradient[at] = of_output * open;
        product_gradient[at + params.width] = of_output * product[at] * open * (1.0 - open);
    }
}
