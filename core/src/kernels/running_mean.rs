//! A mean that is updated by one value at a time.

use fastvae_shaders::running_mean;

use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
};

/// `mean = (1 - weight) mean + weight value`.
pub struct RunningMean {
    /// In and out, `len` elements.
    pub mean: Buffer<f32>,
    /// `len` elements.
    pub value: Buffer<f32>,
    /// Elements.
    pub len: usize,
    /// Weight of the value; 1 copies it.
    pub weight: f32,
}

impl Kernel for RunningMean {
    fn name(&self) -> &'static str {
        "running_mean"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.mean, &[self.len])?;
        check.holds(&self.value, &[self.len])
    }

    unsafe fn cpu(&self) {
        const PIECE: usize = 8192;
        let value = self.value.read();
        let mut mean = self.mean.write();
        parallel::for_each_chunk(&mut mean[..self.len], PIECE, |piece, mean| {
            for (mean, value) in mean.iter_mut().zip(&value[piece * PIECE..]) {
                *mean = (1.0 - self.weight) * *mean + self.weight * value;
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            running_mean::Params { len: self.len as u32, weight: self.weight },
            running_mean::Bindings { mean: &self.mean, value: &self.value },
            gpu::Work::Threads(self.len),
        );
    }
}
