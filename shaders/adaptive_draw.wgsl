// Candidates by adaptive oversampling (Rendle and Freudenthaler, WSDM 2014): a rank from an alias table, a factor by its
// share, and the item of that rank by the factor, counted from the other end where the query's factor is negative.
// Slot c of a group is drawn by its member c % size.
//
// Work per thread: one candidate. Grid: linear, groups * candidates threads.

#import "shared/grid.wgsl"
#import "shared/groups.wgsl"
#import "shared/numbers.wgsl"
#import "shared/philox.wgsl"
#import "shared/batch_row.wgsl"

struct Params {
    batch: u32,
    group_size: u32,
    candidates: u32,
    /// groups * candidates.
    total: u32,
    /// M.
    items: u32,
    width: u32,
    /// F.
    factors: u32,
    key_low: u32,
    key_high: u32,
    step: u32,
    row_offset: u32,
    row_period: u32,
    row_gap: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<f32>; // R x width
@group(0) @binding(2) var<storage, read> log_shares: array<f32>; // R x F
@group(0) @binding(3) var<storage, read> order: array<u32>; // F x M: items by rank
@group(0) @binding(4) var<storage, read> thresholds: array<u32>; // M
@group(0) @binding(5) var<storage, read> aliases: array<u32>; // M
@group(0) @binding(6) var<storage, read_write> negatives: array<u32>; // groups x candidates

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = linear_group(group, groups) * 64u + local;
    if at >= params.total {
        return;
    }
    let slot = at % params.candidates;
    let rows = rows_of_group(at / params.candidates);
    let row = rows.x + slot % rows.y;
    let seed = vec2<u32>(params.key_low, params.key_high);
    let words = philox(seed, STREAM_NEGATIVES, params.step, batch_row(row), slot);
    var rank = below(words.x, params.items);
    if words.y >= thresholds[rank] {
        rank = aliases[rank];
    }
    let share = unit(words.z);
    // The sum of all shares may be less than 1 by rounding: then it is the last factor.
    var factor = 0u;
    var before = exp_below(log_shares[row * params.factors]);
    while before <= share && factor + 1u < params.factors {
        factor++;
        before += exp_below(log_shares[row * params.factors + factor]);
    }
    if factor < params.width && queries[row * params.width + factor] < 0.0 {
        rank = params.items - 1u - rank;
    }
    negatives[at] = order[factor * params.items + rank];
}
