//! The leading eigenvectors of the matrix of pairs, by subspace iteration.

use crate::{
    Error, Result,
    data::Csr,
    engine::{Buffer, Engine, Recording},
    kernels::{MatMul, Normal, View},
    model::{
        gram::{self, Gram},
        host::by_item,
        symmetric,
    },
    rng::{Rng, Stream},
    simd, watch,
};

/// Multiplications by G before Q is taken.
const ITERATIONS: usize = 3;
/// Added to the diagonal of a matrix whose eigenvalues are at most about 1 before it is factorised, the first with which
/// that is possible: directions that are rounding errors of single precision stay short.
const SHIFTS: [f64; 4] = [1e-6, 1e-5, 1e-4, 1e-3];

/// What ridge regression needs of `G = W X'X W`: its l leading eigenvectors Q, in no order, and `T = Q'G Q`.
pub(super) struct Spectrum {
    space: Subspace,
    /// T, l x l.
    values: Vec<f64>,
    /// The diagonal of W, M.
    weights: Vec<f32>,
    /// The trace of G.
    trace: f64,
}

impl Spectrum {
    /// Of histories, N x M, whose columns are divided by their counts to the given power.
    ///
    /// # Errors
    /// [`Error::Interrupted`], or if memory does not suffice.
    pub fn new(train: &Csr, popularity: f32, width: usize, rng: Rng) -> Result<Self> {
        let counts = train.column_counts();
        let weights: Vec<f32> = counts.iter().map(|&count| (count.max(1) as f32).powf(-popularity)).collect();
        let squares =
            counts.iter().zip(&weights).map(|(&count, &w)| f64::from(count) * f64::from(w) * f64::from(w));
        let trace = squares.sum();

        let gram = Gram { train, users_of: by_item(train)?, weights: &weights };
        let space = Subspace::new(train.columns(), width)?;
        space.start(rng)?;
        watch::begin("fitting the linear path", "columns", ((ITERATIONS + 1) * width) as u64);
        for iteration in 1..=ITERATIONS {
            gram.multiply(&space.basis, &space.product, width)?;
            // Before the last multiplication the columns need to be independent, not orthonormal to the last digit.
            space.orthonormalise(if iteration < ITERATIONS { 1 } else { 2 })?;
        }
        gram.multiply(&space.basis, &space.product, width)?;
        let values = space.gram(&space.basis, &space.product)?;
        Ok(Self { space, values, weights, trace })
    }

    /// l.
    pub fn width(&self) -> usize {
        self.space.width
    }

    /// The share of the trace of G that the eigenvectors have, from 0 to 1.
    pub fn share(&self) -> f64 {
        let width = self.width();
        let kept: f64 = self.values.iter().step_by(width + 1).sum();
        if self.trace > 0.0 { kept / self.trace } else { 1.0 }
    }

    /// A (M x l) and the diagonal of D (M), with the given weight of the squared norm in units of the mean of G's diagonal.
    ///
    /// # Errors
    /// [`Error::Setting`] if the weight is too small for the data; [`Error::Interrupted`].
    pub fn solve(&self, regularisation: f32) -> Result<(Vec<f32>, Vec<f32>)> {
        let width = self.width();
        let lambda = f64::from(regularisation) * self.trace / self.weights.len() as f64;
        let factor = shrinkage(self.values.clone(), width, lambda)?;
        let factor: Vec<f32> = factor.iter().map(|&value| value as f32).collect();
        // A = W Q R.
        self.space.multiply(&factor)?;
        let mut table = self.space.product.read().to_vec();
        let mut scale = vec![0.0; self.weights.len()];
        for ((row, &weight), out) in table.chunks_exact_mut(width).zip(&self.weights).zip(&mut scale) {
            let leverage = simd::dot(row, row);
            *out = 1.0 / ((1.0 - leverage).max(1e-3) * weight * weight);
            row.iter_mut().for_each(|value| *value *= weight);
        }
        if table.iter().chain(&scale).any(|value| !value.is_finite()) {
            return Err(singular());
        }
        Ok((table, scale))
    }
}

fn singular() -> Error {
    Error::setting("linear-regularisation", "it is too small for this set; take a larger one")
}

