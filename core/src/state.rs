//! A run, frozen: what a checkpoint holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    engine::{Buffer, Element, Engine},
};

/// Numbers with a shape, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub data: TensorData,
}

/// The values of a [`Tensor`].
#[derive(Clone, Debug, PartialEq)]
pub enum TensorData {
    /// Parameters, moments, codewords.
    F32(Vec<f32>),
    /// Codes, step counts.
    U32(Vec<u32>),
}

impl TensorData {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::U32(values) => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A tensor that is still on its engine.
pub(crate) struct OnEngine {
    name: String,
    shape: Vec<usize>,
    floats: bool,
    bits: Buffer<u32>,
}

impl OnEngine {
    /// All of a buffer of floats or integers.
    pub fn new<T: Element>(name: String, shape: Vec<usize>, buffer: &Buffer<T>) -> Self {
        let floats = std::any::TypeId::of::<T>() == std::any::TypeId::of::<f32>();
        Self { name, shape, floats, bits: buffer.bits() }
    }

    /// Whether the tensor is a trained parameter, not what only a resume needs of it.
    pub fn is_parameter(&self) -> bool {
        is_parameter(&self.name)
    }
}

/// The tensors of one part of a run, on the host or still on the engine.
#[derive(Default)]
pub struct StatePart {
    pub(crate) tensors: BTreeMap<String, Tensor>,
    pub(crate) on_engine: Vec<OnEngine>,
}

impl StatePart {
    /// Adds a vector that the host has.
    pub fn insert(&mut self, name: impl Into<String>, data: TensorData) {
        let shape = vec![data.len()];
        self.tensors.insert(name.into(), Tensor { shape, data });
    }

    /// Adds a vector that the engine has.
    pub fn insert_buffer<T: Element>(&mut self, name: impl Into<String>, buffer: &Buffer<T>) {
        self.on_engine.push(OnEngine::new(name.into(), vec![buffer.len()], buffer));
    }
}

/// How far a run has come. With the seed, the configuration and the tensors it fixes everything that
/// follows: random numbers are functions of the step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done in the whole run.
    pub step: u64,
    /// Epochs done.
    pub epoch: u32,
    /// Steps done of the epoch under way.
    pub step_in_epoch: u32,
    /// Whether the epoch under way has its index; it is built once an epoch, before the first step.
    #[serde(default)]
    pub index_ready: bool,
    /// Time spent on the epoch under way, in seconds.
    pub epoch_seconds: f64,
    /// Sum over the epoch's steps of `nll + beta kl`.
    pub loss_sum: f64,
    /// Sum over the epoch's steps of kl.
    pub kl_sum: f64,
    /// The best epoch and its validation metric.
    pub best: Option<(u32, f64)>,
    /// Evaluations since the best one.
    pub evaluations_since_best: u32,
    /// Whether the run is over.
    pub finished: bool,
}

/// A run, frozen.
///
/// Tensors: `encoder`, `encoder_bias`, `to_latent`, `to_latent_bias`, `to_hidden`, `to_hidden_bias` (dense
/// decoder), `items`, `item_bias` (where trained); each with `.first` and `.second` for Adam's moments
/// and, for the item tables, `.last_step`; the index in use as `index.*`, or the item rows that the proposal in use was made from as
/// `proposal.rows`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// By name.
    pub tensors: BTreeMap<String, Tensor>,
    /// How far.
    pub progress: Progress,
}

/// Moments, step counts and the index have a dot in their names; parameters have none.
fn is_parameter(name: &str) -> bool {
    !name.contains('.')
}

impl State {
    /// The parameters alone, without what only a resume needs.
    pub fn into_model(mut self) -> Self {
        self.tensors.retain(|name, _| is_parameter(name));
        self
    }

    /// The floats of a tensor; `None` where there is no such tensor.
    ///
    /// # Errors
    /// [`Error::Data`] where it holds integers.
    pub fn floats(&self, name: &str) -> Result<Option<&[f32]>> {
        match self.tensors.get(name).map(|tensor| &tensor.data) {
            None => Ok(None),
            Some(TensorData::F32(values)) => Ok(Some(values)),
            Some(TensorData::U32(_)) => Err(Error::Data(format!("tensor `{name}` holds integers"))),
        }
    }

    /// The integers of a tensor; `None` where there is no such tensor.
    ///
    /// # Errors
    /// [`Error::Data`] where it holds floats.
    pub fn integers(&self, name: &str) -> Result<Option<&[u32]>> {
        match self.tensors.get(name).map(|tensor| &tensor.data) {
            None => Ok(None),
            Some(TensorData::U32(values)) => Ok(Some(values)),
            Some(TensorData::F32(_)) => Err(Error::Data(format!("tensor `{name}` holds floats"))),
        }
    }

    /// Copies tensors from the engine, in one transfer.
    ///
    /// # Errors
    /// If the device is lost.
    pub(crate) async fn fetch(&mut self, engine: &Engine, tensors: Vec<OnEngine>) -> Result<()> {
        let parts: Vec<_> = tensors.iter().map(|tensor| (&tensor.bits, 0..tensor.bits.len())).collect();
        let read = engine.read_ranges(&parts).await?;
        for (OnEngine { name, shape, floats, .. }, bits) in tensors.into_iter().zip(read) {
            let data = if floats {
                TensorData::F32(bytemuck::allocation::cast_vec(bits))
            } else {
                TensorData::U32(bits)
            };
            self.tensors.insert(name, Tensor { shape, data });
        }
        Ok(())
    }
}
