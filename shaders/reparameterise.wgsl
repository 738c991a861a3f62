// z[s B + b] = mu[b] + noise[s B + b] exp(logvar[b] / 2), kl[b] = -1/2 sum(1 + logvar - mu^2 - exp logvar)
// (paper, section 6).
//
// Work per workgroup: one user, with one latent dimension per thread at a time. Grid: linear, batch
// workgroups.

#import "shared/grid.wgsl"
#import "shared/reduce.wgsl"

struct Params {
    batch: u32,
    latent: u32,
    samples: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> posterior: array<f32>; // B x 2D: mu, logvar
@group(0) @binding(2) var<storage, read> noise: array<f32>; // R x D
@group(0) @binding(3) var<storage, read_write> codes: array<f32>; // R x D
@group(0) @binding(4) var<storage, read_write> kl: array<f32>; // B

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
        let mean = posterior[2u * b * params.latent + d];
        let log_variance = posterior[(2u * b + 1u) * params.latent + d];
        let deviation = exp(0.5 * log_variance);
        for (var s = 0u; s < params.samples; s++) {
            let at = (s * params.batch + b) * params.latent + d;
            codes[at] = mean + noise[at] * deviation;
        }
        divergence += 1.0 + log_variance - mean * mean - exp(log_variance);
    }
    let total = workgroup_sum(divergence, local);
    if local == 0u {
        kl[b] = -0.5 * total;
    }
}
