//! Rows of a matrix, each computed from one user's history by a function of the host.

use std::sync::Arc;

use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel, parallel::Spans},
};

/// Computes or changes one row from the history that it belongs to.
pub type RowFunction = Arc<dyn Fn(&[u32], &mut [f32]) + Send + Sync>;

/// `function(history of b, output[b])` for every row b, on all threads; for models that rank on the CPU engine
/// only, so there is no shader.
pub struct HostRows {
    /// Offset of each row's history, B + 1.
    pub offsets: Buffer<u32>,
    /// Items of the histories, E.
    pub items: Buffer<u32>,
    /// B.
    pub rows: usize,
    /// Elements of a row.
    pub width: usize,
    /// Gets a history and a row that holds what earlier kernels left there.
    pub function: RowFunction,
    /// In and out: B x width.
    pub output: Buffer<f32>,
}

impl Kernel for HostRows {
    fn name(&self) -> &'static str {
        "host_rows"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.on_cpu()?;
        check.holds_after(&self.offsets, 1, &[self.rows])?;
        check.lives_here(&self.items)?;
        check.holds(&self.output, &[self.rows, self.width])
    }

    unsafe fn cpu(&self) {
        let (offsets, items, mut output) = (self.offsets.read(), self.items.read(), self.output.write());
        let histories = Spans::new(&offsets[..self.rows + 1], items.len());
        parallel::for_each_chunk(&mut output[..self.rows * self.width], self.width, |row, out| {
            (self.function)(&items[histories.of(row)], out);
        });
    }

    fn gpu(&self, _: &mut gpu::Calls) {
        unreachable!("`check` refuses this kernel on a GPU");
    }
}
