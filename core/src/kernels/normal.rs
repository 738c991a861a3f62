//! Standard normal noise, also for initial parameters.

use fastvae_shaders::normal;

use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
    rng::{Rng, Stream, normal_pair},
};

/// `output[r, c] = scale x`, where x is standard normal and a function of (seed, stream, step, r, c) alone.
pub struct Normal {
    /// Out: rows x width.
    pub output: Buffer<f32>,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub width: usize,
    /// Standard deviation.
    pub scale: f32,
    /// The run's random numbers.
    pub rng: Rng,
    /// The purpose of the noise.
    pub stream: Stream,
    /// Step of the run.
    pub step: u32,
}

impl Kernel for Normal {
    fn name(&self) -> &'static str {
        "normal"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.output, &[self.rows, self.width])
    }

    unsafe fn cpu(&self) {
        let mut output = self.output.write();
        parallel::for_each_chunk(&mut output[..self.rows * self.width], self.width, |row, values| {
            for (block, values) in values.chunks_mut(4).enumerate() {
                let [a, b, c, d] = self.rng.block(self.stream, self.step, row as u32, block as u32);
                let ([w, x], [y, z]) = (normal_pair(a, b), normal_pair(c, d));
                for (value, noise) in values.iter_mut().zip([w, x, y, z]) {
                    *value = self.scale * noise;
                }
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            normal::Params {
                rows: self.rows as u32,
                width: self.width as u32,
                scale: self.scale,
                stream: self.stream as u32,
                key_low: self.rng.key()[0],
                key_high: self.rng.key()[1],
                step: self.step,
                row_offset: self.rng.rows().offset,
                row_period: self.rng.rows().period,
                row_gap: self.rng.rows().gap,
            },
            normal::Bindings { output: &self.output },
            gpu::Work::Threads(self.rows * self.width.div_ceil(4)),
        );
    }
}
