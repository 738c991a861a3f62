//! The training loop: batches in, events out.

#[cfg(feature = "baselines")]
mod average;
mod early_stopping;
mod exchange;
mod full_softmax;
#[cfg(feature = "baselines")]
mod implicit_slim;
mod inputs;
mod limits;
mod replay;
mod sampled_softmax;
mod start;
mod state;
mod step;
mod sweeps;
#[cfg(feature = "baselines")]
mod tied;
mod validation;

use std::collections::{BTreeMap, VecDeque};

use web_time::Instant;

pub use self::exchange::Exchange;
#[cfg(feature = "baselines")]
pub(crate) use self::sweeps::{Sweep, Sweeps};
use self::{exchange::Exchanged, inputs::StepInputs, replay::flush_rows, step::StepPlan};
use crate::{
    Error, Result,
    config::Steps,
    data::{Csr, EvaluationSet},
    engine::{Buffer, Engine},
    event::Event,
    model::{AnyModel, TrainStep, Trainable},
    optimizer::{Optimizer, Update},
    proposal::{self, Proposal},
    rng::{Rng, Stream, below},
    state::Progress,
    watch,
};
#[cfg(feature = "baselines")]
use crate::{config::Objective, engine::Recording};

/// Steps between reads of the losses from the device; they are also read at the end of an epoch.
const LOSSES_EVERY: u32 = 50;

/// Trains one model. Each call of [`Trainer::next`] does a piece of work and returns an event that describes
/// it. The caller owns the loop, so it can draw, save or stop between any two steps.
///
/// ```
/// use fastvae::{config::Config, data, engine::Engine, event::Event, train::Trainer};
/// # fn main() -> fastvae::Result<()> {
/// let set = data::synthetic(&Default::default())?;
/// let split = data::split(&set, &Default::default())?;
/// let mut config = Config::default();
/// (config.model.hidden, config.model.latent, config.training.epochs) = (16, 8, 1);
/// config.proposal.negatives = 20;
/// pollster::block_on(async {
///     let mut trainer = Trainer::new(Engine::cpu(), &config, &split.train, Some(&split.validation)).await?;
///     while let Some(event) = trainer.next().await? {
///         if let Event::Epoch { epoch, loss, .. } = event {
///             println!("epoch {epoch}: loss {loss:.2}");
///         }
///     }
///     Ok(())
/// })
/// # }
/// ```
pub struct Trainer {
    engine: Engine,
    config: Steps,
    train: Csr,
    /// Non-empty rows of `train`, in the order of this epoch.
    order: Vec<u32>,
    validation: Option<EvaluationSet>,
    rng: Rng,
    optimizer: Optimizer,
    schedule: Buffer<f32>,
    model: Box<dyn Trainable>,
    /// If a mean over epochs is evaluated and saved.
    #[cfg(feature = "baselines")]
    average: Option<average::Average>,
    proposal: Option<Box<dyn Proposal>>,
    plan: StepPlan,
    /// If other processes train the same model.
    exchanged: Option<Exchanged>,
    progress: Progress,
    /// Steps of this epoch whose losses have been read.
    losses_read: u32,
    events: VecDeque<Event>,
}

