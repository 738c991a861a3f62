//! Computes the linear path from the training data.
//!
//! With histories X (N x M) whose columns are scaled by weights W, `G = W X'X W` and lambda, ridge regression of every
//! item on all of them, itself included, has the weights `G (G + lambda I)^-1`. Restricted to the l eigenvectors Q of G
//! with the largest eigenvalues they are `Q E Q'` with `E = T (T + lambda I)^-1` and `T = Q'G Q`. Leaving each item out
//! of its own regression divides its column by `1 - q_i'E q_i` off the diagonal, as in leave-one-out regression; at
//! l = M that is EASE (Steck, 2019, equation 8). So `A = sqrt(weight) W Q R` with `R R' = E`, and D takes W back.
//!
//! Q comes from subspace iteration on a random start (Halko et al., "Finding Structure with Randomness", 2011).

use super::LinearPath;
use crate::{
    Error, Result,
    config::MultVaeConfig,
    data::Csr,
    engine::{Buffer, Engine, Recording, parallel},
    kernels::{MatMul, Normal, View},
    memory,
    model::{host::by_item, symmetric},
    rng::{Rng, Stream},
    simd, watch,
};

/// Multiplications by G before Q is taken.
const ITERATIONS: usize = 3;
/// Columns that are multiplied by X at a time: their sums, N x 64, are all that is stored for each user.
const COLUMNS: usize = 64;
/// Rows whose products are summed in single precision.
const ROWS: usize = 2048;
/// The most numbers in A; larger catalogues get fewer columns.
const NUMBERS: usize = 1 << 26;
/// Added to the diagonal of a matrix whose eigenvalues are at most about 1 before it is factorised, the first with which
/// that is possible: directions that are rounding errors of single precision stay short.
const SHIFTS: [f64; 4] = [1e-6, 1e-5, 1e-4, 1e-3];

impl LinearPath {
    /// Computes the path of a training set, N x M; `None` without a column.
    ///
    /// # Errors
    /// [`Error::Setting`] if memory is too small for it; [`Error::Interrupted`]; [`Error::Device`] if the engine cannot
    /// hold it.
    pub fn fit(engine: &Engine, config: &MultVaeConfig, train: &Csr, rng: Rng) -> Result<Option<Self>> {
        let (users, items) = (train.rows(), train.columns());
        let width = config.linear.min(items).min(users).min(NUMBERS / items.max(1));
        if width == 0 {
            return Ok(None);
        }
        check_memory(users, items, width)?;
        let counts = train.column_counts();
        let weights: Vec<f32> =
            counts.iter().map(|&count| (count.max(1) as f32).powf(-config.linear_popularity)).collect();
        let diagonal =
            counts.iter().zip(&weights).map(|(&count, &w)| f64::from(count) * f64::from(w) * f64::from(w));
        let lambda = f64::from(config.linear_regularisation) * diagonal.sum::<f64>() / items as f64;

        let gram = Gram { train, users_of: by_item(train)?, weights: &weights };
        let space = Subspace::new(items, width)?;
        space.start(rng)?;
        watch::begin("fitting the linear path", "columns", ((ITERATIONS + 1) * width) as u64);
        for _ in 0..ITERATIONS {
            gram.multiply(&space.basis, &space.product, width)?;
            space.orthonormalise()?;
        }
        gram.multiply(&space.basis, &space.product, width)?;
        let factor = shrinkage(space.gram(&space.basis, &space.product)?, width, lambda)?;

        // A = sqrt(weight) W Q R.
        let scale = config.linear_weight.sqrt();
        let factor: Vec<f32> = factor.iter().map(|&value| value as f32 * scale).collect();
        space.multiply(&factor)?;
        let mut table = space.product.write();
        let mut out_scale = vec![0.0; items];
        let rows = table.chunks_exact_mut(width).zip(&weights).zip(&mut out_scale);
        for ((row, &weight), out) in rows {
            let leverage = simd::dot(row, row) / config.linear_weight;
            *out = 1.0 / ((1.0 - leverage).max(1e-3) * weight * weight);
            row.iter_mut().for_each(|value| *value *= weight);
        }
        if table.iter().chain(&out_scale).any(|value| !value.is_finite()) {
            return Err(singular());
        }
        Self::new(engine, &table, &out_scale).map(Some)
    }
}

fn singular() -> Error {
    Error::setting("linear-regularisation", "it is too small for this set; take a larger one")
}

