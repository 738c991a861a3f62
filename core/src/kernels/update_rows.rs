//! Computes the gradient of table rows and applies it, in one pass.

use fastvae_shaders::{update_rows, update_rows_finish};

use super::{
    adam::AdamStep,
    rank_one::{RankOne, Terms},
    replay_rows::Table,
    transpose::ItemLists,
};
use crate::{
    Result,
    engine::{Check, Kernel, gpu, parallel, parallel::Rows},
    simd,
};

/// The rows that Adam updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every row of the table, with a zero gradient for untouched ones.
    All,
    /// Only the touched rows.
    Touched,
}

/// One step of Adam on the rows of a table.
pub struct UpdateRows {
    /// The touched rows, and the entries that touch them.
    pub lists: ItemLists,
    /// The contributions of the entries.
    pub gradient: RankOne,
    /// The table to update.
    pub table: Table,
    /// Adam's coefficients for this step.
    pub adam: AdamStep,
    /// The rows to update.
    pub reach: Reach,
    /// The number of this step, stored for each updated row.
    pub step: u32,
    /// Whether to empty the lists afterwards: true for the last kernel of a step that uses them.
    pub clear: bool,
}

impl Kernel for UpdateRows {
    fn name(&self) -> &'static str {
        "update_rows"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.table.check(check)?;
        self.lists.check(check)?;
        check.holds(&self.lists.list_of, &[self.table.rows])?;
        self.gradient.check(check, self.table.width)
    }

    unsafe fn cpu(&self) {
        let width = self.table.width;
        let count = self.lists.count.read()[0] as usize;
        let (touched, starts, lengths) =
            (self.lists.touched.read(), self.lists.starts.read(), self.lists.lengths.read());
        let (entries, mut list_of) = (self.lists.entries.read(), self.lists.list_of.write());
        let mut last_step = self.table.last_step.write();
        let (mut value, mut first, mut second) = (
            self.table.parameter.value.write(),
            self.table.parameter.first.write(),
            self.table.parameter.second.write(),
        );
        let (value, first, second) =
            (Rows::new(&mut value, width), Rows::new(&mut first, width), Rows::new(&mut second, width));
        let last_step = Rows::new(&mut last_step, 1);
        let rows = match self.reach {
            Reach::All => self.table.rows,
            Reach::Touched => count,
        };
        let piece = (4096 / width).clamp(1, 256);
        self.gradient.with_source(width, |source| {
            parallel::for_each(rows.div_ceil(piece), |index| {
                simd::dispatch(
                    #[inline(always)]
                    || {
                        let (mut gradient, mut terms) = (vec![0.0; width], Vec::new());
                        for i in index * piece..rows.min((index + 1) * piece) {
                            let (row, list) = match self.reach {
                                Reach::All => (i, (list_of[i] as usize).checked_sub(1)),
                                Reach::Touched => (touched[i] as usize, Some(i)),
                            };
                            let entries = match list {
                                Some(list) => &entries[starts[list] as usize..][..lengths[list] as usize],
                                None => &[],
                            };
                            source.gradient(entries, &mut terms, &mut gradient);
                            // SAFETY: rows are distinct: every row once, or the touched ones, which `ItemLists`
                            // guarantees to be distinct.
                            let (value, first, second) =
                                unsafe { (value.row(row), first.row(row), second.row(row)) };
                            self.adam.apply_slice(&gradient, value, first, second);
                            // SAFETY: as above.
                            unsafe { last_step.row(row)[0] = self.step };
                        }
                    },
                );
            });
        });
        if self.clear {
            for &item in &touched[..count] {
                list_of[item as usize] = 0;
            }
        }
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (lists, source, groups) = (&self.lists, &self.gradient, &self.gradient.groups);
        let all = self.reach == Reach::All;
        let rows = if all { self.table.rows } else { lists.touched.len() };
        let Terms { lists: lanes, terms, negative } = source.dispatch_terms(calls, lists, rows, all);
        let AdamStep { rate, beta1, beta2, root, epsilon, keep, l2 } = self.adam;
        calls.dispatch(
            update_rows::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                rows: rows as u32,
                width: self.table.width as u32,
                rate,
                beta1,
                beta2,
                root,
                epsilon,
                keep,
                l2,
            },
            update_rows::Bindings {
                lists: &lanes,
                terms: &terms,
                negative: &negative,
                vectors: &source.vectors,
                value: &self.table.parameter.value,
                first: &self.table.parameter.first,
                second: &self.table.parameter.second,
            },
            gpu::Work::Threads(rows * self.table.width.div_ceil(4)),
        );
        calls.dispatch(
            update_rows_finish::Params {
                rows: rows as u32,
                all: all.into(),
                step: self.step,
                clear: self.clear.into(),
            },
            update_rows_finish::Bindings {
                count: &lists.count,
                touched: &lists.touched,
                last_step: &self.table.last_step,
                list_of: &lists.list_of,
            },
            gpu::Work::Threads(rows),
        );
    }
}
