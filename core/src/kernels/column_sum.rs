//! Sums over rows: the gradient of a bias.

use fastvae_shaders::column_sum;

use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu},
    simd,
};

/// `output[offset + c] = sum over rows of values[r, c]`.
pub struct ColumnSum {
    /// Rows x columns.
    pub values: Buffer<f32>,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// First element of `output` to write.
    pub offset: usize,
    /// Out: columns, from `offset`.
    pub output: Buffer<f32>,
}

impl Kernel for ColumnSum {
    fn name(&self) -> &'static str {
        "column_sum"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.values, &[self.rows, self.columns])?;
        check.holds_after(&self.output, self.offset, &[self.columns])
    }

    unsafe fn cpu(&self) {
        let values = self.values.read();
        let mut output = self.output.write();
        let output = &mut output[self.offset..][..self.columns];
        output.fill(0.0);
        simd::dispatch(
            #[inline(always)]
            || {
                let rows = values.chunks_exact(self.columns.max(1)).take(self.rows);
                simd::add_rows(&rows.map(|row| (1.0, row)).collect::<Vec<_>>(), output);
            },
        );
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            column_sum::Params {
                rows: self.rows as u32,
                columns: self.columns as u32,
                offset: self.offset as u32,
            },
            column_sum::Bindings { values: &self.values, output: &self.output },
            gpu::Work::Groups(self.columns.div_ceil(16)),
        );
    }
}