fn check_memory(users: usize, items: usize, width: usize) -> Result<()> {
    let numbers =
        items.checked_mul(4 * width).and_then(|tables| tables.checked_add(users.checked_mul(COLUMNS)?));
    let bytes = numbers.and_then(|numbers| (numbers as u64).checked_mul(4));
    let sum = format!(
        "a linear path of {width} columns, 4 x {items} x {width} and {users} x {COLUMNS} numbers of 4 bytes"
    );
    memory::check(bytes, &sum, "a smaller `linear` takes less, 0 none").map_err(|error| match error {
        Error::Data(problem) => Error::setting("linear", problem),
        other => other,
    })
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

/// Products with `G = W X'X W`, which is not stored.
struct Gram<'a> {
    train: &'a Csr,
    users_of: Csr,
    /// The diagonal of W, M.
    weights: &'a [f32],
}

impl Gram<'_> {
    /// `output = G input`, both M x l.
    fn multiply(&self, input: &Buffer<f32>, output: &Buffer<f32>, width: usize) -> Result<()> {
        let (input, mut output) = (input.read(), output.write());
        let mut sums = vec![0.0f32; self.train.rows() * COLUMNS.min(width)];
        for start in (0..width).step_by(COLUMNS) {
            watch::check()?;
            let columns = COLUMNS.min(width - start);
            let sums = &mut sums[..self.train.rows() * columns];
            parallel::for_each_chunk(sums, columns, |user, sum| {
                if watch::is_stopping() {
                    return;
                }
                let row = |item: u32| &input[item as usize * width + start..][..columns];
                let items = self.train.row(user).iter();
                add(items.map(|&item| (self.weights[item as usize], row(item))), sum);
            });
            parallel::for_each_chunk(&mut output[..], width, |item, row| {
                if watch::is_stopping() {
                    return;
                }
                let users = self.users_of.row(item).iter();
                let sum = |user: u32| &sums[user as usize * columns..][..columns];
                add(users.map(|&user| (self.weights[item], sum(user))), &mut row[start..start + columns]);
            });
            watch::advance(columns as u64);
        }
        watch::check()
    }
}

