//! What the trainer needs of a model.

use std::collections::BTreeMap;

use super::{AnyModel, Batch};
use crate::{
    Result,
    engine::{Buffer, Engine, Recording},
    kernels::Table,
    optimizer::Update,
    proposal::Catalogue,
    rng::Rng,
    state::{FrozenTensor, State},
};

/// A model that is trained by the gradient of its queries: the objective compares queries with item vectors,
/// and hands back the gradient. The objective moves the item vectors and their biases; the model moves its other
/// parameters.
pub trait Trainable: Send + Sync {
    /// Query rows a user, L; a batch of B users has R = L B, row s B + b for sample s of user b.
    fn samples(&self) -> usize;

    /// Item vectors, M x width.
    fn items(&self) -> &Table;

    /// Item biases, M x 1.
    fn item_bias(&self) -> Option<&Table>;

    /// The model's other tables whose rows move when a batch touches them, and may lag behind the run's step.
    fn own_tables(&self) -> Vec<&Table>;

    /// Where [`Trainable::record_forward`] leaves the queries, R x width.
    fn queries(&self) -> &Buffer<f32>;

    /// Where the objective leaves d loss / d query for [`Trainable::record_backward`], R x width.
    fn query_gradients(&self) -> &Buffer<f32>;

    /// The divergence that the loss has beside the objective, one a user: B.
    fn divergence(&self) -> &Buffer<f32>;

    /// Appends the kernels from the histories of a batch to its queries.
    fn record_forward(&self, recording: &mut Recording, batch: &Batch, step: &TrainStep<'_>);

    /// Appends the kernels from the gradient of the queries to all parameters but the item tables, which move.
    fn record_backward(&self, recording: &mut Recording, batch: &Batch, step: &TrainStep<'_>);

    /// Everything that a [`State`] holds of the parameters.
    fn tensors(&self) -> BTreeMap<String, FrozenTensor<'static>>;

    /// Frees Adam's moments; what is left can rank.
    ///
    /// # Errors
    /// If the device is lost.
    fn forget_moments(&mut self, engine: &Engine) -> Result<()>;

    /// The model as it stands; it shares its buffers, so later steps show.
    fn model(&self) -> AnyModel;

    /// The item vectors as proposals see them; shared like [`Trainable::model`].
    fn catalogue(&self) -> Catalogue {
        let items = self.items();
        Catalogue {
            table: items.parameter.value.clone(),
            bias: self.item_bias().map(|bias| bias.parameter.value.clone()),
            items: items.rows,
            width: items.width,
        }
    }
}

/// What a trained model must hold.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Items of the catalogue, M.
    pub items: usize,
    /// Users of the largest batch, B.
    pub users: usize,
    /// Entries of the largest batch, E.
    pub entries: usize,
}

/// Where training starts from.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// Random parameters.
    Random(Rng),
    /// A run that was saved.
    State(&'a State),
}

/// A step as a model sees it.
#[derive(Clone, Copy)]
pub struct TrainStep<'a> {
    /// Step of the run, counted from 1.
    pub step: u32,
    /// The run's random numbers.
    pub rng: Rng,
    /// Weight of the divergence.
    pub beta: f32,
    /// How parameters move.
    pub update: Update<'a>,
}
