//! Matrix factorisation: a table of users and one of items, trained by steps of the gradient of an objective.

mod fold_in;
mod known;
mod systems;
mod training;

use std::sync::Arc;

pub use systems::{AobprConfig, DnsConfig, MfConfig, PrisConfig, SelfAdversarialConfig, WarpConfig};

use self::{fold_in::FoldIn, known::KnownUsers};
use super::{AnyModel, Batch, Scorer, Scoring, record_products};
use crate::{
    Result,
    data::Csr,
    engine::{Buffer, Engine, Recording},
    kernels::{GatherRows, Points},
    proposal::Catalogue,
    state::State,
};

/// What the models of this module have in common.
#[derive(Clone, Copy)]
struct Shape {
    /// d.
    factors: usize,
    item_bias: bool,
    wrap: fn(Mf) -> AnyModel,
}

/// A score is the inner product of a vector of the user and one of the item, plus the item's bias.
///
/// A history that is exactly the one of a training user has that user's vector. The vector of any other history is
/// computed from it by steps of Adam on the full softmax, with the items fixed.
#[derive(Clone)]
pub struct Mf {
    /// User vectors, N x d.
    users: Buffer<f32>,
    known: Arc<KnownUsers>,
    /// The item vectors, M x d, and biases.
    catalogue: Catalogue,
}

impl Mf {
    fn load(shape: Shape, engine: &Engine, items: usize, state: &State) -> Result<Self> {
        let known = KnownUsers::of_state(state)?;
        let values = state.values("users", &[known.len(), shape.factors])?;
        Ok(Self {
            users: engine.upload("user vectors", if values.is_empty() { &[0.0] } else { values })?,
            known: Arc::new(known),
            catalogue: Catalogue {
                table: engine.upload("item vectors", state.values("items", &[items, shape.factors])?)?,
                bias: match shape.item_bias {
                    true => Some(engine.upload("item biases", state.values("item_bias", &[items])?)?),
                    false => None,
                },
                items,
                width: shape.factors,
            },
        })
    }
}

impl Scorer for Mf {
    fn items(&self) -> usize {
        self.catalogue.items
    }

    fn scoring(&self, engine: &Engine, users: usize, _: usize) -> Result<Box<dyn Scoring>> {
        Ok(Box::new(MfScoring { model: self.clone(), fold_in: FoldIn::new(engine, &self.catalogue, users)? }))
    }

    fn item_vectors(&self) -> Option<Catalogue> {
        Some(self.catalogue.clone())
    }

    fn known_users(&self, histories: &Csr) -> Option<Vec<Option<u32>>> {
        Some(histories.iter().map(|history| self.known.row(history)).collect())
    }
}

struct MfScoring {
    model: Mf,
    fold_in: FoldIn,
}

impl Scoring for MfScoring {
    fn record_scores(&self, recording: &mut Recording, batch: &Batch, scores: &Buffer<f32>) {
        self.record_queries(recording, batch);
        record_products(recording, batch.users, &self.fold_in.queries, &self.model.catalogue, scores);
    }

    fn record_queries(&self, recording: &mut Recording, batch: &Batch) -> Option<Buffer<f32>> {
        let Self { model: Mf { users, known, catalogue }, fold_in } = self;
        match &batch.known {
            Some(rows) => recording.push(GatherRows {
                points: points(users, known.len(), catalogue.width),
                rows: rows.clone(),
                len: batch.users,
                output: fold_in.queries.clone(),
            }),
            None => fold_in.record(recording, catalogue, batch),
        }
        Some(fold_in.queries.clone())
    }
}

/// The rows of a table.
fn points(values: &Buffer<f32>, count: usize, width: usize) -> Points {
    Points { values: values.clone(), count, stride: width, column: 0, dimensions: width }
}
