// posterior_gradient += the gradient of weight sum (each + share n_b) kl[b], where n_b is the number of entries of batch
// row b and kl the divergence from RecVAE's composite prior.
//
// Work per thread: mean and log-variance of one latent dimension of one user, over all samples.
// Grid: linear, batch * latent threads.

#import "shared/grid.wgsl"
#import "shared/composite_prior.wgsl"

struct Params {
    batch: u32,
    latent: u32,
    samples: u32,
    each: f32,
    share: f32,
    /// beta / (users of the whole batch times samples).
    weight: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> posterior: array<f32>; // B x 2D: mu, logvar
@group(0) @binding(2) var<storage, read> previous: array<f32>; // B x 2D: mu, logvar
@group(0) @binding(3) var<storage, read> noise: array<f32>; // R x D
@group(0) @binding(4) var<storage, read> codes: array<f32>; // R x D
@group(0) @binding(5) var<storage, read> batch_offsets: array<u32>; // B + 1
@group(0) @binding(6) var<storage, read_write> posterior_gradient: array<f32>; // B x 2D

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let thread = linear_group(group, groups) * 64u + local;
    let b = thread / params.latent;
    let d = thread % params.latent;
    if b >= params.batch {
        return;
    }
    let mean_at = 2u * b * params.latent + d;
    let variance_at = mean_at + params.latent;
    let half_deviation = 0.5 * exp(0.5 * posterior[variance_at]);
    var d_mean = 0.0;
    var d_log_variance = 0.0;
    for (var s = 0u; s < params.samples; s++) {
        let at = (s * params.batch + b) * params.latent + d;
        let slope = -prior(codes[at], previous[mean_at], previous[variance_at]).y;
        d_mean += slope;
        d_log_variance += slope * noise[at] * half_deviation - 0.5;
    }
    let of_user = params.each + params.share * f32(batch_offsets[b + 1u] - batch_offsets[b]);
    posterior_gradient[mean_at] += params.weight * of_user * d_mean;
    posterior_gradient[variance_at] += params.weight * of_user * d_log_variance;
}
