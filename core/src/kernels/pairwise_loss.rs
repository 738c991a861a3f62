//! Losses that compare each positive with negatives one by one: loss, and gradients with respect to logits and queries.

use fastvae_shaders::pairwise_coefficients;

use super::sampled_loss::{Input, SampledLoss};
use crate::{
    Result,
    engine::{Check, Kernel, gpu},
    simd,
};

/// How a positive with logit o_i is compared with its candidates j, of which those in the user's history are left out.
///
/// With sigma the logistic function, the loss of a positive is `sum_j w_j -ln sigma(o_i - o_j)` unless said otherwise;
/// weights are constants, without a gradient. Shaders identify a comparison by its number, from 0 in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same weight for all (BPR; Rendle et al., UAI 2009).
    Even,
    /// The candidate with the largest logit alone, the first of several (dynamic negative sampling; Zhang et al., SIGIR
    /// 2013).
    Hardest,
    /// The weighted approximate-rank pairwise loss (WARP; Weston et al., IJCAI 2011): `weight max(0, 1 - o_i + o_j)` for
    /// the first candidate j with o_j > o_i - 1. If it is the n-th of the candidates, those in the history included,
    /// the rank of i is about `r = floor((M - 1) / n)`, and the weight is ln r, or 0 for r = 0.
    Warp,
    /// `w_j = softmax over j of (o_j - ln q_j)` (PRIS; Lian et al., WWW 2020).
    Importance,
    /// `-ln sigma(o_i) - sum_j w_j ln sigma(-o_j)` with `w_j = softmax over j of sharpness o_j` (self-adversarial
    /// negative sampling; Sun et al., ICLR 2019).
    SelfAdversarial,
}

/// Which pairs are compared, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pairs {
    /// The loss of a positive.
    pub comparison: Comparison,
    /// P, candidates per positive: positive number n of a user has P of the row's C candidates from number `n P` on, the
    /// first following the last. 0, or more than there are: all.
    pub candidates: usize,
    /// Factor of the logits in the weights of [`Comparison::SelfAdversarial`].
    pub sharpness: f32,
}

/// For every query row: the loss over its user's history and its group's candidates.
pub struct PairwiseLoss {
    /// The inputs and outputs. Without [`Comparison::Importance`], log q of candidates is not read; log q of positives
    /// and the kind of denominator never are.
    pub rows: SampledLoss,
    /// The loss of a row.
    pub pairs: Pairs,
    /// M.
    pub items: usize,
}

impl Kernel for PairwiseLoss {
    fn name(&self) -> &'static str {
        "pairwise_loss"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.that(self.rows.groups.candidates > 0, || "no candidates to compare with".into())?;
        check.that(self.items > 0, || "no items".into())?;
        self.rows.check(check)
    }

    unsafe fn cpu(&self) {
        let loss = Loss { pairs: self.pairs, items: self.items };
        self.rows.rows(
            #[inline(always)]
            |input, row, group, positive, logits| loss.of_row(input, row, group, positive, logits),
        );
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (rows, groups) = (&self.rows, self.rows.groups);
        rows.dispatch(calls, |calls| {
            let of_entries = calls.scratch("pairwise: entries", 3 * (groups.samples * rows.entries).max(1));
            calls.dispatch(
                pairwise_coefficients::Params {
                    batch: groups.batch as u32,
                    group_size: groups.size as u32,
                    candidates: groups.candidates as u32,
                    rows: groups.rows() as u32,
                    entries: rows.entries as u32,
                    comparison: self.pairs.comparison as u32,
                    each: self.pairs.each(groups.candidates) as u32,
                    items: self.items as u32,
                    sharpness: self.pairs.sharpness,
                    scale: rows.scale,
                },
                pairwise_coefficients::Bindings {
                    batch_offsets: &rows.batch_offsets,
                    batch_items: &rows.batch_items,
                    negatives: &rows.negatives,
                    negative_log_q: &rows.negative_log_q,
                    positive: &rows.positive,
                    negative: &rows.negative,
                    nll: &rows.nll,
                    of_entries: &of_entries,
                },
                gpu::Work::Groups(groups.rows()),
            );
        });
    }
}

impl Pairs {
    /// Candidates of a positive, of C.
    fn each(&self, candidates: usize) -> usize {
        if self.candidates == 0 { candidates } else { self.candidates.min(candidates) }
    }
}

/// `sigma(x)` and `ln(1 + exp(x))`, both 0 at negative infinity.
#[inline(always)]
fn logistic(x: f32) -> (f32, f32) {
    let decay = simd::exp(-x.abs());
    let slope = if x > 0.0 { 1.0 } else { decay } / (1.0 + decay);
    // ln(1 + d) = 2 artanh(d / (2 + d)), whose argument is at most 1/3: its series, which a compiler can vectorise.
    let z = decay / (2.0 + decay);
    let square = z * z;
    let series = [1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0]
        .iter()
        .fold(0.0, |sum, term| sum * square + term);
    (slope, x.max(0.0) + 2.0 * z * series)
}

