// kl[b] = the sum over latent dimensions of the mean over samples of log q(z) - log p(z), where p is RecVAE's composite prior.
//
// Work per workgroup: one user, with one latent dimension per thread at a time. Grid: linear, batch workgroups.

#import "shared/grid.wgsl"
#import "shared/reduce.wgsl"
#import "shared/composite_prior.wgsl"

struct Params {
    batch: u32,
    latent: u32,
    samples: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> posterior: array<f32>; // B x 2D: mu, logvar
@group(0) @binding(2) var<storage, read> previous: array<f32>; // B x 2D: mu, logvar
@group(0) @binding(3) var<storage, read> noise: array<f32>; // R x D
@group(0) @binding(4) var<storage, read> codes: array<f32>; // R x D
@group(0) @binding(5) var<storage, read_write> kl: array<f32>; // B

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
    var divergence = 0.0;
    for (var d = local; d < params.latent; d += 64u) {
        let mean_at = 2u * b * params.latent + d;
        let variance_at = mean_at + params.latent;
        for (var s = 0u; s < params.samples; s++) {
            let at = (s * params.batch + b) * params.latent + d;
            let own = -0.5 * (posterior[variance_at] + noise[at] * noise[at]);
            divergence += own - prior(codes[at], previous[mean_at], previous[variance_at]).x;
        }
    }
    let total = workgroup_sum(divergence, local);
    if local == 0u {
        kl[b] = total / f32(params.samples);
    }
}
