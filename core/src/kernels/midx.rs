//! Sampling through the inverted multi-index (paper, theorems 4.1, 5.1, 5.2).
//!
//! An item i in cell (k1, k2) has weight w_i (1 for MIDX_Uni, its popularity for MIDX_Pop, times the
//! exponent of its bias). With r1 = q . c1[k1] and r2 = q . c2[k2], and omega(k1, k2) the sum of the
//! cell's weights,
//! ```text
//! P(k1) ~ exp(r1 + ln psi),  psi(k1) = sum over k2 of omega(k1, k2) exp r2
//! P(k2 | k1) = omega(k1, k2) exp r2 / psi(k1)
//! P(i | k1, k2) = w_i / omega(k1, k2),   so   log q_i = r1 + r2 + ln w_i - ln Z.
//! ```

use fastvae_shaders::{midx_draw, midx_log_q, midx_normalise};

use super::{cells::Cells, groups::Groups, items_of::ItemsOf, running_sums::pick};
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel, parallel::Rows},
    rng::{BLOCKS, Rng, Stream, below},
    simd,
};

/// `log_psi[r, k1] = ln psi(k1)` and `log_z[r] = ln Z` for every query row.
pub struct MidxNormalise {
    /// r1, then r2: R x 2K.
    pub scores: Buffer<f32>,
    /// R.
    pub rows: usize,
    /// The index.
    pub cells: Cells,
    /// Out: R x K.
    pub log_psi: Buffer<f32>,
    /// Out: R.
    pub log_z: Buffer<f32>,
}

/// If a sum of scaled weights is smaller than this, terms may have underflowed, and it is computed again in
/// logarithms.
const VANISHING: f32 = 1e-20;

impl Kernel for MidxNormalise {
    fn name(&self) -> &'static str {
        "midx_normalise"
    }

    fn check(&self, check: &Check) -> Result<()> {
        let k = self.cells.codewords;
        check.that(k > 0, || "no codewords".into())?;
        check.holds(&self.scores, &[self.rows, 2, k])?;
        check.holds(&self.cells.log_weights, &[k, k])?;
        check.holds(&self.log_psi, &[self.rows, k])?;
        check.holds(&self.log_z, &[self.rows])
    }

    unsafe fn cpu(&self) {
        let k = self.cells.codewords;
        let (scores, log_weights) = (self.scores.read(), self.cells.log_weights.read());
        let (mut log_psi, mut log_z) = (self.log_psi.write(), self.log_z.write());
        let log_z = Rows::new(&mut log_z, 1);
        let weights = ScaledWeights::new(&log_weights, k);
        parallel::for_each_chunk_with(
            &mut log_psi[..self.rows * k],
            k,
            || (vec![0.0; k], vec![0.0; k]),
            |(powers, terms), row, log_psi| {
                simd::dispatch(
                    #[inline(always)]
                    || {
                        let (r1, r2) = scores[row * 2 * k..][..2 * k].split_at(k);
                        let top = simd::max(r2);
                        for (power, r2) in powers.iter_mut().zip(r2) {
                            *power = simd::exp(r2 - top);
                        }
                        for (k1, log_psi) in log_psi.iter_mut().enumerate() {
                            *log_psi = weights.log_psi(k1, powers, r2, top, terms);
                        }
                        for ((term, r1), log_psi) in terms.iter_mut().zip(r1).zip(log_psi.iter()) {
                            *term = r1 + log_psi;
                        }
                        // SAFETY: one row a call.
                        unsafe { log_z.row(row)[0] = simd::log_sum_exp(terms) };
                    },
                );
            },
        );
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            midx_normalise::Params { rows: self.rows as u32, codewords: self.cells.codewords as u32 },
            midx_normalise::Bindings {
                scores: &self.scores,
                log_weights: &self.cells.log_weights,
                log_psi: &self.log_psi,
                log_z: &self.log_z,
            },
            gpu::Work::Groups(self.rows),
        );
    }
}

/// `omega(k1, k2) exp(-max over k2 of ln omega)`, with which a row's sum needs K products instead of K
/// exponentials.
struct ScaledWeights<'a> {
    k: usize,
    log_weights: &'a [f32],
    maxima: Vec<f32>,
    scaled: Vec<f32>,
}

