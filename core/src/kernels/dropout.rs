//! Dropout: of the inputs, or of the bag of item rows.

use std::ops::Range;

use fastvae_shaders::{dropout_dense, dropout_input};

use super::{Activation, elementwise::activate};
use crate::{
    Result,
    engine::{
        Buffer, Check, Kernel, gpu, parallel,
        parallel::{Rows, Spans},
    },
    rng::{Rng, Stream},
};

/// The dropout probability as an integer threshold: random words below it drop an element.
pub(super) fn threshold(probability: f32) -> u32 {
    (f64::from(probability) * 4_294_967_296.0) as u32
}

/// `weights[e] = keep / ((1 - p) sqrt(n_b))`: the inputs x_u of the encoder, L2-normalised, with dropout.
pub struct DropoutInput {
    /// Offset of each batch row's entries, B + 1.
    pub batch_offsets: Buffer<u32>,
    /// B.
    pub batch: usize,
    /// E.
    pub entries: usize,
    /// Probability of dropping an entry; 0 disables dropout.
    pub probability: f32,
    /// The run's random numbers.
    pub rng: Rng,
    /// Step of the run.
    pub step: u32,
    /// Out: weight of each entry, E.
    pub weights: Buffer<f32>,
}

impl Kernel for DropoutInput {
    fn name(&self) -> &'static str {
        "dropout_input"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds_after(&self.batch_offsets, 1, &[self.batch])?;
        check.holds(&self.weights, &[self.entries])
    }

    unsafe fn cpu(&self) {
        let offsets = self.batch_offsets.read();
        let mut weights = self.weights.write();
        let spans = Spans::new(&offsets[..=self.batch], self.entries);
        let weights = Rows::new(&mut weights, 1);
        let drop_below = threshold(self.probability);
        parallel::for_each(self.batch, |b| {
            let Range { start, end } = spans.of(b);
            // SAFETY: spans do not overlap.
            let weights = unsafe { weights.range(start, end) };
            let kept = 1.0 / ((1.0 - self.probability) * ((end - start) as f32).sqrt());
            for (block, weights) in weights.chunks_mut(4).enumerate() {
                let words = self.rng.block(Stream::Dropout, self.step, b as u32, block as u32);
                for (weight, word) in weights.iter_mut().zip(words) {
                    *weight = if word < drop_below { 0.0 } else { kept };
                }
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            dropout_input::Params {
                batch: self.batch as u32,
                kept: 1.0 - self.probability,
                threshold: threshold(self.probability),
                key_low: self.rng.key()[0],
                key_high: self.rng.key()[1],
                step: self.step,
                row_offset: self.rng.rows().offset,
                row_period: self.rng.rows().period,
                row_gap: self.rng.rows().gap,
            },
            dropout_input::Bindings { batch_offsets: &self.batch_offsets, weights: &self.weights },
            gpu::Work::Groups(self.batch),
        );
    }
}

/// `x = activation(keep x / (1 - p))` in place, elementwise: dropout after the bag of item rows, as in the
/// authors' code. On gradients, with the same step and no activation, it is its own backward pass.
pub struct DropoutDense {
    /// In and out, rows x width.
    pub values: Buffer<f32>,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub width: usize,
    /// Probability of dropping an element.
    pub probability: f32,
    /// Applied to the result of dropout.
    pub activation: Activation,
    /// The run's random numbers.
    pub rng: Rng,
    /// Step of the run.
    pub step: u32,
}

impl Kernel for DropoutDense {
    fn name(&self) -> &'static str {
        "dropout_dense"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.values, &[self.rows, self.width])
    }

    unsafe fn cpu(&self) {
        let mut values = self.values.write();
        let drop_below = threshold(self.probability);
        let kept = 1.0 / (1.0 - self.probability);
        parallel::for_each_chunk(&mut values[..self.rows * self.width], self.width, |row, values| {
            for (block, values) in values.chunks_mut(4).enumerate() {
                let words = self.rng.block(Stream::Dropout, self.step, row as u32, block as u32);
                for (value, word) in values.iter_mut().zip(words) {
                    let scaled = if word < drop_below { 0.0 } else { *value * kept };
                    *value = activate(self.activation, scaled);
                }
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            dropout_dense::Params {
                rows: self.rows as u32,
                width: self.width as u32,
                scale: 1.0 / (1.0 - self.probability),
                threshold: threshold(self.probability),
                activation: self.activation as u32,
                key_low: self.rng.key()[0],
                key_high: self.rng.key()[1],
                step: self.step,
                row_offset: self.rng.rows().offset,
                row_period: self.rng.rows().period,
                row_gap: self.rng.rows().gap,
            },
            dropout_dense::Bindings { values: &self.values },
            gpu::Work::Threads(self.rows * self.width.div_ceil(4)),
        );
    }
}
