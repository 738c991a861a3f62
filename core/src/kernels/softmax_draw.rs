//! Draws from the softmax itself, without an index: first a block of items in proportion to its sum, then an
//! item of the block. Each draw uses two random words, because a single float has only 2^24 values, too few
//! for millions of items.

use super::{
    groups::Groups,
    running_sums::{cumulate, pick},
};
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel, parallel::Rows},
    rng::{Rng, Stream},
    simd,
};
use fastvae_shaders::{softmax_draw, softmax_draw_sums};

/// Number of blocks into which the items are divided.
pub const BLOCKS: usize = 256;

/// Items per block; the last blocks may have fewer, or none.
fn block_size(items: usize) -> usize {
    items.div_ceil(BLOCKS)
}

/// `sums[r, b] = sum over block b of exp(o_i - top_r)`, with `top_r` the row's largest logit.
pub struct SoftmaxBlocks {
    /// R x M.
    pub logits: Buffer<f32>,
    /// R.
    pub rows: usize,
    /// M.
    pub items: usize,
    /// Out: R x [`BLOCKS`].
    pub sums: Buffer<f32>,
    /// Out: the largest logit of each row, R.
    pub top: Buffer<f32>,
    /// Out: `ln sum exp o` of each row, R.
    pub log_z: Buffer<f32>,
}

impl Kernel for SoftmaxBlocks {
    fn name(&self) -> &'static str {
        "softmax_draw_sums"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.that(self.items > 0, || "no items".into())?;
        check.holds(&self.logits, &[self.rows, self.items])?;
        check.holds(&self.sums, &[self.rows, BLOCKS])?;
        check.holds(&self.top, &[self.rows])?;
        check.holds(&self.log_z, &[self.rows])
    }

    unsafe fn cpu(&self) {
        let (items, logits) = (self.items, self.logits.read());
        let (mut sums, mut top, mut log_z) = (self.sums.write(), self.top.write(), self.log_z.write());
        let (top, log_z) = (Rows::new(&mut top, 1), Rows::new(&mut log_z, 1));
        parallel::for_each_chunk(&mut sums[..self.rows * BLOCKS], BLOCKS, |row, sums| {
            simd::dispatch(
                #[inline(always)]
                || {
                    let logits = &logits[row * items..][..items];
                    let largest = simd::max(logits);
                    sums.fill(0.0);
                    for (sum, block) in sums.iter_mut().zip(logits.chunks(block_size(items))) {
                        *sum = simd::sum_exp(block, largest);
                    }
                    // SAFETY: one row a call.
                    let (top, log_z) = unsafe { (top.row(row), log_z.row(row)) };
                    (top[0], log_z[0]) = (largest, largest + simd::sum(sums).ln());
                },
            );
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            softmax_draw_sums::Params {
                rows: self.rows as u32,
                items: self.items as u32,
                block: block_size(self.items) as u32,
            },
            softmax_draw_sums::Bindings {
                logits: &self.logits,
                sums: &self.sums,
                top: &self.top,
                log_z: &self.log_z,
            },
            gpu::Work::Groups(self.rows),
        );
    }
}

/// Draws every group's candidates; slot c of a group is drawn by its member `c % size`.
pub struct SoftmaxDraw {
    /// Which query rows share which candidates.
    pub groups: Groups,
    /// R x M.
    pub logits: Buffer<f32>,
    /// M.
    pub items: usize,
    /// From [`SoftmaxBlocks`], R x [`BLOCKS`].
    pub sums: Buffer<f32>,
    /// From [`SoftmaxBlocks`], R.
    pub top: Buffer<f32>,
    /// The run's random numbers.
    pub rng: Rng,
    /// Step of the run.
    pub step: u32,
    /// Out: groups x C.
    pub negatives: Buffer<u32>,
}

impl Kernel for SoftmaxDraw {
    fn name(&self) -> &'static str {
        "softmax_draw"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.groups.check(check)?;
        let rows = self.groups.rows();
        check.that(self.items > 0, || "no items".into())?;
        check.holds(&self.logits, &[rows, self.items])?;
        check.holds(&self.sums, &[rows, BLOCKS])?;
        check.holds(&self.top, &[rows])?;
        check.holds(&self.negatives, &[self.groups.total()])
    }

    unsafe fn cpu(&self) {
        let (items, groups, size) = (self.items, self.groups, block_size(self.items));
        let (logits, sums, top) = (self.logits.read(), self.sums.read(), self.top.read());
        let mut negatives = self.negatives.write();
        let scratch = || (vec![0.0; BLOCKS], vec![0.0; size]);
        parallel::for_each_chunk_with(
            &mut negatives[..groups.total()],
            groups.candidates,
            scratch,
            |(blocks, inside), group, slots| {
                let rows = groups.rows_of(group);
                let members = rows.len();
                for (member, row) in rows.enumerate() {
                    let logits = &logits[row * items..][..items];
                    cumulate(sums[row * BLOCKS..][..BLOCKS].iter().copied(), blocks);
                    for slot in (member..groups.candidates).step_by(members) {
                        let words = self.rng.block(Stream::Negatives, self.step, row as u32, slot as u32);
                        let block = pick(blocks, words[0]);
                        // A diverged model has no valid sums to search; the loss check reports the
                        // divergence, so this must not panic.
                        let start = (block * size).min(items - 1);
                        let inside = &mut inside[..size.min(items - start)];
                        let weights = &logits[start..start + inside.len()];
                        cumulate(weights.iter().map(|&o| simd::exp(o - top[row])), inside);
                        slots[slot] = (start + pick(inside, words[1])) as u32;
                    }
                }
            },
        );
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let groups = self.groups;
        calls.dispatch(
            softmax_draw::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                rows: groups.rows() as u32,
                items: self.items as u32,
                block: block_size(self.items) as u32,
                key_low: self.rng.key()[0],
                key_high: self.rng.key()[1],
                step: self.step,
                row_offset: self.rng.rows().offset,
                row_period: self.rng.rows().period,
                row_gap: self.rng.rows().gap,
            },
            softmax_draw::Bindings {
                logits: &self.logits,
                sums: &self.sums,
                top: &self.top,
                negatives: &self.negatives,
            },
            gpu::Work::Groups(groups.rows()),
        );
    }
}
