//! The interface of a model for ranking, recommending and evaluating.

use crate::{
    Error, Result,
    data::Csr,
    engine::{Buffer, Engine, Recording},
    kernels::{MatMul, View},
    proposal::Catalogue,
    watch,
};

/// The histories of a batch of users, concatenated. An entry is one item of a history.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Offset of each row's first entry, B + 1.
    pub offsets: Buffer<u32>,
    /// Item of each entry.
    pub items: Buffer<u32>,
    /// Batch row of each entry.
    pub rows: Buffer<u32>,
    /// Number of users in this batch, B.
    pub users: usize,
    /// Number of entries in this batch, E.
    pub entries: usize,
    /// At least the entries of any user.
    pub longest: usize,
    /// The row of each user in the training set, for models that have a vector for each of these: see
    /// [`Scorer::known_users`]. `None`: these are other users.
    pub known: Option<Buffer<u32>>,
}

impl Batch {
    /// A batch of all these histories.
    ///
    /// # Errors
    /// If the engine cannot hold it.
    pub fn new(engine: &Engine, histories: &Csr) -> Result<Self> {
        let rows = (0u32..).zip(histories.iter()).flat_map(|(row, items)| items.iter().map(move |_| row));
        let rows: Vec<u32> = rows.collect();
        let or_zero = |values: &[u32]| if values.is_empty() { vec![0] } else { values.to_vec() };
        Ok(Self {
            offsets: engine.upload("offsets", histories.offsets())?,
            items: engine.upload("items", &or_zero(histories.items()))?,
            rows: engine.upload("rows", &or_zero(&rows))?,
            users: histories.rows(),
            entries: histories.nnz(),
            longest: histories.iter().map(<[u32]>::len).max().unwrap_or(0),
            known: None,
        })
    }

    /// A batch of one user with this history.
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
            longest: entries,
            known: None,
        })
    }
}

/// A model that computes a score for every item from a user's history.
pub trait Scorer: Send + Sync {
    /// Size of the catalogue, M.
    fn items(&self) -> usize;

    /// Buffers to score batches of up to `users` users with up to `entries` entries in total.
    ///
    /// # Errors
    /// If the engine cannot hold them.
    fn scoring(&self, engine: &Engine, users: usize, entries: usize) -> Result<Box<dyn Scoring>>;

    /// The item vectors and biases, if a score is the inner product of a query and an item vector plus a
    /// bias. Proposals, similar items and the comparison of proposals need them.
    fn item_vectors(&self) -> Option<Catalogue> {
        None
    }

    /// For a model with a vector of each training user: the row in the training set of the user with each history, `None`
    /// for histories of others. A batch has either only known users or none.
    #[cfg(feature = "baselines")]
    fn known_users(&self, histories: &Csr) -> Option<Vec<Option<u32>>> {
        let _ = histories;
        None
    }

    /// Whether the scores for a history of one item tell which items are similar to it. A model that scores
    /// every history alike returns `false`.
    fn relates_items(&self) -> bool {
        true
    }
}

/// Scores batches with buffers of its own.
pub trait Scoring: Send + Sync {
    /// Appends the kernels that write the scores of a batch, B x M. The batch rows of its entries
    /// ([`Batch::rows`]) are not read; only training needs them.
    fn record_scores(&self, recording: &mut Recording, batch: &Batch, scores: &Buffer<f32>);

    /// Appends the kernels that compute the queries of a batch, and returns their buffer, B x width. `None`
    /// for a model that has no item vectors.
    fn record_queries(&self, recording: &mut Recording, batch: &Batch) -> Option<Buffer<f32>> {
        let _ = (recording, batch);
        None
    }
}

/// Histories of which the queries are computed at once.
const PIECE: usize = 1024;

/// The queries of histories, users x width.
///
/// # Errors
/// [`Error::Data`] for a model without item vectors; [`Error::Device`] if the device is lost.
pub(crate) async fn queries(engine: &Engine, model: &impl Scorer, histories: &Csr) -> Result<Vec<f32>> {
    let without = || Error::Data("the model has no item vectors".into());
    let width = model.item_vectors().ok_or_else(without)?.width;
    let users = histories.rows();
    watch::begin("queries", "users", users as u64);
    #[cfg(feature = "baselines")]
    if let Some(groups) = alike(model, histories) {
        let mut values = vec![0.0; users * width];
        for Alike { rows, known } in groups {
            let found =
                queries_alike(engine, model, &histories.select(&rows)?, known.as_deref(), width).await?;
            for (&row, query) in rows.iter().zip(found.chunks_exact(width)) {
                values[row as usize * width..][..width].copy_from_slice(query);
            }
        }
        return Ok(values);
    }
    queries_alike(engine, model, histories, None, width).await
}

/// As [`queries`], for histories that a batch may hold together: of the training users of these rows, or of others.
async fn queries_alike(
    engine: &Engine,
    model: &impl Scorer,
    histories: &Csr,
    known: Option<&[u32]>,
    width: usize,
) -> Result<Vec<f32>> {
    let users = histories.rows();
    let mut values = Vec::with_capacity(users * width);
    for start in (0..users).step_by(PIECE) {
        watch::check()?;
        let rows: Vec<u32> = (start as u32..(start + PIECE).min(users) as u32).collect();
        let mut batch = Batch::new(engine, &histories.select(&rows)?)?;
        if let Some(known) = known {
            batch.known = Some(engine.upload("known users", &known[start..][..rows.len()])?);
        }
        let scoring = model.scoring(engine, batch.users, batch.entries)?;
        let mut recording = Recording::new();
        let queries = scoring
            .record_queries(&mut recording, &batch)
            .ok_or_else(|| Error::Data("the model has no item vectors".into()))?;
        engine.run(&recording)?;
        values.extend(engine.read_range(&queries, 0..batch.users * width).await?);
        watch::advance(batch.users as u64);
    }
    Ok(values)
}

/// Histories that a batch may hold together.
#[cfg(feature = "baselines")]
pub(crate) struct Alike {
    /// Their rows.
    pub rows: Vec<u32>,
    /// What [`Batch::known`] needs, for each of them.
    pub known: Option<Vec<u32>>,
}

/// Histories of training users and of others, apart; `None` for a model without vectors of users.
#[cfg(feature = "baselines")]
pub(crate) fn alike(model: &dyn Scorer, histories: &Csr) -> Option<[Alike; 2]> {
    let found = model.known_users(histories)?;
    let rows = |known: bool| {
        let of = |(row, found): (u32, &Option<u32>)| (found.is_some() == known).then_some(row);
        (0..).zip(&found).filter_map(of).collect()
    };
    let known = Alike { rows: rows(true), known: Some(found.iter().flatten().copied().collect()) };
    Some([known, Alike { rows: rows(false), known: None }])
}

/// Appends the scores of `users` queries: inner products with all item vectors, plus the item biases.
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
