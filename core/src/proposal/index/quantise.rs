//! Quantises item vectors: k-means over all codebooks, on the engine.

use crate::{
    Result,
    config::Initialisation,
    engine::{Buffer, Engine, Recording},
    kernels::{AddCodewords, Balance, GatherRows, KmeansAssign, KmeansUpdate, Points},
    rng::{Rng, Stream, below},
    watch,
};

/// One codebook during k-means.
pub(super) struct Book {
    /// The points to quantise, M x d. With residual codebooks, the residuals of the other codebooks.
    pub points: Points,
    /// K x d.
    pub codewords: Buffer<f32>,
    /// M.
    pub codes: Buffer<u32>,
    /// The state of balanced k-means, if all codewords shall get about equal weight.
    pub balance: Option<Balance>,
}

/// K-means over several codebooks, each over its own columns or, if `residual`, over the residuals of the
/// others.
pub(super) struct Quantiser<'a> {
    pub engine: &'a Engine,
    pub books: Vec<Book>,
    /// K.
    pub k: usize,
    /// Whether all codebooks share the same points, each approximating the residuals of the others.
    pub residual: bool,
    pub initialisation: Initialisation,
    /// Weight of each point, M; if not given, all weigh the same.
    pub weights: Option<(Vec<f32>, Buffer<f32>)>,
    pub rng: Rng,
    /// Selects the random numbers of this refresh.
    pub step: u32,
}

/// Iterations of a residual codebook before the next one is initialised from its residuals.
const SETTLING: u32 = 4;
/// Size of the sample from which initial codewords are chosen: points per codeword, and the minimum.
const SAMPLE: (usize, usize) = (32, 2048);

impl Quantiser<'_> {
    /// Chooses the initial codewords of every codebook.
    pub async fn begin(&self) -> Result<()> {
        for (which, book) in self.books.iter().enumerate() {
            let first = self.first_codewords(which, &book.points).await?;
            self.engine.write(&book.codewords, 0, &first)?;
            if let Some(balance) = &book.balance {
                self.engine.write(&balance.crowding, 0, &vec![1.0; self.k])?;
            }
            if self.residual {
                let mut recording = Recording::new();
                for iteration in 0..SETTLING {
                    self.iterate(&mut recording, which, u32::MAX - iteration);
                }
                self.assign(&mut recording, which);
                self.add(&mut recording, which, -1.0);
                self.engine.run(&recording)?;
            }
        }
        Ok(())
    }

    /// Continues from existing codewords and codes.
    pub fn go_on(&self) -> Result<()> {
        if self.residual { self.subtract() } else { Ok(()) }
    }

    /// Runs `iterations` iterations on each codebook in turn, then assigns every point. With residual
    /// codebooks, the points are replaced by their residuals.
    pub fn run(&self, iterations: u32) -> Result<()> {
        watch::begin("building the index", "iterations", iterations.into());
        for iteration in 0..iterations {
            watch::advance(1);
            for which in 0..self.books.len() {
                watch::check()?;
                self.record(which, |recording| self.iterate(recording, which, iteration))?;
            }
        }
        (0..self.books.len())
            .try_for_each(|which| self.record(which, |recording| self.assign(recording, which)))
    }

    /// Replaces the points by their residuals in place; the caller must own the buffer.
    pub fn leave(&self) -> Result<()> {
        if self.residual { Ok(()) } else { self.subtract() }
    }

    /// Subtracts the codewords of every codebook from the points.
    fn subtract(&self) -> Result<()> {
        let mut recording = Recording::new();
        (0..self.books.len()).for_each(|which| self.add(&mut recording, which, -1.0));
        self.engine.run(&recording)
    }

    /// Runs what `work` appends in one recording. With residual codebooks, the points are the residuals of the other
    /// codebooks meanwhile.
    fn record(&self, which: usize, work: impl FnOnce(&mut Recording)) -> Result<()> {
        let mut recording = Recording::new();
        if self.residual {
            self.add(&mut recording, which, 1.0);
        }
        work(&mut recording);
        if self.residual {
            self.add(&mut recording, which, -1.0);
        }
        self.engine.run(&recording)
    }

    /// One iteration: assigns points to codewords, then moves each codeword to the mean of its points.
    fn iterate(&self, recording: &mut Recording, which: usize, iteration: u32) {
        let book = &self.books[which];
        self.assign(recording, which);
        recording.push(KmeansUpdate {
            points: book.points.clone(),
            weights: self.weights.as_ref().map(|weights| weights.1.clone()),
            codes: book.codes.clone(),
            k: self.k,
            rng: self.rng,
            step: self.tag(which, iteration),
            codewords: book.codewords.clone(),
            balance: book.balance.clone(),
        });
    }

    fn assign(&self, recording: &mut Recording, which: usize) {
        let book = &self.books[which];
        recording.push(KmeansAssign {
            points: book.points.clone(),
            codewords: book.codewords.clone(),
            crowding: book.balance.as_ref().map(|balance| balance.crowding.clone()),
            k: self.k,
            codes: book.codes.clone(),
        });
    }

    fn add(&self, recording: &mut Recording, which: usize, scale: f32) {
        let book = &self.books[which];
        recording.push(AddCodewords {
            points: book.points.clone(),
            codes: book.codes.clone(),
            codewords: book.codewords.clone(),
            k: self.k,
            scale,
        });
    }

    async fn first_codewords(&self, which: usize, points: &Points) -> Result<Vec<f32>> {
        let (k, d) = (self.k, points.dimensions);
        let wanted = match self.initialisation {
            Initialisation::Random => k,
            Initialisation::PlusPlus => (SAMPLE.0 * k).max(SAMPLE.1),
        };
        let rows = self.distinct(which, points.count, wanted.min(points.count));
        let sample = self.engine.zeros("sample of points", rows.len() * d)?;
        let mut recording = Recording::new();
        recording.push(GatherRows {
            points: points.clone(),
            rows: self.engine.upload("rows of the sample", &rows)?,
            len: rows.len(),
            output: sample.clone(),
        });
        self.engine.run(&recording)?;
        let sample = self.engine.read_range(&sample, 0..rows.len() * d).await?;
        let chosen = match self.initialisation {
            // If there are fewer points than codewords, points repeat.
            Initialisation::Random => (0..k).map(|word| word % rows.len()).collect(),
            Initialisation::PlusPlus => {
                let weights: Vec<f32> = match &self.weights {
                    Some((weights, _)) => rows.iter().map(|&row| weights[row as usize]).collect(),
                    None => vec![1.0; rows.len()],
                };
                let word =
                    |draw| self.rng.block(Stream::Codewords, self.tag(which, 0), u32::MAX - 1, draw)[0];
                plus_plus(&sample, &weights, d, k, word)
            }
        };
        Ok(chosen.into_iter().flat_map(|row| &sample[row * d..][..d]).copied().collect())
    }

    /// `wanted` distinct points of `count`, determined by the seed alone.
    fn distinct(&self, which: usize, count: usize, wanted: usize) -> Vec<u32> {
        if wanted == count {
            return (0..count as u32).collect();
        }
        let mut taken = std::collections::BTreeSet::new();
        let mut chosen = Vec::with_capacity(wanted);
        let mut draw = 0;
        while chosen.len() < wanted {
            let word = self.rng.block(Stream::Codewords, self.tag(which, 0), u32::MAX, draw)[0];
            draw += 1;
            let point = below(word, count as u32);
            if taken.insert(point) {
                chosen.push(point);
            }
        }
        chosen
    }

    fn tag(&self, which: usize, iteration: u32) -> u32 {
        let iteration = iteration.wrapping_mul(self.books.len() as u32).wrapping_add(which as u32);
        self.step.wrapping_mul(4096).wrapping_add(iteration)
    }
}

