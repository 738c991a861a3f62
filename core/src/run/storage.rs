//! Where a run is saved.

use std::{borrow::Cow, path::PathBuf};

use crate::{
    Error, Result,
    event::Event,
    run::{
        RunConfig, RunMetrics,
        checkpoint::{Context, Summary},
    },
    state::{Frozen, State},
};

/// Where a run is saved: a [`Folder`](super::Folder), or memory.
#[allow(async_fn_in_trait, reason = "one thread drives a run")]
pub trait Storage {
    /// What messages call the save that a resume starts from.
    fn last_save(&self) -> PathBuf;

    /// What messages call the model.
    fn model_save(&self) -> PathBuf {
        "the model".into()
    }

    /// Makes place for a new run; what was there is gone.
    ///
    /// # Errors
    /// If it cannot be written, as for all that follows.
    fn begin(&mut self, config: &RunConfig) -> Result<()>;

    /// Makes a run that was stopped, or is finished, one that goes on with these settings.
    ///
    /// # Errors
    /// As [`Storage::begin`].
    fn reopen(&mut self, config: &RunConfig) -> Result<()>;

    /// The events that [`Storage::record`] was given, in order. What cannot be understood is left out: a run
    /// that was killed may have written half a line.
    ///
    /// # Errors
    /// If they cannot be read.
    fn events(&self) -> Result<Vec<Event>>;

    /// Writes an event down.
    ///
    /// # Errors
    /// As [`Storage::begin`].
    fn record(&mut self, event: &Event) -> Result<()>;

    /// Replaces the save that a resume starts from.
    ///
    /// # Errors
    /// As [`Storage::begin`]; the save before it stays.
    async fn save_last(&mut self, context: &Context, run: Frozen<'_>) -> Result<()>;

    /// Replaces the model: the best so far, or the last of a run without validation.
    ///
    /// # Errors
    /// As [`Storage::save_last`].
    async fn save_model(&mut self, context: &Context, model: Frozen<'_>) -> Result<()>;

    /// What a resume starts from.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    fn read_last(&self) -> Result<Cow<'_, State>>;

    /// The model as others will read it.
    ///
    /// # Errors
    /// As [`Storage::read_last`].
    fn read_model(&self) -> Result<Cow<'_, State>>;

    /// What the model says of itself; `None` where nobody but this run can have put it there.
    ///
    /// # Errors
    /// As [`Storage::read_last`].
    fn model_summary(&self) -> Result<Option<Summary>> {
        Ok(None)
    }

    /// Writes the metrics of a finished run. Their presence says that the run is finished.
    ///
    /// # Errors
    /// As [`Storage::begin`].
    fn finish(&mut self, metrics: &RunMetrics) -> Result<()>;
}

/// A run in memory.
#[derive(Debug, Default)]
pub struct Memory {
    /// What a resume starts from.
    pub last: Option<State>,
    /// The best model so far, or the last of a run without validation.
    pub model: Option<State>,
    /// What has happened, without single steps.
    pub events: Vec<Event>,
    /// Of a finished run.
    pub metrics: Option<RunMetrics>,
}

impl Storage for Memory {
    fn last_save(&self) -> PathBuf {
        "the save in memory".into()
    }

    fn begin(&mut self, _: &RunConfig) -> Result<()> {
        *self = Self::default();
        Ok(())
    }

    fn reopen(&mut self, _: &RunConfig) -> Result<()> {
        self.metrics = None;
        Ok(())
    }

    fn events(&self) -> Result<Vec<Event>> {
        Ok(self.events.clone())
    }

    fn record(&mut self, event: &Event) -> Result<()> {
        if !matches!(event, Event::Step { .. }) {
            self.events.push(event.clone());
        }
        Ok(())
    }

    async fn save_last(&mut self, _: &Context, run: Frozen<'_>) -> Result<()> {
        self.last = Some(run.state().await?);
        Ok(())
    }

    async fn save_model(&mut self, _: &Context, model: Frozen<'_>) -> Result<()> {
        self.model = Some(model.state().await?);
        Ok(())
    }

    fn read_last(&self) -> Result<Cow<'_, State>> {
        saved(self.last.as_ref())
    }

    fn read_model(&self) -> Result<Cow<'_, State>> {
        saved(self.model.as_ref())
    }

    fn finish(&mut self, metrics: &RunMetrics) -> Result<()> {
        self.metrics = Some(metrics.clone());
        Ok(())
    }
}

fn saved(state: Option<&State>) -> Result<Cow<'_, State>> {
    state.map(Cow::Borrowed).ok_or_else(|| Error::Data("nothing has been saved yet".into()))
}
