//! Starts, resumes and joins runs.

use std::collections::VecDeque;
#[cfg(feature = "ranks")]
use std::sync::Arc;

#[cfg(feature = "ranks")]
use super::{Exchange, exchange::Exchanged};
use super::{
    Trainer,
    limits::{capacity, most_entries},
    step::StepPlan,
};
use crate::{
    Error, Result,
    config::{Config, Objective, RowUpdates, Steps},
    data::{Csr, EvaluationSet},
    engine::Engine,
    evaluate::fits,
    event::Event,
    model::{Sizes, Start, TrainableSettings},
    optimizer::Optimizer,
    proposal,
    rng::Rng,
    state::{Progress, State},
};

/// The replay schedule stores twelve bytes per step.
const MAX_REPLAYED_STEPS: u64 = 1 << 26;

impl Trainer {
    /// Starts a run from its first step. Users without training items are skipped.
    ///
    /// # Errors
    /// [`Error::Setting`] if the settings do not work together or with this catalogue, [`Error::Data`]
    /// without anything to train on or with a validation set over another catalogue, [`Error::Device`] if the engine cannot hold the model.
    pub async fn new(
        engine: Engine,
        config: &Config,
        train: &Csr,
        validation: Option<&EvaluationSet>,
    ) -> Result<Self> {
        Self::of(engine, &config.model, config.steps(), train, validation, None)
    }

    /// Continues a run from `state`: the steps that follow are the same as if it had never stopped.
    ///
    /// # Errors
    /// As [`Trainer::new`], and [`Error::Data`] if the state does not fit the settings or the catalogue.
    pub async fn resume(
        engine: Engine,
        config: &Config,
        train: &Csr,
        validation: Option<&EvaluationSet>,
        state: &State,
    ) -> Result<Self> {
        Self::of(engine, &config.model, config.steps(), train, validation, Some(state))
    }

    /// Starts the run of any model that steps train, or continues it from a state.
    ///
    /// # Errors
    /// As [`Trainer::new`] and [`Trainer::resume`].
    pub(crate) fn of(
        engine: Engine,
        model: &dyn TrainableSettings,
        config: Steps,
        train: &Csr,
        validation: Option<&EvaluationSet>,
        state: Option<&State>,
    ) -> Result<Self> {
        let start = state.map_or_else(|| Start::Random(Rng::new(config.training.seed)), Start::State);
        let mut trainer = Self::assemble(engine, model, config, train, validation, start)?;
        let Some(state) = state else { return Ok(trainer) };
        if let Some(proposal) = &mut trainer.proposal {
            proposal.restore(&trainer.engine, state, &trainer.model.catalogue())?;
        }
        #[cfg(feature = "baselines")]
        if let Some(average) = &mut trainer.average {
            average.restore(&trainer.engine, state)?;
        }
        trainer.losses_read = trainer.progress.step_in_epoch;
        Ok(trainer)
    }

    /// Trains the model together with other processes, which have started or resumed the same run: each
    /// computes a part of every batch.
    ///
    /// # Errors
    /// [`Error::Device`] if the engine cannot hold the exchanged gradients.
    #[cfg(feature = "ranks")]
    pub fn join(mut self, exchange: Arc<dyn Exchange>) -> Result<Self> {
        let model = self.model.as_ref();
        self.plan.store_gradients(&self.engine, model)?;
        let empty = self.plan.upload_batch(&self.engine, &self.train, &[])?;
        let gradients = self.plan.gradients(&self.config, model, &empty);
        self.exchanged = Some(Exchanged::new(&self.engine, exchange, &gradients)?);
        Ok(self)
    }

