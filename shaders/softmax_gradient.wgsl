// In place, for a user with history I of n items: g_i = scale (n exp(o_i - lse) - [i in I]) (paper, eq. 1).
//
// Work per workgroup: one chunk of one query row. Grid: linear, rows * chunks workgroups.

#import "shared/grid.wgsl"
#import "shared/numbers.wgsl"
#import "shared/history.wgsl"

struct Params {
    /// Query row r belongs to batch row r % batch.
    batch: u32,
    rows: u32,
    /// Items of this block.
    block: u32,
    /// The first item of this block.
    block_start: u32,
    /// Chunks of a row.
    chunks: u32,
    /// Items per chunk; fewer in the last.
    chunk: u32,
    /// 1 / R.
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>; // R x block
@group(0) @binding(2) var<storage, read> maximum: array<f32>; // R
@group(0) @binding(3) var<storage, read> sum: array<f32>; // R
@group(0) @binding(4) var<storage, read> batch_offsets: array<u32>; // B + 1
@group(0) @binding(5) var<storage, read> batch_items: array<u32>; // E, ascending for each batch row

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_group(group, groups);
    if index >= params.rows * params.chunks {
        return;
    }
    let row = index / params.chunks;
    let first = index % params.chunks * params.chunk;
    let count = min(params.chunk, params.block - first);
    let begin = row * params.block + first;
    let user = row % params.batch;
    let start = batch_offsets[user];
    let end = batch_offsets[user + 1u];
    let log_partition = maximum[row] + log(sum[row]);
    let weight = params.scale * f32(end - start);
    for (var i = local; i < count; i += 64u) {
        logits[begin + i] = weight * exp_below(logits[begin + i] - log_partition);
    }
    storageBarrier();
    workgroupBarrier();
    let inside = lower_bound(start, end, params.block_start + first);
    let outside = lower_bound(inside, end, params.block_start + first + count);
    for (var e = inside + local; e < outside; e += 64u) {
        logits[begin + batch_items[e] - params.block_start - first] -= params.scale;
    }
}
