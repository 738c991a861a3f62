//! The KL divergences of users, weighted by the lengths of their histories, and the gradient of that.

use fastvae_shaders::{weigh_divergence, weigh_divergence_backward};

use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
};

/// `kl[b] *= share n_b`, where n_b is the number of entries of batch row b.
pub struct WeighDivergence {
    /// Offset of each batch row's entries, B + 1.
    pub batch_offsets: Buffer<u32>,
    /// B.
    pub batch: usize,
    /// Weight of an entry.
    pub share: f32,
    /// In and out, B.
    pub kl: Buffer<f32>,
}

impl Kernel for WeighDivergence {
    fn name(&self) -> &'static str {
        "weigh_divergence"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds_after(&self.batch_offsets, 1, &[self.batch])?;
        check.holds(&self.kl, &[self.batch])
    }

    unsafe fn cpu(&self) {
        let offsets = self.batch_offsets.read();
        for (kl, ends) in self.kl.write()[..self.batch].iter_mut().zip(offsets.windows(2)) {
            *kl *= self.share * (ends[1] - ends[0]) as f32;
        }
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            weigh_divergence::Params { batch: self.batch as u32, share: self.share },
            weigh_divergence::Bindings { batch_offsets: &self.batch_offsets, kl: &self.kl },
            gpu::Work::Threads(self.batch),
        );
    }
}

/// Adds the gradient of `weight sum share n_b kl[b]` with respect to the posterior, for the divergence from the
/// standard normal distribution.
pub struct WeighDivergenceBackward {
    /// Offset of each batch row's entries, B + 1.
    pub batch_offsets: Buffer<u32>,
    /// B x 2D: mu, then the logarithm of the variance.
    pub posterior: Buffer<f32>,
    /// B.
    pub batch: usize,
    /// D.
    pub latent: usize,
    /// Weight of an entry.
    pub share: f32,
    /// Weight of a user's divergence: beta / B, where B counts the users of the whole batch.
    pub weight: f32,
    /// In and out: B x 2D.
    pub posterior_gradient: Buffer<f32>,
}

impl Kernel for WeighDivergenceBackward {
    fn name(&self) -> &'static str {
        "weigh_divergence_backward"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds_after(&self.batch_offsets, 1, &[self.batch])?;
        check.holds(&self.posterior, &[self.batch, 2, self.latent])?;
        check.holds(&self.posterior_gradient, &[self.batch, 2, self.latent])
    }

    unsafe fn cpu(&self) {
        let (offsets, posterior) = (self.batch_offsets.read(), self.posterior.read());
        let mut gradient = self.posterior_gradient.write();
        let (batch, latent) = (self.batch, self.latent);
        parallel::for_each_chunk(&mut gradient[..batch * 2 * latent], 2 * latent, |b, gradient| {
            let (mean, log_variance) = posterior[b * 2 * latent..][..2 * latent].split_at(latent);
            let (d_mean, d_log_variance) = gradient.split_at_mut(latent);
            let weight = self.weight * self.share * (offsets[b + 1] - offsets[b]) as f32;
            for d in 0..latent {
                d_mean[d] += weight * mean[d];
                d_log_variance[d] += weight * 0.5 * (log_variance[d].exp() - 1.0);
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            weigh_divergence_backward::Params {
                batch: self.batch as u32,
                latent: self.latent as u32,
                weight: self.weight * self.share,
            },
            weigh_divergence_backward::Bindings {
                batch_offsets: &self.batch_offsets,
                posterior: &self.posterior,
                posterior_gradient: &self.posterior_gradient,
            },
            gpu::Work::Threads(self.batch * self.latent),
        );
    }
}