    fn assemble(
        engine: Engine,
        settings: &dyn TrainableSettings,
        config: Steps,
        train: &Csr,
        validation: Option<&EvaluationSet>,
        start: Start<'_>,
    ) -> Result<Self> {
        let progress = match start {
            Start::Random(_) => Progress::default(),
            Start::State(state) => state.progress.clone(),
        };
        #[cfg(feature = "baselines")]
        settings.check_options()?;
        config.validate(train.columns(), settings.width())?;
        let rows = config.training.batch.min(train.rows().max(1)).checked_mul(settings.samples());
        let rows = rows.ok_or_else(|| {
            Error::setting("latent-samples", "times `batch` they are more than this machine can count")
        })?;
        settings.check_sizes(train.columns(), train.rows(), rows)?;
        capacity(&engine, settings, train)?;
        let users: Vec<u32> =
            (0..train.rows()).filter(|&u| !train.row(u).is_empty()).map(|u| u as u32).collect();
        if users.is_empty() {
            return Err(Error::Data("no user has a training item".into()));
        }
        let validation = validation.filter(|set| !set.users.is_empty());
        if let Some(set) = validation {
            fits(set, train.columns())?;
        }
        let batch = config.training.batch.min(users.len());
        let steps_per_epoch = users.len().div_ceil(batch) as u32;
        let done = u64::from(progress.epoch) * u64::from(steps_per_epoch) + u64::from(progress.step_in_epoch);
        if progress.step_in_epoch > steps_per_epoch || progress.step != done {
            return Err(Error::Data(format!(
                "{} steps done cannot be {} epochs of {steps_per_epoch} and {} more; the file is damaged",
                progress.step, progress.epoch, progress.step_in_epoch
            )));
        }
        let total = u64::from(steps_per_epoch) * u64::from(config.training.epochs);
        if total >= u64::from(u32::MAX) {
            return Err(Error::setting("epochs", format!("{total} steps are more than a run can count")));
        }
        let optimizer = Optimizer::new(&config.optimizer, config.training.epochs, steps_per_epoch);
        if config.optimizer.row_updates == RowUpdates::Replay && total > MAX_REPLAYED_STEPS {
            return Err(Error::setting(
                "epochs",
                format!(
                    "{total} steps; replayed rows have a table of at most {MAX_REPLAYED_STEPS}; take `row-updates = dense`"
                ),
            ));
        }
        let schedule = engine.upload("schedule", &optimizer.schedule())?;
        let sizes =
            Sizes { items: train.columns(), users: batch, entries: most_entries(train, &users, batch) };
        let model = settings.training(&engine, sizes, start, train)?;
        let rows = batch * model.samples();
        let proposal = match config.objective.kind {
            Objective::FullSoftmax => None,
            Objective::SampledSoftmax => {
                let mut proposal = proposal::build(&engine, &config.proposal, &train.column_counts(), rows)?;
                proposal.attach(&model.catalogue());
                Some(proposal)
            }
        };
        let plan = StepPlan::new(&engine, &config, train, model.as_ref(), sizes, steps_per_epoch)?;
        let mut trainer = Self {
            rng: Rng::new(config.training.seed),
            #[cfg(feature = "baselines")]
            average: super::average::Average::new(&engine, config.training.average, model.as_ref())?,
            config,
            train: train.clone(),
            order: users,
            validation: validation.cloned(),
            optimizer,
            schedule,
            model,
            proposal,
            plan,
            exchanged: None,
            progress,
            losses_read: 0,
            events: VecDeque::new(),
            engine,
        };
        #[cfg(feature = "baselines")]
        if trainer.validation.is_some()
            && let Some(first) = trainer.model.free_linear_weight()
        {
            trainer.progress.linear_weight = Some([first; 2]);
        }
        trainer.shuffle();
        trainer.events.push_back(Event::Started {
            engine: trainer.engine.describe(),
            users: trainer.order.len(),
            items: train.columns(),
            interactions: train.nnz(),
            parameters: trainer.model.parameters(),
            steps_per_epoch,
            steps_done: trainer.progress.step,
            #[cfg(feature = "baselines")]
            linear: trainer.model.fitted(),
        });
        Ok(trainer)
    }
}
