// Weighted sums and weights of the points of each code, over one part of the points.
//
// Work per workgroup: 64 columns of one part, for up to 32 codewords. Work per thread: one column, whose sums are in
// workgroup memory that no other thread uses; points are summed in order, so the order of sums is fixed.
// Grid: linear, parts * ceil(d / 64) * ceil(K / 32) workgroups.

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

const CHUNK = 32u;

var<workgroup> column_sums: array<f32, 64u * CHUNK>;
var<workgroup> column_masses: array<f32, CHUNK>;

/// The weight of a point, or 0 if the workgroup does not sum it.
fn weight_of(point: u32, is_summed: bool) -> f32 {
    if !is_summed || params.weighted == 0u {
        return f32(is_summed);
    }
    return weights[point];
}

fn value_of(point: u32, d: u32, weight: f32) -> f32 {
    if weight == 0.0 {
        return 0.0;
    }
    return weight * values[point * params.stride + params.column + d];
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let blocks = (params.dimensions + 63u) / 64u;
    let chunks = (params.codewords + CHUNK - 1u) / CHUNK;
    let workgroup = linear_group(group, groups);
    let part = workgroup / (blocks * chunks);
    let d = workgroup / chunks % blocks * 64u + local;
    if part >= params.parts || d >= params.dimensions {
        return;
    }
    let first = workgroup % chunks * CHUNK;
    let count = min(CHUNK, params.codewords - first);
    for (var k = 0u; k < count; k++) {
        column_sums[64u * k + local] = 0.0;
        if d == 0u {
            column_masses[k] = 0.0;
        }
    }
    let end = min((part + 1u) * params.part, params.count);
    for (var i = part * params.part; i < end; i += 4u) {
        // Four loads at a time, so that they do not wait for one another.
        let wanted = vec4<u32>(i) + vec4<u32>(0u, 1u, 2u, 3u);
        let at = min(wanted, vec4<u32>(end - 1u));
        let code = vec4<u32>(codes[at.x], codes[at.y], codes[at.z], codes[at.w]) - first;
        let is_summed = vec4<bool>(code < vec4<u32>(count)) & (wanted == at);
        let weight = vec4<f32>(
            weight_of(at.x, is_summed.x),
            weight_of(at.y, is_summed.y),
            weight_of(at.z, is_summed.z),
            weight_of(at.w, is_summed.w),
        );
        let value = vec4<f32>(
            value_of(at.x, d, weight.x),
            value_of(at.y, d, weight.y),
            value_of(at.z, d, weight.z),
            value_of(at.w, d, weight.w),
        );
        for (var n = 0u; n < 4u; n++) {
            if is_summed[n] {
                column_sums[64u * code[n] + local] += value[n];
                if d == 0u {
                    column_masses[code[n]] += weight[n];
                }
            }
        }
    }
    for (var k = 0u; k < count; k++) {
        let to = part * params.codewords + first + k;
        sums[to * params.dimensions + d] = column_sums[64u * k + local];
        if d == 0u {
            masses[to] = column_masses[k];
        }
    }
}
