//! Computes the linear path from the training data.
//!
//! With histories X (N x M) whose columns are scaled by weights W, `G = W X'X W` and lambda, ridge regression of every
//! item on all of them, itself included, has the weights `G (G + lambda I)^-1`. Restricted to the l eigenvectors Q of G
//! with the largest eigenvalues they are `Q E Q'` with `E = T (T + lambda I)^-1` and `T = Q'G Q`. Leaving each item out
//! of its own regression divides its column by `1 - q_i'E q_i` off the diagonal, as in leave-one-out regression; at
//! l = M that is EASE (Steck, 2019, equation 8). So `A = sqrt(weight) W Q R` with `R R' = E`, and D takes W back.
//!
//! Q comes from subspace iteration on a random start (Halko et al., "Finding Structure with Randomness", 2011).

mod choice;
mod spectrum;

use std::collections::BTreeMap;

use self::spectrum::Spectrum;
use super::LinearPath;
use crate::{
    Error, Result, config::MultVaeConfig, data::Csr, engine::Engine, memory, model::gram::COLUMNS, rng::Rng,
};

/// The most numbers in A; larger catalogues get fewer columns.
const NUMBERS: usize = 1 << 26;

impl LinearPath {
    /// Computes the path of a training set, N x M; `None` without a column.
    ///
    /// # Errors
    /// [`Error::Setting`] if memory is too small for it; [`Error::Interrupted`]; [`Error::Device`] if the engine cannot
    /// hold it.
    pub fn fit(engine: &Engine, config: &MultVaeConfig, train: &Csr, rng: Rng) -> Result<Option<Self>> {
        let (users, items) = (train.rows(), train.columns());
        let most = config.linear.min(items).min(users).min(NUMBERS / items.max(1));
        if most == 0 {
            return Ok(None);
        }
        check_memory(users, items, most)?;
        let choice = choice::choose(config, train, most, rng)?;
        let spectrum = Spectrum::new(train, config.linear_popularity, choice.columns, rng)?;
        let (mut table, scale) = spectrum.solve(choice.regularisation)?;
        let weight = match config.linear_weight {
            0.0 => choice::weight(train, &table, &scale),
            given => given,
        };
        // Its matrices are as large as the path.
        drop(spectrum);
        table.iter_mut().for_each(|value| *value *= weight.sqrt());
        let mut path = Self::new(engine, &table, &scale)?;
        path.fitted = BTreeMap::from([
            ("columns".to_owned(), choice.columns as f64),
            ("regularisation".to_owned(), choice.regularisation.into()),
            ("weight".to_owned(), weight.into()),
        ]);
        Ok(Some(path))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::symmetric, rng::Stream, simd};

    /// Settings with `linear` columns and nothing left to choose.
    fn with(linear: usize) -> MultVaeConfig {
        MultVaeConfig { linear, linear_weight: 10.0, linear_regularisation: 3.0, ..MultVaeConfig::default() }
    }

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
        let config = with(3);
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
            let config = with(linear);
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
        let config = with(0);
        assert!(LinearPath::fit(&Engine::cpu(), &config, &train, Rng::new(0)).unwrap().is_none());
    }
}
