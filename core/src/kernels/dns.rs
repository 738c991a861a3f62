//! Dynamic negative sampling (Zhang et al., 2013): of B uniform draws, the one with the largest logit.
//!
//! Draws are with replacement, so if `a` items rank at or below an item, all B draws are among them with
//! probability (a / M)^B, and the item is the result with probability `((a)^B - (a - 1)^B) / M^B`: the order
//! statistic of a uniform sample. Items with equal logits are ranked by id, the smaller first, both in draws
//! and in probabilities.

use super::{groups::Groups, items_of::ItemsOf};
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
    rng::{Rng, Stream, below},
    simd,
};
use fastvae_shaders::{dns_draw, dns_log_q};

/// The logits that a draw compares.
#[derive(Clone, Debug)]
pub enum Scores {
    /// Logits of all items, R x M.
    Logits(Buffer<f32>),
    /// Logits of the drawn items only, computed as inner products during the draw.
    Rows {
        /// R x width.
        queries: Buffer<f32>,
        /// M x width.
        table: Buffer<f32>,
        /// M.
        bias: Option<Buffer<f32>>,
        /// Width of a row.
        width: usize,
    },
}

/// Draws every group's candidates; slot c of a group is drawn by its member `c % size`.
pub struct DnsDraw {
    /// Which query rows share which candidates.
    pub groups: Groups,
    /// M.
    pub items: usize,
    /// B, uniform draws per candidate.
    pub draws: usize,
    /// The logits to compare.
    pub scores: Scores,
    /// The run's random numbers.
    pub rng: Rng,
    /// Step of the run.
    pub step: u32,
    /// Out: groups x C.
    pub negatives: Buffer<u32>,
}

impl Kernel for DnsDraw {
    fn name(&self) -> &'static str {
        "dns_draw"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.groups.check(check)?;
        let rows = self.groups.rows();
        match &self.scores {
            Scores::Logits(logits) => check.holds(logits, &[rows, self.items])?,
            Scores::Rows { queries, table, bias, width } => {
                check.holds(queries, &[rows, *width])?;
                check.holds(table, &[self.items, *width])?;
                check.may_hold(bias.as_ref(), &[self.items])?;
            }
        }
        check.holds(&self.negatives, &[self.groups.total()])
    }

    unsafe fn cpu(&self) {
        match &self.scores {
            Scores::Logits(logits) => {
                let logits = logits.read();
                self.draw(|row, item| logits[row * self.items + item as usize]);
            }
            Scores::Rows { queries, table, bias, width } => {
                let (queries, table, bias) = (queries.read(), table.read(), bias.as_ref().map(|b| b.read()));
                let width = *width;
                self.draw(
                    #[inline(always)]
                    |row, item| {
                        let item = item as usize;
                        let inner =
                            simd::dot(&queries[row * width..][..width], &table[item * width..][..width]);
                        inner + bias.as_ref().map_or(0.0, |bias| bias[item])
                    },
                );
            }
        }
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (groups, empty) = (self.groups, calls.empty());
        let (logits, queries, table, bias, width) = match &self.scores {
            Scores::Logits(logits) => (logits, &empty, &empty, None, 0),
            Scores::Rows { queries, table, bias, width } => (&empty, queries, table, bias.as_ref(), *width),
        };
        calls.dispatch(
            dns_draw::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                total: groups.total() as u32,
                items: self.items as u32,
                draws: self.draws as u32,
                width: width as u32,
                has_bias: bias.is_some().into(),
                key_low: self.rng.key()[0],
                key_high: self.rng.key()[1],
                step: self.step,
                row_offset: self.rng.rows().offset,
                row_period: self.rng.rows().period,
                row_gap: self.rng.rows().gap,
            },
            dns_draw::Bindings {
                logits,
                queries,
                table,
                bias: bias.unwrap_or(&empty),
                negatives: &self.negatives,
            },
            gpu::Work::Threads(groups.total()),
        );
    }
}

impl DnsDraw {
    #[inline(always)]
    fn draw(&self, score: impl Fn(usize, u32) -> f32 + Sync + Send) {
        let groups = self.groups;
        let mut negatives = self.negatives.write();
        parallel::for_each_chunk(&mut negatives[..groups.total()], groups.candidates, |group, slots| {
            simd::dispatch(
                #[inline(always)]
                || {
                    let rows = groups.rows_of(group);
                    for (slot, best) in slots.iter_mut().enumerate() {
                        let row = rows.start + slot % rows.len();
                        let (mut leader, mut words) = (None, [0; 4]);
                        for draw in 0..self.draws {
                            if draw % 4 == 0 {
                                let counter = slot + groups.candidates * (draw / 4);
                                words =
                                    self.rng.block(Stream::Negatives, self.step, row as u32, counter as u32);
                            }
                            let item = below(words[draw % 4], self.items as u32);
                            let score = score(row, item);
                            let wins =
                                |&(top, holder): &(f32, u32)| score > top || (score == top && item < holder);
                            if leader.as_ref().is_none_or(wins) {
                                leader = Some((score, item));
                            }
                        }
                        *best = leader.map_or(0, |(_, item)| item);
                    }
                },
            );
        });
    }
}

