//! The geometry in which items are quantised.
//!
//! If a codeword c replaces an item row x, the logit of a query q changes by q . (x - c), so the error that
//! matters is `E (q . (x - c))^2 = (x - c)' S (x - c)`, with S the second moment of the queries. With `S = L
//! L'` it is the plain squared distance between `L'x` and `L'c`: k-means on `y = L'x` minimises this error. L
//! has as many columns as S has rank, which for a linear decoder is the latent width plus one. A query in the
//! span of L is `q = L a`, so the score of a codeword c of that space is `a . c = q . P'c` with `P = (L'L)^-1
//! L'`: `P'c` is the codeword to multiply queries with.

/// L and P of a second moment; the columns are divided into as many parts as there are codebooks.
pub(super) struct Space {
    /// L, width x dimensions.
    pub map: Vec<f32>,
    /// P, dimensions x width.
    pub back: Vec<f32>,
    /// Columns of L.
    pub dimensions: usize,
}

/// Columns are added until the remaining share of the trace is this small.
const LEFT_OVER: f64 = 1e-4;

impl Space {
    /// The space of a second moment of queries, `width` x `width`; all zeros stand for the identity. It has
    /// at least `parts` dimensions, and the columns of the largest pivots are distributed over the parts in
    /// turn.
    pub fn new(moment: &[f32], width: usize, parts: usize) -> Self {
        let mut moment: Vec<f64> = moment.iter().map(|&x| f64::from(x)).collect();
        let known = moment.iter().all(|x| x.is_finite()) && (0..width).any(|i| moment[i * width + i] > 0.0);
        if !known {
            moment.fill(0.0);
            (0..width).for_each(|i| moment[i * width + i] = 1.0);
        }
        let mut columns = factor(&moment, width);
        while columns.len() < parts {
            columns.push(vec![0.0; width]);
        }
        let order = (0..parts).flat_map(|part| (part..columns.len()).step_by(parts));
        let columns: Vec<Vec<f64>> = order.map(|column| columns[column].clone()).collect();
        let rank = columns.len();
        let map = (0..width * rank).map(|at| columns[at % rank][at / rank] as f32).collect();
        let back = inverse(&columns).iter().flatten().map(|&x| x as f32).collect();
        Self { map, back, dimensions: rank }
    }

    /// A query in this geometry: the vector a of `q = L a`.
    pub fn within(&self, query: &[f32]) -> Vec<f32> {
        let dot =
            |row: &[f32]| row.iter().zip(query).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
        self.back.chunks_exact(query.len().max(1)).map(|row| dot(row) as f32).collect()
    }

    /// The columns of a part.
    pub fn part(&self, part: usize, parts: usize) -> std::ops::Range<usize> {
        let start = |part: usize| (0..part).map(|p| (p..self.dimensions).step_by(parts).len()).sum::<usize>();
        start(part)..start(part + 1)
    }
}

/// Columns of L with `matrix = L L'` up to [`LEFT_OVER`]: Cholesky decomposition with the largest pivot
/// first.
fn factor(matrix: &[f64], n: usize) -> Vec<Vec<f64>> {
    let mut diagonal: Vec<f64> = (0..n).map(|i| matrix[i * n + i]).collect();
    let trace: f64 = diagonal.iter().sum();
    let mut columns: Vec<Vec<f64>> = Vec::new();
    while columns.len() < n && diagonal.iter().map(|d| d.max(0.0)).sum::<f64>() > LEFT_OVER * trace {
        // The first one of equal pivots, so that the order is well defined.
        let pivot = (0..n).rev().max_by(|&a, &b| diagonal[a].total_cmp(&diagonal[b])).unwrap_or(0);
        let root = diagonal[pivot].sqrt();
        let mut column: Vec<f64> = (0..n).map(|i| matrix[i * n + pivot]).collect();
        for earlier in &columns {
            let factor = earlier[pivot];
            column.iter_mut().zip(earlier).for_each(|(x, y)| *x -= factor * y);
        }
        for (x, diagonal) in column.iter_mut().zip(&mut diagonal) {
            *x /= root;
            *diagonal -= *x * *x;
        }
        diagonal[pivot] = 0.0;
        columns.push(column);
    }
    columns
}

