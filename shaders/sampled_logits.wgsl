// o = q_r . row_i (+ bias_i) for each query row, with its user's entries and its group's candidates.
//
// Work per thread: inner products of one query with four items at a time, so that each element of the query
// is read once for four items. Neighbouring threads handle neighbouring items.
// Grid: linear, rows * parts workgroups.

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
    /// Number of workgroups that divide a row's items among them.
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

/// The i-th of a row's items: candidates first, then entries; beyond the end, the last one again.
fn item_at(i: u32, seen: u32, start: u32, count: u32) -> u32 {
    if i < params.candidates {
        return negatives[seen + i];
    }
    return batch_items[start + min(i - params.candidates, count - 1u)];
}

fn logits(row: u32, items: vec4<u32>) -> vec4<f32> {
    var at = items * params.width;
    var sums = vec4<f32>();
    for (var q = row * params.width; q < (row + 1u) * params.width; q++) {
        sums += queries[q] * vec4<f32>(table[at.x], table[at.y], table[at.z], table[at.w]);
        at += vec4<u32>(1u);
    }
    if params.has_bias != 0u {
        sums += vec4<f32>(item_bias[items.x], item_bias[items.y], item_bias[items.z], item_bias[items.w]);
    }
    return sums;
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
    let seen = group_of_row(row) * params.candidates;
    let first = row / params.batch * params.entries + start;
    let total = count + params.candidates;
    let stride = 64u * params.parts;
    for (var i = workgroup % params.parts * 64u + local; i < total; i += 4u * stride) {
        // The four items are a stride apart, so that the work of a short row is spread over all threads.
        let four = min(vec4<u32>(i) + vec4<u32>(0u, 1u, 2u, 3u) * stride, vec4<u32>(total - 1u));
        let items = vec4<u32>(
            item_at(four.x, seen, start, count),
            item_at(four.y, seen, start, count),
            item_at(four.z, seen, start, count),
            item_at(four.w, seen, start, count),
        );
        let values = logits(row, items);
        for (var n = 0u; n < 4u; n++) {
            let at = i + n * stride;
            if at < params.candidates {
                negative[row * params.candidates + at] = values[n];
            } else if at < total {
                positive[first + at - params.candidates] = values[n];
            }
        }
    }
}
