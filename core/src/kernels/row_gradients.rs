//! Computes the gradient of table rows and stores it, for processes that exchange gradients before one of them
//! is applied.

use fastvae_shaders::row_gradients;

use super::{
    rank_one::{RankOne, Terms},
    row_sums::RowSums,
    transpose::ItemLists,
};
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
    simd,
};

/// The gradients of the touched rows: what [`super::UpdateRows`] applies without storing it.
pub struct RowGradients {
    /// The touched rows, and the entries that touch them.
    pub lists: ItemLists,
    /// The contributions of the entries.
    pub gradient: RankOne,
    /// Elements per row.
    pub width: usize,
    /// Whether to empty the lists afterwards: true for the last kernel of a step that uses them. The row of
    /// each list and their number can still be read.
    pub clear: bool,
    /// Out: one row per list in use.
    pub output: Buffer<f32>,
}

impl Kernel for RowGradients {
    fn name(&self) -> &'static str {
        "row_gradients"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.that(self.width > 0, || "rows without columns".into())?;
        self.lists.check(check)?;
        self.gradient.check(check, self.width)?;
        check.holds(&self.output, &[self.lists.touched.len(), self.width])
    }

    unsafe fn cpu(&self) {
        let (lists, width) = (&self.lists, self.width);
        let count = lists.count.read()[0] as usize;
        let (touched, starts, lengths) = (lists.touched.read(), lists.starts.read(), lists.lengths.read());
        let (entries, mut list_of) = (lists.entries.read(), lists.list_of.write());
        let mut output = self.output.write();
        let piece = (4096 / width).clamp(1, 256);
        self.gradient.with_source(width, |source| {
            parallel::for_each_chunk(&mut output[..count * width], piece * width, |index, gradients| {
                simd::dispatch(
                    #[inline(always)]
                    || {
                        let mut terms = Vec::new();
                        for (i, gradient) in gradients.chunks_exact_mut(width).enumerate() {
                            let list = index * piece + i;
                            let entries = &entries[starts[list] as usize..][..lengths[list] as usize];
                            source.gradient(entries, &mut terms, gradient);
                        }
                    },
                );
            });
        });
        if self.clear {
            for &row in &touched[..count] {
                list_of[row as usize] = 0;
            }
        }
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (lists, source, groups) = (&self.lists, &self.gradient, &self.gradient.groups);
        let rows = lists.touched.len();
        let Terms { lists, terms, negative } = source.dispatch_terms(calls, lists, rows, false, self.clear);
        let shape = RowSums::lists(calls, self.width);
        let RowSums { lanes, slots, blocks, rows_each } = shape;
        calls.dispatch(
            row_gradients::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                rows: rows as u32,
                width: self.width as u32,
                lanes,
                slots,
                blocks,
                rows_each,
            },
            row_gradients::Bindings {
                lists: &lists,
                terms: &terms,
                negative: &negative,
                vectors: &source.vectors,
                output: &self.output,
            },
            gpu::Work::Groups(shape.groups(rows)),
        );
    }
}
