//! What a run drives: a trainer, or the fit of a model by an algorithm of its own.

use super::{RunConfig, fitting::Fitting};
use crate::{
    Result,
    data::Split,
    engine::Engine,
    event::Event,
    state::{Frozen, Progress, State},
    train::Trainer,
};

/// The training of one model; both variants return the same events.
pub(super) enum Training {
    /// Steps of the gradient of an objective.
    Steps(Box<Trainer>),
    /// An algorithm of the model's own.
    Fit(Box<Fitting>),
}

impl Training {
    /// Starts training, or goes on from a state.
    ///
    /// # Errors
    /// As [`Trainer::new`] and [`Trainer::resume`], and as [`Fitting::new`].
    pub async fn new(
        engine: Engine,
        config: &RunConfig,
        split: &Split,
        state: Option<&State>,
    ) -> Result<Self> {
        if let Some(fitting) = Fitting::new(&engine, config, split, state)? {
            return Ok(Self::Fit(Box::new(fitting)));
        }
        let (model, validation) = (config.trainable()?, Some(&split.validation));
        let trainer = Trainer::of(engine, model, config.steps(), &split.train, validation, state)?;
        Ok(Self::Steps(Box::new(trainer)))
    }

    /// As [`Trainer::next`].
    ///
    /// # Errors
    /// As [`Trainer::next`] and [`Fitting::next`].
    pub async fn next(&mut self) -> Result<Option<Event>> {
        match self {
            Self::Steps(trainer) => trainer.next().await,
            Self::Fit(fitting) => fitting.next().await,
        }
    }

    /// As [`Trainer::freeze`].
    ///
    /// # Errors
    /// As [`Trainer::freeze`].
    pub async fn freeze(&mut self) -> Result<Frozen<'_>> {
        match self {
            Self::Steps(trainer) => trainer.freeze().await,
            Self::Fit(fitting) => Ok(fitting.freeze()),
        }
    }

    /// As [`Trainer::retire`].
    ///
    /// # Errors
    /// If the device is lost.
    pub fn retire(&mut self) -> Result<()> {
        match self {
            Self::Steps(trainer) => trainer.retire(),
            Self::Fit(fitting) => {
                fitting.retire();
                Ok(())
            }
        }
    }

    /// Whether it goes by steps, so that it can be stopped between two of them and resumed. A closed form cannot.
    pub fn has_steps(&self) -> bool {
        match self {
            Self::Steps(_) => true,
            Self::Fit(fitting) => fitting.has_steps(),
        }
    }

    /// As [`Trainer::has_events`].
    pub fn has_events(&self) -> bool {
        match self {
            Self::Steps(trainer) => trainer.has_events(),
            Self::Fit(fitting) => fitting.has_events(),
        }
    }

    /// The progress of the run.
    pub fn progress(&self) -> &Progress {
        match self {
            Self::Steps(trainer) => trainer.progress(),
            Self::Fit(fitting) => fitting.progress(),
        }
    }

    /// The engine that the run uses.
    pub fn engine(&self) -> &Engine {
        match self {
            Self::Steps(trainer) => trainer.engine(),
            Self::Fit(fitting) => fitting.engine(),
        }
    }
}