/// `output = the weighted sum of rows`.
fn add<'r>(terms: impl Iterator<Item = (f32, &'r [f32])>, output: &mut [f32]) {
    let terms: Vec<_> = terms.collect();
    output.fill(0.0);
    simd::dispatch(
        #[inline(always)]
        || simd::add_rows(&terms, output),
    );
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

    /// `a' b` of two matrices M x l: products of blocks of rows in single precision, summed in double precision.
    fn gram(&self, a: &Buffer<f32>, b: &Buffer<f32>) -> Result<Vec<f64>> {
        let width = self.width;
        let mut sum = vec![0.0f64; width * width];
        for start in (0..self.items).step_by(ROWS) {
            watch::check()?;
            let rows = ROWS.min(self.items - start);
            let (a, b) = (View::rows(a, width).skip_rows(start), View::rows(b, width).skip_rows(start));
            let mut recording = Recording::new();
            recording.push(MatMul::new(
                width,
                width,
                rows,
                a.transposed(),
                b,
                View::rows(&self.small, width),
            ));
            self.engine.run(&recording)?;
            sum.iter_mut().zip(&self.small.read()[..]).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        Ok(sum)
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

    /// Replaces the basis by an orthonormal one of the product's columns (Cholesky QR, twice: Yamamoto et al., 2015).
    fn orthonormalise(&self) -> Result<()> {
        let width = self.width;
        for _ in 0..2 {
            self.basis.write().copy_from_slice(&self.product.read()[..]);
            let mut gram = self.gram(&self.basis, &self.basis)?;
            let length = |at: usize| gram[at * width + at].sqrt().max(f64::MIN_POSITIVE.sqrt());
            let lengths: Vec<f64> = (0..width).map(length).collect();
            for row in 0..width {
                for column in 0..width {
                    gram[row * width + column] /= lengths[row] * lengths[column];
                }
            }
            let lower = symmetric::inverse_of_lower(&lower_factor(&gram, width)?, width);
            // The columns scaled by their lengths, times the transposed inverse of the factor.
            let mut factor = vec![0.0f32; width * width];
            for row in 0..width {
                for column in row..width {
                    factor[row * width + column] = (lower[column * width + row] / lengths[row]) as f32;
                }
            }
            self.multiply(&factor)?;
        }
        self.basis.write().copy_from_slice(&self.product.read()[..]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With as many columns as items, the weights off the diagonal are those of EASE.
    #[test]
    fn of_full_rank_it_is_ease() {
        let (users, items) = (60, 9);
        let rng = Rng::new(3);
        let rows: Vec<Vec<u32>> = (0..users)
            .map(|user| {
                let word = |item: u32| rng.block(Stream::Shuffle, 0, user, item)[0];
                (0..items).filter(|&item| word(item) % (2 + item) == 0).collect()
            })
            .collect();
        let train = Csr::from_rows(&rows, items).unwrap();
        let config = MultVaeConfig {
            linear: 50,
            linear_weight: 4.0,
            linear_regularisation: 0.5,
            linear_popularity: 0.0,
            ..MultVaeConfig::default()
        };
        let path = LinearPath::fit(&Engine::cpu(), &config, &train, rng).unwrap().unwrap();
        let items = items as usize;
        assert_eq!(path.width, items);

        let mut gram = vec![0.0f64; items * items];
        for row in train.iter() {
            for (&a, &b) in row.iter().flat_map(|a| row.iter().map(move |b| (a, b))) {
                gram[a as usize * items + b as usize] += 1.0;
            }
        }
        let lambda = 0.5 * train.nnz() as f64 / items as f64;
        (0..items).for_each(|at| gram[at * items + at] += lambda);
        let inverse = symmetric::inverse(gram, items).unwrap();
        let (table, outputs) = (path.table.read(), path.outputs.read());
        for row in 0..items {
            for column in (0..items).filter(|&column| column != row) {
                let expected = -4.0 * inverse[row * items + column] / inverse[column * items + column];
                let (a, b) = (&table[row * items..][..items], &outputs[column * items..][..items]);
                let weight = f64::from(simd::dot(a, b));
                assert!((weight - expected).abs() < 1e-4, "{row} {column}: {weight} and {expected}");
            }
        }
    }

    #[test]
    fn three_columns_separate_three_groups() {
        // Three groups of items; users have most of one.
        let rng = Rng::new(8);
        let word = |user: u32, item: u32| rng.block(Stream::Shuffle, 1, user, item)[0] % 8;
        let own = |user: u32, item: u32| if item % 3 == user % 3 { 6 } else { 0 };
        let rows: Vec<Vec<u32>> = (0..300)
            .map(|user| (0..30).filter(|&item| word(user, item) < own(user, item)).collect())
            .collect();
        let train = Csr::from_rows(&rows, 30).unwrap();
        let config = MultVaeConfig { linear: 3, ..MultVaeConfig::default() };
        let path = LinearPath::fit(&Engine::cpu(), &config, &train, rng).unwrap().unwrap();
        let (table, outputs) = (path.table.read(), path.outputs.read());
        let weight = |a: usize, b: usize| simd::dot(&table[a * 3..][..3], &outputs[b * 3..][..3]);
        let pairs = || (0..30).flat_map(|a| (0..30).map(move |b| (a, b))).filter(|(a, b)| a != b);
        let of_group = pairs().filter(|(a, b)| a % 3 == b % 3).map(|(a, b)| weight(a, b));
        let of_others = pairs().filter(|(a, b)| a % 3 != b % 3).map(|(a, b)| weight(a, b));
        let (least, most) = (of_group.fold(f32::MAX, f32::min), of_others.fold(f32::MIN, f32::max));
        assert!(least > 2.0 * most.abs(), "{least} and {most}");
    }

    /// Columns that the data does not have are rounding errors, and change nothing.
    #[test]
    fn more_columns_than_the_data_has_directions() {
        // Items come in pairs that are the same to everybody.
        let rng = Rng::new(5);
        let has = |user: u32, pair: u32| rng.block(Stream::Shuffle, 2, user, pair)[0].is_multiple_of(4);
        let rows: Vec<Vec<u32>> =
            (0..500).map(|user| (0..200).filter(|item| has(user, item / 2)).collect()).collect();
        let train = Csr::from_rows(&rows, 200).unwrap();
        let fit = |linear| {
            let config = MultVaeConfig { linear, ..MultVaeConfig::default() };
            LinearPath::fit(&Engine::cpu(), &config, &train, rng).unwrap().unwrap()
        };
        let (half, whole) = (fit(100), fit(200));
        let weight = |path: &LinearPath, a: usize, b: usize| {
            let width = path.width;
            simd::dot(&path.table.read()[a * width..][..width], &path.outputs.read()[b * width..][..width])
        };
        for (a, b) in (0..200).flat_map(|a| [(a, (a + 1) % 200), (a, (a + 77) % 200)]) {
            let (half, whole) = (weight(&half, a, b), weight(&whole, a, b));
            assert!((half - whole).abs() < 1e-2 * (1.0 + half.abs()), "{a} {b}: {half} and {whole}");
        }
    }

    #[test]
    fn nothing_is_computed_without_a_column() {
        let train = Csr::from_rows(&[vec![0, 1]], 3).unwrap();
        let config = MultVaeConfig { linear: 0, ..MultVaeConfig::default() };
        assert!(LinearPath::fit(&Engine::cpu(), &config, &train, Rng::new(0)).unwrap().is_none());
    }
}
