// log q of items under adaptive oversampling (Rendle and Freudenthaler, WSDM 2014), for their group's mixture: ln sum over
// rows g of (drawn_g / C) q_g, q_g = sum over factors f of p_g(f) exp(-rank_f / lambda) up to a constant.
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
    /// M.
    catalogue: u32,
    width: u32,
    /// F.
    factors: u32,
    lambda: f32,
    /// The logarithm of the probability of the first rank.
    log_first: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<f32>; // R x width
@group(0) @binding(2) var<storage, read> log_shares: array<f32>; // R x F
@group(0) @binding(3) var<storage, read> places: array<u32>; // F x M: rank of each item
@group(0) @binding(4) var<storage, read> items: array<u32>; // groups x C, or E
@group(0) @binding(5) var<storage, read> rows: array<u32>; // E: batch row of each entry
@group(0) @binding(6) var<storage, read_write> output: array<f32>; // total

fn log_q(row: u32, item: u32) -> f32 {
    var top = LOWEST;
    var sum = 0.0;
    for (var f = 0u; f < params.factors; f++) {
        var rank = places[f * params.catalogue + item];
        if f < params.width && queries[row * params.width + f] < 0.0 {
            rank = params.catalogue - 1u - rank;
        }
        let term = log_shares[row * params.factors + f] - f32(rank) / params.lambda;
        let larger = max(top, term);
        sum = sum * exp_below(top - larger) + exp_below(term - larger);
        top = larger;
    }
    return params.log_first + top + log(sum);
}

/// ln of an item's probability under its group's mixture.
fn log_q_of(item: u32, which: u32) -> f32 {
    return mixture(which, item);
}
