// Draws by the quadratic kernel (Blanc and Rendle, 2018): descends a tree by the weights of the two children,
// alpha z' A z + n each, then draws an item of the leaf by alpha o^2 + 1. Slot c of a group is drawn by its
// member c % size.
//
// Work per workgroup: one candidate. Grid: linear, groups * candidates workgroups.

#import "shared/grid.wgsl"
#import "shared/groups.wgsl"
#import "shared/philox.wgsl"
#import "shared/batch_row.wgsl"
#import "shared/quadratic.wgsl"
#import "shared/reduce.wgsl"

struct Params {
    batch: u32,
    group_size: u32,
    candidates: u32,
    /// groups * candidates.
    total: u32,
    /// M.
    items: u32,
    /// W, the width of an item row including its bias.
    width: u32,
    has_bias: u32,
    /// Items per leaf.
    leaf: u32,
    /// P, a power of two.
    leaves: u32,
    /// log2 P.
    depth: u32,
    alpha: f32,
    key_low: u32,
    key_high: u32,
    step: u32,
    row_offset: u32,
    row_period: u32,
    row_gap: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<f32>; // R x (W - has_bias)
@group(0) @binding(2) var<storage, read> nodes: array<f32>; // 2P x W (W + 1) / 2
@group(0) @binding(3) var<storage, read> table: array<f32>; // M x W
@group(0) @binding(4) var<storage, read_write> negatives: array<u32>; // groups x candidates

var<workgroup> pieces: array<f32, 64>; // kernel sums of a leaf's pieces

/// Number of items below a node of a level.
fn items_under(node: u32, level: u32) -> u32 {
    let below = params.depth - level;
    let first = (node << below) - params.leaves;
    let end = ((node + 1u) << below) - params.leaves;
    return min(end * params.leaf, params.items) - min(first * params.leaf, params.items);
}

fn kernel(item: u32, row: u32) -> f32 {
    var logit = 0.0;
    for (var i = 0u; i < params.width; i++) {
        logit += table[item * params.width + i] * query_at(row, i);
    }
    return params.alpha * logit * logit + 1.0;
}

/// The random word of a slot at a level; four levels share a block.
fn random(level: u32, row: u32, slot: u32) -> f32 {
    let seed = vec2<u32>(params.key_low, params.key_high);
    let words = philox(seed, STREAM_NEGATIVES, params.step, batch_row(row), slot + params.candidates * (level / 4u));
    return unit(words[level % 4u]);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = linear_group(group, groups);
    if at >= params.total {
        return;
    }
    let slot = at % params.candidates;
    let rows = rows_of_group(at / params.candidates);
    let row = rows.x + slot % rows.y;
    var node = 1u;
    for (var level = 0u; level < params.depth; level++) {
        let left = node_weight(2u * node, items_under(2u * node, level + 1u), row, local);
        let right = node_weight(2u * node + 1u, items_under(2u * node + 1u, level + 1u), row, local);
        node = 2u * node + select(1u, 0u, random(level, row, slot) * (left + right) < left);
    }
    // Each invocation sums a piece of the leaf; the first one then finds the piece and the item in it.
    let first = min((node - params.leaves) * params.leaf, params.items - 1u);
    let end = min(first + params.leaf, params.items);
    let piece = (params.leaf + 63u) / 64u;
    var sum = 0.0;
    for (var i = first + local * piece; i < min(first + (local + 1u) * piece, end); i++) {
        sum += kernel(i, row);
    }
    pieces[local] = sum;
    workgroupBarrier();
    if local != 0u {
        return;
    }
    var total = 0.0;
    for (var i = 0u; i < 64u; i++) {
        total += pieces[i];
    }
    let u = random(params.depth, row, slot) * total;
    // If no sum exceeds u because of rounding, the search ends at the last piece with a positive weight.
    var before = 0.0;
    var which = 0u;
    for (var i = 0u; i < 64u; i++) {
        if pieces[i] > 0.0 {
            which = i;
            if before + pieces[i] > u {
                break;
            }
            before += pieces[i];
        }
    }
    var item = min(first + which * piece, end - 1u);
    for (var i = item; i < min(first + (which + 1u) * piece, end); i++) {
        item = i;
        before += kernel(i, row);
        if before > u {
            break;
        }
    }
    negatives[at] = item;
}
