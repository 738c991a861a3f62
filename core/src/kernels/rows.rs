//! Operations on whole vectors for the index: gathering some of them, adding codewords to each, and the norms
//! of the residuals.

use fastvae_shaders::{add_codewords, gather_rows, residual_norms};

use super::Points;
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
    simd,
};

/// `output[j] = x_i` with `i = rows[j]`.
pub struct GatherRows {
    /// M x d.
    pub points: Points,
    /// Indices of the points, `len`.
    pub rows: Buffer<u32>,
    /// Number of points.
    pub len: usize,
    /// Out: len x d.
    pub output: Buffer<f32>,
}

impl Kernel for GatherRows {
    fn name(&self) -> &'static str {
        "gather_rows"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.points.check(check)?;
        check.holds(&self.rows, &[self.len])?;
        check.holds(&self.output, &[self.len, self.points.dimensions])
    }

    unsafe fn cpu(&self) {
        let (values, rows) = (self.points.values.read(), self.rows.read());
        let d = self.points.dimensions;
        let mut output = self.output.write();
        for (output, &row) in output.chunks_exact_mut(d).zip(&rows[..self.len]) {
            output.copy_from_slice(self.points.row(&values, row as usize));
        }
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let points = &self.points;
        let total = self.len * points.dimensions;
        calls.dispatch(
            gather_rows::Params {
                stride: points.stride as u32,
                column: points.column as u32,
                dimensions: points.dimensions as u32,
                total: total as u32,
            },
            gather_rows::Bindings { values: &points.values, rows: &self.rows, output: &self.output },
            gpu::Work::Threads(total),
        );
    }
}

/// `x_i += scale * codeword of i`, in place: a scale of 1 reverses a scale of -1 up to rounding.
pub struct AddCodewords {
    /// In and out: M x d.
    pub points: Points,
    /// M.
    pub codes: Buffer<u32>,
    /// K x d.
    pub codewords: Buffer<f32>,
    /// K.
    pub k: usize,
    /// Factor of the codewords.
    pub scale: f32,
}

impl Kernel for AddCodewords {
    fn name(&self) -> &'static str {
        "add_codewords"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.points.check(check)?;
        check.holds(&self.codes, &[self.points.count])?;
        check.holds(&self.codewords, &[self.k, self.points.dimensions])
    }

    unsafe fn cpu(&self) {
        let (codes, codewords) = (self.codes.read(), self.codewords.read());
        let Points { count, stride, column, dimensions, .. } = self.points;
        let mut values = self.points.values.write();
        let used = values.len().min(count * stride);
        parallel::for_each_chunk(&mut values[..used], stride, |i, row| {
            let codeword = &codewords[codes[i] as usize * dimensions..][..dimensions];
            simd::dispatch(
                #[inline(always)]
                || simd::axpy(self.scale, codeword, &mut row[column..][..dimensions]),
            );
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let points = &self.points;
        let total = points.count * points.dimensions;
        calls.dispatch(
            add_codewords::Params {
                stride: points.stride as u32,
                column: points.column as u32,
                dimensions: points.dimensions as u32,
                total: total as u32,
                scale: self.scale,
            },
            add_codewords::Bindings {
                codes: &self.codes,
                codewords: &self.codewords,
                values: &points.values,
            },
            gpu::Work::Threads(total),
        );
    }
}

/// `norms[i] = |x_i - sum over codebooks of the codewords of i|^2`.
pub struct ResidualNorms {
    /// M x d.
    pub points: Points,
    /// Codewords of all codebooks, one after the other, each of the full width d.
    pub codewords: Buffer<f32>,
    /// The rows of `codewords` that add up to each point, M x m.
    pub rows: Buffer<u32>,
    /// m; 0 gives the points' own norms.
    pub codebooks: usize,
    /// Out: M.
    pub norms: Buffer<f32>,
}

impl Kernel for ResidualNorms {
    fn name(&self) -> &'static str {
        "residual_norms"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.points.check(check)?;
        check.lives_here(&self.codewords)?;
        check.holds(&self.rows, &[self.points.count, self.codebooks])?;
        check.holds(&self.norms, &[self.points.count])
    }

    unsafe fn cpu(&self) {
        const PIECE: usize = 256;
        let (values, codewords, rows) = (self.points.values.read(), self.codewords.read(), self.rows.read());
        let (d, m) = (self.points.dimensions, self.codebooks);
        let mut norms = self.norms.write();
        parallel::for_each_chunk_with(
            &mut norms[..self.points.count],
            PIECE,
            || vec![0.0f32; d],
            |rest, piece, norms| {
                simd::dispatch(
                    #[inline(always)]
                    || {
                        for (i, norm) in norms.iter_mut().enumerate() {
                            let point = piece * PIECE + i;
                            rest.copy_from_slice(self.points.row(&values, point));
                            for &row in &rows[point * m..][..m] {
                                simd::axpy(-1.0, &codewords[row as usize * d..][..d], rest);
                            }
                            *norm = simd::dot(rest, rest);
                        }
                    },
                );
            },
        );
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let points = &self.points;
        calls.dispatch(
            residual_norms::Params {
                count: points.count as u32,
                stride: points.stride as u32,
                column: points.column as u32,
                dimensions: points.dimensions as u32,
                codebooks: self.codebooks as u32,
            },
            residual_norms::Bindings {
                values: &points.values,
                codewords: &self.codewords,
                rows: &self.rows,
                norms: &self.norms,
            },
            gpu::Work::Threads(points.count),
        );
    }
}
