//! The driver of a run.

use super::{
    RunMetrics, Saved, Storage,
    checkpoint::{Checkpoint, Context},
    history::History,
    peak_memory::peak_memory_bytes,
    training::Training,
    warm_start::{self, Matched},
};
use crate::{
    Error, Result,
    data::{EvaluationSet, Split},
    engine::Engine,
    evaluate::{self, Background, lists},
    event::Event,
    model::{AnyModel, Scorer},
    state::Progress,
};

/// Cut-offs of the test metrics.
const AT: [usize; 3] = [10, 20, 50];

/// The inputs of a run.
#[derive(Clone)]
pub struct Setup<'a> {
    /// The engine.
    pub engine: Engine,
    /// The settings and the data.
    pub context: Context,
    /// The split into training, validation and test.
    pub split: &'a Split,
    /// What is saved, and how often.
    pub saves: Saves,
}

/// What is saved, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saves {
    /// Epochs between saves of the state that a resume needs; 0: only at the end and on request.
    pub every: u32,
    /// Whether the model of each new best epoch is saved.
    pub best: bool,
}

impl Default for Saves {
    fn default() -> Self {
        Self { every: 1, best: true }
    }
}

/// A run: drives a [`Trainer`](crate::train::Trainer), or for other models the algorithm that fits them, logs
/// its events, saves its best model, and can be resumed after a stop.
///
/// ```
/// use fastvae::{
///     config::MultVaeConfig,
///     data,
///     engine::Engine,
///     run::{Memory, Run, RunConfig, Saves, Setup, checkpoint::Context},
/// };
/// # fn main() -> fastvae::Result<()> {
/// let mut config = RunConfig::default(); // `RunConfig::of` gives those of another model
/// config.model = MultVaeConfig { hidden: 16, latent: 8, ..Default::default() }.into();
/// config.training.epochs = 2;
/// let set = data::synthetic(&Default::default())?;
/// let split = data::split(&set, &config.split)?;
/// let setup = Setup {
///     engine: Engine::cpu(),
///     context: Context::new(config, &set),
///     split: &split,
///     saves: Saves::default(),
/// };
/// pollster::block_on(async {
///     // `Folder::create` gives a folder instead.
///     let mut run = Run::start(setup, || Ok(Memory::default())).await?;
///     while let Some(event) = run.next().await? {
///         println!("{event:?}");
///     }
///     let metrics = run.measure().await?;
///     run.finish(&metrics)?;
///     assert_eq!(metrics.epochs.len(), 2);
///     assert!(metrics.test["ndcg@50"] > 0.0);
///     Ok(())
/// })
/// # }
/// ```
pub struct Run<S> {
    training: Training,
    context: Context,
    split: Split,
    saves: Saves,
    storage: S,
    history: History,
    /// A save follows as soon as no events are pending.
    save_due: bool,
}

impl<S: Storage> Run<S> {
    /// Starts a run from its first step. `storage` is called last, so that a run that cannot start leaves no
    /// files behind.
    ///
    /// # Errors
    /// As [`Trainer::new`](crate::train::Trainer::new) and [`Storage::begin`].
    pub async fn start(setup: Setup<'_>, storage: impl FnOnce() -> Result<S>) -> Result<Self> {
        let Setup { engine, context, split, saves } = setup;
        let training = Training::new(engine, &context.config, split, None).await?;
        let mut storage = storage()?;
        storage.begin(&context.config)?;
        let (history, split) = (History::default(), split.clone());
        Ok(Self { training, context, split, saves, storage, history, save_due: false })
    }

