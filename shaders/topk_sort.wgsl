// Sorts the result of topk_select: best first, equal scores by id. Empty places hold u32::MAX and negative
// infinity.
//
// Work per thread: one place; an item's rank is the number of better ones. Grid: linear, rows * k threads.

#import "shared/grid.wgsl"
#import "shared/numbers.wgsl"
#import "shared/ranking.wgsl"

struct Params {
    rows: u32,
    /// M.
    items: u32,
    k: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scores: array<f32>; // rows x M
@group(0) @binding(2) var<storage, read> picked: array<u32>; // rows x (1 + k): how many, then ids
@group(0) @binding(3) var<storage, read_write> ids: array<u32>; // rows x k
@group(0) @binding(4) var<storage, read_write> values: array<f32>; // rows x k

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = linear_group(group, groups) * 64u + local;
    let row = at / params.k;
    let place = at % params.k;
    if row >= params.rows {
        return;
    }
    let start = row * (params.k + 1u) + 1u;
    let count = picked[start - 1u];
    if place >= count {
        ids[at] = 0xffffffffu;
        values[at] = negative_infinity();
        return;
    }
    let id = picked[start + place];
    let score = scores[row * params.items + id];
    let key = rank_key(score);
    var rank = 0u;
    for (var i = 0u; i < count; i++) {
        let other = picked[start + i];
        let other_key = rank_key(scores[row * params.items + other]);
        rank += u32(other_key > key || (other_key == key && other < id));
    }
    ids[row * params.k + rank] = id;
    // Adding zero turns -0 into 0, so that equal scores have equal bits.
    values[row * params.k + rank] = score + 0.0;
}
