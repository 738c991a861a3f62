// norms[i] = |x_i - sum over codebooks of the codewords of i|^2 (the paper's C is the root of the largest).
//
// Work per thread: one point. Grid: linear, M threads.

#import "shared/grid.wgsl"

struct Params {
    /// M.
    count: u32,
    /// Elements between points.
    stride: u32,
    /// First column in use.
    column: u32,
    /// Columns in use, d.
    dimensions: u32,
    /// m.
    codebooks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>; // M x stride
@group(0) @binding(2) var<storage, read> codewords: array<f32>; // m K x d
@group(0) @binding(3) var<storage, read> rows: array<u32>; // M x m
@group(0) @binding(4) var<storage, read_write> norms: array<f32>; // M

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    if i >= params.count {
        return;
    }
    var norm = 0.0;
    for (var d = 0u; d < params.dimensions; d++) {
        var rest = values[i * params.stride + params.column + d];
        for (var book = 0u; book < params.codebooks; book++) {
            rest -= codewords[rows[i * params.codebooks + book] * params.dimensions + d];
        }
        norm += rest * rest;
    }
    norms[i] = norm;
}
