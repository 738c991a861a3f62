//! A small catalogue to look at: films of the built-in set, as points of a plane in which every genre has a direction.
//!
//! Trained vectors cannot be drawn; these can. The first half of a vector holds the plane's vertical coordinate, the
//! second half the horizontal one, so that the two codebooks of an index cut the plane into rows and columns.

use std::f32::consts::TAU;

use fastvae::{
    Result,
    data::{self, MIN_ITEMS, SyntheticOptions},
    rng::{Rng, Stream, normal_pair},
    simd,
};

/// The genres of the built-in set, in the order of its films.
pub const GENRES: usize = 10;

/// `step` of the random numbers of item vectors; the streams of training start at 0 and count up.
const VECTORS: u32 = u32::MAX;
const QUERY: u32 = u32::MAX - 1;

/// Films as vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Toy {
    /// Width of a vector; even.
    pub dim: usize,
    /// M x dim.
    pub vectors: Vec<f32>,
    /// M.
    pub titles: Vec<String>,
    /// What each film is known for, M.
    pub genres: Vec<String>,
    /// How many people have seen it, M.
    pub counts: Vec<u32>,
}

impl Toy {
    /// `items` films. Their vectors do not depend on how many there are.
    ///
    /// # Errors
    /// If core makes no set of that size.
    pub fn new(items: usize, dim: usize, seed: u32) -> Result<Self> {
        let options = SyntheticOptions {
            items: (items as u32).max(MIN_ITEMS),
            users: 1000,
            longest: 50,
            seed: seed.into(),
            ..Default::default()
        };
        let set = data::synthetic(&options)?;
        let items = items.min(set.items.len());
        let first = |list: &Vec<String>| list.first().cloned().unwrap_or_default();
        Ok(Self {
            dim,
            vectors: (0..items as u32).flat_map(|item| vector(item, dim, seed)).collect(),
            titles: set.titles.unwrap_or_default().into_iter().take(items).collect(),
            genres: set.genres.unwrap_or_default().iter().take(items).map(first).collect(),
            counts: set.interactions.column_counts().into_iter().take(items).collect(),
        })
    }

    /// Number of films.
    pub fn len(&self) -> usize {
        self.titles.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.titles.is_empty()
    }

    /// A film's vector.
    pub fn vector(&self, item: usize) -> &[f32] {
        &self.vectors[item * self.dim..][..self.dim]
    }

    /// Where a film lies in the plane.
    pub fn place(&self, item: usize) -> (f32, f32) {
        let vector = self.vector(item);
        (vector[self.dim / 2], vector[0])
    }

    /// The logits of all films.
    pub fn logits(&self, query: &[f32]) -> Vec<f32> {
        self.vectors.chunks_exact(self.dim).map(|vector| simd::dot(vector, query)).collect()
    }
}

/// The direction of a genre in the plane, in turns.
fn angle(genre: u32) -> f32 {
    TAU * genre as f32 / GENRES as f32
}

/// The vector of one film.
pub fn vector(item: u32, dim: usize, seed: u32) -> Vec<f32> {
    let rng = Rng::new(seed.into());
    let words = rng.block(Stream::Init, VECTORS, item, 0);
    let [turn, length] = normal_pair(words[0], words[1]);
    let (turn, length) = (angle(item % GENRES as u32) + 0.2 * turn, (0.85 + 0.25 * length).max(0.25));
    let mut vector = noise(rng, VECTORS, item, dim, 0.3);
    (vector[dim / 2], vector[0]) = (length * turn.cos(), length * turn.sin());
    vector
}

/// The query of a taste: a point of the plane, and chance in the other dimensions.
pub fn query(taste: (f32, f32), dim: usize, seed: u32) -> Vec<f32> {
    let mut query = noise(Rng::new(seed.into()), QUERY, 0, dim, 0.7);
    (query[dim / 2], query[0]) = taste;
    query
}

fn noise(rng: Rng, step: u32, row: u32, dim: usize, scale: f32) -> Vec<f32> {
    let pairs = (0..dim.div_ceil(2) as u32).flat_map(|pair| {
        let words = rng.block(Stream::Init, step, row, pair + 1);
        normal_pair(words[0], words[1]).map(|value| scale * value)
    });
    pairs.take(dim).collect()
}

/// Places in the plane of any number of films, made as they are needed.
#[derive(Clone, Debug, Default)]
pub struct Places {
    seed: u32,
    known: Vec<(f32, f32)>,
}

impl Places {
    /// Logits of the first `items` films.
    pub fn logits(&mut self, items: u32, taste: (f32, f32), seed: u32) -> Vec<f32> {
        if self.seed != seed {
            *self = Self { seed, known: Vec::new() };
        }
        for item in self.known.len() as u32..items {
            let vector = vector(item, 2, seed);
            self.known.push((vector[1], vector[0]));
        }
        self.known[..items as usize].iter().map(|(x, y)| x * taste.0 + y * taste.1).collect()
    }
}

/// The softmax of logits.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let log_z = simd::log_sum_exp(logits);
    logits.iter().map(|logit| simd::exp(logit - log_z)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn films_keep_their_place_in_larger_catalogues() {
        let (small, large) = (Toy::new(12, 2, 3).unwrap(), Toy::new(300, 2, 3).unwrap());
        assert_eq!((small.len(), large.len()), (12, 300));
        assert_eq!(small.vectors, large.vectors[..24]);
        assert_eq!(large.logits(&query((1.0, -0.5), 2, 3)), Places::default().logits(300, (1.0, -0.5), 3));
        let wide = Toy::new(12, 8, 3).unwrap();
        assert_eq!(
            (0..12).map(|i| wide.place(i)).collect::<Vec<_>>(),
            (0..12).map(|i| small.place(i)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn probabilities_add_up() {
        let sum: f32 = softmax(&Places::default().logits(500, (2.0, 1.0), 0)).iter().sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    }
}