/// Rows of `(L'L)^-1 L'`; a column of zeros gives a row of zeros.
fn inverse(columns: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let rank = columns.len();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    // L'L = T T' with T lower triangular, then two triangular solves for all right-hand sides at once.
    let mut lower = vec![vec![0.0; rank]; rank];
    for i in 0..rank {
        for j in 0..=i {
            let rest = dot(&columns[i], &columns[j]) - dot(&lower[i][..j], &lower[j][..j]);
            lower[i][j] = if i == j {
                rest.max(0.0).sqrt()
            } else if lower[j][j] > 0.0 {
                rest / lower[j][j]
            } else {
                0.0
            };
        }
    }
    let mut rows = columns.to_vec();
    let solve = |rows: &mut Vec<Vec<f64>>, i: usize, factors: &[(usize, f64)], pivot: f64| {
        let mut row = std::mem::take(&mut rows[i]);
        for &(j, factor) in factors {
            row.iter_mut().zip(&rows[j]).for_each(|(x, y)| *x -= factor * y);
        }
        row.iter_mut().for_each(|x| *x = if pivot > 0.0 { *x / pivot } else { 0.0 });
        rows[i] = row;
    };
    for (i, row) in lower.iter().enumerate() {
        let factors: Vec<_> = row[..i].iter().copied().enumerate().collect();
        solve(&mut rows, i, &factors, row[i]);
    }
    for i in (0..rank).rev() {
        let factors: Vec<_> = (i + 1..rank).map(|j| (j, lower[j][i])).collect();
        solve(&mut rows, i, &factors, lower[i][i]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second moment of queries that span three of five dimensions.
    fn moment(width: usize) -> (Vec<Vec<f64>>, Vec<f32>) {
        let directions: Vec<Vec<f64>> = (0..3)
            .map(|d| {
                (0..width).map(|i| ((i * 7 * (d + 1) + d * 3 + 1) as f64).sin() * (d + 1) as f64).collect()
            })
            .collect();
        let value = |at: usize| directions.iter().map(|v| v[at / width] * v[at % width]).sum::<f64>() as f32;
        let moment = (0..width * width).map(value).collect();
        (directions, moment)
    }

    #[test]
    fn distances_are_those_that_queries_see_and_scores_come_back() {
        let width = 5;
        let (directions, moment) = moment(width);
        let space = Space::new(&moment, width, 2);
        let r = space.dimensions;
        assert_eq!(r, 3);
        assert_eq!((space.part(0, 2), space.part(1, 2)), (0..2, 2..3));
        let x: Vec<f64> = (0..width).map(|i| (i as f64 + 0.3).cos()).collect();
        let y: Vec<f64> =
            (0..r).map(|d| (0..width).map(|i| f64::from(space.map[i * r + d]) * x[i]).sum()).collect();
        let seen: f64 =
            directions.iter().map(|v| v.iter().zip(&x).map(|(v, x)| v * x).sum::<f64>().powi(2)).sum();
        assert!((y.iter().map(|y| y * y).sum::<f64>() - seen).abs() <= 1e-4 * seen);
        // P'y scores as x does, for every query of the span.
        let again: Vec<f64> =
            (0..width).map(|i| (0..r).map(|d| f64::from(space.back[d * width + i]) * y[d]).sum()).collect();
        for query in &directions {
            let score = |x: &[f64]| query.iter().zip(x).map(|(q, x)| q * x).sum::<f64>();
            assert!((score(&x) - score(&again)).abs() <= 1e-4, "{} {}", score(&x), score(&again));
            let query: Vec<f32> = query.iter().map(|&x| x as f32).collect();
            let within: f64 = space.within(&query).iter().zip(&y).map(|(a, y)| f64::from(*a) * y).sum();
            assert!((score(&x) - within).abs() <= 1e-4);
        }
    }

    #[test]
    fn nothing_known_is_the_identity_and_too_little_is_filled_up() {
        let space = Space::new(&[0.0; 16], 4, 2);
        assert_eq!(space.dimensions, 4);
        let order: Vec<usize> =
            (0..4).map(|d| (0..4).position(|i| space.map[i * 4 + d] == 1.0).unwrap()).collect();
        assert_eq!(order, [0, 2, 1, 3]);
        let flat = Space::new(&[1.0, 1.0, 1.0, 1.0], 2, 2);
        assert_eq!(
            (flat.dimensions, &flat.map[..], &flat.back[..]),
            (2, &[1.0, 0.0, 1.0, 0.0][..], &[0.5, 0.5, 0.0, 0.0][..])
        );
        assert!(Space::new(&[f32::NAN; 4], 2, 2).map.iter().all(|x| x.is_finite()));
    }
}
