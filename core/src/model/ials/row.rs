//! The least-squares problem of one vector, by blocks of its dimensions (Rendle et al., "iALS++: Speeding up Matrix
//! Factorization with Subspace Optimization", 2021).

use crate::{
    kernels::{LocalProduct, Strided},
    simd,
};

/// Rows of the other side that are copied together.
const ROWS: usize = 256;

/// Memory for one thread.
pub(super) struct Scratch {
    /// Block x block.
    hessian: Vec<f32>,
    /// Block.
    gradient: Vec<f32>,
    /// Dimensions of the block of some observed rows, ROWS x block.
    rows: Vec<f32>,
    /// Scores of the observed pairs.
    scores: Vec<f32>,
}

impl Scratch {
    pub(super) fn new(block: usize) -> Self {
        Self {
            hessian: vec![0.0; block * block],
            gradient: vec![0.0; block],
            rows: vec![0.0; ROWS * block],
            scores: Vec::new(),
        }
    }
}

/// `sum over observed (v h_i - 1)^2 + v G v' + norm |v|^2`, to be minimised over v.
pub(super) struct LeastSquares<'a> {
    /// Rows of `others` that are observed.
    pub(super) observed: &'a [u32],
    /// h_i, rows of d.
    pub(super) others: &'a [f32],
    /// G, d x d.
    pub(super) gram: &'a [f32],
    /// Weight of the norm.
    pub(super) norm: f32,
}

/// Minimises over one block of the dimensions of `vector` after the other; with one block this is the exact solution.
pub(super) fn update(vector: &mut [f32], problem: &LeastSquares<'_>, block: usize, scratch: &mut Scratch) {
    let LeastSquares { observed, others, gram, norm } = *problem;
    let width = vector.len();
    let Scratch { hessian, gradient, rows, scores } = scratch;
    let other = |row: u32| &others[row as usize * width..][..width];
    simd::dispatch(
        #[inline(always)]
        || {
            scores.clear();
            scores.extend(observed.iter().map(|&row| simd::dot(vector, other(row))));
            for start in (0..width).step_by(block) {
                let size = block.min(width - start);
                let (hessian, gradient) = (&mut hessian[..size * size], &mut gradient[..size]);
                for (at, (line, gradient)) in hessian.chunks_exact_mut(size).zip(&mut *gradient).enumerate() {
                    let of_gram = &gram[(start + at) * width..][..width];
                    line.copy_from_slice(&of_gram[start..start + size]);
                    line[at] += norm;
                    *gradient = simd::dot(of_gram, vector) + norm * vector[start + at];
                }
                for (observed, scores) in observed.chunks(ROWS).zip(scores.chunks(ROWS)) {
                    let rows = &mut rows[..observed.len() * size];
                    for ((to, &row), score) in rows.chunks_exact_mut(size).zip(observed).zip(scores) {
                        to.copy_from_slice(&other(row)[start..start + size]);
                        simd::axpy(score - 1.0, to, gradient);
                    }
                    let rows = Strided::rows(rows, size);
                    let product =
                        LocalProduct { m: size, n: size, k: observed.len(), a: rows.transposed(), b: rows };
                    product.add(hessian, size);
                }
                solve(hessian, gradient);
                for (value, step) in vector[start..start + size].iter_mut().zip(&*gradient) {
                    *value -= step;
                }
                if start + size < width {
                    for (score, &row) in scores.iter_mut().zip(observed) {
                        *score -= simd::dot(gradient, &other(row)[start..start + size]);
                    }
                }
            }
        },
    );
}