/// K-means++ (Arthur and Vassilvitskii, 2007): each next codeword is a point drawn in proportion to its
/// weight times its squared distance to the nearest codeword chosen before.
fn plus_plus(points: &[f32], weights: &[f32], d: usize, k: usize, word: impl Fn(u32) -> u32) -> Vec<usize> {
    let count = points.len() / d.max(1);
    let point = |i: usize| &points[i * d..][..d];
    let mut nearest = vec![f64::INFINITY; count];
    let mut chosen = vec![below(word(0), count as u32) as usize];
    while chosen.len() < k {
        let last = point(chosen[chosen.len() - 1]);
        for (i, nearest) in nearest.iter_mut().enumerate() {
            let distance: f32 = point(i).iter().zip(last).map(|(a, b)| (a - b) * (a - b)).sum();
            *nearest = nearest.min(f64::from(distance));
        }
        let masses = || nearest.iter().zip(weights).map(|(distance, &weight)| distance * f64::from(weight));
        let total: f64 = masses().sum();
        let random = word(chosen.len() as u32);
        let mut rest = f64::from(random) / 4_294_967_296.0 * total;
        // All points coincide with codewords, so there are no distances to draw by.
        let next = masses().position(|mass| {
            rest -= mass;
            rest < 0.0
        });
        chosen.push(next.unwrap_or_else(|| below(random, count as u32) as usize));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::plus_plus;

    #[test]
    fn first_codewords_are_far_apart_and_alike_points_are_no_trouble() {
        let points: Vec<f32> =
            (0..40).flat_map(|i| [(i % 4) as f32 * 100.0 + (i / 4) as f32 * 0.01, 1.0]).collect();
        let chosen = plus_plus(&points, &[1.0; 40], 2, 4, |draw| {
            draw.wrapping_mul(2_654_435_761).wrapping_add(12_345)
        });
        let mut corners: Vec<usize> = chosen.iter().map(|i| i % 4).collect();
        corners.sort_unstable();
        assert_eq!(corners, [0, 1, 2, 3]);
        assert_eq!(plus_plus(&[1.0; 6], &[1.0; 3], 2, 5, |draw| draw << 30).len(), 5);
    }
}
