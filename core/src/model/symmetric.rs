//! Small symmetric matrices in double precision: a few hundred rows, row-major.

/// Replaces a positive definite matrix, size x size, of which the lower triangle is read, by its lower factor L with
/// `L L'` the matrix, and zeros above; `None` if it is not positive definite.
pub(super) fn cholesky(matrix: &mut [f64], size: usize) -> Option<()> {
    for row in 0..size {
        let (above, rest) = matrix.split_at_mut(row * size);
        let this = &mut rest[..size];
        for column in 0..row {
            let other = &above[column * size..][..=column];
            let sum: f64 = this[..column].iter().zip(other).map(|(a, b)| a * b).sum();
            this[column] = (this[column] - sum) / other[column];
        }
        let pivot = this[row] - this[..row].iter().map(|value| value * value).sum::<f64>();
        if !(pivot > 0.0 && pivot.is_finite()) {
            return None;
        }
        this[row] = pivot.sqrt();
        this[row + 1..].fill(0.0);
    }
    Some(())
}

/// The inverse of a lower factor, itself lower.
pub(super) fn inverse_of_lower(factor: &[f64], size: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; size * size];
    for row in 0..size {
        let (above, rest) = inverse.split_at_mut(row * size);
        let this = &mut rest[..size];
        for (column, above) in above.chunks_exact(size).enumerate() {
            let scale = factor[row * size + column];
            this[..=column].iter_mut().zip(above).for_each(|(value, above)| *value -= scale * above);
        }
        this[row] = 1.0;
        let pivot = factor[row * size + row];
        this[..=row].iter_mut().for_each(|value| *value /= pivot);
    }
    inverse
}

/// The inverse of a positive definite matrix; `None` if it is not positive definite.
pub(super) fn inverse(mut matrix: Vec<f64>, size: usize) -> Option<Vec<f64>> {
    cholesky(&mut matrix, size)?;
    let lower = inverse_of_lower(&matrix, size);
    // (L L')^-1 = (L^-1)' L^-1, summed row by row of L^-1.
    matrix.fill(0.0);
    for (last, line) in lower.chunks_exact(size).enumerate() {
        for row in 0..=last {
            let out = &mut matrix[row * size..][..=last];
            out.iter_mut().zip(line).for_each(|(out, value)| *out += line[row] * value);
        }
    }
    Some(matrix)
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
