// x_i += scale * codeword of i, in place: computes residuals for the other codebooks of a residual quantiser.
//
// Work per thread: one element. Grid: linear, M * d threads.

#import "shared/grid.wgsl"

struct Params {
    /// Elements between points.
    stride: u32,
    /// First column in use.
    column: u32,
    /// Columns in use, d.
    dimensions: u32,
    /// M * d.
    total: u32,
    /// Factor of the codewords.
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> codes: array<u32>; // M
@group(0) @binding(2) var<storage, read> codewords: array<f32>; // K x d
@group(0) @binding(3) var<storage, read_write> values: array<f32>; // M x stride

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
    let i = at / params.dimensions;
    let d = at % params.dimensions;
    values[i * params.stride + params.column + d] += params.scale * codewords[codes[i] * params.dimensions + d];
}
