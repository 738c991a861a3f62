//! The saved state of a run: what a checkpoint holds.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    engine::{Buffer, Element, Engine},
};

/// An array of numbers with a shape, on the host.
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

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The tensors of one part of a run; values lie on the host or on the engine.
#[derive(Default)]
pub struct StatePart {
    pub(crate) tensors: BTreeMap<String, FrozenTensor<'static>>,
}

impl StatePart {
    /// Adds a vector that lies on the host.
    pub fn insert(&mut self, name: impl Into<String>, data: TensorData) {
        let shape = vec![data.len()];
        let values = match data {
            TensorData::F32(values) => Values::Floats(values.into()),
            TensorData::U32(values) => Values::Integers(values.into()),
        };
        self.tensors.insert(name.into(), FrozenTensor { shape, values });
    }

    /// A state of the tensors on the host, without any from the engine.
    pub(crate) fn on_host(self) -> State {
        let tensors = self.tensors.into_iter().filter_map(|(name, FrozenTensor { shape, values })| {
            let data = match values {
                Values::Floats(values) => TensorData::F32(values.into_owned()),
                Values::Integers(values) => TensorData::U32(values.into_owned()),
                Values::FloatsOnEngine(_) | Values::IntegersOnEngine(_) => return None,
            };
            Some((name, Tensor { shape, data }))
        });
        State { tensors: tensors.collect(), ..State::default() }
    }

    /// Adds a vector that lies on the engine.
    pub fn insert_buffer<T: Element>(&mut self, name: impl Into<String>, buffer: &Buffer<T>) {
        self.tensors.insert(name.into(), FrozenTensor::on_engine(vec![buffer.len()], buffer));
    }
}

/// The progress of a run. Together with the seed, the configuration and the tensors it determines all later
/// steps, because random numbers are functions of the step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done since the start of the run.
    pub step: u64,
    /// Whole epochs done.
    pub epoch: u32,
    /// Steps done in the current epoch.
    pub step_in_epoch: u32,
    /// Whether the index of the current epoch has been built; that happens once per epoch, before its first
    /// step.
    #[serde(default)]
    pub index_ready: bool,
    /// Seconds spent on the current epoch.
    pub epoch_seconds: f64,
    /// Sum over the epoch's steps of `nll + beta kl`.
    pub loss_sum: f64,
    /// Sum over the epoch's steps of kl.
    pub kl_sum: f64,
    /// The best epoch and its validation metric.
    pub best: Option<(u32, f64)>,
    /// Evaluations since the best epoch.
    pub evaluations_since_best: u32,
    /// The weight of the linear path at the start of the run and now, if it follows the validation users.
    #[cfg(feature = "baselines")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear_weight: Option<[f64; 2]>,
    /// The last epoch, counted from 1, before which a step of ImplicitSLIM was made; 0 for none.
    #[cfg(feature = "baselines")]
    #[serde(default, skip_serializing_if = "crate::config::setting::is_default")]
    pub moved_before: u32,
    /// Whether the run is over.
    pub finished: bool,
}

/// The saved state of a run.
///
/// Tensors of Mult-VAE: `encoder` (unless encoder and decoder share `items`), `encoder_bias`, `to_latent`,
/// `to_latent_bias`, `to_hidden`, `to_hidden_bias` (dense decoder), `items`, `item_bias` (if trained). Each has `.first` and
/// `.second` for Adam's moments and, for the item tables, `.last_step`. The proposal adds its index as `index.*`, or the
/// item rows that it was built from as `proposal.rows`. A mean of a parameter over epochs is `average.` and its name; the
/// encoder of the epoch before, for the composite prior, is `previous.*`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Progress of the run.
    pub progress: Progress,
}

/// A [`State`] whose numbers still lie in the buffers that are in use, so that they can be copied piece by
/// piece.
pub struct Frozen<'a> {
    pub(crate) engine: Option<&'a Engine>,
    pub(crate) tensors: BTreeMap<String, FrozenTensor<'a>>,
    pub(crate) progress: Progress,
}

/// One tensor of [`Frozen`].
pub struct FrozenTensor<'a> {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Values<'a>,
}

