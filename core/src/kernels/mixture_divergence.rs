//! The divergence of latent codes from RecVAE's composite prior, and its gradient.
//!
//! The prior of each latent dimension is a mixture of a standard normal distribution, of what the encoder of the epoch
//! before returns for the same history, and of a wide normal distribution (Shenbin et al., 2020). It has no divergence in
//! closed form: the kernels take the difference of the log densities at the code that was drawn.

use fastvae_shaders::{mixture_divergence, mixture_divergence_backward};

use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
};

/// Weights of the parts of the prior: standard, previous and wide.
const WEIGHTS: [f32; 3] = [0.15, 0.75, 0.1];
/// Logarithm of the variance of the wide part.
const WIDE: f32 = 10.0;
/// The least log variance of the previous posterior that counts, so that precisions do not overflow.
const LEAST: f32 = -60.0;

/// `kl[b] = sum over d of the mean over s of log q(z) - log p(z)`, with the densities of [`Mixture`].
pub struct MixtureDivergence {
    /// What the densities belong to.
    pub codes: Mixture,
    /// Out: B.
    pub kl: Buffer<f32>,
}

/// Codes, the posteriors that they were drawn from, and the previous posteriors of the same users.
#[derive(Clone)]
pub struct Mixture {
    /// B x 2D: mu, then the logarithm of the variance.
    pub posterior: Buffer<f32>,
    /// B x 2D, of the previous encoder.
    pub previous: Buffer<f32>,
    /// R x D standard normals.
    pub noise: Buffer<f32>,
    /// R x D: `mu + noise exp(logvar / 2)`.
    pub codes: Buffer<f32>,
    /// B.
    pub batch: usize,
    /// D.
    pub latent: usize,
    /// L; R = L B.
    pub samples: usize,
}

impl Mixture {
    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.posterior, &[self.batch, 2, self.latent])?;
        check.holds(&self.previous, &[self.batch, 2, self.latent])?;
        check.holds(&self.noise, &[self.samples, self.batch, self.latent])?;
        check.holds(&self.codes, &[self.samples, self.batch, self.latent])
    }
}

/// `log p(z)` and its derivative by z, without the constant that it shares with `log q(z)`.
#[inline(always)]
fn prior(z: f32, mean: f32, log_variance: f32) -> (f32, f32) {
    let log_variance = log_variance.max(LEAST);
    let parts = [(0.0, 0.0), (mean, log_variance), (0.0, WIDE)];
    let slopes = parts.map(|(mean, log_variance)| (mean - z) * (-log_variance).exp());
    let logs: [f32; 3] = std::array::from_fn(|k| {
        let (mean, log_variance) = parts[k];
        WEIGHTS[k].ln() - 0.5 * (log_variance + (z - mean) * (z - mean) * (-log_variance).exp())
    });
    let top = logs[0].max(logs[1]).max(logs[2]);
    let shares = logs.map(|log| (log - top).exp());
    let sum: f32 = shares.iter().sum();
    let slope = shares.iter().zip(slopes).map(|(share, slope)| share * slope).sum::<f32>() / sum;
    (top + sum.ln(), slope)
}

impl Kernel for MixtureDivergence {
    fn name(&self) -> &'static str {
        "mixture_divergence"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.codes.check(check)?;
        check.holds(&self.kl, &[self.codes.batch])
    }

    unsafe fn cpu(&self) {
        let Mixture { batch, latent, samples, .. } = self.codes;
        let (posterior, previous) = (self.codes.posterior.read(), self.codes.previous.read());
        let (noise, codes) = (self.codes.noise.read(), self.codes.codes.read());
        let mut kl = self.kl.write();
        parallel::for_each_chunk(&mut kl[..batch], 1, |b, kl| {
            let mut sum = 0.0;
            for d in 0..latent {
                let (mean_at, variance_at) = (2 * b * latent + d, (2 * b + 1) * latent + d);
                for s in 0..samples {
                    let at = (s * batch + b) * latent + d;
                    let own = -0.5 * (posterior[variance_at] + noise[at] * noise[at]);
                    sum += own - prior(codes[at], previous[mean_at], previous[variance_at]).0;
                }
            }
            kl[0] = sum / samples as f32;
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let Mixture { batch, latent, samples, .. } = self.codes;
        calls.dispatch(
            mixture_divergence::Params {
                batch: batch as u32,
                latent: latent as u32,
                samples: samples as u32,
            },
            mixture_divergence::Bindings {
                posterior: &self.codes.posterior,
                previous: &self.codes.previous,
                noise: &self.codes.noise,
                codes: &self.codes.codes,
                kl: &self.kl,
            },
            gpu::Work::Groups(batch),
        );
    }
}

/// Adds the gradient of `weight sum w_b kl[b]` with respect to the posterior, where the weight of user b is
/// `each + share n_b` and n_b is the number of entries of batch row b.
pub struct MixtureDivergenceBackward {
    /// What the densities belong to.
    pub codes: Mixture,
    /// Offset of each batch row's entries, B + 1.
    pub batch_offsets: Buffer<u32>,
    /// Weight of every user.
    pub each: f32,
    /// Weight of an entry.
    pub share: f32,
    /// beta / B, where B counts the users of the whole batch.
    pub weight: f32,
    /// In and out: B x 2D.
    pub posterior_gradient: Buffer<f32>,
}

impl Kernel for MixtureDivergenceBackward {
    fn name(&self) -> &'static str {
        "mixture_divergence_backward"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.codes.check(check)?;
        check.holds_after(&self.batch_offsets, 1, &[self.codes.batch])?;
        check.holds(&self.posterior_gradient, &[self.codes.batch, 2, self.codes.latent])
    }

    unsafe fn cpu(&self) {
        let Mixture { batch, latent, samples, .. } = self.codes;
        let (posterior, previous) = (self.codes.posterior.read(), self.codes.previous.read());
        let (noise, codes) = (self.codes.noise.read(), self.codes.codes.read());
        let offsets = self.batch_offsets.read();
        let mut gradient = self.posterior_gradient.write();
        parallel::for_each_chunk(&mut gradient[..batch * 2 * latent], 2 * latent, |b, gradient| {
            let (d_mean, d_log_variance) = gradient.split_at_mut(latent);
            let of_user = self.each + self.share * (offsets[b + 1] - offsets[b]) as f32;
            let weight = self.weight * of_user / samples as f32;
            for d in 0..latent {
                let (mean_at, variance_at) = (2 * b * latent + d, (2 * b + 1) * latent + d);
                let half_deviation = 0.5 * (0.5 * posterior[variance_at]).exp();
                for s in 0..samples {
                    let at = (s * batch + b) * latent + d;
                    let slope = -prior(codes[at], previous[mean_at], previous[variance_at]).1;
                    d_mean[d] += weight * slope;
                    d_log_variance[d] += weight * (slope * noise[at] * half_deviation - 0.5);
                }
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let Mixture { batch, latent, samples, .. } = self.codes;
        calls.dispatch(
            mixture_divergence_backward::Params {
                batch: batch as u32,
                latent: latent as u32,
                samples: samples as u32,
                each: self.each,
                share: self.share,
                weight: self.weight / samples as f32,
            },
            mixture_divergence_backward::Bindings {
                posterior: &self.codes.posterior,
                previous: &self.codes.previous,
                noise: &self.codes.noise,
                codes: &self.codes.codes,
                batch_offsets: &self.batch_offsets,
                posterior_gradient: &self.posterior_gradient,
            },
            gpu::Work::Threads(batch * latent),
        );
    }
}
