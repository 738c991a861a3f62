//! Sampling through an index of more than two codebooks.
//!
//! There are too many combinations of codewords, K^m, to sum over, and nearly all cells are empty. The sums
//! therefore go over the N <= M occupied cells only, in blocks of `columns`. With `s(cell) = ln omega(cell) +
//! sum over codebooks b of q . c_b[code]`,
//! ```text
//! psi(block) = sum over the block's cells of exp s,   P(block) ~ psi(block)
//! P(cell | block) = exp s / psi(block),   P(i | cell) = w_i / omega(cell)
//! log q_i = sum over b of q . c_b[code of i] + ln w_i - ln Z,   Z = sum over blocks of psi.
//! ```
//! A step costs R N m additions and R N exponentials: less than the R M products of width d of the softmax,
//! but of the same order if nearly every item has a cell of its own. Memory is N (m + 2) numbers for the
//! list, and R numbers per block.

use fastvae_shaders::{midx_occupied_draw, midx_occupied_log_q, midx_occupied_normalise};

use super::{cells::Cells, groups::Groups, items_of::ItemsOf, running_sums::pick};
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel, parallel::Rows},
    rng::{Rng, Stream, below},
    simd,
};

impl Cells {
    /// Number of scores in a row, m K.
    fn scores(&self) -> usize {
        self.codebooks * self.codewords
    }

    /// Checks the lengths of the cells' lists, and of the scores of `rows` query rows.
    fn check_codes(&self, check: &Check, scores: &Buffer<f32>, rows: usize) -> Result<()> {
        check.holds(scores, &[rows, self.codebooks, self.codewords])?;
        check.holds(&self.log_weights, &[self.blocks, self.columns])?;
        let list = self.codebooks.saturating_add(1);
        check.at_most(self.codes.len(), &[self.blocks, self.columns, list])?;
        check.holds_after(&self.codes, list, &[self.count(), list])
    }
}

/// `log_psi[r, block]` and `log_z[r]` for every query row.
pub struct MidxOccupiedNormalise {
    /// q . codewords of all codebooks: R x m K.
    pub scores: Buffer<f32>,
    /// R.
    pub rows: usize,
    /// The index.
    pub cells: Cells,
    /// Out: R x blocks.
    pub log_psi: Buffer<f32>,
    /// Out: R.
    pub log_z: Buffer<f32>,
}

/// Computes s of every cell of a block.
#[inline(always)]
fn block_scores(
    cells: &Cells,
    block: usize,
    scores: &[f32],
    log_weights: &[f32],
    codes: &[u32],
    out: &mut [f32],
) {
    let m = cells.codebooks;
    let first = block * cells.columns;
    let lists = codes[first * (m + 1)..].chunks_exact(m + 1);
    for ((out, weight), list) in out.iter_mut().zip(&log_weights[first..]).zip(lists) {
        *out = list[1..].iter().fold(*weight, |sum, &column| sum + scores[column as usize]);
    }
}

impl Kernel for MidxOccupiedNormalise {
    fn name(&self) -> &'static str {
        "midx_occupied_normalise"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.cells.check_codes(check, &self.scores, self.rows)?;
        check.holds(&self.log_psi, &[self.rows, self.cells.blocks])?;
        check.holds(&self.log_z, &[self.rows])
    }

    unsafe fn cpu(&self) {
        let cells = &self.cells;
        let (blocks, columns, width) = (cells.blocks, cells.columns, cells.scores());
        let (scores, log_weights, codes) = (self.scores.read(), cells.log_weights.read(), cells.codes.read());
        let (mut log_psi, mut log_z) = (self.log_psi.write(), self.log_z.write());
        let log_z = Rows::new(&mut log_z, 1);
        parallel::for_each_chunk_with(
            &mut log_psi[..self.rows * blocks],
            blocks,
            || vec![0.0; columns],
            |terms, row, log_psi| {
                simd::dispatch(
                    #[inline(always)]
                    || {
                        let scores = &scores[row * width..][..width];
                        for (block, log_psi) in log_psi.iter_mut().enumerate() {
                            block_scores(cells, block, scores, &log_weights, &codes, terms);
                            *log_psi = simd::log_sum_exp(terms);
                        }
                        // SAFETY: one row a call.
                        unsafe { log_z.row(row)[0] = simd::log_sum_exp(log_psi) };
                    },
                );
            },
        );
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let cells = &self.cells;
        calls.dispatch(
            midx_occupied_normalise::Params {
                rows: self.rows as u32,
                codebooks: cells.codebooks as u32,
                codewords: cells.codewords as u32,
                blocks: cells.blocks as u32,
                columns: cells.columns as u32,
            },
            midx_occupied_normalise::Bindings {
                scores: &self.scores,
                codes: &cells.codes,
                log_weights: &cells.log_weights,
                log_psi: &self.log_psi,
                log_z: &self.log_z,
            },
            gpu::Work::Groups(self.rows),
        );
    }
}

