// Computes the gradient of a row, the sum over its entries of coefficient x query, and applies one step of
// Adam.
//
// Work per thread: four neighbouring elements of a row; neighbouring threads read neighbouring columns.
// Grid: linear, as many rows as there may be * ceil(width / 4) threads.

#import "shared/grid.wgsl"
#import "shared/adam.wgsl"
#import "shared/rank_one.wgsl"

struct Params {
    batch: u32,
    group_size: u32,
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
    let column = thread % quads * 4u;
    let gradient = gradient_of(list, column);
    for (var c = 0u; c < min(4u, params.width - column); c++) {
        let at = list.x * params.width + column + c;
        let next = adam(gradient[c], value[at], first[at], second[at]);
        value[at] = next.x;
        first[at] = next.y;
        second[at] = next.z;
    }
}
