//! Exact softmax sampling through the index (paper, theorem 4.1): the reference for the other proposals.
//!
//! With `p_i = exp(o_i - max o)` the cell weights of a user are `omega(k1, k2) exp(r1 + r2) = sum of p over
//! the cell`, so k1, then k2, then the item are drawn from sums of p, and the result is a draw from the
//! softmax itself. It costs a pass over all items for every query row.

use super::{
    cells::Cells,
    groups::Groups,
    items_of::ItemsOf,
    running_sums::{cumulate, pick},
};
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel, parallel::Rows},
    rng::{Rng, Stream},
    simd,
};
use fastvae_shaders::{midx_exact_cells, midx_exact_draw, softmax_log_q};

/// `sums[r, cell] = sum over the cell's items of exp(o_i - top_r)`, with `top_r` the row's largest logit.
pub struct MidxExactCells {
    /// R x M.
    pub logits: Buffer<f32>,
    /// R.
    pub rows: usize,
    /// The index; its weights are not used.
    pub cells: Cells,
    /// Out: R x cells.
    pub sums: Buffer<f32>,
    /// Out: the largest logit of each row, R.
    pub top: Buffer<f32>,
    /// Out: `ln sum exp o` of each row, R.
    pub log_z: Buffer<f32>,
}

impl Kernel for MidxExactCells {
    fn name(&self) -> &'static str {
        "midx_exact_cells"
    }

    fn check(&self, check: &Check) -> Result<()> {
        let (items, cells) = (self.cells.items, [self.cells.blocks, self.cells.columns]);
        check.holds(&self.logits, &[self.rows, items])?;
        check.holds(&self.cells.cell_of, &[items])?;
        check.holds(&self.cells.members, &[items])?;
        check.holds_after(&self.cells.starts, 1, &cells)?;
        check.holds(&self.sums, &[self.rows, cells[0], cells[1]])?;
        check.holds(&self.top, &[self.rows])?;
        check.holds(&self.log_z, &[self.rows])
    }

    unsafe fn cpu(&self) {
        let (items, cells) = (self.cells.items, self.cells.count());
        let (logits, cell_of) = (self.logits.read(), self.cells.cell_of.read());
        let (mut sums, mut top, mut log_z) = (self.sums.write(), self.top.write(), self.log_z.write());
        let (top, log_z) = (Rows::new(&mut top, 1), Rows::new(&mut log_z, 1));
        parallel::for_each_chunk(&mut sums[..self.rows * cells], cells, |row, sums| {
            simd::dispatch(
                #[inline(always)]
                || {
                    let logits = &logits[row * items..][..items];
                    let largest = simd::max(logits);
                    sums.fill(0.0);
                    for (&logit, &cell) in logits.iter().zip(cell_of.iter()) {
                        sums[cell as usize] += simd::exp(logit - largest);
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
            midx_exact_cells::Params {
                rows: self.rows as u32,
                items: self.cells.items as u32,
                cells: self.cells.count() as u32,
            },
            midx_exact_cells::Bindings {
                logits: &self.logits,
                starts: &self.cells.starts,
                members: &self.cells.members,
                sums: &self.sums,
                top: &self.top,
                log_z: &self.log_z,
            },
            gpu::Work::Groups(self.rows),
        );
    }
}

/// Draws every group's candidates; slot c of a group is drawn by its member `c % size`.
pub struct MidxExactDraw {
    /// Which query rows share which candidates.
    pub groups: Groups,
    /// R x M.
    pub logits: Buffer<f32>,
    /// From [`MidxExactCells`], R x cells.
    pub sums: Buffer<f32>,
    /// From [`MidxExactCells`], R.
    pub top: Buffer<f32>,
    /// The index.
    pub cells: Cells,
    /// The run's random numbers.
    pub rng: Rng,
    /// Step of the run.
    pub step: u32,
    /// Out: groups x C.
    pub negatives: Buffer<u32>,
}

impl Kernel for MidxExactDraw {
    fn name(&self) -> &'static str {
        "midx_exact_draw"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.groups.check(check)?;
        let (items, cells) = (self.cells.items, [self.cells.blocks, self.cells.columns]);
        let rows = self.groups.rows();
        check.holds(&self.logits, &[rows, items])?;
        check.holds(&self.sums, &[rows, cells[0], cells[1]])?;
        check.holds(&self.top, &[rows])?;
        check.holds_after(&self.cells.starts, 1, &cells)?;
        check.holds(&self.cells.members, &[items])?;
        check.holds(&self.negatives, &[self.groups.total()])
    }

    unsafe fn cpu(&self) {
        let (items, groups) = (self.cells.items, self.groups);
        let (blocks, columns) = (self.cells.blocks, self.cells.columns);
        let (logits, sums, top) = (self.logits.read(), self.sums.read(), self.top.read());
        let (starts, members) = (self.cells.starts.read(), self.cells.members.read());
        let mut negatives = self.negatives.write();
        let scratch = || (vec![0.0; blocks], vec![0.0; columns], Vec::new());
        parallel::for_each_chunk_with(
            &mut negatives[..groups.total()],
            groups.candidates,
            scratch,
            |(first, second, third), group, slots| {
                let rows = groups.rows_of(group);
                let size = rows.len();
                for (member, row) in rows.enumerate() {
                    let sums = &sums[row * blocks * columns..][..blocks * columns];
                    let logits = &logits[row * items..][..items];
                    cumulate(sums.chunks_exact(columns).map(simd::sum), first);
                    for slot in (member..groups.candidates).step_by(size) {
                        let words = self.rng.block(Stream::Negatives, self.step, row as u32, slot as u32);
                        let block = pick(first, words[0]);
                        cumulate(sums[block * columns..][..columns].iter().copied(), second);
                        let column = pick(second, words[1]);
                        let cell = block * columns + column;
                        let inside = &members[starts[cell] as usize..starts[cell + 1] as usize];
                        if inside.is_empty() {
                            // A diverged model may select an empty cell; the loss check reports the
                            // divergence, so this must not panic.
                            slots[slot] = 0;
                            continue;
                        }
                        third.resize(inside.len(), 0.0);
                        cumulate(inside.iter().map(|&i| simd::exp(logits[i as usize] - top[row])), third);
                        slots[slot] = inside[pick(third, words[2])];
                    }
                }
            },
        );
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (groups, cells) = (self.groups, &self.cells);
        calls.dispatch(
            midx_exact_draw::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                rows: groups.rows() as u32,
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
            midx_exact_draw::Bindings {
                logits: &self.logits,
                sums: &self.sums,
                top: &self.top,
                starts: &cells.starts,
                members: &cells.members,
                negatives: &self.negatives,
            },
            gpu::Work::Groups(groups.rows()),
        );
    }
}

/// log q of items under the softmax itself, for the mixture of their group.
pub struct SoftmaxLogQ {
    /// Which query rows share which candidates.
    pub groups: Groups,
    /// R x M.
    pub logits: Buffer<f32>,
    /// M.
    pub catalogue: usize,
    /// `ln sum exp o` of each row, R.
    pub log_z: Buffer<f32>,
    /// Items to look up.
    pub items: ItemsOf,
    /// Out: one value per item (for entries, L x E).
    pub output: Buffer<f32>,
}

impl Kernel for SoftmaxLogQ {
    fn name(&self) -> &'static str {
        "softmax_log_q"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.groups.check(check)?;
        check.holds(&self.logits, &[self.groups.rows(), self.catalogue])?;
        check.holds(&self.log_z, &[self.groups.rows()])?;
        self.items.check(check, &self.groups, &self.output)
    }

    unsafe fn cpu(&self) {
        let (logits, log_z) = (self.logits.read(), self.log_z.read());
        let log_q = |row: usize, item: u32| logits[row * self.catalogue + item as usize] - log_z[row];
        self.items.fill(
            &self.groups,
            &self.output,
            |group| group,
            |&group, item| self.groups.mix(group, |row| log_q(row, item)),
        );
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (groups, empty) = (self.groups, calls.empty());
        let (items, rows, entries) = self.items.parts(&empty);
        let total = self.items.outputs(&groups);
        calls.dispatch(
            softmax_log_q::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                catalogue: self.catalogue as u32,
                entries: entries as u32,
                total: total as u32,
            },
            softmax_log_q::Bindings {
                logits: &self.logits,
                log_z: &self.log_z,
                items,
                rows,
                output: &self.output,
            },
            gpu::Work::Threads(total),
        );
    }
}
