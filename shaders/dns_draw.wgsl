// Dynamic negative sampling (Zhang et al., 2013): the candidate is the one of B uniform draws with the
// largest logit; among equal logits, the smaller item. Slot c of a group is drawn by its member c % size.
//
// Work per thread: one candidate. Grid: linear, groups * candidates threads.

#import "shared/grid.wgsl"
#import "shared/groups.wgsl"
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
    /// B.
    draws: u32,
    /// Width of a row; 0: the logits of all items are given.
    width: u32,
    has_bias: u32,
    key_low: u32,
    key_high: u32,
    step: u32,
    row_offset: u32,
    row_period: u32,
    row_gap: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // R x M
@group(0) @binding(2) var<storage, read> queries: array<f32>; // R x width
@group(0) @binding(3) var<storage, read> table: array<f32>; // M x width
@group(0) @binding(4) var<storage, read> bias: array<f32>; // M
@group(0) @binding(5) var<storage, read_write> negatives: array<u32>; // groups x candidates

fn score(row: u32, item: u32) -> f32 {
    if params.width == 0u {
        return logits[row * params.items + item];
    }
    var sum = 0.0;
    for (var i = 0u; i < params.width; i++) {
        sum += queries[row * params.width + i] * table[item * params.width + i];
    }
    if params.has_bias != 0u {
        sum += bias[item];
    }
    return sum;
}

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
    var best = 0u;
    var top = 0.0;
    var words = vec4<u32>();
    for (var draw = 0u; draw < params.draws; draw++) {
        if draw % 4u == 0u {
            let counter = slot + params.candidates * (draw / 4u);
            words = philox(seed, STREAM_NEGATIVES, params.step, batch_row(row), counter);
        }
        let item = below(words[draw % 4u], params.items);
        let value = score(row, item);
        if draw == 0u || value > top || (value == top && item < best) {
            best = item;
            top = value;
        }
    }
    negatives[at] = best;
}
