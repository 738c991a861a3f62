// o = q_r . row_i (+ bias_i) for each query row, with its user's entries and its group's candidates.
//
// Work per workgroup: 128 items of a query row. Eight neighbouring invocations read eight neighbouring elements of an
// item's row, for four items at a time, so that each element of the query is read once for four items.
// Grid: linear, rows * parts workgroups, with 128 items for each part.

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

const ITEMS = 128u;

var<workgroup> partial: array<f32, 1032>; // 8 lanes x (128 items + 1): neighbouring lanes use other banks

@compute @workgroup_size(256)
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
    // A row's items: candidates first, then entries.
    let total = batch_offsets[user + 1u] - start + params.candidates;
    let seen = group_of_row(row) * params.candidates;
    let base = workgroup % params.parts * ITEMS;

    let lane = local % 8u;
    let first = local / 8u;
    if base + first < total {
        var at = vec4<u32>();
        for (var n = 0u; n < 4u; n++) {
            // Beyond the end, the last item again.
            let i = min(base + first + 32u * n, total - 1u);
            if i < params.candidates {
                at[n] = negatives[seen + i];
            } else {
                at[n] = batch_items[start + i - params.candidates];
            }
        }
        at = at * params.width + lane;
        var sums = vec4<f32>();
        for (var column = lane; column < params.width; column += 8u) {
            sums += queries[row * params.width + column] * vec4<f32>(table[at.x], table[at.y], table[at.z], table[at.w]);
            at += 8u;
        }
        for (var n = 0u; n < 4u; n++) {
            partial[lane * (ITEMS + 1u) + first + 32u * n] = sums[n];
        }
    }
    workgroupBarrier();
    let i = base + local;
    if local >= ITEMS || i >= total {
        return;
    }
    var logit = 0.0;
    for (var other = 0u; other < 8u; other++) {
        logit += partial[other * (ITEMS + 1u) + local];
    }
    let entry = start + i - params.candidates;
    if i < params.candidates {
        negative[row * params.candidates + i] = logit + bias_of(negatives[seen + i]);
    } else {
        positive[row / params.batch * params.entries + entry] = logit + bias_of(batch_items[entry]);
    }
}

fn bias_of(item: u32) -> f32 {
    if params.has_bias == 0u {
        return 0.0;
    }
    return item_bias[item];
}
