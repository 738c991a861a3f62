//! The interface of models that are fitted by an algorithm of their own, and not by steps of the gradient of an
//! objective: closed forms, alternating least squares.

use std::collections::BTreeMap;

use super::{AnyModel, TrainableSettings};
use crate::{
    Result,
    config::{OptimizerConfig, ProposalConfig, Section, TrainingConfig},
    data::Csr,
    engine::Engine,
    state::{FrozenTensor, State},
};

/// The settings of one kind of model, and what the union of models needs to know of the kind.
pub(crate) trait ModelSettings: Section + Default {
    /// The model that they describe.
    type Model;

    /// Whether the model is fitted and ranks on the CPU engine only.
    const NEEDS_CPU: bool = true;

    /// Whether a setting of the sections `objective`, `proposal`, `optimizer` or `training` has an effect.
    fn uses(section: &str, key: &str) -> bool;

    /// Sets the defaults that suit this kind.
    fn set_defaults(defaults: Defaults<'_>) {
        let _ = defaults;
    }

    /// Itself, if a [`Trainer`](crate::train::Trainer) trains the model.
    fn trainable(&self) -> Option<&dyn TrainableSettings> {
        None
    }

    /// Uploads the parameters of a state.
    ///
    /// # Errors
    /// [`crate::Error::Data`] if a tensor is missing or has the wrong shape; [`crate::Error::Device`] if the engine
    /// cannot hold them.
    fn load(&self, engine: &Engine, items: usize, state: &State) -> Result<Self::Model>;

    /// The operators that compute scores from histories; `None` where ONNX has none for a part of it.
    ///
    /// # Errors
    /// [`crate::Error::Data`] if a tensor is missing or has the wrong shape.
    #[cfg(feature = "onnx")]
    fn graph<'a>(&self, items: usize, state: &'a State) -> Result<Option<crate::onnx::Builder<'a>>> {
        let _ = (items, state);
        Ok(None)
    }

    /// Begins to fit the model; `None` if a [`Trainer`](crate::train::Trainer) trains it.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for settings that do not suit the data or this machine; [`crate::Error::Data`] for
    /// a state that does not fit.
    fn fit(&self, inputs: &FitInputs<'_>) -> Result<Option<Box<dyn Fit>>> {
        let _ = inputs;
        Ok(None)
    }
}

/// The sections whose defaults differ from kind to kind.
pub(crate) struct Defaults<'a> {
    /// The source of negatives.
    pub proposal: &'a mut ProposalConfig,
    /// How parameters are updated.
    pub optimizer: &'a mut OptimizerConfig,
    /// The training loop.
    pub training: &'a mut TrainingConfig,
}

/// The inputs of a fit.
pub(crate) struct FitInputs<'a> {
    /// The engine that holds the model.
    pub engine: &'a Engine,
    /// Training items of each user, none of them empty; N x M.
    pub train: &'a Csr,
    /// Epochs, batch, seed.
    pub training: &'a TrainingConfig,
    /// Learning rate and its schedule.
    pub optimizer: &'a OptimizerConfig,
    /// The state of a saved run to go on from.
    pub state: Option<&'a State>,
}

/// A model that is being fitted.
pub(crate) trait Fit: Send + Sync {
    /// Steps of an epoch; `None` for a closed form, which [`Fit::step`] computes in one call.
    fn steps_per_epoch(&self) -> Option<u32>;

    /// Does one step and returns what it adds to the loss of its epoch; `step` counts from 0 over the run. After an
    /// error the state is that before the step.
    ///
    /// # Errors
    /// [`crate::Error::Data`] if the numbers are no longer finite; [`crate::Error::Interrupted`].
    fn step(&mut self, step: u64) -> Result<f64>;

    /// Number of parameters.
    fn parameters(&self) -> usize;

    /// The current model.
    ///
    /// # Errors
    /// If the engine cannot hold it; [`crate::Error::Data`] before a closed form was computed.
    fn model(&self) -> Result<AnyModel>;

    /// The parameters, and with a dot in their names the other tensors that a resume needs.
    fn tensors(&self) -> BTreeMap<String, FrozenTensor<'_>>;

    /// Frees the model, which has been saved.
    fn retire(&mut self);
}

/// A model whose parameters can be saved.
pub(crate) trait Parameters {
    /// The parameters by name; the names have no dot.
    fn tensors(&self) -> BTreeMap<String, FrozenTensor<'_>>;
}

/// The fit of a model in closed form.
pub(crate) struct ClosedForm<M> {
    compute: Box<dyn Fn() -> Result<M> + Send + Sync>,
    wrap: fn(M) -> AnyModel,
    parameters: usize,
    model: Option<M>,
}

impl<M> ClosedForm<M> {
    /// A model of about `parameters` parameters that `compute` computes.
    pub fn new(
        parameters: usize,
        wrap: fn(M) -> AnyModel,
        compute: impl Fn() -> Result<M> + Send + Sync + 'static,
    ) -> Self {
        Self { compute: Box::new(compute), wrap, parameters, model: None }
    }
}

impl<M: Parameters + Clone + Send + Sync> Fit for ClosedForm<M> {
    fn steps_per_epoch(&self) -> Option<u32> {
        None
    }

    fn step(&mut self, _: u64) -> Result<f64> {
        if self.model.is_none() {
            self.model = Some((self.compute)()?);
        }
        Ok(0.0)
    }

    fn parameters(&self) -> usize {
        self.parameters
    }

    fn model(&self) -> Result<AnyModel> {
        let missing = || crate::Error::Data("the model has not been computed yet".into());
        self.model.clone().map(self.wrap).ok_or_else(missing)
    }

    fn tensors(&self) -> BTreeMap<String, FrozenTensor<'_>> {
        self.model.as_ref().map(Parameters::tensors).unwrap_or_default()
    }

    fn retire(&mut self) {
        self.model = None;
    }
}
