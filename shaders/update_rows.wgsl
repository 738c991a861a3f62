// Computes the gradient of a row, the sum over its entries of coefficient x query, and applies one step of
// Adam.
//
// Work per thread: four neighbouring elements of a row; neighbouring threads read neighbouring columns.
// Grid: linear, as many rows as there may be * ceil(width / 4) threads.

#import "shared/grid.wgsl"
#import "shared/adam.wgsl"

struct Params {
    batch: u32,
    share: u32,
    candidates: u32,
    rows: u32,
    width: u32,
    rate: f32,
    beta1: f32,
    beta2: f32,
    root: f32,
    epsilon: f32,
    keep: f32,
    l2: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> lists: array<vec4<u32>>; // rows: row, start, length, 1 if in use
@group(0) @binding(2) var<storage, read> terms: array<vec2<u32>>; // see update_rows_terms
@group(0) @binding(3) var<storage, read> negative: array<f32>; // R x candidates
@group(0) @binding(4) var<storage, read> vectors: array<f32>; // R x width
@group(0) @binding(5) var<storage, read_write> value: array<f32>; // M x width
@group(0) @binding(6) var<storage, read_write> first: array<f32>; // M x width
@group(0) @binding(7) var<storage, read_write> second: array<f32>; // M x width

fn vector(row: u32, columns: vec4<u32>) -> vec4<f32> {
    let at = columns + row * params.width;
    return vec4<f32>(vectors[at.x], vectors[at.y], vectors[at.z], vectors[at.w]);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let thread = linear_group(group, groups) * 64u + local;
    let quads = (params.width + 3u) / 4u;
    let i = thread / quads;
    if i >= params.rows {
        return;
    }
    let list = lists[i];
    if list.w == 0u {
        return;
    }
    // Beyond the edge, the last column is summed again and not stored.
    let column = thread % quads * 4u;
    let columns = min(vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.width - 1u));
    var gradient = vec4<f32>();
    for (var e = list.y; e < list.y + list.z; e++) {
        let term = terms[e];
        if term.x < 0x80000000u {
            gradient += bitcast<f32>(term.y) * vector(term.x, columns);
            continue;
        }
        let row = term.x & 0x7fffffffu;
        let members = min(params.share, params.batch - row % params.batch);
        for (var m = 0u; m < members; m++) {
            gradient += negative[term.y + m * params.candidates] * vector(row + m, columns);
        }
    }
    for (var c = 0u; c < min(4u, params.width - column); c++) {
        let at = list.x * params.width + column + c;
        let next = adam(gradient[c], value[at], first[at], second[at]);
        value[at] = next.x;
        first[at] = next.y;
        second[at] = next.z;
    }
}
