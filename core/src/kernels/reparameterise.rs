//! The latent code z = mu + eps sigma, its KL divergence from the prior, and the gradients of both (paper,
//! section 6).

use fastvae_shaders::{reparameterise, reparameterise_backward};

use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
};

/// `z[s B + b] = mu[b] + noise[s B + b] exp(logvar[b] / 2)` and
/// `kl[b] = -1/2 sum(1 + logvar - mu^2 - exp logvar)`.
pub struct Reparameterise {
    /// B x 2D: mu, then the logarithm of the variance.
    pub posterior: Buffer<f32>,
    /// R x D standard normals; all zeros give the mean.
    pub noise: Buffer<f32>,
    /// B.
    pub batch: usize,
    /// D.
    pub latent: usize,
    /// L; R = L B.
    pub samples: usize,
    /// Out: R x D.
    pub codes: Buffer<f32>,
    /// Out: B.
    pub kl: Buffer<f32>,
}

impl Kernel for Reparameterise {
    fn name(&self) -> &'static str {
        "reparameterise"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.posterior, &[self.batch, 2, self.latent])?;
        check.holds(&self.noise, &[self.samples, self.batch, self.latent])?;
        check.holds(&self.codes, &[self.samples, self.batch, self.latent])?;
        check.holds(&self.kl, &[self.batch])
    }

    unsafe fn cpu(&self) {
        let (posterior, noise) = (self.posterior.read(), self.noise.read());
        let (mut codes, mut kl) = (self.codes.write(), self.kl.write());
        let (batch, latent) = (self.batch, self.latent);
        let moments = |b: usize| posterior[b * 2 * latent..][..2 * latent].split_at(latent);
        parallel::for_each_chunk(&mut codes[..self.samples * batch * latent], latent, |r, z| {
            let (mean, log_variance) = moments(r % batch);
            for (d, z) in z.iter_mut().enumerate() {
                *z = mean[d] + noise[r * latent + d] * (0.5 * log_variance[d]).exp();
            }
        });
        for (b, kl) in kl[..batch].iter_mut().enumerate() {
            let (mean, log_variance) = moments(b);
            *kl = -0.5 * mean.iter().zip(log_variance).map(|(m, v)| 1.0 + v - m * m - v.exp()).sum::<f32>();
        }
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            reparameterise::Params {
                batch: self.batch as u32,
                latent: self.latent as u32,
                samples: self.samples as u32,
            },
            reparameterise::Bindings {
                posterior: &self.posterior,
                noise: &self.noise,
                codes: &self.codes,
                kl: &self.kl,
            },
            gpu::Work::Groups(self.batch),
        );
    }
}

/// The gradient of `loss + weight sum kl` with respect to the posterior.
pub struct ReparameteriseBackward {
    /// B x 2D: mu, then the logarithm of the variance.
    pub posterior: Buffer<f32>,
    /// R x D standard normals.
    pub noise: Buffer<f32>,
    /// R x D: d loss / d z.
    pub code_gradient: Buffer<f32>,
    /// B.
    pub batch: usize,
    /// D.
    pub latent: usize,
    /// L; R = L B.
    pub samples: usize,
    /// Weight of each user's KL divergence: beta / B, where B counts the users of the whole batch.
    pub weight: f32,
    /// Out: B x 2D.
    pub posterior_gradient: Buffer<f32>,
}

impl Kernel for ReparameteriseBackward {
    fn name(&self) -> &'static str {
        "reparameterise_backward"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.posterior, &[self.batch, 2, self.latent])?;
        check.holds(&self.noise, &[self.samples, self.batch, self.latent])?;
        check.holds(&self.code_gradient, &[self.samples, self.batch, self.latent])?;
        check.holds(&self.posterior_gradient, &[self.batch, 2, self.latent])
    }

    unsafe fn cpu(&self) {
        let (posterior, noise, code) = (self.posterior.read(), self.noise.read(), self.code_gradient.read());
        let mut gradient = self.posterior_gradient.write();
        let (batch, latent) = (self.batch, self.latent);
        let weight = self.weight;
        parallel::for_each_chunk(&mut gradient[..batch * 2 * latent], 2 * latent, |b, gradient| {
            let (mean, log_variance) = posterior[b * 2 * latent..][..2 * latent].split_at(latent);
            let (d_mean, d_log_variance) = gradient.split_at_mut(latent);
            for d in 0..latent {
                let half_deviation = 0.5 * (0.5 * log_variance[d]).exp();
                let mut sums = (0.0, 0.0);
                for s in 0..self.samples {
                    let at = (s * batch + b) * latent + d;
                    sums.0 += code[at];
                    sums.1 += code[at] * noise[at] * half_deviation;
                }
                d_mean[d] = sums.0 + weight * mean[d];
                d_log_variance[d] = sums.1 + weight * 0.5 * (log_variance[d].exp() - 1.0);
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            reparameterise_backward::Params {
                batch: self.batch as u32,
                latent: self.latent as u32,
                samples: self.samples as u32,
                weight: self.weight,
            },
            reparameterise_backward::Bindings {
                posterior: &self.posterior,
                noise: &self.noise,
                code_gradient: &self.code_gradient,
                posterior_gradient: &self.posterior_gradient,
            },
            gpu::Work::Threads(self.batch * self.latent),
        );
    }
}
