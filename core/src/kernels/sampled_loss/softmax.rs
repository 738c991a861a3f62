//! The sampled softmax of one query row, on the CPU.

use super::Input;
use crate::{config::Partition, simd};

impl Input<'_> {
    /// The sampled softmax of a row.
    #[inline(always)]
    pub fn softmax(
        &self,
        partition: Partition,
        row: usize,
        group: usize,
        positive: &mut [f32],
        logits: &mut [f32],
    ) -> f32 {
        for (logit, log_q) in logits.iter_mut().zip(self.log_q(group)) {
            *logit -= log_q;
        }
        match partition {
            Partition::Paper => self.paper(row, positive, logits),
            Partition::ExactPositives => {
                self.exact_positives(self.history(row), self.candidates(group), positive, logits)
            }
        }
    }

    #[inline(always)]
    fn paper(&self, row: usize, positive: &mut [f32], logits: &mut [f32]) -> f32 {
        let log_sum = simd::log_sum_exp(logits);
        let log_q = &self.positive_log_q[self.entries_of(row)];
        let (mut loss, mut rest) = (0.0, 0.0);
        for (logit, log_q) in positive.iter_mut().zip(log_q) {
            // 1 - p, where p is the positive's probability among itself and the negatives, and -ln p, without
            // overflow.
            let gap = log_sum - (*logit - log_q);
            let decay = simd::exp(-gap.abs());
            let complement = if gap > 0.0 { 1.0 } else { decay } / (1.0 + decay);
            loss += gap.max(0.0) + decay.ln_1p();
            rest += complement;
            *logit = -self.scale * complement;
        }
        let weight = self.scale * rest;
        for logit in logits.iter_mut() {
            *logit = weight * simd::exp(*logit - log_sum);
        }
        loss
    }

    #[inline(always)]
    fn exact_positives(
        &self,
        history: &[u32],
        candidates: &[u32],
        positive: &mut [f32],
        logits: &mut [f32],
    ) -> f32 {
        if history.is_empty() {
            logits.fill(0.0);
            return 0.0;
        }
        for (logit, item) in logits.iter_mut().zip(candidates) {
            if history.binary_search(item).is_ok() {
                *logit = f32::NEG_INFINITY;
            }
        }
        let log_count = (candidates.len() as f32).ln();
        let outside = simd::log_sum_exp(logits) - log_count;
        let log_partition = simd::log_add_exp(simd::log_sum_exp(positive), outside);
        let count = history.len() as f32;
        let loss = count * log_partition - simd::sum(positive);
        for logit in positive.iter_mut() {
            *logit = self.scale * (count * simd::exp(*logit - log_partition) - 1.0);
        }
        let weight = self.scale * count;
        for logit in logits.iter_mut() {
            *logit = weight * simd::exp(*logit - log_count - log_partition);
        }
        loss
    }
}
