//! The storage of a run.

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

/// The storage of a run: a [`Folder`](super::Folder), or memory.
#[allow(async_fn_in_trait, reason = "one thread drives a run")]
pub trait Storage {
    /// Name, in messages, of the save that a resume needs.
    fn last_save(&self) -> PathBuf;

    /// Name, in messages, of the model.
    fn model_save(&self) -> PathBuf {
        "the model".into()
    }

    /// Starts a new run and removes everything that an earlier one saved.
    ///
    /// # Errors
    /// If the storage cannot be written. The same holds for all methods below that write.
    fn begin(&mut self, config: &RunConfig) -> Result<()>;

    /// Reopens a stopped or finished run, which continues with these settings.
    ///
    /// # Errors
    /// As [`Storage::begin`].
    fn reopen(&mut self, config: &RunConfig) -> Result<()>;

    /// The events passed to [`Storage::record`], in order. Events that cannot be parsed are skipped: a run
    /// that was killed may have written half a line.
    ///
    /// # Errors
    /// If they cannot be read.
    fn events(&self) -> Result<Vec<Event>>;

    /// Records an event.
    ///
    /// # Errors
    /// As [`Storage::begin`].
    fn record(&mut self, event: &Event) -> Result<()>;

    /// Replaces the save that a resume needs.
    ///
    /// # Errors
    /// As [`Storage::begin`]; the previous save stays.
    async fn save_last(&mut self, context: &Context, run: Frozen<'_>) -> Result<()>;

    /// Replaces the model: the best one so far, or the last one of a run without validation.
    ///
    /// # Errors
    /// As [`Storage::save_last`].
    async fn save_model(&mut self, context: &Context, model: Frozen<'_>) -> Result<()>;

    /// Reads the save that a resume needs.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    fn read_last(&self) -> Result<Cow<'_, State>>;

    /// Reads the model.
    ///
    /// # Errors
    /// As [`Storage::read_last`].
    fn read_model(&self) -> Result<Cow<'_, State>>;

    /// The header of the model; `None` if only this run can have written it, so that no check is needed.
    ///
    /// # Errors
    /// As [`Storage::read_last`].
    fn model_summary(&self) -> Result<Option<Summary>> {
        Ok(None)
    }

    /// Writes the metrics, whose presence marks the run as finished.
    ///
    /// # Errors
    /// As [`Storage::begin`].
    fn finish(&mut self, metrics: &RunMetrics) -> Result<()>;
}

/// A run in memory.
#[derive(Debug, Default)]
pub struct Memory {
    /// The save that a resume needs.
    pub last: Option<State>,
    /// The best model so far, or the last of a run without validation.
    pub model: Option<State>,
    /// The events, without single steps.
    pub events: Vec<Event>,
    /// The metrics of a finished run.
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
