//! Adaptive oversampling (Rendle and Freudenthaler, WSDM 2014): items that rank high for a factor of the query.
//!
//! With F factors, q = sum over f of p(f) g(rank of the item by f), where p(f) ~ |query_f| sigma_f, sigma_f is the standard
//! deviation of the factor over the items, and g(r) ~ exp(-r / lambda). Items are ranked by the factor downwards, or upwards
//! where query_f is negative. Item biases are a factor that every query has with the value 1.

use fastvae_shaders::{adaptive_draw, adaptive_log_q, adaptive_normalise};

use super::{draw::AliasTable, groups::Groups, items_of::ItemsOf};
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
    rng::{Rng, Stream, below, unit},
    simd,
};

/// The rankings of the items by every factor.
#[derive(Clone, Debug)]
pub struct Rankings {
    /// M.
    pub items: usize,
    /// Width of a query.
    pub width: usize,
    /// Whether the item biases are a factor, the last one.
    pub has_bias: bool,
    /// Standard deviation of each factor, F.
    pub deviations: Buffer<f32>,
    /// Items by rank, F x M.
    pub order: Buffer<u32>,
    /// Rank of each item, F x M.
    pub places: Buffer<u32>,
    /// g, to draw ranks from.
    pub ranks: AliasTable,
    /// lambda.
    pub lambda: f32,
}

/// Added to the weight of every factor, so that the probability of every item is positive for a query of zeros too.
const LEAST: f32 = 1e-20;

impl Rankings {
    /// F.
    pub fn factors(&self) -> usize {
        self.width + usize::from(self.has_bias)
    }

    fn check(&self, check: &Check) -> Result<()> {
        let factors = self.factors();
        check.that(self.items > 0 && factors > 0, || format!("{factors} factors of {} items", self.items))?;
        check.holds(&self.deviations, &[factors])?;
        check.holds(&self.order, &[factors, self.items])?;
        check.holds(&self.places, &[factors, self.items])?;
        self.ranks.check(check, self.items)
    }

    /// `ln g(0)`.
    fn log_first(&self) -> f32 {
        let (lambda, items) = (f64::from(self.lambda), self.items as f64);
        ((-(-1.0 / lambda).exp_m1()).ln() - (-(-items / lambda).exp_m1()).ln()) as f32
    }

    /// Whether a query ranks by a factor upwards.
    #[inline(always)]
    fn reversed(&self, query: &[f32], factor: usize) -> bool {
        factor < self.width && query[factor] < 0.0
    }
}

/// `log_shares[r, f] = ln p(f)` for every query row.
pub struct AdaptiveNormalise {
    /// R x width.
    pub queries: Buffer<f32>,
    /// R.
    pub rows: usize,
    /// The rankings.
    pub rankings: Rankings,
    /// Out: R x F.
    pub log_shares: Buffer<f32>,
}

impl Kernel for AdaptiveNormalise {
    fn name(&self) -> &'static str {
        "adaptive_normalise"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.rankings.check(check)?;
        check.holds(&self.queries, &[self.rows, self.rankings.width])?;
        check.holds(&self.log_shares, &[self.rows, self.rankings.factors()])
    }

    unsafe fn cpu(&self) {
        let (factors, width) = (self.rankings.factors(), self.rankings.width);
        let (queries, deviations) = (self.queries.read(), self.rankings.deviations.read());
        let mut log_shares = self.log_shares.write();
        parallel::for_each_chunk(&mut log_shares[..self.rows * factors], factors, |row, shares| {
            let query = queries[row * width..][..width].iter().chain([&1.0]);
            for ((share, value), deviation) in shares.iter_mut().zip(query).zip(deviations.iter()) {
                *share = value.abs() * deviation + LEAST;
            }
            let log_sum = simd::sum(shares).ln();
            shares.iter_mut().for_each(|share| *share = share.ln() - log_sum);
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            adaptive_normalise::Params {
                rows: self.rows as u32,
                width: self.rankings.width as u32,
                factors: self.rankings.factors() as u32,
                least: LEAST,
            },
            adaptive_normalise::Bindings {
                queries: &self.queries,
                deviations: &self.rankings.deviations,
                log_shares: &self.log_shares,
            },
            gpu::Work::Threads(self.rows),
        );
    }
}

/// Fills every group's candidates; slot c of a group is drawn by its member `c % size`.
pub struct AdaptiveDraw {
    /// Which query rows share which candidates.
    pub groups: Groups,
    /// R x width.
    pub queries: Buffer<f32>,
    /// R x F.
    pub log_shares: Buffer<f32>,
    /// The rankings.
    pub rankings: Rankings,
    /// The run's random numbers.
    pub rng: Rng,
    /// Step of the run.
    pub step: u32,
    /// Out: groups x C.
    pub negatives: Buffer<u32>,
}

