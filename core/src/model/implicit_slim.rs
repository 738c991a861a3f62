//! ImplicitSLIM (Shenbin and Nikolenko, "ImplicitSLIM and How it Improves Embedding-based Collaborative Filtering", ICLR
//! 2024): item vectors are moved to where EASE's weights would have them, without these weights.
//!
//! With histories X (N x M), the weights of EASE are `B = I - P D^-1`, where `P = (X'X + lambda I)^-1` and D is the
//! diagonal of P. Item vectors V (M x d) that EASE's weights reconstruct, and that resemble the vectors E as seen through
//! A, the vectors of frequent items, minimise `|V' (I - B)|^2 + |A' (V - E)|^2`. With `K = ((I - B) (I - B)')^-1`, which is
//! `(X'X + lambda I) D^2 (X'X + lambda I)`, that is `V = K A (I + A' K A)^-1 A' E`. D is taken as that of a diagonal X'X,
//! `1 / (count + lambda)`, so that the step consists of products with X and one d x d system.

use super::{
    gram::{Gram, inner_products},
    host::by_item,
    symmetric,
};
use crate::{
    Error, Result,
    data::Csr,
    engine::{Buffer, Engine, Recording},
    kernels::{MatMul, View},
    simd, watch,
};

/// The step and when it is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImplicitSlim {
    /// Share of the way from E to V.
    pub weight: f32,
    /// lambda, in units of the mean count of an item.
    pub lambda: f32,
    /// Epochs between two steps.
    pub every: u32,
}

impl ImplicitSlim {
    /// Moves the vectors of all items, M x d. Items with less than the mean count are not in A.
    ///
    /// # Errors
    /// [`Error::Setting`] if lambda is too small for the data; [`Error::Interrupted`].
    pub fn step(&self, train: &Csr, vectors: &mut [f32]) -> Result<()> {
        let (engine, items) = (Engine::cpu(), train.columns());
        let width = vectors.len() / items.max(1);
        let counts = train.column_counts();
        let mean = train.nnz() as f32 / items as f32;
        let lambda = self.lambda * mean;
        let ones = vec![1.0; items];
        let gram = Gram { train, users_of: by_item(train)?, weights: &ones };
        watch::begin("moving item vectors to those of EASE", "columns", 2 * width as u64);

        let given = engine.upload("item vectors", vectors)?;
        let anchors = engine.upload("vectors of frequent items", vectors)?;
        for (row, &count) in anchors.write().chunks_exact_mut(width).zip(&counts) {
            if (count as f32) < mean {
                row.fill(0.0);
            }
        }
        // S = K A.
        let (once, twice) =
            (engine.zeros("product", items * width)?, engine.zeros("product", items * width)?);
        gram.multiply(&anchors, &once, width)?;
        add_scaled(&once, &anchors, lambda);
        for (row, &count) in once.write().chunks_exact_mut(width).zip(&counts) {
            let diagonal = 1.0 / (count as f32 + lambda);
            row.iter_mut().for_each(|value| *value *= diagonal * diagonal);
        }
        gram.multiply(&once, &twice, width)?;
        add_scaled(&twice, &once, lambda);

        // F = (I + A'S)^-1 A'E, and V = S F.
        let small = engine.zeros("small matrix", width * width)?;
        let mut system = inner_products(&engine, [&anchors, &twice], width, &small)?;
        let right = inner_products(&engine, [&anchors, &given], width, &small)?;
        for row in 0..width {
            for column in 0..row {
                let mean = f64::midpoint(system[row * width + column], system[column * width + row]);
                (system[row * width + column], system[column * width + row]) = (mean, mean);
            }
            system[row * width + row] += 1.0;
        }
        let inverse = symmetric::inverse(system, width).ok_or_else(singular)?;
        engine.write(&small, 0, &product(&inverse, &right, width))?;
        let mut recording = Recording::new();
        let [rows, factor, moved] = [&twice, &small, &given].map(|buffer| View::rows(buffer, width));
        recording.push(MatMul::new(items, width, width, rows, factor, moved));
        engine.run(&recording)?;
        let moved = given.read();
        if moved.iter().any(|value| !value.is_finite()) {
            return Err(singular());
        }
        vectors
            .iter_mut()
            .zip(&moved[..])
            .for_each(|(value, moved)| *value += self.weight * (moved - *value));
        Ok(())
    }
}

fn singular() -> Error {
    Error::setting("implicit-slim-lambda", "it is too small for this set; take a larger one")
}