/// The loss of a row, on the CPU.
struct Loss {
    pairs: Pairs,
    /// M.
    items: usize,
}

impl Loss {
    /// Replaces the logits of a row's positives and candidates by gradients, and returns the loss.
    #[inline(always)]
    fn of_row(
        &self,
        input: &Input<'_>,
        row: usize,
        group: usize,
        positive: &mut [f32],
        logits: &mut [f32],
    ) -> f32 {
        let history = input.history(row);
        let mut scores = logits.to_vec();
        for (score, item) in scores.iter_mut().zip(input.candidates(group)) {
            if history.binary_search(item).is_ok() {
                *score = f32::NEG_INFINITY;
            }
        }
        logits.fill(0.0);
        let loss = match self.pairs.comparison {
            Comparison::Hardest | Comparison::Warp => self.chosen(&scores, positive, logits),
            Comparison::Even | Comparison::Importance | Comparison::SelfAdversarial => {
                self.weighted(&scores, input.log_q(group), positive, logits)
            }
        };
        positive.iter_mut().chain(logits).for_each(|gradient| *gradient *= input.scale);
        loss
    }

    /// Adds the gradients of candidates to `gradients`, and replaces the logits of positives by theirs.
    #[inline(always)]
    fn weighted(&self, scores: &[f32], log_q: &[f32], positive: &mut [f32], gradients: &mut [f32]) -> f32 {
        let each = self.pairs.each(scores.len());
        let mut weights = vec![0.0; each];
        let (mut loss, mut any) = (0.0, false);
        for (number, logit) in positive.iter_mut().enumerate() {
            let first = number * each % scores.len();
            if number == 0 || each < scores.len() {
                any = self.weigh(first, scores, log_q, &mut weights);
            }
            let own = *logit;
            *logit = 0.0;
            if !any {
                continue;
            }
            let pointwise = self.pairs.comparison == Comparison::SelfAdversarial;
            let other = if pointwise { 0.0 } else { own };
            let before_end = each.min(scores.len() - first);
            let (head, tail) = weights.split_at(before_end);
            let (mut slopes, mut costs) = (0.0, 0.0);
            for (start, weights) in [(first, head), (0, tail)] {
                let (scores, gradients) = (&scores[start..], &mut gradients[start..]);
                for ((weight, score), gradient) in weights.iter().zip(scores).zip(gradients) {
                    let (slope, cost) = logistic(score - other);
                    *gradient += weight * slope;
                    slopes += weight * slope;
                    costs += weight * cost;
                }
            }
            if pointwise {
                let (slope, cost) = logistic(-own);
                (slopes, costs) = (slope, costs + cost);
            }
            *logit = -slopes;
            loss += costs;
        }
        loss
    }

    /// Writes the weights of the candidates from number `first` on; false if all of them are in the history.
    #[inline(always)]
    fn weigh(&self, first: usize, scores: &[f32], log_q: &[f32], weights: &mut [f32]) -> bool {
        let wrapped = |k: usize| if first + k < scores.len() { first + k } else { first + k - scores.len() };
        for (k, weight) in weights.iter_mut().enumerate() {
            let score = scores[wrapped(k)];
            *weight = match self.pairs.comparison {
                Comparison::Importance => score - log_q[wrapped(k)],
                // Zero times negative infinity is no number.
                _ if score == f32::NEG_INFINITY => score,
                Comparison::SelfAdversarial => self.pairs.sharpness * score,
                _ => 0.0,
            };
        }
        let log_sum = simd::log_sum_exp(weights);
        if log_sum == f32::NEG_INFINITY {
            return false;
        }
        weights.iter_mut().for_each(|weight| *weight = simd::exp(*weight - log_sum));
        true
    }

    /// As [`Loss::weighted`], where a positive is compared with one candidate at most.
    #[inline(always)]
    fn chosen(&self, scores: &[f32], positive: &mut [f32], gradients: &mut [f32]) -> f32 {
        let each = self.pairs.each(scores.len());
        let mut loss = 0.0;
        for (number, logit) in positive.iter_mut().enumerate() {
            let own = *logit;
            let candidates = (0..each).map(|k| (k, (number * each + k) % scores.len()));
            let (weight, cost, at) = match self.pairs.comparison {
                Comparison::Warp => {
                    let mut candidates = candidates;
                    match candidates.find(|&(_, at)| scores[at] > own - 1.0) {
                        Some((k, at)) => {
                            let rank = (self.items - 1) / (k + 1);
                            let weight = (rank.max(1) as f32).ln();
                            (weight, weight * (1.0 - own + scores[at]), at)
                        }
                        None => (0.0, 0.0, 0),
                    }
                }
                _ => {
                    let better = |best: usize, at: usize| if scores[at] > scores[best] { at } else { best };
                    let at = candidates.map(|(_, at)| at).reduce(better).unwrap_or(0);
                    let (slope, cost) = logistic(scores[at] - own);
                    (slope, cost, at)
                }
            };
            gradients[at] += weight;
            *logit = -weight;
            loss += cost;
        }
        loss
    }
}
