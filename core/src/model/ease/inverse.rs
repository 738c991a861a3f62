//! The inverse of a large positive definite matrix, in place, by block sweeps.
//!
//! Sweeping a symmetric matrix A on a block K with `D = A_KK^-1` sets `A_KK = -D`, `A_iK = A_iK D` and `A_ij = A_ij -
//! A_iK D A_Kj` for all other i and j; the matrix stays symmetric, and after a sweep on every block it is `-A^-1`
//! (Goodnight, "A Tutorial on the SWEEP Operator", 1979). That takes M^3 operations, as many as a Cholesky
//! factorisation followed by an inversion, and almost all of them are products with blocks, which run at the speed
//! of the matrix product.

use crate::{
    Error, Result,
    engine::{Buffer, Engine, Recording, parallel},
    kernels::{MatMul, View},
    watch,
};

/// Rows of a block.
const BLOCK: usize = 256;
/// Columns that one product updates.
const STRIP: usize = 512;

/// The error for a matrix that cannot be inverted in single precision.
pub(super) fn singular() -> Error {
    Error::setting(
        "lambda",
        "it is too small for this set: the matrix of pairs cannot be inverted; take a larger one",
    )
}

/// Replaces a positive definite matrix, of which the lower triangle is given, by its negated inverse, whole.
///
/// # Errors
/// [`singular`] if it is not positive definite; [`Error::Interrupted`].
pub(super) fn negate_inverse(engine: &Engine, matrix: &Buffer<f32>, size: usize) -> Result<()> {
    let before = engine.zeros("columns of a block", size * BLOCK)?;
    let after = engine.zeros("swept columns", size * BLOCK)?;
    let diagonal = engine.zeros("inverse of a block", BLOCK * BLOCK)?;
    watch::begin("inverting", "items", size as u64);
    for start in (0..size).step_by(BLOCK) {
        watch::check()?;
        let width = BLOCK.min(size - start);
        columns(matrix, size, start, width, &before);
        let mut block: Vec<f64> =
            before.read()[start * width..][..width * width].iter().map(|&x| x.into()).collect();
        invert(&mut block, width)?;
        diagonal.write()[..width * width].iter_mut().zip(&block).for_each(|(to, from)| *to = *from as f32);

        let mut recording = Recording::new();
        let rows = |buffer| View::rows(buffer, width);
        recording.push(MatMul::new(size, width, width, rows(&before), rows(&diagonal), rows(&after)));
        for left in (0..size).step_by(STRIP) {
            let columns = STRIP.min(size - left);
            let result = View::rows(matrix, size).skip_rows(left).skip_columns(left);
            let (a, b) = (rows(&after).skip_rows(left), rows(&before).skip_rows(left).transposed());
            let mut product = MatMul::new(size - left, columns, width, a, b, result);
            (product.alpha, product.beta) = (-1.0, 1.0);
            recording.push(product);
        }
        engine.run(&recording)?;
        put_back(matrix, size, start, width, &after, &diagonal);
        watch::advance(width as u64);
    }
    mirror(&mut matrix.write(), size);
    Ok(())
}

/// Columns `start..start + width` of the symmetric matrix, size x width, from its lower triangle.
fn columns(matrix: &Buffer<f32>, size: usize, start: usize, width: usize, output: &Buffer<f32>) {
    let matrix = matrix.read();
    parallel::for_each_chunk(&mut output.write()[..size * width], width, |row, out| {
        for (column, out) in (start..).zip(out) {
            let (low, high) = (row.min(column), row.max(column));
            *out = matrix[high * size + low];
        }
    });
}

/// Writes the swept columns and the negated inverse of the block into the lower triangle.
fn put_back(
    matrix: &Buffer<f32>,
    size: usize,
    start: usize,
    width: usize,
    columns: &Buffer<f32>,
    inverse: &Buffer<f32>,
) {
    let (columns, inverse) = (columns.read(), inverse.read());
    let below = &mut matrix.write()[start * size..];
    parallel::for_each_chunk(below, size, |row, out| {
        if row < width {
            for (column, out) in out[..start].iter_mut().enumerate() {
                *out = columns[column * width + row];
            }
            let block = &inverse[row * width..][..width];
            out[start..start + width].iter_mut().zip(block).for_each(|(out, value)| *out = -value);
        } else {
            out[start..start + width].copy_from_slice(&columns[(start + row) * width..][..width]);
        }
    });
}

/// Copies the lower triangle to the upper one, block by block for the sake of the caches.
fn mirror(matrix: &mut [f32], size: usize) {
    const TILE: usize = 64;
    for top in (0..size).step_by(TILE) {
        for left in (0..=top).step_by(TILE) {
            for row in top..size.min(top + TILE) {
                for column in left..row.min(left + TILE) {
                    matrix[column * size + row] = matrix[row * size + column];
                }
            }
        }
    }
}

/// Inverts a positive definite block, size x size, in place.
fn invert(block: &mut [f64], size: usize) -> Result<()> {
    for pivot in 0..size {
        let scale = block[pivot * size + pivot];
        if !(scale > 0.0 && scale.is_finite()) {
            return Err(singular());
        }
        let line: Vec<f64> = block[pivot * size..][..size].to_vec();
        for row in (0..size).filter(|&row| row != pivot) {
            let factor = block[row * size + pivot] / scale;
            let out = &mut block[row * size..][..size];
            out.iter_mut().zip(&line).for_each(|(out, line)| *out -= factor * line);
            out[pivot] = -factor;
        }
        let out = &mut block[pivot * size..][..size];
        out.iter_mut().for_each(|out| *out /= scale);
        out[pivot] = 1.0 / scale;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes of one block, of a few, and around their borders; the product with the matrix must be the identity.
    #[test]
    fn the_product_with_the_inverse_is_the_identity() {
        let engine = Engine::cpu();
        for size in [1, 2, 7, 255, 256, 257, 513, 700] {
            // Diagonally dominant, hence positive definite.
            let value = |r: usize, c: usize| {
                let (low, high) = (r.min(c), r.max(c));
                if r == c { 4.0 + size as f64 * 0.1 } else { ((low * 31 + high * 17) as f64).sin() * 0.1 }
            };
            let lower: Vec<f32> = (0..size * size)
                .map(|at| if at / size >= at % size { value(at / size, at % size) as f32 } else { f32::NAN })
                .collect();
            let matrix = engine.upload("matrix", &lower).expect("memory");
            negate_inverse(&engine, &matrix, size).expect("positive definite");
            let inverse = matrix.read();
            for row in (0..size).step_by(37) {
                for column in 0..size {
                    let terms = (0..size).map(|k| f64::from(inverse[row * size + k]) * value(k, column));
                    let (found, want) = (terms.sum::<f64>(), if row == column { -1.0 } else { 0.0 });
                    assert!((found - want).abs() <= 2e-5, "{size}: ({row}, {column}) is {found}");
                }
            }
        }
    }

    #[test]
    fn a_matrix_that_has_no_inverse_is_refused() {
        let engine = Engine::cpu();
        for values in [[1.0, 0.0, 2.0, 1.0], [0.0, 0.0, 0.0, 1.0], [f32::NAN, 0.0, 0.0, 1.0]] {
            let matrix = engine.upload("matrix", &values).expect("memory");
            let error = negate_inverse(&engine, &matrix, 2).expect_err("accepted").to_string();
            assert!(error.starts_with("lambda: it is too small"), "{error}");
        }
    }
}
