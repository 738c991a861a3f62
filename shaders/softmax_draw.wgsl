// Draws from the softmax itself (paper, eq. 2): a block of items by its sum, an item of the block by its own
// weight. Slot c of a group is drawn by its member c % size.
//
// Work per workgroup: one query row, with one of its slots per thread at a time. Grid: linear, rows
// workgroups.

#import "shared/grid.wgsl"
#import "shared/groups.wgsl"
#import "shared/numbers.wgsl"
#import "shared/philox.wgsl"
#import "shared/batch_row.wgsl"

struct Params {
    batch: u32,
    group_size: u32,
    candidates: u32,
    rows: u32,
    /// M.
    items: u32,
    /// Items per block.
    block: u32,
    key_low: u32,
    key_high: u32,
    step: u32,
    row_offset: u32,
    row_period: u32,
    row_gap: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // R x M
@group(0) @binding(2) var<storage, read> sums: array<f32>; // R x 256
@group(0) @binding(3) var<storage, read> top: array<f32>; // R
@group(0) @binding(4) var<storage, read_write> negatives: array<u32>; // groups x candidates

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups);
    if row >= params.rows {
        return;
    }
    var total = 0.0;
    for (var b = 0u; b < 256u; b++) {
        total += sums[row * 256u + b];
    }
    let which = group_of_row(row);
    let rows = rows_of_group(which);
    let seed = vec2<u32>(params.key_low, params.key_high);
    for (var slot = row - rows.x + local * rows.y; slot < params.candidates; slot += 64u * rows.y) {
        let words = philox(seed, STREAM_NEGATIVES, params.step, batch_row(row), slot);
        // If no sum exceeds u because of rounding, a search ends at the last element with a positive weight.
        var sum = 0.0;
        var block = 0u;
        for (var b = 0u; b < 256u; b++) {
            let weight = sums[row * 256u + b];
            if weight > 0.0 {
                sum += weight;
                block = b;
                if sum > unit(words.x) * total {
                    break;
                }
            }
        }
        let inside = sums[row * 256u + block];
        let start = min(block * params.block, params.items - 1u);
        let end = min(start + params.block, params.items);
        sum = 0.0;
        var item = start;
        for (var i = start; i < end; i++) {
            let weight = exp_below(logits[row * params.items + i] - top[row]);
            if weight > 0.0 {
                sum += weight;
                item = i;
                if sum > unit(words.y) * inside {
                    break;
                }
            }
        }
        negatives[which * params.candidates + slot] = item;
    }
}