/// Draws every group's candidates; slot c of a group is drawn by its member `c % size`.
pub struct MidxOccupiedDraw {
    /// Which query rows share which candidates.
    pub groups: Groups,
    /// q . codewords of all codebooks: R x m K.
    pub scores: Buffer<f32>,
    /// From [`MidxOccupiedNormalise`].
    pub log_psi: Buffer<f32>,
    /// From [`MidxOccupiedNormalise`].
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

impl Kernel for MidxOccupiedDraw {
    fn name(&self) -> &'static str {
        "midx_occupied_draw"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.groups.check(check)?;
        let (cells, rows) = (&self.cells, self.groups.rows());
        check.that(cells.items > 0, || "an empty index".into())?;
        cells.check_codes(check, &self.scores, rows)?;
        check.holds(&self.log_psi, &[rows, cells.blocks])?;
        check.holds(&self.log_z, &[rows])?;
        check.holds(&cells.members, &[cells.items])?;
        cells.table.check(check, cells.items)?;
        check.holds(&self.negatives, &[self.groups.total()])
    }

    unsafe fn cpu(&self) {
        let (cells, groups) = (&self.cells, self.groups);
        let (blocks, columns, width, m) = (cells.blocks, cells.columns, cells.scores(), cells.codebooks);
        let (scores, log_psi, log_z) = (self.scores.read(), self.log_psi.read(), self.log_z.read());
        let (log_weights, codes) = (cells.log_weights.read(), cells.codes.read());
        let (members, thresholds) = (cells.members.read(), cells.table.thresholds.read());
        let aliases = cells.table.aliases.read();
        let last = cells.items as u32 - 1;
        let mut negatives = self.negatives.write();
        // Running sums over blocks, then running sums over the cells of each block drawn so far.
        let scratch = || (vec![0.0; blocks], vec![0.0; blocks * columns], vec![false; blocks]);
        parallel::for_each_chunk_with(
            &mut negatives[..groups.total()],
            groups.candidates,
            scratch,
            |(first, second, known), group, slots| {
                simd::dispatch(
                    #[inline(always)]
                    || {
                        let rows = groups.rows_of(group);
                        let size = rows.len();
                        for (member, row) in rows.enumerate() {
                            let scores = &scores[row * width..][..width];
                            let log_psi = &log_psi[row * blocks..][..blocks];
                            let mut sum = 0.0;
                            for (first, log_psi) in first.iter_mut().zip(log_psi) {
                                sum += simd::exp(log_psi - log_z[row]);
                                *first = sum;
                            }
                            known.fill(false);
                            for slot in (member..groups.candidates).step_by(size) {
                                let words =
                                    self.rng.block(Stream::Negatives, self.step, row as u32, slot as u32);
                                let block = pick(first, words[0]);
                                let second = &mut second[block * columns..][..columns];
                                if !known[block] {
                                    block_scores(cells, block, scores, &log_weights, &codes, second);
                                    let mut sum = 0.0;
                                    for term in second.iter_mut() {
                                        sum += simd::exp(*term - log_psi[block]);
                                        *term = sum;
                                    }
                                    known[block] = true;
                                }
                                let column = pick(second, words[1]);
                                let cell = block * columns + column;
                                let (start, end) = (codes[cell * (m + 1)], codes[(cell + 1) * (m + 1)]);
                                // A diverged model may select an empty cell; the loss check reports the
                                // divergence, so this must not panic.
                                let at = (start + below(words[2], end - start)).min(last);
                                let kept = words[3] < thresholds[at as usize];
                                let taken = if kept { at } else { start + aliases[at as usize] };
                                slots[slot] = members[taken as usize];
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
            midx_occupied_draw::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                rows: groups.rows() as u32,
                codebooks: cells.codebooks as u32,
                codewords: cells.codewords as u32,
                blocks: cells.blocks as u32,
                columns: cells.columns as u32,
                items: cells.items as u32,
                key_low: self.rng.key()[0],
                key_high: self.rng.key()[1],
                step: self.step,
                row_offset: self.rng.rows().offset,
                row_period: self.rng.rows().period,
                row_gap: self.rng.rows().gap,
            },
            midx_occupied_draw::Bindings {
                scores: &self.scores,
                log_psi: &self.log_psi,
                log_weights: &cells.log_weights,
                codes: &cells.codes,
                members: &cells.members,
                thresholds: &cells.table.thresholds,
                aliases: &cells.table.aliases,
                negatives: &self.negatives,
            },
            gpu::Work::Groups(groups.rows()),
        );
    }
}

/// log q of items under their group's mixture, as in [`super::MidxLogQ`].
pub struct MidxOccupiedLogQ {
    /// Which query rows share which candidates.
    pub groups: Groups,
    /// q . codewords of all codebooks: R x m K.
    pub scores: Buffer<f32>,
    /// From [`MidxOccupiedNormalise`].
    pub log_z: Buffer<f32>,
    /// The index.
    pub cells: Cells,
    /// Items to look up.
    pub items: ItemsOf,
    /// Out: one value per item (for entries, L x E).
    pub output: Buffer<f32>,
}

impl Kernel for MidxOccupiedLogQ {
    fn name(&self) -> &'static str {
        "midx_occupied_log_q"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.groups.check(check)?;
        let (cells, rows) = (&self.cells, self.groups.rows());
        cells.check_codes(check, &self.scores, rows)?;
        check.holds(&self.log_z, &[rows])?;
        check.holds(&cells.cell_of, &[cells.items])?;
        check.holds(&cells.item_log_weights, &[cells.items])?;
        self.items.check(check, &self.groups, &self.output)
    }

    unsafe fn cpu(&self) {
        let (cells, groups) = (&self.cells, self.groups);
        let (width, m) = (cells.scores(), cells.codebooks);
        let (scores, log_z, codes) = (self.scores.read(), self.log_z.read(), cells.codes.read());
        let (cell_of, item_log_weights) = (cells.cell_of.read(), cells.item_log_weights.read());
        let log_q = |row: usize, list: &[u32]| {
            list.iter().map(|&column| scores[row * width + column as usize]).sum::<f32>() - log_z[row]
        };
        self.items.fill(
            &groups,
            &self.output,
            |group| group,
            |&group, item| {
                let list = &codes[cell_of[item as usize] as usize * (m + 1)..][1..=m];
                item_log_weights[item as usize] + groups.mix(group, |row| log_q(row, list))
            },
        );
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (groups, cells, empty) = (self.groups, &self.cells, calls.empty());
        let (items, rows, entries) = self.items.parts(&empty);
        let total = self.items.outputs(&groups);
        calls.dispatch(
            midx_occupied_log_q::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                codebooks: cells.codebooks as u32,
                codewords: cells.codewords as u32,
                entries: entries as u32,
                total: total as u32,
            },
            midx_occupied_log_q::Bindings {
                scores: &self.scores,
                log_z: &self.log_z,
                cell_of: &cells.cell_of,
                item_log_weights: &cells.item_log_weights,
                codes: &cells.codes,
                items,
                rows,
                output: &self.output,
            },
            gpu::Work::Threads(total),
        );
    }
}
