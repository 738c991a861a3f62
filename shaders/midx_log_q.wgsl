// log q of items under their group's mixture: ln sum over rows g of (drawn_g / C) exp(log q_g), where
// log q_g = r1 + r2 + ln w - ln Z_g (paper, theorem 5.2).
//
// Work per thread: one item. Grid: linear, total threads.

#import "shared/grid.wgsl"
#import "shared/groups.wgsl"
#import "shared/log_q.wgsl"
#import "shared/numbers.wgsl"

struct Params {
    batch: u32,
    group_size: u32,
    candidates: u32,
    /// K.
    codewords: u32,
    /// E if the items are the batch's entries, for each sample; 0 if they are candidates.
    entries: u32,
    /// Number of outputs: groups * candidates, or samples * entries.
    total: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scores: array<f32>; // R x 2K: r1, r2
@group(0) @binding(2) var<storage, read> log_z: array<f32>; // R
@group(0) @binding(3) var<storage, read> cell_of: array<u32>; // M
@group(0) @binding(4) var<storage, read> item_log_weights: array<f32>; // M
@group(0) @binding(5) var<storage, read> items: array<u32>; // groups x C, or E
@group(0) @binding(6) var<storage, read> rows: array<u32>; // E: batch row of each entry
@group(0) @binding(7) var<storage, read_write> output: array<f32>; // total

fn log_q(row: u32, cell: u32) -> f32 {
    let k = params.codewords;
    return scores[2u * row * k + cell / k] + scores[(2u * row + 1u) * k + cell % k] - log_z[row];
}

/// ln of an item's probability under its group's mixture.
fn log_q_of(item: u32, which: u32) -> f32 {
    return item_log_weights[item] + mixture(which, cell_of[item]);
}
