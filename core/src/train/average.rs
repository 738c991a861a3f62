//! A mean of the parameters over epochs, which is evaluated and saved in their place.

use std::collections::BTreeMap;

use crate::{
    Error, Result,
    engine::{Buffer, Engine, Recording},
    kernels::RunningMean,
    model::{AnyModel, Trainable},
    state::{AVERAGE, FrozenTensor, State},
};

/// The tensor with the number of epochs in the mean.
const EPOCHS: &str = "average.epochs";

/// The mean of the parameters at the ends of all epochs, in which each epoch has `decay` times the weight of the next.
pub(super) struct Average {
    decay: f32,
    epochs: u32,
    values: BTreeMap<String, Buffer<f32>>,
}

impl Average {
    /// The mean over no epochs; `None` for a decay of 0.
    ///
    /// # Errors
    /// If the engine cannot hold a second copy of the parameters.
    pub fn new(engine: &Engine, decay: f32, model: &dyn Trainable) -> Result<Option<Self>> {
        if decay == 0.0 {
            return Ok(None);
        }
        let zeros = |(name, value): (String, Buffer<f32>)| Ok((name, engine.zeros("mean", value.len())?));
        let values = model.values().into_iter().map(zeros).collect::<Result<_>>()?;
        Ok(Some(Self { decay, epochs: 0, values }))
    }

    /// Continues with the mean of a state, if it has one.
    ///
    /// # Errors
    /// [`Error::Data`] if a tensor is missing or has the wrong size.
    pub fn restore(&mut self, engine: &Engine, state: &State) -> Result<()> {
        let Some(&[epochs]) = state.integers(EPOCHS)? else { return Ok(()) };
        for (name, buffer) in &self.values {
            let name = format!("{AVERAGE}{name}");
            match state.floats(&name)? {
                Some(values) if values.len() == buffer.len() => engine.write(buffer, 0, values)?,
                _ => return Err(Error::Data(format!("tensor `{name}` is missing or of another size"))),
            }
        }
        self.epochs = epochs;
        Ok(())
    }

    /// Includes the parameters at the end of an epoch, counted from 1. It has no effect on an epoch that is included
    /// already: one whose end was interrupted, and which is ended again.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn include(&mut self, engine: &Engine, model: &dyn Trainable, epoch: u32) -> Result<()> {
        if self.epochs >= epoch {
            return Ok(());
        }
        let decay = f64::from(self.decay);
        let weight = (1.0 - decay) / (1.0 - decay.powf(f64::from(self.epochs) + 1.0));
        let mut recording = Recording::new();
        for (mean, value) in self.values.values().zip(model.values().into_values()) {
            let len = value.len();
            recording.push(RunningMean { mean: mean.clone(), value, len, weight: weight as f32 });
        }
        engine.run(&recording)?;
        self.epochs += 1;
        Ok(())
    }

    /// The model with the mean as its parameters; its own before the end of the first epoch.
    pub fn model(&self, model: &dyn Trainable) -> AnyModel {
        if self.epochs == 0 { model.model() } else { model.model_with(&self.values) }
    }

    /// Adds the mean to the tensors of a state, if there is one yet.
    pub fn add_to(&self, tensors: &mut BTreeMap<String, FrozenTensor<'static>>) {
        if self.epochs == 0 {
            return;
        }
        for (name, buffer) in &self.values {
            let shape = tensors.get(name).map_or_else(|| vec![buffer.len()], |tensor| tensor.shape.clone());
            tensors.insert(format!("{AVERAGE}{name}"), FrozenTensor::on_engine(shape, buffer));
        }
        tensors.insert(EPOCHS.into(), FrozenTensor::integer(self.epochs));
    }
}