/// log q of items under the order statistic, for the mixture of their group.
pub struct DnsLogQ {
    /// Which query rows share which candidates.
    pub groups: Groups,
    /// R x M.
    pub logits: Buffer<f32>,
    /// M.
    pub catalogue: usize,
    /// B.
    pub draws: usize,
    /// Items to look up, and the output buffer: one value per item (for entries, L x E).
    pub lookups: Vec<(ItemsOf, Buffer<f32>)>,
}

impl Kernel for DnsLogQ {
    fn name(&self) -> &'static str {
        "dns_log_q"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.groups.check(check)?;
        check.that(self.draws > 0, || "the hardest of no draws".into())?;
        check.holds(&self.logits, &[self.groups.rows(), self.catalogue])?;
        self.lookups.iter().try_for_each(|(items, output)| items.check(check, &self.groups, output))
    }

    unsafe fn cpu(&self) {
        let (logits, items) = (self.logits.read(), self.catalogue);
        // Each row is sorted once, so that a rank is a binary search: counting would cost M for each
        // requested item.
        let mut sorted = vec![0u64; self.groups.rows() * items];
        parallel::for_each_chunk(&mut sorted, items, |row, sorted| {
            let logits = &logits[row * items..][..items];
            for ((place, &logit), item) in sorted.iter_mut().zip(logits).zip(0..) {
                *place = place_of(logit, item);
            }
            sorted.sort_unstable();
        });
        let log_q = |row: usize, item: u32| {
            let place = place_of(logits[row * items + item as usize], item);
            let above = sorted[row * items..][..items].partition_point(|&other| other < place);
            order_statistic(items - above, items, self.draws)
        };
        for (of, output) in &self.lookups {
            of.fill(
                &self.groups,
                output,
                |group| group,
                |&group, item| self.groups.mix(group, |row| log_q(row, item)),
            );
        }
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (groups, empty) = (self.groups, calls.empty());
        for (of, output) in &self.lookups {
            let (items, rows, entries) = of.parts(&empty);
            let total = of.outputs(&groups);
            calls.dispatch(
                dns_log_q::Params {
                    batch: groups.batch as u32,
                    group_size: groups.size as u32,
                    candidates: groups.candidates as u32,
                    catalogue: self.catalogue as u32,
                    entries: entries as u32,
                    total: total as u32,
                    draws: self.draws as u32,
                },
                dns_log_q::Bindings { logits: &self.logits, items, rows, output },
                gpu::Work::Threads(total),
            );
        }
    }
}

/// A sort key that orders larger logits first, and equal ones by item.
fn place_of(logit: f32, item: u32) -> u64 {
    // Adding zero turns -0 into 0.
    let bits = (logit + 0.0).to_bits();
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(!ascending) << 32 | u64::from(item)
}

/// ln of `(a^B - (a - 1)^B) / M^B`, computed as `a^(B-1) / M^B` times the geometric sum of `((a - 1) / a)^j`,
/// which avoids cancellation.
fn order_statistic(a: usize, items: usize, draws: usize) -> f32 {
    let (a, m) = (a as f32, items as f32);
    let ratio = (a - 1.0) / a;
    let sum = (0..draws).fold(0.0, |sum, _| sum * ratio + 1.0);
    (draws - 1) as f32 * (a / m).ln() - m.ln() + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_statistic_is_a_distribution_over_ranks() {
        for (items, draws) in [(1, 3), (2, 1), (7, 2), (50, 5), (5000, 16)] {
            let total: f64 = (1..=items).map(|a| f64::from(order_statistic(a, items, draws)).exp()).sum();
            assert!((total - 1.0).abs() < 1e-5, "{items} items, {draws} draws: {total}");
        }
        let direct = (7f64.powi(5) - 6f64.powi(5)) / 50f64.powi(5);
        assert!((f64::from(order_statistic(7, 50, 5)) - direct.ln()).abs() < 1e-5);
    }

    #[test]
    fn larger_logits_come_first_and_ties_go_by_item() {
        let order = [(80.0, 9), (1.0, 4), (0.0, 2), (-0.0, 3), (-2.0, 0), (f32::NEG_INFINITY, 1)];
        assert!(order.windows(2).all(|w| place_of(w[0].0, w[0].1) < place_of(w[1].0, w[1].1)));
    }
}