impl<'a> ScaledWeights<'a> {
    fn new(log_weights: &'a [f32], k: usize) -> Self {
        let log_weights = &log_weights[..k * k];
        let maxima: Vec<f32> = log_weights.chunks_exact(k).map(simd::max).collect();
        let scaled = log_weights
            .chunks_exact(k)
            .zip(&maxima)
            .flat_map(|(row, &top)| {
                row.iter().map(move |&w| if w == f32::NEG_INFINITY { 0.0 } else { (w - top).exp() })
            })
            .collect();
        Self { k, log_weights, maxima, scaled }
    }

    #[inline(always)]
    fn row(&self, k1: usize) -> &[f32] {
        &self.scaled[k1 * self.k..][..self.k]
    }

    #[inline(always)]
    fn log_psi(&self, k1: usize, powers: &[f32], r2: &[f32], top: f32, terms: &mut [f32]) -> f32 {
        let sum = simd::dot(self.row(k1), powers);
        if sum > VANISHING {
            return self.maxima[k1] + top + sum.ln();
        }
        if self.maxima[k1] == f32::NEG_INFINITY {
            return f32::NEG_INFINITY;
        }
        for ((term, w), r2) in terms.iter_mut().zip(&self.log_weights[k1 * self.k..]).zip(r2) {
            *term = w + r2;
        }
        simd::log_sum_exp(terms)
    }

    /// Running sums of P(k2 | k1), up to a factor.
    #[inline(always)]
    fn cumulate(&self, k1: usize, powers: &[f32], r2: &[f32], log_psi: f32, out: &mut [f32]) {
        let mut sum = 0.0;
        for (k2, out) in out.iter_mut().enumerate() {
            sum += self.row(k1)[k2] * powers[k2];
            *out = sum;
        }
        if sum > VANISHING {
            return;
        }
        sum = 0.0;
        for (k2, out) in out.iter_mut().enumerate() {
            sum += simd::exp(self.log_weights[k1 * self.k + k2] + r2[k2] - log_psi);
            *out = sum;
        }
    }
}

/// Draws every group's candidates; slot c of a group is drawn by its member `c % size`.
pub struct MidxDraw {
    /// Which query rows share which candidates.
    pub groups: Groups,
    /// r1, then r2: R x 2K.
    pub scores: Buffer<f32>,
    /// From [`MidxNormalise`].
    pub log_psi: Buffer<f32>,
    /// From [`MidxNormalise`].
    pub log_z: Buffer<f32>,
    /// The index.
    pub cells: Cells,
    /// The run's random numbers.
    pub rng: Rng,
    /// Step of the run.
    pub step: u32,
    /// Out: groups x C.
    pub negatives: Buffer<u32>,
}

