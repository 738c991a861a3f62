//! Computes the gradients of table rows and applies them, in one pass.

use fastvae_shaders::update_rows;

use super::{
    adam::AdamStep,
    rank_one::{RankOne, Terms},
    replay_rows::Table,
    row_sums::RowSums,
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

/// One step of Adam on the rows of tables that have the same rows, such as item vectors and item biases.
pub struct UpdateRows {
    /// The touched rows, and the entries that touch them.
    pub lists: ItemLists,
    /// The tables to update, and the contributions of the entries to each; they differ in the vectors, not in the
    /// coefficients.
    pub tables: Vec<(Table, RankOne)>,
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
        self.lists.check(check)?;
        for (table, gradient) in &self.tables {
            table.check(check)?;
            check.holds(&self.lists.list_of, &[table.rows])?;
            gradient.check(check, table.width)?;
            let (first_table, first) = &self.tables[0];
            check.that(table.rows == first_table.rows && gradient.same_coefficients(first), || {
                "tables with other rows or coefficients than the first".into()
            })?;
        }
        Ok(())
    }

    unsafe fn cpu(&self) {
        for (table, gradient) in &self.tables {
            self.update(table, gradient);
        }
        if self.clear {
            let count = self.lists.count.read()[0] as usize;
            let (touched, mut list_of) = (self.lists.touched.read(), self.lists.list_of.write());
            for &item in &touched[..count] {
                list_of[item as usize] = 0;
            }
        }
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let Some((table, gradient)) = self.tables.first() else { return };
        let all = self.reach == Reach::All;
        let rows = if all { table.rows } else { self.lists.touched.len() };
        let Terms { lists, terms, negative } =
            gradient.dispatch_terms(calls, &self.lists, rows, all, self.clear);
        let AdamStep { rate, beta1, beta2, root, epsilon, keep, l2 } = self.adam;
        for (table, RankOne { vectors, groups, .. }) in &self.tables {
            let shape = RowSums::lists(calls, table.width);
            let RowSums { lanes, slots, blocks, rows_each } = shape;
            calls.dispatch(
                update_rows::Params {
                    batch: groups.batch as u32,
                    group_size: groups.size as u32,
                    candidates: groups.candidates as u32,
                    rows: rows as u32,
                    width: table.width as u32,
                    lanes,
                    slots,
                    blocks,
                    rows_each,
                    step: self.step,
                    rate,
                    beta1,
                    beta2,
                    root,
                    epsilon,
                    keep,
                    l2,
                },
                update_rows::Bindings {
                    lists: &lists,
                    terms: &terms,
                    negative: &negative,
                    vectors,
                    value: &table.parameter.value,
                    first: &table.parameter.first,
                    second: &table.parameter.second,
                    last_step: &table.last_step,
                },
                gpu::Work::Groups(shape.groups(rows)),
            );
        }
    }
}

impl UpdateRows {
    /// The twin for one table. The kernel's checks have passed.
    fn update(&self, table: &Table, gradient: &RankOne) {
        let width = table.width;
        let count = self.lists.count.read()[0] as usize;
        let (touched, starts, lengths) =
            (self.lists.touched.read(), self.lists.starts.read(), self.lists.lengths.read());
        let (entries, list_of) = (self.lists.entries.read(), self.lists.list_of.read());
        let mut last_step = table.last_step.write();
        let (mut value, mut first, mut second) =
            (table.parameter.value.write(), table.parameter.first.write(), table.parameter.second.write());
        let (value, first, second) =
            (Rows::new(&mut value, width), Rows::new(&mut first, width), Rows::new(&mut second, width));
        let last_step = Rows::new(&mut last_step, 1);
        let rows = match self.reach {
            Reach::All => table.rows,
            Reach::Touched => count,
        };
        let piece = (4096 / width).clamp(1, 256);
        gradient.with_source(width, |source| {
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
    }
}