impl Trainer {
    /// Frees what only further steps would need: Adam's moments and the proposal. Has no effect on a run that
    /// is not finished.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn retire(&mut self) -> Result<()> {
        if self.progress.finished {
            self.proposal = None;
            self.model.forget_moments(&self.engine)?;
        }
        Ok(())
    }

    /// The progress of the run.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The engine that the run uses.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Steps per epoch.
    pub fn steps_per_epoch(&self) -> u32 {
        self.plan.steps_per_epoch()
    }

    /// Whether events are pending that [`Trainer::next`] returns before it does more work. A state saved now
    /// already includes the work that they report, so a run resumed from it does not report it again.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Does the next piece of work, about one step, and returns the event that describes it; `None` when the
    /// run is over.
    ///
    /// # Errors
    /// [`Error::Diverged`] when a loss is no longer finite; [`Error::Device`] if the device is lost.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if self.progress.finished {
                return Ok(None);
            }
            // An epoch ends in a separate call, so that no event is lost if the caller stops between two
            // calls.
            if self.progress.step_in_epoch == self.steps_per_epoch() {
                self.finish_epoch().await?;
                continue;
            }
            let start = Instant::now();
            if !self.progress.index_ready {
                #[cfg(feature = "baselines")]
                self.move_items().await?;
                self.refresh_index().await?;
            } else {
                self.step().await?;
            }
            self.progress.epoch_seconds += start.elapsed().as_secs_f64();
        }
    }

    /// The current model, or the mean over epochs. It shares its buffers with the run, so it changes with later steps.
    ///
    /// All rows are up to date after an epoch. Within an epoch, rows that recent batches did not touch may
    /// lag behind.
    pub fn model(&self) -> AnyModel {
        #[cfg(feature = "baselines")]
        if let Some(average) = &self.average {
            return average.model(self.model.as_ref());
        }
        self.model.model()
    }

    /// The part of the current model that steps change, as the proposals see it: without a mean over epochs or a linear
    /// path. Shared with the run like [`Trainer::model`].
    pub fn trained_part(&self) -> AnyModel {
        self.model.model().trained_part()
    }

    /// The current item vectors, shared with the run like [`Trainer::model`].
    pub fn catalogue(&self) -> proposal::Catalogue {
        self.model.catalogue()
    }

    fn shuffle(&mut self) {
        self.order.sort_unstable();
        let epoch = self.progress.epoch;
        for i in (1..self.order.len()).rev() {
            let word = self.rng.block(Stream::Shuffle, epoch, 0, i as u32)[0];
            self.order.swap(i, below(word, i as u32 + 1) as usize);
        }
    }

    async fn refresh_index(&mut self) -> Result<()> {
        let Some(proposal) = &mut self.proposal else {
            self.progress.index_ready = true;
            return Ok(());
        };
        let due = match self.config.proposal.refresh_steps {
            0 => {
                self.progress.step_in_epoch == 0
                    && self.progress.epoch.is_multiple_of(self.config.proposal.refresh_every)
            }
            steps => self.progress.step.is_multiple_of(u64::from(steps)),
        };
        if !due && proposal.is_ready() {
            self.progress.index_ready = true;
            return Ok(());
        }
        let start = Instant::now();
        if self.progress.step_in_epoch > 0 {
            flush_rows(&self.engine, &self.config, self.model.as_ref(), &self.schedule, self.progress.step)?;
        }
        let catalogue = self.model.catalogue();
        let step = self.progress.step as u32;
        // If interrupted here, the index stays marked as not built, and the next call builds it again.
        let report = proposal.refresh(&self.engine, &catalogue, self.rng, step).await?;
        self.progress.index_ready = true;
        if let Some(report) = report {
            self.events.push_back(Event::Indexed {
                epoch: self.progress.epoch + 1,
                seconds: start.elapsed().as_secs_f64(),
                occupied_cells: report.occupied_cells,
                largest_cell: report.largest_cell,
                distortion: report.distortion,
                largest_residual: report.largest_residual,
                logit_error: report.logit_error,
            });
        }
        Ok(())
    }

    async fn step(&mut self) -> Result<()> {
        let batch = self.config.training.batch.min(self.order.len());
        let first = self.progress.step_in_epoch as usize * batch;
        let users = &self.order[first..self.order.len().min(first + batch)];
        let number = self.progress.step + 1;
        let annealed = if self.config.training.anneal_steps == 0 {
            1.0
        } else {
            (self.progress.step as f32 / self.config.training.anneal_steps as f32).min(1.0)
        };
        let part = self
            .exchanged
            .as_ref()
            .map_or(0..users.len(), |exchanged| exchanged.part(users.len(), self.config.proposal.group_size));
        let inputs = StepInputs {
            config: &self.config,
            model: self.model.as_ref(),
            proposal: self.proposal.as_deref(),
            slot: self.progress.step_in_epoch as usize,
            step: TrainStep {
                step: number as u32,
                rng: self.rng.for_part(part.clone(), users.len()),
                users: users.len(),
                beta: self.config.training.beta * annealed,
                #[cfg(feature = "baselines")]
                items_lag: self.config.objective.kind != Objective::FullSoftmax,
                update: Update {
                    optimizer: &self.config.optimizer,
                    schedule: &self.schedule,
                    adam: self.optimizer.step(number),
                    step: number as u32,
                },
            },
        };
        let batch = self.plan.upload_batch(&self.engine, &self.train, &users[part])?;
        self.engine.run(&self.plan.record(&batch, &inputs, self.exchanged.as_ref()))?;
        if let Some(exchanged) = &mut self.exchanged {
            let gradients = self.plan.gradients(&self.config, inputs.model, &batch);
            exchanged.apply(&batch, &inputs, gradients).await?;
        }
        self.progress.step = number;
        self.progress.step_in_epoch += 1;
        let refresh = u64::from(self.config.proposal.refresh_steps);
        if refresh > 0 && number.is_multiple_of(refresh) {
            self.progress.index_ready = false;
        }
        let done = (first + users.len()) as u64;
        watch::at("training", "users of the epoch", done, self.order.len() as u64);
        self.events.push_back(Event::Step {
            epoch: self.progress.epoch + 1,
            step: self.progress.step_in_epoch,
            users: first + users.len(),
        });
        if self.progress.step_in_epoch.is_multiple_of(LOSSES_EVERY) {
            self.read_losses().await?;
        }
        Ok(())
    }

    /// Reads the losses of the steps since the last call from the device.
    async fn read_losses(&mut self) -> Result<()> {
        let (from, to) = (self.losses_read, self.progress.step_in_epoch);
        if from == to {
            return Ok(());
        }
        let range = 2 * from as usize..2 * to as usize;
        let mut pairs = self.engine.read_range(self.plan.losses(), range).await?;
        if let Some(exchanged) = &self.exchanged {
            exchanged.sum(&mut pairs)?;
        }
        let first_step = self.progress.step - u64::from(to - from) + 1;
        let (mut nll, mut kl) = (Vec::new(), Vec::new());
        for (i, pair) in pairs.chunks_exact(2).enumerate() {
            let step = first_step + i as u64;
            let anneal = self.config.training.anneal_steps;
            let annealed = if anneal == 0 { 1.0 } else { ((step - 1) as f32 / anneal as f32).min(1.0) };
            let loss = pair[0] + self.config.training.beta * annealed * pair[1];
            if !loss.is_finite() {
                let learning_rate = self.optimizer.rate(step) as f32;
                return Err(Error::Diverged { epoch: self.progress.epoch + 1, step, loss, learning_rate });
            }
            self.progress.loss_sum += f64::from(loss);
            self.progress.kl_sum += f64::from(pair[1]);
            nll.push(pair[0]);
            kl.push(pair[1]);
        }
        self.losses_read = to;
        let parts = BTreeMap::from([("nll".to_owned(), nll), ("kl".to_owned(), kl)]);
        self.events.push_back(Event::Losses { first_step, parts });
        Ok(())
    }

    async fn finish_epoch(&mut self) -> Result<()> {
        let start = Instant::now();
        self.read_losses().await?;
        flush_rows(&self.engine, &self.config, self.model.as_ref(), &self.schedule, self.progress.step)?;
        let seconds = start.elapsed().as_secs_f64();
        let epoch = self.progress.epoch + 1;
        let last = epoch == self.config.training.epochs;
        #[cfg(feature = "baselines")]
        {
            let mut recording = Recording::new();
            self.model.record_epoch_end(&mut recording);
            self.engine.run(&recording)?;
        }
        #[cfg(feature = "baselines")]
        if let Some(average) = &mut self.average {
            average.include(&self.engine, self.model.as_ref(), epoch)?;
        }
        // The validation metrics are computed before any state changes, so that after an interruption the
        // epoch can be ended again.
        let due = epoch.is_multiple_of(self.config.training.evaluate_every) || last;
        let measured = if due { self.measure(epoch).await? } else { None };
        let steps = f64::from(self.steps_per_epoch());
        let progress = &mut self.progress;
        progress.epoch = epoch;
        self.events.push_back(Event::Epoch {
            epoch,
            seconds: progress.epoch_seconds + seconds,
            loss: progress.loss_sum / steps,
            parts: BTreeMap::from([("kl".to_owned(), progress.kl_sum / steps)]),
        });
        (progress.step_in_epoch, progress.epoch_seconds, progress.loss_sum, progress.kl_sum) =
            (0, 0.0, 0.0, 0.0);
        (self.losses_read, self.progress.index_ready) = (0, false);
        if let Some(measured) = measured {
            self.note(epoch, measured);
        }
        let patience = self.config.training.patience;
        let stopped_early = !last && self.progress.out_of_patience(patience);
        if last || stopped_early {
            self.progress.finished = true;
            let best_epoch = self.progress.best.map(|(epoch, _)| epoch);
            self.events.push_back(Event::Done { epochs: epoch, best_epoch, stopped_early });
        } else {
            self.shuffle();
        }
        Ok(())
    }
}