impl Kernel for MidxDraw {
    fn name(&self) -> &'static str {
        "midx_draw"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.groups.check(check)?;
        let (k, rows, items) = (self.cells.codewords, self.groups.rows(), self.cells.items);
        check.that(k > 0 && items > 0, || "an empty index".into())?;
        check.holds(&self.scores, &[rows, 2, k])?;
        check.holds(&self.log_psi, &[rows, k])?;
        check.holds(&self.log_z, &[rows])?;
        check.holds(&self.cells.log_weights, &[k, k])?;
        check.holds_after(&self.cells.starts, 1, &[k, k])?;
        check.holds(&self.cells.members, &[items])?;
        self.cells.table.check(check, items)?;
        check.holds(&self.negatives, &[self.groups.total()])
    }

    unsafe fn cpu(&self) {
        let (k, groups) = (self.cells.codewords, self.groups);
        let (scores, log_psi, log_z) = (self.scores.read(), self.log_psi.read(), self.log_z.read());
        let log_weights = self.cells.log_weights.read();
        let (starts, members) = (self.cells.starts.read(), self.cells.members.read());
        let (thresholds, aliases) = (self.cells.table.thresholds.read(), self.cells.table.aliases.read());
        let weights = ScaledWeights::new(&log_weights, k);
        let last = self.cells.items as u32 - 1;
        let mut negatives = self.negatives.write();
        // Running sums over k1, then running sums over k2 for each k1 drawn so far.
        let scratch = || (vec![0.0; k], vec![0.0; k], vec![0.0; k * k], vec![false; k]);
        parallel::for_each_chunk_with(
            &mut negatives[..groups.total()],
            groups.candidates,
            scratch,
            |(powers, first, second, known), group, slots| {
                simd::dispatch(
                    #[inline(always)]
                    || {
                        let rows = groups.rows_of(group);
                        let size = rows.len();
                        for (member, row) in rows.enumerate() {
                            let (r1, r2) = scores[row * 2 * k..][..2 * k].split_at(k);
                            let log_psi = &log_psi[row * k..][..k];
                            let top = simd::max(r2);
                            for (power, r2) in powers.iter_mut().zip(r2) {
                                *power = simd::exp(r2 - top);
                            }
                            let mut sum = 0.0;
                            for k1 in 0..k {
                                sum += simd::exp(r1[k1] + log_psi[k1] - log_z[row]);
                                first[k1] = sum;
                            }
                            known.fill(false);
                            for eight in (member..groups.candidates).step_by(size * BLOCKS) {
                                let draws = std::array::from_fn(|i| (eight + i * size) as u32);
                                let words = self.rng.blocks(Stream::Negatives, self.step, row as u32, draws);
                                let drawn = (eight..groups.candidates).step_by(size).take(BLOCKS);
                                // Columns first, then their contents: in a large catalogue each access is a
                                // cache miss, and eight independent misses take as long as one.
                                let mut columns = [(0, 0); BLOCKS];
                                for (i, picked) in columns[..drawn.len()].iter_mut().enumerate() {
                                    let k1 = pick(first, words[0][i]);
                                    let second = &mut second[k1 * k..][..k];
                                    if !known[k1] {
                                        weights.cumulate(k1, powers, r2, log_psi[k1], second);
                                        known[k1] = true;
                                    }
                                    let k2 = pick(second, words[1][i]);
                                    let (start, end) = (starts[k1 * k + k2], starts[k1 * k + k2 + 1]);
                                    // A diverged model may select an empty cell; the loss check reports the
                                    // divergence, so this must not panic.
                                    *picked = (start, (start + below(words[2][i], end - start)).min(last));
                                }
                                for (i, (start, column)) in columns.iter_mut().enumerate() {
                                    let at = *column as usize;
                                    // Both are read before either is used.
                                    let (threshold, alias) = (thresholds[at], aliases[at]);
                                    *column = if words[3][i] < threshold { *column } else { *start + alias };
                                }
                                for (slot, (_, column)) in drawn.zip(columns) {
                                    slots[slot] = members[column as usize];
                                }
                            }
                        }
                    },
                );
            },
        );
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (groups, cells) = (self.groups, &self.cells);
        calls.dispatch(
            midx_draw::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                rows: groups.rows() as u32,
                codewords: cells.codewords as u32,
                items: cells.items as u32,
                key_low: self.rng.key()[0],
                key_high: self.rng.key()[1],
                step: self.step,
                row_offset: self.rng.rows().offset,
                row_period: self.rng.rows().period,
                row_gap: self.rng.rows().gap,
            },
            midx_draw::Bindings {
                scores: &self.scores,
                log_psi: &self.log_psi,
                log_weights: &cells.log_weights,
                starts: &cells.starts,
                members: &cells.members,
                thresholds: &cells.table.thresholds,
                aliases: &cells.table.aliases,
                negatives: &self.negatives,
            },
            gpu::Work::Groups(groups.rows()),
        );
    }
}

/// log q of items under their group's mixture: `ln sum over rows g of (drawn_g / C) exp(log q_g)`; with one
/// row per group, the row's own log q.
pub struct MidxLogQ {
    /// Which query rows share which candidates.
    pub groups: Groups,
    /// r1, then r2: R x 2K.
    pub scores: Buffer<f32>,
    /// From [`MidxNormalise`].
    pub log_z: Buffer<f32>,
    /// The index.
    pub cells: Cells,
    /// Items to look up.
    pub items: ItemsOf,
    /// Out: one value per item (for entries, L x E).
    pub output: Buffer<f32>,
}