/// Solves `A x = b` for a positive definite A by Cholesky's factorisation; x replaces b, the factor replaces the lower
/// triangle of A. Without a solution x is NaN.
#[inline(always)]
fn solve(a: &mut [f32], b: &mut [f32]) {
    let size = b.len();
    for column in 0..size {
        let (above, below) = a.split_at_mut((column + 1) * size);
        let row = &mut above[column * size..];
        let pivot = (row[column] - simd::dot(&row[..column], &row[..column])).sqrt();
        row[column] = pivot;
        let head = &row[..column];
        let mut fours = below.chunks_exact_mut(4 * size);
        for four in &mut fours {
            let lines: [&[f32]; 4] = std::array::from_fn(|i| &four[i * size..][..column]);
            let products = simd::dot4(head, lines);
            for (i, product) in products.into_iter().enumerate() {
                let value = &mut four[i * size + column];
                *value = (*value - product) / pivot;
            }
        }
        for line in fours.into_remainder().chunks_exact_mut(size) {
            line[column] = (line[column] - simd::dot(head, &line[..column])) / pivot;
        }
    }
    for row in 0..size {
        let line = &a[row * size..][..size];
        b[row] = (b[row] - simd::dot(&line[..row], &b[..row])) / line[row];
    }
    for row in (0..size).rev() {
        let line = &a[row * size..][..size];
        b[row] /= line[row];
        let (rest, value) = b.split_at_mut(row);
        simd::axpy(-value[0], &line[..row], rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(stream: usize, count: usize) -> Vec<f32> {
        let number = |i: usize| (((i * 37 + stream * 101) as f64).sin() * 43_758.545).fract() as f32;
        (0..count).map(number).collect()
    }

    #[test]
    fn solutions_agree_with_their_equations() {
        for size in [1, 2, 3, 5, 8, 17, 64] {
            let factor = numbers(size, size * size);
            let mut a = vec![0.0; size * size];
            for row in 0..size {
                for column in 0..size {
                    let terms = (0..size).map(|k| factor[row * size + k] * factor[column * size + k]);
                    a[row * size + column] =
                        terms.sum::<f32>() + if row == column { size as f32 } else { 0.0 };
                }
            }
            let b = numbers(1, size);
            let (mut x, whole) = (b.clone(), a.clone());
            solve(&mut a, &mut x);
            for row in 0..size {
                let found: f64 = (0..size).map(|k| f64::from(whole[row * size + k]) * f64::from(x[k])).sum();
                assert!((found - f64::from(b[row])).abs() < 1e-4, "{size}: {found}, not {}", b[row]);
            }
        }
    }

    /// One block is the minimum; more blocks come closer to it with every pass.
    #[test]
    fn blocks_descend_to_the_minimum() {
        let (width, count, norm) = (12, 40, 0.7f32);
        let others = numbers(3, count * width);
        let observed: Vec<u32> = (0..count as u32).step_by(3).collect();
        let mut gram = vec![0.0; width * width];
        let rows = Strided::rows(&others, width);
        LocalProduct { m: width, n: width, k: count, a: rows.transposed(), b: rows }.write(&mut gram, width);
        gram.iter_mut().for_each(|value| *value *= 0.1);
        let objective = |vector: &[f32]| {
            let score = |row: usize| -> f64 {
                vector.iter().zip(&others[row * width..]).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let errors: f64 = observed.iter().map(|&row| (score(row as usize) - 1.0).powi(2)).sum();
            let all: f64 = (0..count).map(|row| score(row).powi(2)).sum();
            let norms: f64 = vector.iter().map(|&x| f64::from(x).powi(2)).sum();
            errors + 0.1 * all + f64::from(norm) * norms
        };
        let problem = LeastSquares { observed: &observed, others: &others, gram: &gram, norm };
        let passes = |block: usize, passes: usize| {
            let mut vector = vec![0.0; width];
            for _ in 0..passes {
                update(&mut vector, &problem, block, &mut Scratch::new(block));
            }
            objective(&vector)
        };
        let least = passes(width, 1);
        assert!((passes(width, 2) - least).abs() < 1e-4 * least);
        assert!(passes(5, 1) > least * 1.001, "the blocks do not matter in this case");
        assert!(passes(5, 3) < passes(5, 1) && passes(5, 200) < least * 1.0001);
        // No step in any direction improves the minimum.
        let mut vector = vec![0.0; width];
        update(&mut vector, &problem, width, &mut Scratch::new(width));
        for dimension in 0..width {
            for step in [-0.01, 0.01] {
                let mut moved = vector.clone();
                moved[dimension] += step;
                assert!(objective(&moved) > objective(&vector), "dimension {dimension}");
            }
        }
    }
}
