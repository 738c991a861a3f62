//! Multiply-adds in registers, to measure their rate on a device.

use fastvae_shaders::multiply_add;

use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
};

/// Sequences of each element.
const SEQUENCES: usize = 16;
/// Steps of a sequence a round.
const STEPS: usize = 8;

/// Replaces each value x by the sum over c < 16 of what 8 `rounds` steps of x -> `factor` x + `addend` make of x + c.
pub struct MultiplyAdd {
    /// In and out, `len` elements.
    pub values: Buffer<f32>,
    /// Elements.
    pub len: usize,
    /// Rounds of eight steps.
    pub rounds: usize,
    /// The factor of a step.
    pub factor: f32,
    /// The addend of a step.
    pub addend: f32,
}

impl MultiplyAdd {
    /// Floating-point operations; a multiply-add is two.
    pub fn flops(&self) -> f64 {
        2.0 * (SEQUENCES * STEPS) as f64 * self.rounds as f64 * self.len as f64
    }
}

impl Kernel for MultiplyAdd {
    fn name(&self) -> &'static str {
        "multiply_add"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.values, &[self.len])
    }

    unsafe fn cpu(&self) {
        const PIECE: usize = 1024;
        let mut values = self.values.write();
        parallel::for_each_chunk(&mut values[..self.len], PIECE, |_, values| {
            for value in values {
                let mut sequences: [f32; SEQUENCES] = std::array::from_fn(|c| *value + c as f32);
                for _ in 0..STEPS * self.rounds {
                    sequences.iter_mut().for_each(|x| *x = self.factor * *x + self.addend);
                }
                *value = sequences.iter().sum();
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            multiply_add::Params {
                len: self.len as u32,
                rounds: self.rounds as u32,
                factor: self.factor,
                addend: self.addend,
            },
            multiply_add::Bindings { values: &self.values },
            gpu::Work::Threads(self.len),
        );
    }
}
