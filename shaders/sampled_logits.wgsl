// o = q_r . row_i (+ bias_i) of each query row with its user's entries and its group's candidates.
//
// Work per thread: one inner product at a time. Neighbouring threads take neighbouring items: each reads its
// own row in order, all of them the same query.
// Grid: linear, rows * parts workgroups.

#import "shared/grid.wgsl"
#import "shared/groups.wgsl"

struct Params {
    batch: u32,
    share: u32,
    candidates: u32,
    rows: u32,
    /// H.
    width: u32,
    /// E.
    entries: u32,
    /// Workgroups that divide a row's items among them.
    parts: u32,
    has_bias: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<f32>; // R x H
@group(0) @binding(2) var<storage, read> table: array<f32>; // M x H
@group(0) @binding(3) var<storage, read> item_bias: array<f32>; // M
@group(0) @binding(4) var<storage, read> batch_offsets: array<u32>; // B + 1
@group(0) @binding(5) var<storage, read> batch_items: array<u32>; // E
@group(0) @binding(6) var<storage, read> negatives: array<u32>; // groups x candidates
@group(0) @binding(7) var<storage, read_write> positive: array<f32>; // L x E
@group(0) @binding(8) var<storage, read_write> negative: array<f32>; // R x candidates

fn logit(row: u32, item: u32) -> f32 {
    var q = row * params.width;
    var x = item * params.width;
    let end = q + params.width;
    var sums = vec4<f32>();
    for (; q + 4u <= end; q += 4u) {
        let query = vec4<f32>(queries[q], queries[q + 1u], queries[q + 2u], queries[q + 3u]);
        sums += query * vec4<f32>(table[x], table[x + 1u], table[x + 2u], table[x + 3u]);
        x += 4u;
    }
    for (; q < end; q++) {
        sums.x += queries[q] * table[x];
        x += 1u;
    }
    var sum = (sums.x + sums.y) + (sums.z + sums.w);
    if params.has_bias != 0u {
        sum += item_bias[item];
    }
    return sum;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let workgroup = linear_group(group, groups);
    let row = workgroup / params.parts;
    if row >= params.rows {
        return;
    }
    let user = row % params.batch;
    let start = batch_offsets[user];
    let count = batch_offsets[user + 1u] - start;
    let which = group_of_row(row);
    for (var i = workgroup % params.parts * 64u + local; i < count + params.candidates; i += 64u * params.parts) {
        if i < params.candidates {
            negative[row * params.candidates + i] = logit(row, negatives[which * params.candidates + i]);
        } else {
            let entry = start + i - params.candidates;
            positive[row / params.batch * params.entries + entry] = logit(row, batch_items[entry]);
        }
    }
}
