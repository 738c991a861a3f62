// Draws from the inverted multi-index: k1 by its running sums, k2 given k1, then an item of the cell by the
// cell's alias table (paper, theorem 5.1). Slot c of a group is drawn by its member c % size.
//
// Work per workgroup: one query row, with one of its slots per thread at a time. Grid: linear, rows
// workgroups.

#import "shared/grid.wgsl"
#import "shared/groups.wgsl"
#import "shared/midx_draw.wgsl"
#import "shared/numbers.wgsl"
#import "shared/philox.wgsl"
#import "shared/batch_row.wgsl"
#import "shared/reduce.wgsl"

struct Params {
    batch: u32,
    group_size: u32,
    candidates: u32,
    rows: u32,
    /// K, at most 256.
    codewords: u32,
    items: u32,
    key_low: u32,
    key_high: u32,
    step: u32,
    row_offset: u32,
    row_period: u32,
    row_gap: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scores: array<f32>; // R x 2K: r1, r2
@group(0) @binding(2) var<storage, read> log_psi: array<f32>; // R x K
@group(0) @binding(3) var<storage, read> log_weights: array<f32>; // K x K: ln omega, LOWEST for an empty cell
@group(0) @binding(4) var<storage, read> starts: array<u32>; // K K + 1
@group(0) @binding(5) var<storage, read> members: array<u32>; // M, by cell
@group(0) @binding(6) var<storage, read> thresholds: array<u32>; // M, as members
@group(0) @binding(7) var<storage, read> aliases: array<u32>; // M, counted from the cell's start
@group(0) @binding(8) var<storage, read_write> negatives: array<u32>; // groups x candidates

var<workgroup> second: array<f32, 256>; // r2

/// As search, for k2 given k1; the probabilities sum to one up to rounding.
fn search_row(row: u32, k1: u32, u: f32) -> u32 {
    let k = params.codewords;
    let shift = log_psi[row * k + k1];
    var sum = 0.0;
    var last = 0u;
    for (var k2 = 0u; k2 < k; k2++) {
        let probability = exp_below(log_weights[k1 * k + k2] + second[k2] - shift);
        if probability > 0.0 {
            sum += probability;
            last = k2;
            if sum > u {
                break;
            }
        }
    }
    return last;
}

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
    let k = params.codewords;
    var top = LOWEST;
    for (var i = local; i < k; i += 64u) {
        second[i] = scores[(2u * row + 1u) * k + i];
        first[i] = max(scores[2u * row * k + i] + log_psi[row * k + i], LOWEST);
        top = max(top, first[i]);
    }
    accumulate(k, top, local);
    let which = group_of_row(row);
    let rows = rows_of_group(which);
    let seed = vec2<u32>(params.key_low, params.key_high);
    for (var slot = row - rows.x + local * rows.y; slot < params.candidates; slot += 64u * rows.y) {
        let words = philox(seed, STREAM_NEGATIVES, params.step, batch_row(row), slot);
        let k1 = search(k, unit(words.x) * first[k - 1u]);
        let cell = k1 * k + search_row(row, k1, unit(words.y));
        let start = starts[cell];
        negatives[which * params.candidates + slot] = member(start, starts[cell + 1u] - start, words);
    }
}
