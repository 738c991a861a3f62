// For a user with history I: nll = sum over i in I of (lse - o_i) (paper, eq. 1), from the logits of a block.
//
// Work per workgroup: one query row. Grid: linear, rows workgroups.

#import "shared/grid.wgsl"
#import "shared/history.wgsl"
#import "shared/reduce.wgsl"

struct Params {
    /// Query row r belongs to batch row r % batch.
    batch: u32,
    rows: u32,
    /// Items of this block.
    block: u32,
    /// The first item of this block.
    block_start: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // R x block
@group(0) @binding(2) var<storage, read> maximum: array<f32>; // R
@group(0) @binding(3) var<storage, read> sum: array<f32>; // R
@group(0) @binding(4) var<storage, read> batch_offsets: array<u32>; // B + 1
@group(0) @binding(5) var<storage, read> batch_items: array<u32>; // E, ascending for each batch row
@group(0) @binding(6) var<storage, read_write> nll: array<f32>; // R; later blocks add to it

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
    let log_partition = maximum[row] + log(sum[row]);
    let inside = lower_bound(batch_offsets[user], batch_offsets[user + 1u], params.block_start);
    let outside = lower_bound(inside, batch_offsets[user + 1u], params.block_start + params.block);
    var loss = 0.0;
    for (var e = inside + local; e < outside; e += 64u) {
        loss += log_partition - logits[row * params.block + batch_items[e] - params.block_start];
    }
    loss = workgroup_sum(loss, local);
    if local == 0u {
        if params.block_start != 0u {
            loss += nll[row];
        }
        nll[row] = loss;
    }
}
