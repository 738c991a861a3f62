// log q of items under the quadratic kernel (Blanc and Rendle, 2018), log q_g = ln(alpha o^2 + 1) - log_z_g,
// under their group's mixture: ln sum over rows g of (drawn_g / C) exp(log q_g).
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
    /// E if the items are the batch's entries, for each sample; 0 if they are candidates.
    entries: u32,
    /// Number of outputs: groups * candidates, or samples * entries.
    total: u32,
    /// W, the width of an item row including its bias.
    width: u32,
    has_bias: u32,
    alpha: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<f32>; // R x (W - has_bias)
@group(0) @binding(2) var<storage, read> table: array<f32>; // M x W
@group(0) @binding(3) var<storage, read> log_z: array<f32>; // R
@group(0) @binding(4) var<storage, read> items: array<u32>; // groups x C, or E
@group(0) @binding(5) var<storage, read> rows: array<u32>; // E: batch row of each entry
@group(0) @binding(6) var<storage, read_write> output: array<f32>; // total

fn log_q(row: u32, item: u32) -> f32 {
    let width = params.width - params.has_bias;
    var logit = 0.0;
    for (var i = 0u; i < width; i++) {
        logit += queries[row * width + i] * table[item * params.width + i];
    }
    if params.has_bias != 0u {
        logit += table[item * params.width + width];
    }
    return log(params.alpha * logit * logit + 1.0) - log_z[row];
}

/// ln of an item's probability under its group's mixture.
fn log_q_of(item: u32, which: u32) -> f32 {
    return mixture(which, item);
}
