// posterior_gradient += the gradient of weight sum n_b kl[b], where n_b is the number of entries of batch row b and kl the
// divergence from the standard normal distribution.
//
// Work per thread: mean and log-variance of one latent dimension of one user. Grid: linear, batch * latent threads.

#import "shared/grid.wgsl"

struct Params {
    batch: u32,
    latent: u32,
    /// beta / users of the whole batch, times the weight of an entry.
    weight: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> batch_offsets: array<u32>; // B + 1
@group(0) @binding(2) var<storage, read> posterior: array<f32>; // B x 2D: mu, logvar
@group(0) @binding(3) var<storage, read_write> posterior_gradient: array<f32>; // B x 2D

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
    let weight = params.weight * f32(batch_offsets[b + 1u] - batch_offsets[b]);
    let mean_at = 2u * b * params.latent + d;
    let variance_at = mean_at + params.latent;
    posterior_gradient[mean_at] += weight * posterior[mean_at];
    posterior_gradient[variance_at] += weight * 0.5 * (exp(posterior[variance_at]) - 1.0);
}
