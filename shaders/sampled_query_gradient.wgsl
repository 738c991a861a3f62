// d loss / d query = sum over the row's entries and candidates of coefficient x item row.
//
// Work per thread: four neighbouring columns of one query row; neighbouring threads read neighbouring columns.
// Grid: linear, rows * ceil(width / 4) threads.

#import "shared/grid.wgsl"
#import "shared/groups.wgsl"

struct Params {
    batch: u32,
    group_size: u32,
    candidates: u32,
    rows: u32,
    /// H.
    width: u32,
    /// E.
    entries: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<f32>; // M x H
@group(0) @binding(2) var<storage, read> batch_offsets: array<u32>; // B + 1
@group(0) @binding(3) var<storage, read> batch_items: array<u32>; // E
@group(0) @binding(4) var<storage, read> negatives: array<u32>; // groups x candidates
@group(0) @binding(5) var<storage, read> positive: array<f32>; // L x E
@group(0) @binding(6) var<storage, read> negative: array<f32>; // R x candidates
@group(0) @binding(7) var<storage, read_write> query_gradient: array<f32>; // R x H

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let thread = linear_group(group, groups) * 64u + local;
    let quads = (params.width + 3u) / 4u;
    let row = thread / quads;
    if row >= params.rows {
        return;
    }
    // Beyond the edge, the last column is summed again and not stored.
    let column = thread % quads * 4u;
    let columns = min(vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.width - 1u));
    let user = row % params.batch;
    let sample_start = row / params.batch * params.entries;
    let end = batch_offsets[user + 1u];
    var sums = vec4<f32>();
    for (var e = batch_offsets[user]; e < end; e++) {
        let at = columns + batch_items[e] * params.width;
        sums += positive[sample_start + e] * vec4<f32>(table[at.x], table[at.y], table[at.z], table[at.w]);
    }
    let seen = group_of_row(row) * params.candidates;
    let drawn = row * params.candidates;
    for (var c = 0u; c < params.candidates; c++) {
        let at = columns + negatives[seen + c] * params.width;
        sums += negative[drawn + c] * vec4<f32>(table[at.x], table[at.y], table[at.z], table[at.w]);
    }
    for (var i = 0u; i < min(4u, params.width - column); i++) {
        query_gradient[row * params.width + column + i] = sums[i];
    }
}
