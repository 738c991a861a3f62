// Draws from the softmax itself through the index (paper, theorem 4.1): a block by the sums of its cells
// (k1), a cell by the sums within the block (k2), an item of the cell by its own weight. Slot c of a group is
// drawn by its member c % size.
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
    /// At most 256.
    blocks: u32,
    /// Cells per block.
    columns: u32,
    /// M.
    items: u32,
    key_low: u32,
    key_high: u32,
    step: u32,
    row_offset: u32,
    row_period: u32,
    row_gap: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // R x M
@group(0) @binding(2) var<storage, read> sums: array<f32>; // R x blocks x columns
@group(0) @binding(3) var<storage, read> top: array<f32>; // R
@group(0) @binding(4) var<storage, read> starts: array<u32>; // cells + 1
@group(0) @binding(5) var<storage, read> members: array<u32>; // M, by cell
@group(0) @binding(6) var<storage, read_write> negatives: array<u32>; // groups x candidates

var<workgroup> first: array<f32, 256>; // sums over each block's cells

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
    let blocks = params.blocks;
    let columns = params.columns;
    for (var block = local; block < blocks; block += 64u) {
        var sum = 0.0;
        for (var column = 0u; column < columns; column++) {
            sum += sums[(row * blocks + block) * columns + column];
        }
        first[block] = sum;
    }
    workgroupBarrier();
    var total = 0.0;
    for (var block = 0u; block < blocks; block++) {
        total += first[block];
    }
    let which = group_of_row(row);
    let rows = rows_of_group(which);
    let seed = vec2<u32>(params.key_low, params.key_high);
    for (var slot = row - rows.x + local * rows.y; slot < params.candidates; slot += 64u * rows.y) {
        let words = philox(seed, STREAM_NEGATIVES, params.step, batch_row(row), slot);
        // If no sum exceeds u because of rounding, a search ends at the last element with a positive weight.
        var sum = 0.0;
        var block = 0u;
        for (var i = 0u; i < blocks; i++) {
            if first[i] > 0.0 {
                sum += first[i];
                block = i;
                if sum > unit(words.x) * total {
                    break;
                }
            }
        }
        sum = 0.0;
        var cell = block * columns;
        for (var i = block * columns; i < (block + 1u) * columns; i++) {
            let weight = sums[row * blocks * columns + i];
            if weight > 0.0 {
                sum += weight;
                cell = i;
                if sum > unit(words.y) * first[block] {
                    break;
                }
            }
        }
        let inside = sums[row * blocks * columns + cell];
        sum = 0.0;
        var item = members[min(starts[cell], params.items - 1u)];
        for (var i = starts[cell]; i < starts[cell + 1u]; i++) {
            let weight = exp_below(logits[row * params.items + members[i]] - top[row]);
            if weight > 0.0 {
                sum += weight;
                item = members[i];
                if sum > unit(words.z) * inside {
                    break;
                }
            }
        }
        negatives[which * params.candidates + slot] = item;
    }
}
