//! The first layer of the encoder: a weighted bag of item rows.

use fastvae_shaders::encode_rows;

use super::{Activation, elementwise::activate, row_sums::RowSums};
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
    simd,
};

/// `hidden[b] = activation(sum over entries e of b: weights[e] table[items[e]] + bias)`.
pub struct EncodeRows {
    /// Offset of each batch row's entries, B + 1.
    pub batch_offsets: Buffer<u32>,
    /// Item of each entry, E.
    pub items: Buffer<u32>,
    /// Weight of each entry, E.
    pub weights: Buffer<f32>,
    /// Encoder rows, M x H.
    pub table: Buffer<f32>,
    /// H.
    pub bias: Buffer<f32>,
    /// B.
    pub batch: usize,
    /// H.
    pub hidden: usize,
    /// Applied last.
    pub activation: Activation,
    /// Out: B x H.
    pub output: Buffer<f32>,
}

impl Kernel for EncodeRows {
    fn name(&self) -> &'static str {
        "encode_rows"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds_after(&self.batch_offsets, 1, &[self.batch])?;
        check.lives_here(&self.items)?;
        check.lives_here(&self.weights)?;
        check.lives_here(&self.table)?;
        check.holds(&self.bias, &[self.hidden])?;
        check.holds(&self.output, &[self.batch, self.hidden])
    }

    unsafe fn cpu(&self) {
        let (offsets, items, weights) = (self.batch_offsets.read(), self.items.read(), self.weights.read());
        let (table, bias) = (self.table.read(), self.bias.read());
        let mut output = self.output.write();
        let width = self.hidden;
        let row_of = |e: usize| &table[items[e] as usize * width..][..width];
        parallel::for_each_chunk(&mut output[..self.batch * width], width, |b, out| {
            simd::dispatch(
                #[inline(always)]
                || {
                    let (start, end) = (offsets[b] as usize, offsets[b + 1] as usize);
                    out.copy_from_slice(&bias[..width]);
                    let kept = (start..end).filter(|&e| weights[e] != 0.0);
                    let terms: Vec<_> = kept.map(|e| (weights[e], row_of(e))).collect();
                    simd::add_rows(&terms, out);
                    for value in out.iter_mut() {
                        *value = activate(self.activation, *value);
                    }
                },
            );
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let shape = RowSums::long(calls, self.hidden);
        let RowSums { lanes, slots, blocks, rows_each } = shape;
        calls.dispatch(
            encode_rows::Params {
                batch: self.batch as u32,
                width: self.hidden as u32,
                lanes,
                slots,
                blocks,
                rows_each,
                activation: self.activation as u32,
            },
            encode_rows::Bindings {
                batch_offsets: &self.batch_offsets,
                items: &self.items,
                weights: &self.weights,
                table: &self.table,
                bias: &self.bias,
                output: &self.output,
            },
            gpu::Work::Groups(shape.groups(self.batch)),
        );
    }
}