impl Kernel for MidxLogQ {
    fn name(&self) -> &'static str {
        "midx_log_q"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.groups.check(check)?;
        let (k, rows, items) = (self.cells.codewords, self.groups.rows(), self.cells.items);
        check.holds(&self.scores, &[rows, 2, k])?;
        check.holds(&self.log_z, &[rows])?;
        check.holds(&self.cells.cell_of, &[items])?;
        check.holds(&self.cells.item_log_weights, &[items])?;
        self.items.check(check, &self.groups, &self.output)
    }

    unsafe fn cpu(&self) {
        let (k, groups) = (self.cells.codewords, self.groups);
        let (scores, log_z) = (self.scores.read(), self.log_z.read());
        let (cell_of, item_log_weights) = (self.cells.cell_of.read(), self.cells.item_log_weights.read());
        let prepare = |group| Mixture::new(&groups, group, k, &scores, &log_z);
        self.items.fill(&groups, &self.output, prepare, |mixture, item| {
            let cell = cell_of[item as usize];
            // 32-bit division is several times faster than 64-bit.
            let (k1, k2) = ((cell / k as u32) as usize, (cell % k as u32) as usize);
            item_log_weights[item as usize] + mixture.log_q(k1, k2)
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (groups, empty) = (self.groups, calls.empty());
        let (items, rows, entries) = self.items.parts(&empty);
        let total = self.items.outputs(&groups);
        calls.dispatch(
            midx_log_q::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                codewords: self.cells.codewords as u32,
                entries: entries as u32,
                total: total as u32,
            },
            midx_log_q::Bindings {
                scores: &self.scores,
                log_z: &self.log_z,
                cell_of: &self.cells.cell_of,
                item_log_weights: &self.cells.item_log_weights,
                items,
                rows,
                output: &self.output,
            },
            gpu::Work::Threads(total),
        );
    }
}

/// The mixture of a group. If it has several rows, exponentials are computed once per codeword: an item then
/// costs a product per row instead of an exponential.
struct Mixture<'a> {
    groups: &'a Groups,
    group: usize,
    k: usize,
    scores: &'a [f32],
    log_z: &'a [f32],
    /// Number of rows that draw; 0 if the exponentials would leave the range of f32.
    rows: usize,
    /// `exp(r1 + max r2 - log z) drawn / C`, K x rows.
    first: Vec<f32>,
    /// `exp(r2 - max r2)`, K x rows.
    second: Vec<f32>,
}

/// Sums of exponentials below this have lost digits, and are computed again from differences of logarithms.
const SMALLEST_SUM: f32 = 1e-25;
/// With larger exponents, the first factor would amplify terms that the second has lost below e^-87.
const LARGEST_EXPONENT: f32 = 10.0;

impl<'a> Mixture<'a> {
    #[inline(always)]
    fn new(groups: &'a Groups, group: usize, k: usize, scores: &'a [f32], log_z: &'a [f32]) -> Self {
        let range = groups.rows_of(group);
        let size = range.len();
        let mut rows = if size == 1 { 0 } else { size.min(groups.candidates) };
        let (mut first, mut second) = (vec![0.0; k * rows], vec![0.0; k * rows]);
        for (member, row) in range.take(rows).enumerate() {
            let (r1, r2) = scores[row * 2 * k..][..2 * k].split_at(k);
            let top = simd::max(r2);
            let drawn = groups.drawn_by(member, size) as f32 / groups.candidates as f32;
            let shift = top - log_z[row];
            if simd::max(r1) + shift > LARGEST_EXPONENT {
                rows = 0;
                break;
            }
            for (k1, r1) in r1.iter().enumerate() {
                first[k1 * rows + member] = drawn * simd::exp(r1 + shift);
            }
            for (k2, r2) in r2.iter().enumerate() {
                second[k2 * rows + member] = simd::exp(r2 - top);
            }
        }
        Self { groups, group, k, scores, log_z, rows, first, second }
    }

    /// log q of an item of weight one in cell (k1, k2).
    #[inline(always)]
    fn log_q(&self, k1: usize, k2: usize) -> f32 {
        if self.rows > 0 {
            let sum = simd::dot(
                &self.first[k1 * self.rows..][..self.rows],
                &self.second[k2 * self.rows..][..self.rows],
            );
            if sum > SMALLEST_SUM {
                return sum.ln();
            }
        }
        self.groups.mix(self.group, |row| {
            let scores = &self.scores[row * 2 * self.k..][..2 * self.k];
            scores[k1] + scores[self.k + k2] - self.log_z[row]
        })
    }
}
