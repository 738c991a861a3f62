//! What ranking, recommending and measuring need of a model.

use crate::{
    Result,
    engine::{Buffer, Engine, Recording},
    kernels::{MatMul, View},
    proposal::Catalogue,
};

/// The entries of a batch of users, side by side.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Where each row's entries start, B + 1.
    pub offsets: Buffer<u32>,
    /// Item of each entry.
    pub items: Buffer<u32>,
    /// Batch row of each entry.
    pub rows: Buffer<u32>,
    /// B of this batch.
    pub users: usize,
    /// E of this batch.
    pub entries: usize,
}

impl Batch {
    /// One user with this history.
    ///
    /// # Errors
    /// If the engine cannot hold it.
    pub fn of_one(engine: &Engine, history: &[u32]) -> Result<Self> {
        let entries = history.len();
        Ok(Self {
            offsets: engine.upload("offsets", &[0, entries as u32])?,
            items: engine.upload("history", if entries > 0 { history } else { &[0] })?,
            rows: engine.zeros("rows", entries.max(1))?,
            users: 1,
            entries,
        })
    }
}

/// A model that gives every item a score, from the history of a user.
pub trait Scorer: Send + Sync {
    /// Size of the catalogue, M.
    fn items(&self) -> usize;

    /// The buffers to score up to `users` users who have up to `entries` entries together.
    ///
    /// # Errors
    /// If the engine cannot hold them.
    fn scoring(&self, engine: &Engine, users: usize, entries: usize) -> Result<Box<dyn Scoring>>;

    /// The item vectors and biases, if a score is the product of a query and an item vector plus a bias.
    /// Proposals, similar items and measures of proposals need them.
    fn item_vectors(&self) -> Option<Catalogue> {
        None
    }
}

/// The buffers of a [`Scorer`] at work on a batch.
pub trait Scoring: Send + Sync {
    /// Appends the kernels that write the scores of a batch, B x M. The rows of its entries
    /// ([`Batch::rows`]) may be anything: training alone reads them.
    fn record_scores(&self, recording: &mut Recording, batch: &Batch, scores: &Buffer<f32>);

    /// Appends the kernels that make the queries of a batch, and returns where they are: B x width, what meets
    /// the item vectors. `None` for a model that has no item vectors.
    fn record_queries(&self, recording: &mut Recording, batch: &Batch) -> Option<Buffer<f32>> {
        let _ = (recording, batch);
        None
    }
}

/// Appends the scores of `users` queries: their products with all item vectors, and the item biases.
pub fn record_products(
    recording: &mut Recording,
    users: usize,
    queries: &Buffer<f32>,
    vectors: &Catalogue,
    scores: &Buffer<f32>,
) {
    let (items, width) = (vectors.items, vectors.width);
    let mut product = MatMul::new(
        users,
        items,
        width,
        View::rows(queries, width),
        View::rows(&vectors.table, width).transposed(),
        View::rows(scores, items),
    );
    product.bias = vectors.bias.clone();
    recording.push(product);
}