/// Where the values of a tensor lie.
pub enum Values<'a> {
    /// Floats on the host.
    Floats(Cow<'a, [f32]>),
    /// Integers on the host.
    Integers(Cow<'a, [u32]>),
    /// Floats on an engine, as a buffer of their bits.
    FloatsOnEngine(Buffer<u32>),
    /// Integers on an engine.
    IntegersOnEngine(Buffer<u32>),
}

impl<'a> FrozenTensor<'a> {
    /// Floats that lie on the host.
    pub fn floats(shape: Vec<usize>, values: &'a [f32]) -> Self {
        Self { shape, values: Values::Floats(values.into()) }
    }

    /// Integers that lie on the host.
    pub fn integers(shape: Vec<usize>, values: &'a [u32]) -> Self {
        Self { shape, values: Values::Integers(values.into()) }
    }

    /// One integer.
    #[cfg(feature = "baselines")]
    pub fn integer(value: u32) -> Self {
        Self { shape: vec![1], values: Values::Integers(vec![value].into()) }
    }

    /// A whole buffer of floats or integers.
    pub fn on_engine<T: Element>(shape: Vec<usize>, buffer: &Buffer<T>) -> Self {
        let floats = std::any::TypeId::of::<T>() == std::any::TypeId::of::<f32>();
        let on_engine = if floats { Values::FloatsOnEngine } else { Values::IntegersOnEngine };
        Self { shape, values: on_engine(buffer.bits()) }
    }
}

impl<'a> Frozen<'a> {
    /// Drops everything but the parameters, or their means over epochs if there are some; a resume needs the rest,
    /// ranking does not.
    #[must_use]
    pub fn into_model(mut self) -> Self {
        #[cfg(feature = "baselines")]
        place_means(&mut self.tensors);
        self.tensors.retain(|name, _| is_parameter(name));
        self
    }

    /// A copy on the host; all values on the engine are read in one transfer.
    ///
    /// # Errors
    /// If the device is lost.
    pub async fn state(&self) -> Result<State> {
        let mut bits = Vec::new();
        for tensor in self.tensors.values() {
            if let Values::FloatsOnEngine(buffer) | Values::IntegersOnEngine(buffer) = &tensor.values {
                bits.push((buffer, 0..buffer.len()));
            }
        }
        let mut read = match self.engine {
            Some(engine) => engine.read_ranges(&bits).await?.into_iter(),
            None => Vec::new().into_iter(),
        };
        let mut next = || read.next().unwrap_or_default();
        let tensors = self.tensors.iter().map(|(name, tensor)| {
            let data = match &tensor.values {
                Values::Floats(values) => TensorData::F32(values.to_vec()),
                Values::Integers(values) => TensorData::U32(values.to_vec()),
                Values::FloatsOnEngine(_) => TensorData::F32(bytemuck::allocation::cast_vec(next())),
                Values::IntegersOnEngine(_) => TensorData::U32(next()),
            };
            (name.clone(), Tensor { shape: tensor.shape.clone(), data })
        });
        Ok(State { tensors: tensors.collect(), progress: self.progress.clone() })
    }
}

/// What precedes the name of a parameter in the name of its mean over epochs.
#[cfg(feature = "baselines")]
pub(crate) const AVERAGE: &str = "average.";

/// Puts the means over epochs in the place of the parameters.
#[cfg(feature = "baselines")]
fn place_means<T>(tensors: &mut BTreeMap<String, T>) {
    let names: Vec<String> = tensors.keys().filter(|name| is_parameter(name)).cloned().collect();
    for name in names {
        if let Some(mean) = tensors.remove(&format!("{AVERAGE}{name}")) {
            tensors.insert(name, mean);
        }
    }
}

/// Moments, step counts and the index have a dot in their names; parameters have none.
fn is_parameter(name: &str) -> bool {
    !name.contains('.')
}

impl State {
    /// Drops everything but the parameters, or their means over epochs if there are some; a resume needs the rest,
    /// ranking does not.
    pub fn into_model(mut self) -> Self {
        #[cfg(feature = "baselines")]
        place_means(&mut self.tensors);
        self.tensors.retain(|name, _| is_parameter(name));
        self
    }

    /// The floats of a tensor; `None` if there is no such tensor.
    ///
    /// # Errors
    /// [`Error::Data`] if it holds integers.
    pub fn floats(&self, name: &str) -> Result<Option<&[f32]>> {
        match self.tensors.get(name).map(|tensor| &tensor.data) {
            None => Ok(None),
            Some(TensorData::F32(values)) => Ok(Some(values)),
            Some(TensorData::U32(_)) => Err(Error::Data(format!("tensor `{name}` holds integers"))),
        }
    }

    /// The integers of a tensor; `None` if there is no such tensor.
    ///
    /// # Errors
    /// [`Error::Data`] if it holds floats.
    pub fn integers(&self, name: &str) -> Result<Option<&[u32]>> {
        match self.tensors.get(name).map(|tensor| &tensor.data) {
            None => Ok(None),
            Some(TensorData::U32(values)) => Ok(Some(values)),
            Some(TensorData::F32(_)) => Err(Error::Data(format!("tensor `{name}` holds floats"))),
        }
    }

    /// The floats of a tensor of this shape.
    ///
    /// # Errors
    /// [`Error::Data`] if it is missing or has another shape or type.
    pub(crate) fn values(&self, name: &str, shape: &[usize]) -> Result<&[f32]> {
        match self.tensors.get(name) {
            Some(Tensor { shape: found, data: TensorData::F32(values) }) if found == shape => Ok(values),
            Some(Tensor { shape: found, .. }) => Err(Error::Data(format!(
                "tensor `{name}` has shape {found:?}, the settings ask for {shape:?}"
            ))),
            None => Err(Error::Data(format!("tensor `{name}` is missing"))),
        }
    }

    /// The same state in the form that is written piece by piece.
    pub fn frozen(&self) -> Frozen<'_> {
        let tensors = self.tensors.iter().map(|(name, tensor)| {
            let values = match &tensor.data {
                TensorData::F32(values) => Values::Floats(values.into()),
                TensorData::U32(values) => Values::Integers(values.into()),
            };
            (name.clone(), FrozenTensor { shape: tensor.shape.clone(), values })
        });
        Frozen { engine: None, tensors: tensors.collect(), progress: self.progress.clone() }
    }
}
