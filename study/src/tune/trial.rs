//! One trial: a run without files, of which only the validation metric counts.

use std::{borrow::Cow, collections::BTreeMap, path::PathBuf};

use fastvae::{
    Error, Result,
    event::Event,
    run::{Run, RunConfig, RunMetrics, Saves, Setup, Storage, checkpoint::Context},
    state::{Frozen, State},
    watch,
};
use serde::{Deserialize, Serialize};
use web_time::Instant;

use super::space::Values;

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// As its settings say.
    Done,
    /// The budget of its system was spent; what it had reached counts.
    OutOfTime,
    /// By this error: it diverged, or its settings do not go together.
    Failed(String),
}

/// A finished trial: a line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The kind of model.
    pub system: String,
    /// Its number among the trials of the system, from 0.
    pub number: u32,
    /// The searched settings.
    pub values: Values,
    /// Epochs done; 0 in closed form.
    pub epochs: u32,
    /// The epoch with the best validation metric.
    pub best_epoch: Option<u32>,
    /// The best validation metric, which the search maximises.
    pub score: Option<f64>,
    /// All validation metrics of that epoch.
    pub metrics: BTreeMap<String, f64>,
    /// How it ended.
    pub ended: Ended,
    /// Seconds of training and validation.
    pub seconds: f64,
}

impl Trial {
    /// The metric; the lowest of all if there is none.
    pub fn score(&self) -> f64 {
        self.score.filter(|score| score.is_finite()).unwrap_or(f64::NEG_INFINITY)
    }
}

/// What bounds a trial.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// It ends with the first evaluation after so many seconds.
    pub seconds: Option<f64>,
}

/// Trains a model on validation users, and reports how it did. `show` gets every event. Only the fields of `trial` that
/// come from training are set; the others are those of the proposal.
///
/// # Errors
/// [`Error::Interrupted`] after Ctrl-C, and errors of devices and files. A trial that diverges, or whose settings do not
/// go together, is a result.
pub async fn trial(
    setup: Setup<'_>,
    limits: Limits,
    mut trial: Trial,
    show: &mut dyn FnMut(&Event),
) -> Result<Trial> {
    let start = Instant::now();
    let metric = setup.context.config.training.metric.clone();
    let result = train(setup, limits, &mut trial, &metric, start, show).await;
    trial.seconds = start.elapsed().as_secs_f64();
    match result {
        Ok(()) if trial.score.is_none_or(|score| !score.is_finite()) => {
            trial.ended = Ended::Failed(format!("{metric} is not a number on the validation users"));
        }
        Ok(()) => {}
        Err(error @ (Error::Diverged { .. } | Error::Setting { .. } | Error::Data(_))) => {
            // The best epoch before it diverged is a result of these settings, but one that a run would not end with.
            (trial.score, trial.best_epoch) = (None, None);
            trial.metrics.clear();
            trial.ended = Ended::Failed(error.to_string());
        }
        Err(error) => return Err(error),
    }
    Ok(trial)
}

async fn train(
    mut setup: Setup<'_>,
    limits: Limits,
    trial: &mut Trial,
    metric: &str,
    start: Instant,
    show: &mut dyn FnMut(&Event),
) -> Result<()> {
    setup.saves = Saves { every: 0, best: false };
    let mut run = Run::start(setup, || Ok(Unsaved)).await?;
    while let Some(event) = run.next().await? {
        show(&event);
        watch::check()?;
        match event {
            Event::Epoch { epoch, .. } => trial.epochs = epoch,
            Event::Evaluated { epoch, metrics, best, .. } => {
                if best {
                    trial.score = metrics.get(metric).copied();
                    trial.best_epoch = (epoch > 0).then_some(epoch);
                    trial.metrics = metrics;
                }
                let over = limits.seconds.is_some_and(|limit| start.elapsed().as_secs_f64() >= limit);
                if over && !run.progress().finished {
                    trial.ended = Ended::OutOfTime;
                    return Ok(());
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A storage that keeps nothing.
struct Unsaved;

impl Storage for Unsaved {
    fn last_save(&self) -> PathBuf {
        "a trial, which is not saved".into()
    }

    fn begin(&mut self, _: &RunConfig) -> Result<()> {
        Ok(())
    }

    fn reopen(&mut self, _: &RunConfig) -> Result<()> {
        Ok(())
    }

    fn events(&self) -> Result<Vec<Event>> {
        Ok(Vec::new())
    }

    fn record(&mut self, _: &Event) -> Result<()> {
        Ok(())
    }

    async fn save_last(&mut self, _: &Context, _: Frozen<'_>) -> Result<()> {
        Ok(())
    }

    async fn save_model(&mut self, _: &Context, _: Frozen<'_>) -> Result<()> {
        Ok(())
    }

    fn read_last(&self) -> Result<Cow<'_, State>> {
        Err(Error::Data("a trial has no save".into()))
    }

    fn read_model(&self) -> Result<Cow<'_, State>> {
        Err(Error::Data("a trial has no save".into()))
    }

    fn finish(&mut self, _: &RunMetrics) -> Result<()> {
        Ok(())
    }
}
