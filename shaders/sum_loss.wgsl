// losses[2 slot] = sum(nll) / (L W), losses[2 slot + 1] = sum(kl) / W, for B of the W users of a batch.
//
// Work: one workgroup. Grid: 1 workgroup.

#import "shared/reduce.wgsl"

struct Params {
    /// L; R = L B.
    samples: u32,
    /// B.
    batch: u32,
    /// W.
    whole: u32,
    slot: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> nll: array<f32>; // R
@group(0) @binding(2) var<storage, read> kl: array<f32>; // B
@group(0) @binding(3) var<storage, read_write> losses: array<f32>; // pairs

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
    var loss = 0.0;
    for (var i = local; i < params.samples * params.batch; i += 64u) {
        loss += nll[i];
    }
    var divergence = 0.0;
    for (var i = local; i < params.batch; i += 64u) {
        divergence += kl[i];
    }
    let losses_sum = workgroup_sum(loss, local);
    let divergence_sum = workgroup_sum(divergence, local);
    if local == 0u {
        losses[2u * params.slot] = losses_sum / f32(params.samples * params.whole);
        losses[2u * params.slot + 1u] = divergence_sum / f32(params.whole);
    }
}