impl Kernel for AdaptiveDraw {
    fn name(&self) -> &'static str {
        "adaptive_draw"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.groups.check(check)?;
        self.rankings.check(check)?;
        check.holds(&self.queries, &[self.groups.rows(), self.rankings.width])?;
        check.holds(&self.log_shares, &[self.groups.rows(), self.rankings.factors()])?;
        check.holds(&self.negatives, &[self.groups.total()])
    }

    unsafe fn cpu(&self) {
        let Rankings { items, width, ref order, ref ranks, .. } = self.rankings;
        let (groups, factors) = (self.groups, self.rankings.factors());
        let (queries, log_shares, order) = (self.queries.read(), self.log_shares.read(), order.read());
        let (thresholds, aliases) = (ranks.thresholds.read(), ranks.aliases.read());
        let mut negatives = self.negatives.write();
        parallel::for_each_chunk(&mut negatives[..groups.total()], groups.candidates, |group, slots| {
            let rows = groups.rows_of(group);
            for (slot, item) in slots.iter_mut().enumerate() {
                let row = rows.start + slot % rows.len();
                let words = self.rng.block(Stream::Negatives, self.step, row as u32, slot as u32);
                let mut rank = below(words[0], items as u32) as usize;
                if words[1] >= thresholds[rank] {
                    rank = aliases[rank] as usize;
                }
                let (share, mut before) = (unit(words[2]), 0.0);
                let found = log_shares[row * factors..][..factors].iter().position(|log_share| {
                    before += simd::exp(*log_share);
                    before > share
                });
                // The sum of all shares may be less than 1 by rounding.
                let factor = found.unwrap_or(factors - 1);
                if self.rankings.reversed(&queries[row * width..][..width], factor) {
                    rank = items - 1 - rank;
                }
                *item = order[factor * items + rank];
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (groups, rankings) = (self.groups, &self.rankings);
        calls.dispatch(
            adaptive_draw::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                total: groups.total() as u32,
                items: rankings.items as u32,
                width: rankings.width as u32,
                factors: rankings.factors() as u32,
                key_low: self.rng.key()[0],
                key_high: self.rng.key()[1],
                step: self.step,
                row_offset: self.rng.rows().offset,
                row_period: self.rng.rows().period,
                row_gap: self.rng.rows().gap,
            },
            adaptive_draw::Bindings {
                queries: &self.queries,
                log_shares: &self.log_shares,
                order: &rankings.order,
                thresholds: &rankings.ranks.thresholds,
                aliases: &rankings.ranks.aliases,
                negatives: &self.negatives,
            },
            gpu::Work::Threads(groups.total()),
        );
    }
}

/// log q of items under their group's mixture.
pub struct AdaptiveLogQ {
    /// Which query rows share which candidates.
    pub groups: Groups,
    /// R x width.
    pub queries: Buffer<f32>,
    /// R x F.
    pub log_shares: Buffer<f32>,
    /// The rankings.
    pub rankings: Rankings,
    /// The items.
    pub items: ItemsOf,
    /// Out: one value per item.
    pub output: Buffer<f32>,
}

impl Kernel for AdaptiveLogQ {
    fn name(&self) -> &'static str {
        "adaptive_log_q"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.groups.check(check)?;
        self.rankings.check(check)?;
        check.holds(&self.queries, &[self.groups.rows(), self.rankings.width])?;
        check.holds(&self.log_shares, &[self.groups.rows(), self.rankings.factors()])?;
        self.items.check(check, &self.groups, &self.output)
    }

    unsafe fn cpu(&self) {
        let Rankings { items, width, ref places, lambda, .. } = self.rankings;
        let (groups, factors, log_first) = (self.groups, self.rankings.factors(), self.rankings.log_first());
        let (queries, log_shares, places) = (self.queries.read(), self.log_shares.read(), places.read());
        let log_q = |row: usize, item: usize| {
            let query = &queries[row * width..][..width];
            let shares = &log_shares[row * factors..][..factors];
            let term = |(factor, log_share): (usize, &f32)| {
                let place = places[factor * items + item] as usize;
                let rank = if self.rankings.reversed(query, factor) { items - 1 - place } else { place };
                log_share - rank as f32 / lambda
            };
            let terms = || shares.iter().enumerate().map(term);
            let top = terms().fold(f32::NEG_INFINITY, f32::max);
            log_first + top + terms().map(|term| simd::exp(term - top)).sum::<f32>().ln()
        };
        self.items.fill(
            &groups,
            &self.output,
            |group| group,
            |&group, item| groups.mix(group, |row| log_q(row, item as usize)),
        );
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (groups, rankings, empty) = (self.groups, &self.rankings, calls.empty());
        let (items, rows, entries) = self.items.parts(&empty);
        let total = self.items.outputs(&groups);
        calls.dispatch(
            adaptive_log_q::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                entries: entries as u32,
                total: total as u32,
                catalogue: rankings.items as u32,
                width: rankings.width as u32,
                factors: rankings.factors() as u32,
                lambda: rankings.lambda,
                log_first: rankings.log_first(),
            },
            adaptive_log_q::Bindings {
                queries: &self.queries,
                log_shares: &self.log_shares,
                places: &rankings.places,
                items,
                rows,
                output: &self.output,
            },
            gpu::Work::Threads(total),
        );
    }
}
