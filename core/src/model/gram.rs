//! Products with the matrix of pairs of items, X'X, which is not stored.

use crate::{
    Result,
    data::Csr,
    engine::{Buffer, Engine, Recording, parallel},
    kernels::{MatMul, View},
    simd, watch,
};

/// Columns that are multiplied by X at a time: their sums, N x 64, are all that is stored for each user.
pub(super) const COLUMNS: usize = 64;
/// Rows whose products are summed in single precision.
const ROWS: usize = 2048;

/// Products with `G = W X'X W`, which is not stored.
pub(super) struct Gram<'a> {
    /// X.
    pub train: &'a Csr,
    /// X transposed.
    pub users_of: Csr,
    /// The diagonal of W, M.
    pub weights: &'a [f32],
}

impl Gram<'_> {
    /// `output = G input`, both M x l.
    pub fn multiply(&self, input: &Buffer<f32>, output: &Buffer<f32>, width: usize) -> Result<()> {
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

/// `a' b` of two matrices M x width on an engine of CPU threads: products of blocks of rows in single precision, which fit
/// `small`, width x width, summed in double precision.
pub(super) fn inner_products(
    engine: &Engine,
    [a, b]: [&Buffer<f32>; 2],
    width: usize,
    small: &Buffer<f32>,
) -> Result<Vec<f64>> {
    let items = a.len() / width.max(1);
    let mut sum = vec![0.0f64; width * width];
    for start in (0..items).step_by(ROWS) {
        watch::check()?;
        let rows = ROWS.min(items - start);
        let (a, b) = (View::rows(a, width).skip_rows(start), View::rows(b, width).skip_rows(start));
        let mut recording = Recording::new();
        recording.push(MatMul::new(width, width, rows, a.transposed(), b, View::rows(small, width)));
        engine.run(&recording)?;
        sum.iter_mut().zip(&small.read()[..]).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    Ok(sum)
}
