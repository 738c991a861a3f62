// Weighted sums and weights of the points of each code, over one part of the points.
//
// Work per thread: one column of a part; points are summed in order, so the order of sums is fixed.
// Grid: linear, parts * ceil(d / 64) workgroups.

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
    /// K.
    codewords: u32,
    parts: u32,
    /// Points per part.
    part: u32,
    /// Whether weights are bound; otherwise each point has weight 1.
    weighted: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>; // M x stride
@group(0) @binding(2) var<storage, read> codes: array<u32>; // M
@group(0) @binding(3) var<storage, read> weights: array<f32>; // M, where there are any
@group(0) @binding(4) var<storage, read_write> sums: array<f32>; // parts x K x d
@group(0) @binding(5) var<storage, read_write> masses: array<f32>; // parts x K

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let blocks = (params.dimensions + 63u) / 64u;
    let workgroup = linear_group(group, groups);
    let part = workgroup / blocks;
    let d = workgroup % blocks * 64u + local;
    if part >= params.parts || d >= params.dimensions {
        return;
    }
    let first = part * params.codewords;
    for (var k = 0u; k < params.codewords; k++) {
        sums[(first + k) * params.dimensions + d] = 0.0;
        if d == 0u {
            masses[first + k] = 0.0;
        }
    }
    let end = min((part + 1u) * params.part, params.count);
    for (var i = part * params.part; i < end; i++) {
        let code = first + codes[i];
        var weight = 1.0;
        if params.weighted != 0u {
            weight = weights[i];
        }
        sums[code * params.dimensions + d] += weight * values[i * params.stride + params.column + d];
        if d == 0u {
            masses[code] += weight;
        }
    }
}
