// log q of items under dynamic negative sampling: if a items rank at or below an item, the largest of B
// uniform draws is that item with probability (a^B - (a - 1)^B) / M^B. For a group, log q is that of the
// mixture, ln sum over rows g of (drawn_g / C) exp(log q_g).
//
// Work per thread: one item, whose rank is counted over all M. Grid: linear, total threads.

#import "shared/grid.wgsl"
#import "shared/groups.wgsl"
#import "shared/log_q.wgsl"
#import "shared/numbers.wgsl"

struct Params {
    batch: u32,
    group_size: u32,
    candidates: u32,
    /// M.
    catalogue: u32,
    /// E if the items are the batch's entries, for each sample; 0 if they are candidates.
    entries: u32,
    /// Number of outputs: groups * candidates, or samples * entries.
    total: u32,
    /// B.
    draws: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // R x M
@group(0) @binding(2) var<storage, read> items: array<u32>; // groups x C, or E
@group(0) @binding(3) var<storage, read> rows: array<u32>; // E: batch row of each entry
@group(0) @binding(4) var<storage, read_write> output: array<f32>; // total

fn log_q(row: u32, item: u32) -> f32 {
    let start = row * params.catalogue;
    let logit = logits[start + item];
    var above = 0u;
    for (var i = 0u; i < params.catalogue; i++) {
        let other = logits[start + i];
        above += select(0u, 1u, other > logit || (other == logit && i < item));
    }
    let a = f32(params.catalogue - above);
    // The geometric sum of ((a - 1) / a)^j, which avoids the cancellation of a^B - (a - 1)^B.
    let ratio = (a - 1.0) / a;
    var sum = 0.0;
    for (var i = 0u; i < params.draws; i++) {
        sum = sum * ratio + 1.0;
    }
    let m = f32(params.catalogue);
    return f32(params.draws - 1u) * log(a / m) - log(m) + log(sum);
}

/// ln of an item's probability under its group's mixture.
fn log_q_of(item: u32, which: u32) -> f32 {
    return mixture(which, item);
}