    /// Starts a run whose parameters begin as those of an earlier model, matched by the ids of items. Returns the run
    /// and what was matched.
    ///
    /// # Errors
    /// As [`Run::start`]; [`Error::Setting`] if the network of the earlier model has other sizes.
    pub async fn start_from(
        setup: Setup<'_>,
        earlier: &Checkpoint,
        storage: impl FnOnce() -> Result<S>,
    ) -> Result<(Self, Matched)> {
        let Setup { engine, context, split, saves } = setup;
        let mut first = Training::new(engine.clone(), &context.config, split, None).await?;
        if !first.has_steps() {
            let kind = context.config.model.kind().name();
            return Err(Error::setting(
                "warm-start",
                format!("a model of kind {kind} is fitted anew; leave it out"),
            ));
        }
        let mut state = first.freeze().await?.state().await?;
        drop(first);
        let matched = warm_start::fill(&mut state, earlier, &context.items, &split.train)?;
        warm_start::fold_in_users(&mut state, &engine, &context.config.model, &split.train).await?;
        let training = Training::new(engine, &context.config, split, Some(&state)).await?;
        let mut storage = storage()?;
        storage.begin(&context.config)?;
        let (history, split) = (History::default(), split.clone());
        Ok((Self { training, context, split, saves, storage, history, save_due: false }, matched))
    }

    /// Resumes a saved run: it ends in the same bits as a run that was not stopped.
    ///
    /// # Errors
    /// As [`Run::start`]; [`Error::Checkpoint`] if the save does not fit the data or the settings.
    pub async fn resume(setup: Setup<'_>, saved: Saved, mut storage: S) -> Result<Self> {
        let Setup { engine, mut context, split, saves } = setup;
        saved.check_data(&context, &storage.last_save())?;
        saved.check_model(&storage)?;
        let Saved { context: before, state } = saved;
        context.metrics = before.metrics;
        let training = Training::new(engine, &context.config, split, Some(&state)).await;
        let training = training.map_err(|error| match error {
            Error::Data(problem) => Error::Checkpoint { path: storage.last_save(), problem },
            other => other,
        })?;
        let history = History::of(&storage.events()?, state.progress.epoch);
        storage.reopen(&context.config)?;
        let split = split.clone();
        Ok(Self { training, context, split, saves, storage, history, save_due: false })
    }

