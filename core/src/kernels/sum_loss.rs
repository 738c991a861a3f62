//! Mean losses of a step, stored on the device until they are read.

use fastvae_shaders::sum_loss;

use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu},
    simd,
};

/// `losses[2 slot] = sum(nll) / (L W)`, `losses[2 slot + 1] = sum(kl) / W`, for B of the W users of a batch.
pub struct SumLoss {
    /// R: loss of each latent sample of each user.
    pub nll: Buffer<f32>,
    /// L; R = L B.
    pub samples: usize,
    /// B: KL divergence of each user.
    pub kl: Buffer<f32>,
    /// B.
    pub batch: usize,
    /// W: users of the whole batch, of which another process may have the others.
    pub whole: usize,
    /// The pair of `losses` to write.
    pub slot: usize,
    /// Out.
    pub losses: Buffer<f32>,
}

impl Kernel for SumLoss {
    fn name(&self) -> &'static str {
        "sum_loss"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.nll, &[self.samples, self.batch])?;
        check.holds(&self.kl, &[self.batch])?;
        check.holds_after(&self.losses, 2, &[self.slot, 2])
    }

    unsafe fn cpu(&self) {
        let mut losses = self.losses.write();
        let (rows, all_rows) = (self.samples * self.batch, self.samples * self.whole);
        losses[2 * self.slot] = simd::sum(&self.nll.read()[..rows]) / all_rows as f32;
        losses[2 * self.slot + 1] = simd::sum(&self.kl.read()[..self.batch]) / self.whole as f32;
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            sum_loss::Params {
                samples: self.samples as u32,
                batch: self.batch as u32,
                whole: self.whole as u32,
                slot: self.slot as u32,
            },
            sum_loss::Bindings { nll: &self.nll, kl: &self.kl, losses: &self.losses },
            gpu::Work::Groups(1),
        );
    }
}
