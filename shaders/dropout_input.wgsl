// weights[e] = keep / ((1 - p) sqrt(n_b)): the inputs x_u of the encoder, L2-normalised, with dropout.
//
// Work per workgroup: one batch row; each thread handles four entries at a time, which share a block of
// random words.
// Grid: linear, batch workgroups.

#import "shared/grid.wgsl"
#import "shared/philox.wgsl"
#import "shared/batch_row.wgsl"

struct Params {
    batch: u32,
    /// 1 - p.
    kept: f32,
    /// Random words below it drop an entry.
    threshold: u32,
    key_low: u32,
    key_high: u32,
    step: u32,
    row_offset: u32,
    row_period: u32,
    row_gap: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> batch_offsets: array<u32>; // B + 1
@group(0) @binding(2) var<storage, read_write> weights: array<f32>; // E

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let b = linear_group(group, groups);
    if b >= params.batch {
        return;
    }
    let start = batch_offsets[b];
    let count = batch_offsets[b + 1u] - start;
    let kept = 1.0 / (params.kept * sqrt(f32(count)));
    let seed = vec2<u32>(params.key_low, params.key_high);
    for (var block = local; 4u * block < count; block += 64u) {
        let words = philox(seed, STREAM_DROPOUT, params.step, batch_row(b), block);
        for (var i = 0u; i < min(4u, count - 4u * block); i++) {
            weights[start + 4u * block + i] = select(kept, 0.0, words[i] < params.threshold);
        }
    }
}