/// `sum += factor other`.
fn add_scaled(sum: &Buffer<f32>, other: &Buffer<f32>, factor: f32) {
    let (mut sum, other) = (sum.write(), other.read());
    simd::dispatch(
        #[inline(always)]
        || sum.iter_mut().zip(&other[..]).for_each(|(sum, other)| *sum += factor * other),
    );
}

/// The product of two matrices width x width.
fn product(a: &[f64], b: &[f64], width: usize) -> Vec<f32> {
    let mut output = Vec::with_capacity(width * width);
    let mut sum = vec![0.0f64; width];
    for row in a.chunks_exact(width) {
        sum.fill(0.0);
        for (value, other) in row.iter().zip(b.chunks_exact(width)) {
            sum.iter_mut().zip(other).for_each(|(sum, other)| *sum += value * other);
        }
        output.extend(sum.iter().map(|&sum| sum as f32));
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, Stream};

    /// Without items in common the diagonal of P is exact: EASE has no weights, and V minimises the distance to E alone.
    #[test]
    fn without_pairs_vectors_keep_their_directions() {
        let (items, width) = (6, 2);
        let rows: Vec<Vec<u32>> = (0..60).map(|user| vec![user % items]).collect();
        let train = Csr::from_rows(&rows, items).unwrap();
        let vectors: Vec<f32> = (0..12).map(|at| (at as f32 * 0.7).sin()).collect();
        let mut moved = vectors.clone();
        ImplicitSlim { weight: 1.0, lambda: 1.0, every: 1 }.step(&train, &mut moved).unwrap();
        // V = E (I + E'E)^-1 E'E.
        let mut square = vec![0.0f64; width * width];
        for row in vectors.chunks_exact(width) {
            for at in 0..width * width {
                square[at] += f64::from(row[at / width]) * f64::from(row[at % width]);
            }
        }
        let mut system = square.clone();
        (0..width).for_each(|at| system[at * width + at] += 1.0);
        let factor = product(&symmetric::inverse(system, width).unwrap(), &square, width);
        for (row, moved) in vectors.chunks_exact(width).zip(moved.chunks_exact(width)) {
            for column in 0..width {
                let want: f32 = (0..width).map(|k| row[k] * factor[k * width + column]).sum();
                assert!((moved[column] - want).abs() < 1e-5, "{} and {want}", moved[column]);
            }
        }
    }

    #[test]
    fn items_of_one_group_get_near_each_other() {
        let rng = Rng::new(4);
        let word = |user: u32, item: u32| rng.block(Stream::Shuffle, 0, user, item)[0] % 8;
        let own = |user: u32, item: u32| if item % 3 == user % 3 { 5 } else { 1 };
        let rows: Vec<Vec<u32>> = (0..300)
            .map(|user| (0..30).filter(|&item| word(user, item) < own(user, item)).collect())
            .collect();
        let train = Csr::from_rows(&rows, 30).unwrap();
        let mut vectors: Vec<f32> = (0..30 * 8).map(|at| ((at * 7919) % 101) as f32 / 50.0 - 1.0).collect();
        let cosine = |vectors: &[f32], a: usize, b: usize| {
            let (a, b) = (&vectors[a * 8..][..8], &vectors[b * 8..][..8]);
            simd::dot(a, b) / (simd::dot(a, a) * simd::dot(b, b)).sqrt()
        };
        let means = |vectors: &[f32]| {
            let pairs = || (0..30).flat_map(|a| (0..a).map(move |b| (a, b)));
            let mean = |same: bool| {
                let values: Vec<f32> = pairs()
                    .filter(|(a, b)| (a % 3 == b % 3) == same)
                    .map(|(a, b)| cosine(vectors, a, b))
                    .collect();
                values.iter().sum::<f32>() / values.len() as f32
            };
            mean(true) - mean(false)
        };
        let before = means(&vectors);
        ImplicitSlim { weight: 1.0, lambda: 1.0, every: 1 }.step(&train, &mut vectors).unwrap();
        let after = means(&vectors);
        assert!(after > before + 0.3, "{before} and {after}");
    }

    #[test]
    fn half_a_step_ends_halfway() {
        let train = Csr::from_rows(&[vec![0, 1], vec![1, 2], vec![0, 2, 3]], 4).unwrap();
        let start: Vec<f32> = (0..8).map(|at| (at as f32 * 1.3).cos()).collect();
        let moved = |weight: f32| {
            let mut vectors = start.clone();
            ImplicitSlim { weight, lambda: 0.5, every: 1 }.step(&train, &mut vectors).unwrap();
            vectors
        };
        let (half, whole) = (moved(0.5), moved(1.0));
        for ((start, half), whole) in start.iter().zip(half).zip(whole) {
            assert!((f32::midpoint(*start, whole) - half).abs() < 1e-6);
        }
    }
}
