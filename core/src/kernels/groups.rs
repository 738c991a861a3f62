//! Groups of query rows that share negatives.

use std::ops::Range;

use crate::{Result, engine::Check};

/// The candidates of a step, for L samples of B users; `size` consecutive users have the same candidates.
///
/// Query row `s * batch + b` is sample s of user b. With `size = 1` every row has its own candidates, as in
/// the paper; the last group of a batch may have fewer users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    /// B, users.
    pub batch: usize,
    /// L, latent samples per user.
    pub samples: usize,
    /// G, users that share candidates.
    pub size: usize,
    /// C, candidates per row.
    pub candidates: usize,
}

impl Groups {
    /// Whether the numbers are valid, and none of the products below overflows.
    pub(super) fn check(&self, check: &Check) -> Result<()> {
        check.that(self.batch > 0 && self.size > 0, || format!("{self:?}"))?;
        check.at_most(usize::MAX, &[self.samples, self.batch, self.candidates.max(1)])
    }

    /// R = L B.
    pub fn rows(&self) -> usize {
        self.samples * self.batch
    }

    /// Number of groups of one sample.
    pub fn per_sample(&self) -> usize {
        self.batch.div_ceil(self.size)
    }

    /// Number of groups of all samples.
    pub fn count(&self) -> usize {
        self.samples * self.per_sample()
    }

    /// Number of candidates of all groups.
    pub fn total(&self) -> usize {
        self.count() * self.candidates
    }

    /// The group of a query row.
    #[inline]
    pub fn of_row(&self, row: usize) -> usize {
        let (sample, user) = (row / self.batch, row % self.batch);
        sample * self.per_sample() + user / self.size
    }

    /// The query rows of a group.
    #[inline]
    pub fn rows_of(&self, group: usize) -> Range<usize> {
        if self.size == 1 {
            return group..group + 1;
        }
        let (sample, within) = (group / self.per_sample(), group % self.per_sample());
        let first = within * self.size;
        let start = sample * self.batch + first;
        start..start + self.size.min(self.batch - first)
    }

    /// Number of a group's candidates that its `member`-th row draws; slot c belongs to member `c % size`.
    #[inline]
    pub fn drawn_by(&self, member: usize, size: usize) -> usize {
        (self.candidates + size - 1 - member) / size
    }

    /// ln of the group's mixture, `ln sum over rows g of (drawn_g / C) exp(log_q(g))`; with one row per
    /// group, the row's own log q.
    #[inline(always)]
    pub fn mix(&self, group: usize, log_q: impl Fn(usize) -> f32) -> f32 {
        let rows = self.rows_of(group);
        if rows.len() == 1 {
            return log_q(rows.start);
        }
        let size = rows.len();
        // If there are more rows than candidates, the last rows draw none; they must not determine the
        // maximum either.
        let rows = rows.take(self.candidates);
        let top = rows.clone().fold(f32::NEG_INFINITY, |top, row| top.max(log_q(row)));
        let weight = |member| self.drawn_by(member, size) as f32 / self.candidates as f32;
        let sum: f32 =
            rows.enumerate().map(|(member, row)| weight(member) * crate::simd::exp(log_q(row) - top)).sum();
        top + sum.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_one_group_and_every_slot_one_drawer() {
        for (batch, samples, size, candidates) in [(5, 1, 1, 7), (6, 3, 4, 10), (7, 2, 3, 5), (4, 1, 4, 3)] {
            let groups = Groups { batch, samples, size, candidates };
            let mut seen = vec![0; groups.rows()];
            for group in 0..groups.count() {
                let rows = groups.rows_of(group);
                let size = rows.len();
                assert_eq!((0..size).map(|m| groups.drawn_by(m, size)).sum::<usize>(), candidates);
                for row in rows {
                    assert_eq!(groups.of_row(row), group);
                    seen[row] += 1;
                }
            }
            assert!(seen.iter().all(|&n| n == 1));
        }
    }
}