    /// Trains for about one step and returns an event that describes it; `None` when the run is over. Logs
    /// the event and makes the saves that it causes.
    ///
    /// # Errors
    /// As [`Trainer::next`](crate::train::Trainer::next), and if the storage cannot be written. Earlier saves stay.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        let Some(event) = self.training.next().await? else { return Ok(None) };
        self.record(&event)?;
        match &event {
            Event::Epoch { epoch, .. } => {
                self.save_due = self.saves.every > 0 && epoch.is_multiple_of(self.saves.every);
            }
            Event::Evaluated { best: true, metrics, .. } => {
                self.context.metrics.clone_from(metrics);
                if self.saves.best {
                    let model = self.training.freeze().await?.into_model();
                    self.storage.save_model(&self.context, model).await?;
                }
            }
            // There is nothing to go on with after a closed form, and its model may be large.
            Event::Done { .. } => self.save_due = self.training.has_steps(),
            _ => {}
        }
        if self.save_due && self.can_stop() {
            self.save().await?;
        }
        Ok(Some(event))
    }

    /// Whether a save would be complete now. It would not be while events are pending: the trainer's state
    /// already includes the work that they report, so a resumed run would not report it again, nor save a
    /// best model that one of them announces.
    pub fn can_stop(&self) -> bool {
        !self.training.has_events()
    }

    /// Saves the state that a resume needs.
    ///
    /// # Errors
    /// If the device is lost or the storage cannot be written.
    pub async fn save(&mut self) -> Result<()> {
        let run = self.training.freeze().await?;
        self.save_due = false;
        self.storage.save_last(&self.context, run).await
    }

    /// Saves, and ends the run at its current step. Requires [`Run::can_stop`].
    ///
    /// # Errors
    /// As [`Run::save`].
    pub async fn stop(mut self) -> Result<S> {
        self.save().await?;
        // The save has read losses from the device; their events belong in the log.
        while self.training.has_events() {
            if let Some(event) = self.training.next().await? {
                self.record(&event)?;
            }
        }
        Ok(self.storage)
    }

    fn record(&mut self, event: &Event) -> Result<()> {
        self.history.observe(event);
        self.storage.record(event)
    }

    /// Evaluates the model on the test users: the best model, or the last one if there is no validation. It
    /// is read from the storage, so the metrics are those of the file that others will load.
    ///
    /// # Errors
    /// If the storage cannot be read or written, or the device is lost.
    pub async fn measure(&mut self) -> Result<RunMetrics> {
        let best = self.training.progress().best;
        let best_epoch = best.map(|(epoch, _)| epoch).filter(|_| self.training.has_steps());
        match best {
            Some(best) => self.check_model(best)?,
            None => {
                self.context.metrics.clear();
                let model = self.training.freeze().await?.into_model();
                self.storage.save_model(&self.context, model).await?;
            }
        }
        // Frees what only further steps need, to make space for the model that is read.
        self.training.retire()?;
        let state = self.storage.read_model()?;
        let Context { config, items, users, histories, .. } = &self.context;
        let engine = self.training.engine();
        let model = AnyModel::from_state(engine, &config.model, items.len(), &state)?;
        drop(state);
        let ranking = lists(engine, &model, &self.split.test, &AT).await?;
        let test = evaluate::measure(&ranking, &self.split.test, &AT)?;
        let vectors = match model.item_vectors() {
            Some(vectors) => {
                let numbers = vectors.items * vectors.width;
                Some((engine.read_range(&vectors.table, 0..numbers).await?, vectors.width))
            }
            None => None,
        };
        let background = Background {
            train: &self.split.train,
            vectors: vectors.as_ref().map(|(vectors, width)| (vectors.as_slice(), *width)),
        };
        let beyond = evaluate::beyond(&ranking, &self.split.test, &background, &AT)?;
        // By way of JSON text, so that an f32 setting such as 0.2 is written as 0.2.
        let text = serde_json::to_string(config);
        let settings = text.and_then(|text| serde_json::from_str(&text));
        Ok(RunMetrics {
            version: env!("CARGO_PKG_VERSION").into(),
            seed: config.training.seed,
            engine: engine.describe(),
            users: users.len() as u64,
            items: items.len() as u64,
            interactions: histories.nnz() as u64,
            data: None,
            config: settings.map_err(|error| Error::setting("config", error.to_string()))?,
            epochs: self.history.epochs().to_vec(),
            closed_form: self.history.closed_form().cloned(),
            best_epoch,
            test: test.means()?,
            beyond,
            test_users_skipped: u64::from(self.split.test.skipped) + test.skipped(),
            total_seconds: self.history.total_seconds(),
            peak_memory_bytes: peak_memory_bytes(),
        })
    }

    /// Whether the model in the storage is the best one of this run.
    fn check_model(&self, best: (u32, f64)) -> Result<()> {
        let Some(model) = self.storage.model_summary()? else { return Ok(()) };
        model.check_best(&self.context, best).map_err(|problem| Error::Checkpoint {
            path: self.storage.model_save(),
            problem: format!("{problem}; resumed with `from-last` it goes on without it"),
        })
    }

    /// Writes the metrics, which marks the run as finished.
    ///
    /// # Errors
    /// If the storage cannot be written.
    pub fn finish(&mut self, metrics: &RunMetrics) -> Result<()> {
        self.storage.finish(metrics)
    }

    /// Continues from the last save on another engine, after a device was lost.
    ///
    /// # Errors
    /// As [`Run::resume`], and if there is no save.
    pub async fn go_back(&mut self, engine: Engine) -> Result<()> {
        let state = self.storage.read_last()?;
        self.training = Training::new(engine, &self.context.config, &self.split, Some(&state)).await?;
        self.history = History::of(&self.storage.events()?, state.progress.epoch);
        self.save_due = false;
        Ok(())
    }

    /// The engine that the run uses.
    pub fn engine(&self) -> &Engine {
        self.training.engine()
    }

    /// The progress of the run.
    pub fn progress(&self) -> &Progress {
        self.training.progress()
    }

    /// The settings and the data, with the validation metrics of the best model so far.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The test users.
    pub fn test(&self) -> &EvaluationSet {
        &self.split.test
    }

    /// The storage that the run is saved in.
    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// Ends the run without a save and returns its storage.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// The storage, for changes between two calls.
    pub fn storage_mut(&mut self) -> &mut S {
        &mut self.storage
    }
}
