//! Symmetric matrices in double precision, of a few thousand rows at most: row-major, on all threads.
//!
//! Every sum is an inner product of two contiguous rows, in an order that does not depend on the number of threads.

use crate::{engine::parallel, simd};

/// Rows that are factorised one after the other before all rows below them.
const BLOCK: usize = 64;

/// Replaces a positive definite matrix, size x size, of which the lower triangle is read, by its lower factor L with
/// `L L'` the matrix, and zeros above; `None` if it is not positive definite.
pub(super) fn cholesky(matrix: &mut [f64], size: usize) -> Option<()> {
    for start in (0..size).step_by(BLOCK) {
        let end = size.min(start + BLOCK);
        let (done, below) = matrix.split_at_mut(end * size);
        for row in start..end {
            let (above, this) = done.split_at_mut(row * size);
            let this = &mut this[..size];
            substitute(this, above, start..row);
            let pivot = this[row] - dot(&this[..row], &this[..row]);
            if !(pivot > 0.0 && pivot.is_finite()) {
                return None;
            }
            this[row] = pivot.sqrt();
            this[row + 1..].fill(0.0);
        }
        parallel::for_each_chunk(below, size, |_, this| substitute(this, done, start..end));
    }
    Some(())
}

/// Columns of a row of the factor, of which those before are known, by the rows above.
fn substitute(this: &mut [f64], above: &[f64], columns: std::ops::Range<usize>) {
    let size = this.len();
    for column in columns {
        let other = &above[column * size..][..=column];
        this[column] = (this[column] - dot(&this[..column], &other[..column])) / other[column];
    }
}

/// The transposed inverse of a lower factor, an upper triangle with zeros below.
pub(super) fn transposed_inverse(factor: &[f64], size: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; size * size];
    parallel::for_each_chunk(&mut inverse, size, |column, out| {
        out[column] = 1.0 / factor[column * size + column];
        for row in column + 1..size {
            let line = &factor[row * size..][..=row];
            out[row] = -dot(&line[column..row], &out[column..row]) / line[row];
        }
    });
    inverse
}

/// The inverse of a positive definite matrix; `None` if it is not positive definite.
pub(super) fn inverse(mut matrix: Vec<f64>, size: usize) -> Option<Vec<f64>> {
    cholesky(&mut matrix, size)?;
    let upper = transposed_inverse(&matrix, size);
    // (L L')^-1 = (L^-1)' L^-1.
    parallel::for_each_chunk(&mut matrix, size, |row, out| {
        let this = &upper[row * size..][..size];
        for (column, out) in out.iter_mut().enumerate() {
            let from = row.max(column);
            *out = dot(&this[from..], &upper[column * size..][from..size]);
        }
    });
    Some(matrix)
}

/// Inner product.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    simd::dispatch(
        #[inline(always)]
        || simd::dot_f64(a, b),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverse_times_its_matrix_is_the_identity() {
        for size in [1, 2, 7, 40] {
            let root: Vec<f64> = (0..size * size).map(|at| ((at * 7919) % 31) as f64 - 15.0).collect();
            let entry = |row: usize, column: usize| {
                let product: f64 = (0..size).map(|k| root[row * size + k] * root[column * size + k]).sum();
                product + f64::from(u8::from(row == column))
            };
            let matrix: Vec<f64> = (0..size * size).map(|at| entry(at / size, at % size)).collect();
            let inverse = inverse(matrix.clone(), size).unwrap();
            for (row, column) in (0..size).flat_map(|row| (0..size).map(move |column| (row, column))) {
                let sum: f64 = (0..size).map(|k| matrix[row * size + k] * inverse[k * size + column]).sum();
                let expected = f64::from(u8::from(row == column));
                assert!((sum - expected).abs() < 1e-8, "{size}: {row} {column}: {sum}");
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_has_no_factor() {
        assert!(cholesky(&mut [1.0, 0.0, 2.0, 1.0], 2).is_none());
        assert!(cholesky(&mut [f64::NAN], 1).is_none());
        assert!(inverse(vec![0.0], 1).is_none());
    }
}
