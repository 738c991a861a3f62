//! Models that are fitted by an algorithm of their own: computed in closed form, or by steps.

use std::collections::{BTreeMap, VecDeque};

use web_time::Instant;

use super::RunConfig;
use crate::{
    Error, Result,
    config::TrainingConfig,
    data::{EvaluationSet, Split},
    engine::Engine,
    evaluate::{evaluate, fits},
    event::Event,
    metrics,
    model::{Fit, FitInputs},
    state::{Frozen, Progress, State},
    watch,
};

/// Fits one model; its events are those of a [`Trainer`](crate::train::Trainer), except that a closed form has no
/// steps and epochs.
pub(super) struct Fitting {
    engine: Engine,
    config: TrainingConfig,
    /// Training users, N.
    users: usize,
    validation: Option<EvaluationSet>,
    fit: Box<dyn Fit>,
    progress: Progress,
    events: VecDeque<Event>,
}

impl Fitting {
    /// Begins to fit the model of `config`, or goes on from a state; `None` if a trainer trains it.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings that do not suit the data or this machine; [`Error::Data`] for a state or a
    /// validation set that does not fit.
    pub fn new(
        engine: &Engine,
        config: &RunConfig,
        split: &Split,
        state: Option<&State>,
    ) -> Result<Option<Self>> {
        let Split { train, validation, .. } = split;
        let RunConfig { model, training, optimizer, .. } = config;
        let kind = model.kind();
        if kind.needs_cpu() && !engine.is_cpu() {
            let problem = format!("{} is fitted on the CPU; take `engine = cpu`", kind.name());
            return Err(Error::setting("engine", problem));
        }
        config.validate(train.columns())?;
        let Some(fit) = model.fit(&FitInputs { engine, train, training, optimizer, state })? else {
            return Ok(None);
        };
        let validation = Some(validation).filter(|set| !set.users.is_empty());
        if let Some(set) = validation {
            fits(set, train.columns())?;
        }
        let progress = state.map(|state| state.progress.clone()).unwrap_or_default();
        let steps_per_epoch = fit.steps_per_epoch().unwrap_or(0);
        let done = u64::from(progress.epoch) * u64::from(steps_per_epoch) + u64::from(progress.step_in_epoch);
        if progress.step_in_epoch > steps_per_epoch || progress.step != done {
            return Err(Error::Data(format!(
                "{} steps done cannot be {} epochs of {steps_per_epoch} and {} more; the file is damaged",
                progress.step, progress.epoch, progress.step_in_epoch
            )));
        }
        let started = Event::Started {
            engine: engine.describe(),
            users: train.rows(),
            items: train.columns(),
            interactions: train.nnz(),
            parameters: fit.parameters(),
            steps_per_epoch,
            steps_done: progress.step,
            #[cfg(feature = "baselines")]
            linear: BTreeMap::new(),
        };
        Ok(Some(Self {
            engine: engine.clone(),
            config: training.clone(),
            users: train.rows(),
            validation: validation.cloned(),
            fit,
            progress,
            events: VecDeque::from([started]),
        }))
    }

    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Whether the fit goes by steps, after each of which it can be stopped and resumed.
    pub fn has_steps(&self) -> bool {
        self.fit.steps_per_epoch().is_some()
    }

    /// Does one step or the whole closed form, and returns an event; `None` when the fit is over.
    ///
    /// # Errors
    /// As [`Fit::step`] and [`evaluate`]; the progress is then that before the call.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if self.progress.finished {
                return Ok(None);
            }
            match self.fit.steps_per_epoch() {
                None => self.compute().await?,
                Some(steps) if self.progress.step_in_epoch == steps => self.finish_epoch().await?,
                Some(steps) => self.step(steps)?,
            }
        }
    }

    /// Frees what only further steps would need, if the fit is over.
    pub fn retire(&mut self) {
        if self.progress.finished {
            self.fit.retire();
        }
    }

    /// The state of the run, without a copy.
    pub fn freeze(&self) -> Frozen<'_> {
        Frozen { engine: Some(&self.engine), tensors: self.fit.tensors(), progress: self.progress.clone() }
    }

    async fn compute(&mut self) -> Result<()> {
        let start = Instant::now();
        self.fit.step(0)?;
        // Not part of the progress, as after an epoch: two runs with the same settings write the same file.
        let seconds = start.elapsed().as_secs_f64();
        let measured = self.measure().await?;
        self.events.push_back(Event::Fitted { seconds });
        self.note(0, measured);
        self.progress.finished = true;
        self.events.push_back(Event::Done { epochs: 0, best_epoch: None, stopped_early: false });
        Ok(())
    }

    fn step(&mut self, steps: u32) -> Result<()> {
        let start = Instant::now();
        let progress = &mut self.progress;
        progress.loss_sum += self.fit.step(progress.step)?;
        progress.step += 1;
        progress.step_in_epoch += 1;
        progress.epoch_seconds += start.elapsed().as_secs_f64();
        let users = (self.users as u64 * u64::from(progress.step_in_epoch) / u64::from(steps)) as usize;
        watch::at("training", "users of the epoch", users as u64, self.users as u64);
        let (epoch, step) = (progress.epoch + 1, progress.step_in_epoch);
        self.events.push_back(Event::Step { epoch, step, users });
        Ok(())
    }

    async fn finish_epoch(&mut self) -> Result<()> {
        let epoch = self.progress.epoch + 1;
        let last = epoch == self.config.epochs;
        // Measured before any state changes, so that after an interruption the epoch can be ended again.
        let due = last || epoch.is_multiple_of(self.config.evaluate_every);
        let measured = if due { self.measure().await? } else { None };
        let progress = &mut self.progress;
        let (seconds, loss) = (progress.epoch_seconds, progress.loss_sum);
        self.events.push_back(Event::Epoch { epoch, seconds, loss, parts: BTreeMap::new() });
        (progress.epoch, progress.step_in_epoch) = (epoch, 0);
        (progress.epoch_seconds, progress.loss_sum) = (0.0, 0.0);
        self.note(epoch, measured);
        let stopped_early = !last && self.progress.out_of_patience(self.config.patience);
        if last || stopped_early {
            self.progress.finished = true;
            let best_epoch = self.progress.best.map(|(epoch, _)| epoch);
            self.events.push_back(Event::Done { epochs: epoch, best_epoch, stopped_early });
        }
        Ok(())
    }

    /// Ranks the validation users, if there are any; returns their metrics and the seconds spent.
    async fn measure(&self) -> Result<Option<(BTreeMap<String, f64>, f64)>> {
        let Some(validation) = &self.validation else { return Ok(None) };
        let start = Instant::now();
        let at = metrics::cutoff(&self.config.metric)?;
        let means = evaluate(&self.engine, &self.fit.model()?, validation, &[at]).await?.means()?;
        Ok(Some((means, start.elapsed().as_secs_f64())))
    }

    /// Records the validation metrics of an epoch.
    fn note(&mut self, epoch: u32, measured: Option<(BTreeMap<String, f64>, f64)>) {
        let Some((metrics, seconds)) = measured else { return };
        let value = metrics.get(&self.config.metric).copied().unwrap_or(f64::NAN);
        let best = self.progress.evaluated(epoch, value);
        self.events.push_back(Event::Evaluated { epoch, metrics, best, seconds });
    }
}