/// R with `R R' = T (T + lambda I)^-1`, the lower factor, l x l.
fn shrinkage(mut values: Vec<f64>, width: usize, lambda: f64) -> Result<Vec<f64>> {
    for row in 0..width {
        for column in 0..row {
            let mean = f64::midpoint(values[row * width + column], values[column * width + row]);
            (values[row * width + column], values[column * width + row]) = (mean, mean);
        }
        values[row * width + row] += lambda;
    }
    // E = I - lambda (T + lambda I)^-1.
    let mut shrunk = symmetric::inverse(values, width).ok_or_else(singular)?;
    shrunk.iter_mut().for_each(|value| *value *= -lambda);
    (0..width).for_each(|at| shrunk[at * width + at] += 1.0);
    lower_factor(&shrunk, width)
}

/// L with `L L'` the matrix, l x l, but for a shift.
fn lower_factor(matrix: &[f64], width: usize) -> Result<Vec<f64>> {
    let factor = |shift: &f64| {
        let mut factor = matrix.to_vec();
        (0..width).for_each(|at| factor[at * width + at] += shift);
        symmetric::cholesky(&mut factor, width).map(|()| factor)
    };
    SHIFTS.iter().find_map(factor).ok_or_else(singular)
}

/// A basis of l columns, and what it is multiplied with.
struct Subspace {
    engine: Engine,
    /// M x l.
    basis: Buffer<f32>,
    /// M x l.
    product: Buffer<f32>,
    /// l x l.
    small: Buffer<f32>,
    items: usize,
    width: usize,
}

impl Subspace {
    fn new(items: usize, width: usize) -> Result<Self> {
        let engine = Engine::cpu();
        Ok(Self {
            basis: engine.zeros("basis", items * width)?,
            product: engine.zeros("product with the basis", items * width)?,
            small: engine.zeros("small matrix", width * width)?,
            engine,
            items,
            width,
        })
    }

    /// Fills the basis with normal numbers.
    fn start(&self, rng: Rng) -> Result<()> {
        let mut recording = Recording::new();
        recording.push(Normal {
            output: self.basis.clone(),
            rows: self.items,
            width: self.width,
            scale: 1.0,
            rng,
            stream: Stream::Linear,
            step: 0,
        });
        self.engine.run(&recording)
    }

    /// `a' b` of two matrices M x l.
    fn gram(&self, a: &Buffer<f32>, b: &Buffer<f32>) -> Result<Vec<f64>> {
        gram::inner_products(&self.engine, [a, b], self.width, &self.small)
    }

    /// `product = basis factor`, with a factor l x l.
    fn multiply(&self, factor: &[f32]) -> Result<()> {
        let width = self.width;
        self.engine.write(&self.small, 0, factor)?;
        let [basis, small, product] =
            [&self.basis, &self.small, &self.product].map(|buffer| View::rows(buffer, width));
        let mut recording = Recording::new();
        recording.push(MatMul::new(self.items, width, width, basis, small, product));
        self.engine.run(&recording)
    }

    /// Replaces the basis by an orthonormal one of the product's columns (Cholesky QR; to the last digit in two passes:
    /// Yamamoto et al., 2015).
    fn orthonormalise(&self, passes: usize) -> Result<()> {
        let width = self.width;
        for _ in 0..passes {
            self.basis.write().copy_from_slice(&self.product.read()[..]);
            let mut gram = self.gram(&self.basis, &self.basis)?;
            let length = |at: usize| gram[at * width + at].sqrt().max(f64::MIN_POSITIVE.sqrt());
            let lengths: Vec<f64> = (0..width).map(length).collect();
            for row in 0..width {
                for column in 0..width {
                    gram[row * width + column] /= lengths[row] * lengths[column];
                }
            }
            let inverse = symmetric::transposed_inverse(&lower_factor(&gram, width)?, width);
            // The columns scaled by their lengths, times the transposed inverse of the factor.
            let mut factor = vec![0.0f32; width * width];
            for row in 0..width {
                for column in row..width {
                    factor[row * width + column] = (inverse[row * width + column] / lengths[row]) as f32;
                }
            }
            self.multiply(&factor)?;
        }
        self.basis.write().copy_from_slice(&self.product.read()[..]);
        Ok(())
    }
}
