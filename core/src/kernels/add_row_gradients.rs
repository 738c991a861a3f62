//! Adds the gradient of table rows to one that is stored already: a table of which a step sums two gradients.

use fastvae_shaders::add_row_gradients;

use super::{
    rank_one::{RankOne, Terms},
    row_sums::RowSums,
    transpose::ItemLists,
};
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel, parallel::Rows},
    simd,
};

/// Adds the gradients of the touched rows to those of other lists, which contain all of these rows, or of all rows. Empties
/// the lists afterwards.
pub struct AddRowGradients {
    /// The touched rows, and the entries that touch them.
    pub lists: ItemLists,
    /// The contributions of the entries.
    pub gradient: RankOne,
    /// Elements per row.
    pub width: usize,
    /// The lists of the stored gradients, which have a row for each list; `None` if they have one for each row of the
    /// table.
    pub places: Option<ItemLists>,
    /// In and out: the stored gradients.
    pub output: Buffer<f32>,
}

impl Kernel for AddRowGradients {
    fn name(&self) -> &'static str {
        "add_row_gradients"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.that(self.width > 0, || "rows without columns".into())?;
        self.lists.check(check)?;
        self.gradient.check(check, self.width)?;
        let table = self.lists.list_of.len();
        let Some(places) = &self.places else { return check.holds(&self.output, &[table, self.width]) };
        places.check(check)?;
        check.holds(&places.list_of, &[table])?;
        check.that(!places.list_of.is(&self.lists.list_of), || "lists that are emptied as places".into())?;
        check.holds(&self.output, &[places.touched.len(), self.width])
    }

    unsafe fn cpu(&self) {
        let (lists, width) = (&self.lists, self.width);
        let count = lists.count.read()[0] as usize;
        let (touched, starts, lengths) = (lists.touched.read(), lists.starts.read(), lists.lengths.read());
        let (entries, mut list_of) = (lists.entries.read(), lists.list_of.write());
        let places = self.places.as_ref().map(|places| places.list_of.read());
        let mut output = self.output.write();
        let output = Rows::new(&mut output, width);
        let piece = (4096 / width).clamp(1, 256);
        self.gradient.with_source(width, |source| {
            parallel::for_each(count.div_ceil(piece), |index| {
                simd::dispatch(
                    #[inline(always)]
                    || {
                        let (mut gradient, mut terms) = (vec![0.0; width], Vec::new());
                        for list in index * piece..count.min((index + 1) * piece) {
                            let entries = &entries[starts[list] as usize..][..lengths[list] as usize];
                            source.gradient(entries, &mut terms, &mut gradient);
                            let row = touched[list] as usize;
                            let place = match &places {
                                Some(list_of) => {
                                    list_of[row].checked_sub(1).expect("a list of every row") as usize
                                }
                                None => row,
                            };
                            // SAFETY: touched rows are distinct, and no two rows have the same list, which
                            // `ItemLists` guarantees.
                            let sum = unsafe { output.row(place) };
                            sum.iter_mut().zip(&gradient).for_each(|(sum, value)| *sum += value);
                        }
                    },
                );
            });
        });
        for &row in &touched[..count] {
            list_of[row as usize] = 0;
        }
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (lists, source, groups) = (&self.lists, &self.gradient, &self.gradient.groups);
        let rows = lists.touched.len();
        let Terms { lists, terms, negative } = source.dispatch_terms(calls, lists, rows, false, true);
        let shape = RowSums::lists(calls, self.width);
        let RowSums { lanes, slots, blocks, rows_each } = shape;
        let nowhere = calls.empty();
        calls.dispatch(
            add_row_gradients::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                rows: rows as u32,
                width: self.width as u32,
                lanes,
                slots,
                blocks,
                rows_each,
                places: self.places.is_some().into(),
            },
            add_row_gradients::Bindings {
                lists: &lists,
                terms: &terms,
                negative: &negative,
                vectors: &source.vectors,
                list_of: self.places.as_ref().map_or(&nowhere, |places| &places.list_of),
                output: &self.output,
            },
            gpu::Work::Groups(shape.groups(rows)),
        );
    }
}
