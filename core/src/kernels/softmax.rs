//! The full softmax, streamed over blocks of items so that no R x M matrix is stored.
//!
//! First sweep: the logits of each block update a running maximum and sum. Second sweep: the logits are
//! computed again and replaced by their gradient in place.

use fastvae_shaders::{softmax_accumulate, softmax_combine, softmax_gradient, softmax_nll};

use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel, parallel::Rows},
    simd,
};

/// Items of a row per workgroup on a GPU.
const CHUNK: usize = 1024;

/// `maximum`, `sum` <- those of all logits seen so far: `sum = sum of exp(o - maximum)`.
pub struct SoftmaxAccumulate {
    /// R x block.
    pub logits: Buffer<f32>,
    /// R.
    pub rows: usize,
    /// Items of this block.
    pub block: usize,
    /// Whether this is the first block, which overwrites maximum and sum.
    pub first: bool,
    /// In and out, R.
    pub maximum: Buffer<f32>,
    /// In and out, R.
    pub sum: Buffer<f32>,
}

impl Kernel for SoftmaxAccumulate {
    fn name(&self) -> &'static str {
        "softmax_accumulate"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.logits, &[self.rows, self.block])?;
        check.holds(&self.maximum, &[self.rows])?;
        check.holds(&self.sum, &[self.rows])
    }

    unsafe fn cpu(&self) {
        let logits = self.logits.read();
        let (mut maximum, mut sum) = (self.maximum.write(), self.sum.write());
        let sum = Rows::new(&mut sum, 1);
        parallel::for_each_chunk(&mut maximum[..self.rows], 1, |row, maximum| {
            // SAFETY: one row a call.
            let sum = unsafe { &mut sum.row(row)[0] };
            simd::dispatch(
                #[inline(always)]
                || {
                    let logits = &logits[row * self.block..][..self.block];
                    let top = simd::max(logits);
                    let (old_top, old_sum) =
                        if self.first { (f32::NEG_INFINITY, 0.0) } else { (maximum[0], *sum) };
                    let new_top = if top > old_top { top } else { old_top };
                    let carried = if old_sum == 0.0 { 0.0 } else { old_sum * (old_top - new_top).exp() };
                    *sum = carried + simd::sum_exp(logits, new_top);
                    maximum[0] = new_top;
                },
            );
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let chunks = self.block.div_ceil(CHUNK);
        let partial = calls.scratch("softmax of chunks", 2 * self.rows * chunks);
        calls.dispatch(
            softmax_accumulate::Params {
                rows: self.rows as u32,
                block: self.block as u32,
                chunks: chunks as u32,
                chunk: CHUNK as u32,
            },
            softmax_accumulate::Bindings { logits: &self.logits, partial: &partial },
            gpu::Work::Groups(self.rows * chunks),
        );
        calls.dispatch(
            softmax_combine::Params {
                rows: self.rows as u32,
                chunks: chunks as u32,
                is_first: self.first.into(),
            },
            softmax_combine::Bindings { partial: &partial, maximum: &self.maximum, sum: &self.sum },
            gpu::Work::Groups(self.rows),
        );
    }
}

/// In place, for a user with history I of n items:
/// `g_i = scale (n exp(o_i - lse) - [i in I])`, `nll = sum over i in I of (lse - o_i)` (paper, eq. 1).
pub struct SoftmaxGradient {
    /// In: logits. Out: d loss / d logits. R x block.
    pub logits: Buffer<f32>,
    /// B; query row r belongs to batch row r % B.
    pub batch: usize,
    /// L; R = L B.
    pub samples: usize,
    /// Items of this block.
    pub block: usize,
    /// First item of this block.
    pub block_start: usize,
    /// R.
    pub maximum: Buffer<f32>,
    /// R.
    pub sum: Buffer<f32>,
    /// Offset of each batch row's entries, B + 1.
    pub batch_offsets: Buffer<u32>,
    /// Item of each entry, ascending within each batch row.
    pub batch_items: Buffer<u32>,
    /// 1 / (L B), where B counts the users of the whole batch: the loss is the mean over its rows.
    pub scale: f32,
    /// In and out, R: the first block overwrites, later ones add.
    pub nll: Buffer<f32>,
}

impl Kernel for SoftmaxGradient {
    fn name(&self) -> &'static str {
        "softmax_gradient"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.logits, &[self.samples, self.batch, self.block])?;
        check.holds(&self.maximum, &[self.samples, self.batch])?;
        check.holds(&self.sum, &[self.samples, self.batch])?;
        check.holds(&self.nll, &[self.samples, self.batch])?;
        check.holds_after(&self.batch_offsets, 1, &[self.batch])?;
        check.lives_here(&self.batch_items)
    }

    unsafe fn cpu(&self) {
        let rows = self.samples * self.batch;
        let (maximum, sum) = (self.maximum.read(), self.sum.read());
        let (offsets, items) = (self.batch_offsets.read(), self.batch_items.read());
        let (mut logits, mut nll) = (self.logits.write(), self.nll.write());
        let nll = Rows::new(&mut nll, 1);
        parallel::for_each_chunk(&mut logits[..rows * self.block], self.block, |row, logits| {
            let user = row % self.batch;
            let history = &items[offsets[user] as usize..offsets[user + 1] as usize];
            let log_partition = maximum[row] + sum[row].ln();
            let from = history.partition_point(|&i| (i as usize) < self.block_start);
            let until = history.partition_point(|&i| (i as usize) < self.block_start + self.block);
            let inside = history[from..until].iter().map(|&i| i as usize - self.block_start);
            let loss: f32 = inside.clone().map(|i| log_partition - logits[i]).sum();
            simd::dispatch(
                #[inline(always)]
                || {
                    let weight = self.scale * history.len() as f32;
                    for o in logits.iter_mut() {
                        *o = weight * simd::exp(*o - log_partition);
                    }
                },
            );
            inside.for_each(|i| logits[i] -= self.scale);
            // SAFETY: one row a call.
            let nll = unsafe { &mut nll.row(row)[0] };
            *nll = if self.block_start == 0 { loss } else { *nll + loss };
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let rows = self.samples * self.batch;
        calls.dispatch(
            softmax_nll::Params {
                batch: self.batch as u32,
                rows: rows as u32,
                block: self.block as u32,
                block_start: self.block_start as u32,
            },
            softmax_nll::Bindings {
                logits: &self.logits,
                maximum: &self.maximum,
                sum: &self.sum,
                batch_offsets: &self.batch_offsets,
                batch_items: &self.batch_items,
                nll: &self.nll,
            },
            gpu::Work::Groups(rows),
        );
        let chunks = self.block.div_ceil(CHUNK);
        calls.dispatch(
            softmax_gradient::Params {
                batch: self.batch as u32,
                rows: rows as u32,
                block: self.block as u32,
                block_start: self.block_start as u32,
                chunks: chunks as u32,
                chunk: CHUNK as u32,
                scale: self.scale,
            },
            softmax_gradient::Bindings {
                logits: &self.logits,
                maximum: &self.maximum,
                sum: &self.sum,
                batch_offsets: &self.batch_offsets,
                batch_items: &self.batch_items,
            },
            gpu::Work::Groups(rows * chunks),
        );
    }
}
