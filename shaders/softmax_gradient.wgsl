// In place, for a user with history I of n items: g_i = scale (n exp(o_i - lse) - [i in I]), and
// nll = sum over i in I of (lse - o_i) (paper, eq. 1).
//
// Work per workgroup: one query row. Grid: linear, rows workgroups.

#import "shared/grid.wgsl"
#import "shared/numbers.wgsl"
#import "shared/reduce.wgsl"

struct Params {
    /// Query row r belongs to batch row r % batch.
    batch: u32,
    rows: u32,
    /// Items of this block.
    block: u32,
    /// The first item of this block.
    block_start: u32,
    /// 1 / R.
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>; // R x block
@group(0) @binding(2) var<storage, read> maximum: array<f32>; // R
@group(0) @binding(3) var<storage, read> sum: array<f32>; // R
@group(0) @binding(4) var<storage, read> batch_offsets: array<u32>; // B + 1
@group(0) @binding(5) var<storage, read> batch_items: array<u32>; // E, ascending for each batch row
@group(0) @binding(6) var<storage, read_write> nll: array<f32>; // R; later blocks add to it

/// The first entry in start..end whose item is at least `item`.
fn lower_bound(start: u32, end: u32, item: u32) -> u32 {
    var low = start;
    var high = end;
    while low < high {
        let middle = (low + high) / 2u;
        if batch_items[middle] < item {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    return low;
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
    let user = row % params.batch;
    let start = batch_offsets[user];
    let end = batch_offsets[user + 1u];
    let log_partition = maximum[row] + log(sum[row]);
    let begin = row * params.block;
    let inside = lower_bound(start, end, params.block_start);
    let outside = lower_bound(inside, end, params.block_start + params.block);

    var loss = 0.0;
    for (var e = inside + local; e < outside; e += 64u) {
        loss += log_partition - logits[begin + batch_items[e] - params.block_start];
    }
    loss = workgroup_sum(loss, local);
    // The sum's barriers order accesses to workgroup memory; this one orders accesses to the logits.
    storageBarrier();
    workgroupBarrier();
    let weight = params.scale * f32(end - start);
    for (var i = local; i < params.block; i += 64u) {
        logits[begin + i] = weight * exp_below(logits[begin + i] - log_partition);
    }
    storageBarrier();
    workgroupBarrier();
    for (var e = inside + local; e < outside; e += 64u) {
        logits[begin + batch_items[e] - params.block_start] -= params.scale;
    }
    if local == 0u {
        if params.block_start != 0u {
            loss += nll[row];
        }
        nll[row] = loss;
    }
}
