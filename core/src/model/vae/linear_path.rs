//! The linear path: scores `x A A' D` that are added to those of the network, in closed form.
//!
//! A regression of every item on all others (EASE: Steck, 2019) is strong where histories are few, and for the head of
//! every list; l columns of its M x M weights have most of that, on MovieLens all of it (BENCHMARKS.md). The score of
//! item i is the inner product of two vectors, `[query, x A]` and `[row_i, D_ii a_i]`, so that ranking, export and search
//! by nearest neighbours need not know that there are two parts. The network is trained as if it were alone: trained on
//! what the linear path leaves, it is worse, because the path has already seen the items that it would be corrected at.

#[cfg(feature = "baselines")]
mod fit;

#[cfg(feature = "baselines")]
use std::{collections::BTreeMap, sync::Arc};

#[cfg(feature = "baselines")]
use crate::state::{FrozenTensor, Values};
use crate::{
    Error, Result,
    engine::{Buffer, Engine, Recording},
    kernels::{Activation, EncodeRows, MatMul, View},
    model::Batch,
    state::State,
};

/// The names of its tensors, which belong to one training set and its validation users.
pub(crate) const TENSORS: [&str; 2] = [TABLE, SCALE];
const TABLE: &str = "linear";
const SCALE: &str = "linear_scale";

/// A and D.
#[derive(Clone, Debug)]
pub(super) struct LinearPath {
    /// A, M x l: what an item of a history adds to the query.
    table: Buffer<f32>,
    /// The diagonal of D, M.
    #[cfg(feature = "baselines")]
    scale: Arc<[f32]>,
    /// D A, M x l: what the query is multiplied with.
    outputs: Buffer<f32>,
    /// M.
    items: usize,
    /// l.
    width: usize,
    /// What its scores are multiplied with in training.
    #[cfg(feature = "baselines")]
    factor: f32,
    /// What it was fitted with, by name; empty if it comes from a file.
    #[cfg(feature = "baselines")]
    fitted: BTreeMap<String, f64>,
}

impl LinearPath {
    /// Uploads A and D.
    ///
    /// # Errors
    /// [`Error::Data`] if their product is not finite; [`Error::Device`] if the engine cannot hold them.
    fn new(engine: &Engine, table: &[f32], scale: &[f32]) -> Result<Self> {
        let (items, width) = (scale.len(), table.len() / scale.len().max(1));
        let outputs = outputs(table, scale);
        if outputs.iter().any(|value| !value.is_finite()) {
            return Err(Error::Data(format!("`{TABLE}` times `{SCALE}` holds numbers that are not finite")));
        }
        Ok(Self {
            table: engine.upload("linear path", table)?,
            #[cfg(feature = "baselines")]
            scale: scale.into(),
            outputs: engine.upload("items of the linear path", &outputs)?,
            items,
            width,
            #[cfg(feature = "baselines")]
            factor: 1.0,
            #[cfg(feature = "baselines")]
            fitted: BTreeMap::new(),
        })
    }

    /// Reads it from a state; `None` if the model has none.
    ///
    /// # Errors
    /// [`Error::Data`] if a tensor is missing or has the wrong shape; [`Error::Device`] if the engine cannot hold them.
    pub fn from_state(engine: &Engine, items: usize, state: &State) -> Result<Option<Self>> {
        tensors(items, state)?.map(|(table, scale)| Self::new(engine, table, scale)).transpose()
    }

    /// l.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The columns, regularisation and weight that it was fitted with; empty if it comes from a file.
    #[cfg(feature = "baselines")]
    pub fn fitted(&self) -> &BTreeMap<String, f64> {
        &self.fitted
    }

    /// The path with its scores multiplied by a power of two, so that nothing is rounded. It shares the buffers.
    #[cfg(feature = "baselines")]
    pub fn times(&self, power_of_two: f32) -> Self {
        Self { factor: self.factor * power_of_two, ..self.clone() }
    }

    fn factor(&self) -> f32 {
        #[cfg(feature = "baselines")]
        return self.factor;
        #[cfg(not(feature = "baselines"))]
        1.0
    }

    /// Its tensors, for a [`State`].
    #[cfg(feature = "baselines")]
    pub fn tensors(&self) -> BTreeMap<String, FrozenTensor<'static>> {
        let table = FrozenTensor::on_engine(vec![self.items, self.width], &self.table);
        let scale: Vec<f32> = self.scale.iter().map(|scale| scale * self.factor).collect();
        let scale = FrozenTensor { shape: vec![self.items], values: Values::Floats(scale.into()) };
        [(TABLE.to_owned(), table), (SCALE.to_owned(), scale)].into()
    }
}

/// A (M x l) and the diagonal of D (M) in a state; `None` if it has none.
///
/// # Errors
/// [`Error::Data`] if one is missing or has the wrong shape.
pub(super) fn tensors(items: usize, state: &State) -> Result<Option<(&[f32], &[f32])>> {
    let Some(table) = state.tensors.get(TABLE) else { return Ok(None) };
    let width = match table.shape[..] {
        [_, width] if width > 0 => width,
        _ => {
            let problem = format!("tensor `{TABLE}` is {:?}, and not a table with columns", table.shape);
            return Err(Error::Data(problem));
        }
    };
    Ok(Some((state.values(TABLE, &[items, width])?, state.values(SCALE, &[items])?)))
}

/// D A, M x l.
pub(super) fn outputs(table: &[f32], scale: &[f32]) -> Vec<f32> {
    let rows = table.chunks_exact((table.len() / scale.len().max(1)).max(1)).zip(scale);
    rows.flat_map(|(row, scale)| row.iter().map(move |value| value * scale)).collect()
}

/// The buffers to compute `x A` for a batch.
pub(super) struct Sums {
    path: LinearPath,
    /// The factor of the scores, E times.
    weights: Buffer<f32>,
    /// l.
    zeros: Buffer<f32>,
    /// B x l.
    sums: Buffer<f32>,
}

impl Sums {
    /// For up to `users` users with up to `entries` entries in total.
    ///
    /// # Errors
    /// If the engine cannot hold them.
    pub fn new(engine: &Engine, path: &LinearPath, users: usize, entries: usize) -> Result<Self> {
        Ok(Self {
            weights: engine.upload("weights", &vec![path.factor(); entries.max(1)])?,
            zeros: engine.zeros("no bias", path.width)?,
            sums: engine.zeros("sums of the linear path", users * path.width)?,
            path: path.clone(),
        })
    }

    /// Appends `x A`, and returns its buffer, B x l.
    pub fn record(&self, recording: &mut Recording, batch: &Batch) -> &Buffer<f32> {
        recording.push(EncodeRows {
            batch_offsets: batch.offsets.clone(),
            items: batch.items.clone(),
            weights: self.weights.clone(),
            table: self.path.table.clone(),
            bias: self.zeros.clone(),
            batch: batch.users,
            hidden: self.path.width,
            activation: Activation::None,
            output: self.sums.clone(),
        });
        &self.sums
    }

    /// Appends `scores += x A A' D`.
    pub fn record_scores(&self, recording: &mut Recording, batch: &Batch, scores: &Buffer<f32>) {
        let LinearPath { outputs, items, width, .. } = &self.path;
        let sums = View::rows(self.record(recording, batch), *width);
        let vectors = View::rows(outputs, *width).transposed();
        let mut product = MatMul::new(batch.users, *items, *width, sums, vectors, View::rows(scores, *items));
        product.beta = 1.0;
        recording.push(product);
    }
}
