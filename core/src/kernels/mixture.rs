//! A mixture of two proposals: each slot takes its candidate from the second proposal with a given
//! probability, and log q is that of the mixture.

use super::groups::Groups;
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
    rng::{Rng, Stream, unit},
    simd,
};
use fastvae_shaders::{mixture, mixture_log_q};

/// Replaces some candidates of the first proposal by those of the second, independently for each slot.
pub struct MixNegatives {
    /// Which query rows share which candidates.
    pub groups: Groups,
    /// Probability of the second proposal.
    pub probability: f32,
    /// The run's random numbers.
    pub rng: Rng,
    /// Step of the run.
    pub step: u32,
    /// Candidates of the second proposal, groups x C.
    pub second: Buffer<u32>,
    /// In: candidates of the first proposal; out: of the mixture. Groups x C.
    pub negatives: Buffer<u32>,
}

impl Kernel for MixNegatives {
    fn name(&self) -> &'static str {
        "mixture"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.groups.check(check)?;
        check.holds(&self.second, &[self.groups.total()])?;
        check.holds(&self.negatives, &[self.groups.total()])
    }

    unsafe fn cpu(&self) {
        let (groups, second) = (self.groups, self.second.read());
        let mut negatives = self.negatives.write();
        parallel::for_each_chunk(&mut negatives[..groups.total()], groups.candidates, |group, slots| {
            let rows = groups.rows_of(group);
            for (slot, item) in slots.iter_mut().enumerate() {
                let row = rows.start + slot % rows.len();
                let word = self.rng.block(Stream::Mixture, self.step, row as u32, slot as u32)[0];
                if unit(word) < self.probability {
                    *item = second[group * groups.candidates + slot];
                }
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let groups = self.groups;
        calls.dispatch(
            mixture::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                total: groups.total() as u32,
                probability: self.probability,
                key_low: self.rng.key()[0],
                key_high: self.rng.key()[1],
                step: self.step,
                row_offset: self.rng.rows().offset,
                row_period: self.rng.rows().period,
                row_gap: self.rng.rows().gap,
            },
            mixture::Bindings { second: &self.second, negatives: &self.negatives },
            gpu::Work::Threads(groups.total()),
        );
    }
}

/// `ln((1 - probability) exp(first) + probability exp(second))`, which overwrites `first`.
pub struct MixLogQ {
    /// Number of values.
    pub len: usize,
    /// Probability of the second proposal.
    pub probability: f32,
    /// log q under the second proposal, `len`.
    pub second: Buffer<f32>,
    /// In: log q under the first proposal; out: under the mixture. `len`.
    pub output: Buffer<f32>,
}

impl Kernel for MixLogQ {
    fn name(&self) -> &'static str {
        "mixture_log_q"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.second, &[self.len])?;
        check.holds(&self.output, &[self.len])
    }

    unsafe fn cpu(&self) {
        const PIECE: usize = 4096;
        let (log_first, log_second) = ((1.0 - self.probability).ln(), self.probability.ln());
        let (second, mut output) = (self.second.read(), self.output.write());
        parallel::for_each_chunk(&mut output[..self.len], PIECE, |piece, output| {
            simd::dispatch(
                #[inline(always)]
                || {
                    for (output, &second) in output.iter_mut().zip(&second[piece * PIECE..]) {
                        *output = simd::log_add_exp(*output + log_first, second + log_second);
                    }
                },
            );
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            mixture_log_q::Params {
                total: self.len as u32,
                log_first: (1.0 - self.probability).ln(),
                log_second: self.probability.ln(),
            },
            mixture_log_q::Bindings { second: &self.second, output: &self.output },
            gpu::Work::Threads(self.len),
        );
    }
}
