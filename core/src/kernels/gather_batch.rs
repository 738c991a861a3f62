//! Copies the histories of a batch's users to consecutive positions.

use std::ops::Range;

use fastvae_shaders::gather_batch;

use crate::{
    Result,
    engine::{
        Buffer, Check, Kernel, gpu, parallel,
        parallel::{Rows, Spans},
    },
};

/// `items[batch_offsets[b] ..] = history of users[b]`, and `rows[e] = b` for each copied entry.
pub struct GatherBatch {
    /// The row of each user in the history, B.
    pub users: Buffer<u32>,
    /// Offset of each user's history, N + 1.
    pub history_offsets: Buffer<u32>,
    /// All histories, one after the other.
    pub history_items: Buffer<u32>,
    /// Offset of each batch row's entries, B + 1.
    pub batch_offsets: Buffer<u32>,
    /// B.
    pub batch: usize,
    /// E, the sum of the batch's history lengths.
    pub entries: usize,
    /// Out: item of each entry, E.
    pub items: Buffer<u32>,
    /// Out: batch row of each entry, E.
    pub rows: Buffer<u32>,
}

impl Kernel for GatherBatch {
    fn name(&self) -> &'static str {
        "gather_batch"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.users, &[self.batch])?;
        check.lives_here(&self.history_offsets)?;
        check.lives_here(&self.history_items)?;
        check.holds_after(&self.batch_offsets, 1, &[self.batch])?;
        check.holds(&self.items, &[self.entries])?;
        check.holds(&self.rows, &[self.entries])
    }

    unsafe fn cpu(&self) {
        let (users, offsets) = (self.users.read(), self.batch_offsets.read());
        let (starts, history) = (self.history_offsets.read(), self.history_items.read());
        let (mut items, mut rows) = (self.items.write(), self.rows.write());
        let spans = Spans::new(&offsets[..=self.batch], self.entries);
        let (items, rows) = (Rows::new(&mut items, 1), Rows::new(&mut rows, 1));
        parallel::for_each(self.batch, |b| {
            let Range { start, end } = spans.of(b);
            let source = &history[starts[users[b] as usize] as usize..][..end - start];
            // SAFETY: spans do not overlap.
            let (items, rows) = unsafe { (items.range(start, end), rows.range(start, end)) };
            items.copy_from_slice(source);
            rows.fill(b as u32);
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            gather_batch::Params { batch: self.batch as u32 },
            gather_batch::Bindings {
                users: &self.users,
                history_offsets: &self.history_offsets,
                history_items: &self.history_items,
                batch_offsets: &self.batch_offsets,
                items: &self.items,
                rows: &self.rows,
            },
            gpu::Work::Groups(self.batch),
        );
    }
}
