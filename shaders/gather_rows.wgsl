// output[j] = x_i with i = rows[j]: gathers some points.
//
// Work per thread: one element. Grid: linear, len * d threads.

#import "shared/grid.wgsl"

struct Params {
    /// Elements between points.
    stride: u32,
    /// First column in use.
    column: u32,
    /// Columns in use, d.
    dimensions: u32,
    /// len * d.
    total: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>; // M x stride
@group(0) @binding(2) var<storage, read> rows: array<u32>; // len
@group(0) @binding(3) var<storage, read_write> output: array<f32>; // len x d

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = linear_group(group, groups) * 64u + local;
    if at >= params.total {
        return;
    }
    let row = rows[at / params.dimensions];
    output[at] = values[row * params.stride + params.column + at % params.dimensions];
}
