// items[batch_offsets[b] ..] = history of users[b], and rows[e] = b for each copied entry.
//
// Work per workgroup: one batch row, with one entry per thread at a time.
// Grid: linear, batch workgroups.

#import "shared/grid.wgsl"

struct Params {
    batch: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> users: array<u32>; // B
@group(0) @binding(2) var<storage, read> history_offsets: array<u32>; // N + 1
@group(0) @binding(3) var<storage, read> history_items: array<u32>; // all histories
@group(0) @binding(4) var<storage, read> batch_offsets: array<u32>; // B + 1
@group(0) @binding(5) var<storage, read_write> items: array<u32>; // E
@group(0) @binding(6) var<storage, read_write> rows: array<u32>; // E

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let b = linear_group(group, groups);
    if b >= params.batch {
        return;
    }
    let start = batch_offsets[b];
    let count = batch_offsets[b + 1u] - start;
    let history = history_offsets[users[b]];
    for (var i = local; i < count; i += 64u) {
        items[start + i] = history_items[history + i];
        rows[start + i] = b;
    }
}
