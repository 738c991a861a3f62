//! The interface of a model for training.

use std::collections::BTreeMap;

use super::{AnyModel, Batch};
use crate::{
    Result,
    data::Csr,
    engine::{Buffer, Engine, Recording},
    kernels::Table,
    optimizer::{DenseGradient, RowGradient, Update},
    proposal::Catalogue,
    rng::Rng,
    state::{FrozenTensor, State},
};

/// A model that is trained by the gradient with respect to its queries: the objective compares queries with
/// item vectors and returns that gradient. The gradients of the item vectors and biases are the objective's;
/// those of all other parameters are the model's. The trainer applies both.
pub trait Trainable: Send + Sync {
    /// Query rows per user, L; a batch of B users has R = L B rows, and row s B + b is sample s of user b.
    fn samples(&self) -> usize;

    /// Item vectors, M x width.
    fn items(&self) -> &Table;

    /// Item biases, M x 1.
    fn item_bias(&self) -> Option<&Table>;

    /// Other tables of the model whose rows are updated only when a batch touches them, and may lag behind
    /// the run's step.
    fn own_tables(&self) -> Vec<&Table>;

    /// The queries that [`Trainable::record_forward`] writes, R x width.
    fn queries(&self) -> &Buffer<f32>;

    /// d loss / d query, which the objective writes and [`Trainable::record_backward`] reads, R x width.
    fn query_gradients(&self) -> &Buffer<f32>;

    /// The KL divergence of each user, the second part of the loss: B.
    fn divergence(&self) -> &Buffer<f32>;

    /// Appends the kernels that compute the queries from the histories of a batch.
    fn record_forward(&self, recording: &mut Recording, batch: &Batch, step: &TrainStep<'_>);

    /// Appends the kernels that propagate the gradient of the queries back to all parameters except the item
    /// tables.
    fn record_backward(&self, recording: &mut Recording, batch: &Batch, step: &TrainStep<'_>);

    /// The gradients that [`Trainable::record_backward`] writes.
    fn dense_gradients(&self) -> Vec<DenseGradient>;

    /// The gradients of [`Trainable::own_tables`] after [`Trainable::record_backward`]; of a tied model, what it adds to
    /// those of the item vectors of the batch.
    fn row_gradients(&self, batch: &Batch) -> Vec<RowGradient>;

    /// Whether the model reads the item vectors of the histories as well, so that its gradient of these is added to that of
    /// the objective.
    #[cfg(feature = "baselines")]
    fn is_tied(&self) -> bool {
        false
    }

    /// Appends what ends an epoch, when all rows are up to date. To do it again has no effect.
    #[cfg(feature = "baselines")]
    fn record_epoch_end(&self, recording: &mut Recording) {
        let _ = recording;
    }

    /// How the item rows that the trainer moves between epochs are moved, and their tables; `None` for none.
    #[cfg(feature = "baselines")]
    fn implicit_slim(&self) -> Option<(super::ImplicitSlim, Vec<Buffer<f32>>)> {
        None
    }

    /// Number of parameters.
    fn parameters(&self) -> usize;

    /// What the part in closed form was fitted with in this run, by name: the linear path's columns, regularisation and
    /// weight.
    #[cfg(feature = "baselines")]
    fn fitted(&self) -> BTreeMap<String, f64> {
        BTreeMap::new()
    }

    /// The weight that the linear path was fitted with in this run, if the settings leave it open.
    #[cfg(feature = "baselines")]
    fn free_linear_weight(&self) -> Option<f64> {
        None
    }

    /// Multiplies the scores of the linear path, if there is one, by a power of two.
    #[cfg(feature = "baselines")]
    fn multiply_linear(&mut self, power_of_two: f32) {
        let _ = power_of_two;
    }

    /// The parameters and their moments, for a [`State`].
    fn tensors(&self) -> BTreeMap<String, FrozenTensor<'static>>;

    /// Frees Adam's moments; the model can still rank.
    ///
    /// # Errors
    /// If the device is lost.
    fn forget_moments(&mut self, engine: &Engine) -> Result<()>;

    /// The current model. It shares its buffers, so it changes with later steps.
    fn model(&self) -> AnyModel;

    /// The values of the parameters by the names of their tensors, shared, so they change with later steps.
    #[cfg(feature = "baselines")]
    fn values(&self) -> BTreeMap<String, Buffer<f32>>;

    /// The model with these values in place of those of [`Trainable::values`], whose names they have.
    #[cfg(feature = "baselines")]
    fn model_with(&self, values: &BTreeMap<String, Buffer<f32>>) -> AnyModel;

    /// The item vectors for proposals; shared like [`Trainable::model`].
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

/// The settings of a model that a [`Trainer`](crate::train::Trainer) trains.
pub(crate) trait TrainableSettings: Send + Sync {
    /// The width of item vectors and queries, and the setting that it is.
    fn width(&self) -> (&'static str, usize);

    /// Query rows per user, L.
    fn samples(&self) -> usize {
        1
    }

    /// How positives are compared with negatives one by one, for models whose objective that is.
    #[cfg(feature = "baselines")]
    fn pairs(&self) -> Option<crate::kernels::Pairs> {
        None
    }

    /// Checks that options are not combined with others that they leave without an effect.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] with the option.
    fn check_options(&self) -> Result<()> {
        Ok(())
    }

    /// Checks that the size of every table fits the index types, for `items` items, `users` users and `rows` query rows
    /// in a batch.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] with the product that is too large.
    fn check_sizes(&self, items: usize, users: usize, rows: usize) -> Result<()>;

    /// The tables that grow with the data.
    fn tables(&self, items: usize, users: usize) -> Vec<TableSize>;

    /// Creates the model with random parameters, or of a state.
    ///
    /// # Errors
    /// [`crate::Error::Data`] if the state does not fit the settings; [`crate::Error::Device`] if the engine cannot
    /// hold the model.
    fn training(
        &self,
        engine: &Engine,
        sizes: Sizes,
        start: Start<'_>,
        train: &Csr,
    ) -> Result<Box<dyn Trainable>>;
}

/// The size of a table that grows with the data.
pub(crate) struct TableSize {
    /// What its rows are: items, users.
    pub of: &'static str,
    /// Rows.
    pub rows: usize,
    /// What its columns are, in front of the word "width".
    pub what: &'static str,
    /// Columns.
    pub width: usize,
}

/// The sizes that a model needs for training.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Items in the catalogue, M.
    pub items: usize,
    /// Users in the largest batch, B.
    pub users: usize,
    /// Entries in the largest batch, E.
    pub entries: usize,
}

/// The initial parameters of training.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// Random parameters.
    Random(Rng),
    /// The state of a saved run.
    State(&'a State),
}

/// The inputs of a step that a model needs.
#[derive(Clone, Copy)]
pub struct TrainStep<'a> {
    /// Step of the run, counted from 1.
    pub step: u32,
    /// The run's random numbers, for the batch's rows.
    pub rng: Rng,
    /// Users of the whole batch, of which other processes may have some: the loss is the mean over them.
    pub users: usize,
    /// Weight of the KL divergence.
    pub beta: f32,
    /// Whether rows of the item tables may lag behind the step before: not those of the full softmax.
    #[cfg(feature = "baselines")]
    pub items_lag: bool,
    /// How parameters are updated.
    pub update: Update<'a>,
}

impl TrainStep<'_> {
    /// Whether rows of the item tables may lag behind the step before.
    pub(super) fn items_lag(&self) -> bool {
        #[cfg(feature = "baselines")]
        return self.items_lag;
        #[cfg(not(feature = "baselines"))]
        true
    }
}
