// kl[b] *= share n_b, where n_b is the number of entries of batch row b.
//
// Work per thread: one user. Grid: linear, batch threads.

#import "shared/grid.wgsl"

struct Params {
    batch: u32,
    share: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> batch_offsets: array<u32>; // B + 1
@group(0) @binding(2) var<storage, read_write> kl: array<f32>; // B

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let b = linear_group(group, groups) * 64u + local;
    if b < params.batch {
        kl[b] *= params.share * f32(batch_offsets[b + 1u] - batch_offsets[b]);
    }
}
