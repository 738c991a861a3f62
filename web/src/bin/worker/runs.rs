//! Runs that start alike and see the same batches, epoch by epoch in turn.

use fastvae::{
    Error, Result,
    config::{Config, Method},
    engine::Engine,
    event::Event,
    model::{AnyModel, ModelConfig},
    rank::{RankOptions, rank},
    run::{
        Run, Saves, Setup,
        checkpoint::{self, Checkpoint, Context},
    },
};
use serde_json::json;
use web::{RecommendQuestion, Report, RunSettings, settings::Settings, worker::Data};
use web_time::Instant;

use crate::epochs::Epochs;

/// Bytes of models kept for looking back, of all runs of a group together.
const KEPT_BYTES: usize = 192 << 20;

/// What a page has room for: a quarter of what WebAssembly can reach, as browsers refuse more on small machines.
const MOST_BYTES: u64 = 1 << 30;
/// Bytes a parameter of a run: the value, two moments of Adam, and as much again for going back; two models kept.
const BYTES_A_PARAMETER: u64 = 2 * 12 + 2 * 4;

/// Runs of one kind of thing.
pub struct Group {
    settings: RunSettings,
    runs: Vec<Trained>,
    /// Of the first run; the others differ in their loss alone.
    context: Context,
    train: fastvae::data::Csr,
    /// What happened before a device was lost and has not been reported.
    untold: Vec<(usize, Event)>,
}

/// One model, and how it came about.
struct Trained {
    sampler: Method,
    /// Epochs that were trained.
    epoch: u32,
    origin: Origin,
}

/// Where a model comes from.
enum Origin {
    Run { run: Box<Run<Epochs>>, done: bool },
    File(Epochs),
}

impl Trained {
    fn epochs(&self) -> &Epochs {
        match &self.origin {
            Origin::Run { run, .. } => run.storage(),
            Origin::File(epochs) => epochs,
        }
    }

    fn epochs_mut(&mut self) -> &mut Epochs {
        match &mut self.origin {
            Origin::Run { run, .. } => run.storage_mut(),
            Origin::File(epochs) => epochs,
        }
    }

    fn is_done(&self) -> bool {
        match &self.origin {
            Origin::Run { done, .. } => *done,
            Origin::File(_) => true,
        }
    }
}

impl Group {
    /// Sets runs up.
    ///
    /// # Errors
    /// As [`Run::start`].
    pub async fn start(engine: &Engine, settings: &RunSettings, data: &Data) -> Result<Self> {
        let mut settings = settings.clone();
        let items = data.split.train.columns() as u32;
        settings.values.limit("proposal", "codewords", items.into());
        settings.values.limit("proposal", "negatives", items.max(16).into());
        let mut config = settings.config(settings.samplers[0])?;
        check_room(&config.training()?, settings.samplers.len(), items as usize)?;
        config.split.seed = config.training.seed;
        let context = Context::new(config, &data.set);
        let mut runs = Vec::new();
        for &sampler in &settings.samplers {
            let mut context = context.clone();
            context.config.set_method(sampler);
            let setup = Setup {
                engine: engine.clone(),
                context,
                split: &data.split,
                saves: Saves { every: 1, best: false },
            };
            let mut run = Box::new(Run::start(setup, || Ok(Epochs::default())).await?);
            run.save().await?;
            runs.push(Trained { sampler, epoch: 0, origin: Origin::Run { run, done: false } });
        }
        Ok(Self { context, train: data.split.train.clone(), settings, runs, untold: Vec::new() })
    }

    /// A group of one run that is over: a model from a file.
    ///
    /// # Errors
    /// If the tensors do not fit the model.
    pub fn of_checkpoint(engine: &Engine, checkpoint: Checkpoint, data: &Data) -> Result<Self> {
        let Checkpoint { context, state } = checkpoint;
        AnyModel::from_state(engine, &context.config.model, context.items.len(), &state)?;
        let ModelConfig::MultVae(network) = &context.config.model else {
            let kind = context.config.model.kind().name();
            return Err(Error::Data(format!(
                "the file holds a model of kind {kind}, and the page shows mult-vae"
            )));
        };
        let (epoch, config) = (state.progress.epoch, &context.config);
        let settings = RunSettings {
            group: "study".into(),
            samplers: vec![config.method()],
            values: Settings::of(json!({
                "model": { "hidden": network.hidden },
                "proposal": { "negatives": config.proposal.negatives },
                "training": { "seed": config.training.seed, "epochs": epoch },
            })),
        };
        let origin = Origin::File(Epochs::of(state, context.metrics.clone()));
        let runs = vec![Trained { sampler: config.method(), epoch, origin }];
        Ok(Self { settings, runs, context, train: data.split.train.clone(), untold: Vec::new() })
    }

    pub fn name(&self) -> &str {
        &self.settings.group
    }

    pub fn settings(&self) -> &RunSettings {
        &self.settings
    }

    /// Histories that runs learn from.
    pub fn train(&self) -> &fastvae::data::Csr {
        &self.train
    }

    /// What has happened, and where things stand.
    pub fn progress(&self, events: Vec<(usize, Event)>) -> Report {
        Report::Progress {
            group: self.settings.group.clone(),
            events,
            kept: self.runs.iter().map(|run| run.epochs().numbers()).collect(),
            finished: self.runs.iter().all(Trained::is_done),
        }
    }

    /// Goes on for a while: always with the run that has fewest epochs behind it, so that each has the machine to
    /// itself for an epoch.
    ///
    /// # Errors
    /// As [`Run::next`]. The epochs before it are reported by the next call.
    pub async fn advance(&mut self, milliseconds: f64, single: bool) -> Result<Report> {
        let mut events = std::mem::take(&mut self.untold);
        match self.go_on(milliseconds, single, &mut events).await {
            Ok(()) => Ok(self.progress(events)),
            Err(error) => {
                // An epoch that was not saved comes again, and takes the place of the one told here.
                events.retain(|(_, event)| !matches!(event, Event::Step { .. }));
                self.untold = events;
                Err(error)
            }
        }
    }

    async fn go_on(
        &mut self,
        milliseconds: f64,
        single: bool,
        events: &mut Vec<(usize, Event)>,
    ) -> Result<()> {
        let start = Instant::now();
        loop {
            let next = (0..self.runs.len())
                .filter(|&at| !self.runs[at].is_done())
                .min_by_key(|&at| self.runs[at].epoch);
            let Some(index) = next else { break };
            let Trained { epoch, origin: Origin::Run { run, done }, .. } = &mut self.runs[index] else {
                break;
            };
            let Some(event) = run.next().await? else {
                *done = true;
                continue;
            };
            let step = matches!(event, Event::Step { .. });
            let epoch_over = matches!(event, Event::Epoch { .. });
            if step && matches!(events.last(), Some((before, Event::Step { .. })) if *before == index) {
                events.pop();
            }
            events.push((index, event));
            if epoch_over {
                // What belongs to the epoch is reported with it, and then it is saved.
                while !run.can_stop() {
                    let Some(event) = run.next().await? else { break };
                    events.push((index, event));
                }
                *done = run.progress().finished;
                *epoch += 1;
                self.forget();
                // So that one step of the page is one epoch, however short.
                if self.runs.iter().all(|run| run.epoch == self.runs[index].epoch) {
                    break;
                }
            }
            // However long it takes, the step that was asked for has been done.
            let over = if single { step } else { start.elapsed().as_secs_f64() * 1000.0 >= milliseconds };
            if over {
                break;
            }
        }
        Ok(())
    }

    /// Drops every other kept model, where there are more than fit; the first and the last stay.
    fn forget(&mut self) {
        loop {
            let total: usize = self.runs.iter().map(|run| run.epochs().bytes()).sum();
            let most = self.runs.iter().map(|run| run.epochs().numbers().len()).max().unwrap_or(0);
            if total <= KEPT_BYTES || most <= 2 {
                return;
            }
            for run in &mut self.runs {
                run.epochs_mut().halve();
            }
        }
    }

    /// All runs again from their last whole epoch, on another engine.
    ///
    /// # Errors
    /// As [`Run::go_back`].
    pub async fn resume(&mut self, engine: &Engine) -> Result<()> {
        for trained in &mut self.runs {
            if let Origin::Run { run, done } = &mut trained.origin {
                run.go_back(engine.clone()).await?;
                (trained.epoch, *done) = (run.progress().epoch, run.progress().finished);
            }
        }
        Ok(())
    }

    /// The kept model of an epoch: the nearest one before it, the last without.
    ///
    /// # Errors
    /// If there is no such run, or the engine cannot hold it.
    pub fn model(&self, engine: &Engine, run: usize, epoch: Option<u32>) -> Result<(u32, AnyModel)> {
        let run = self.runs.get(run).ok_or_else(|| Error::setting("samplers", "there is no such run"))?;
        let (epoch, state) =
            run.epochs().near(epoch).ok_or_else(|| Error::Data("no model has been kept".into()))?;
        let items = self.context.items.len();
        Ok((epoch, AnyModel::from_state(engine, &self.context.config.model, items, state)?))
    }

    /// What a kept model recommends for a history, and the latent code it makes of it.
    ///
    /// # Errors
    /// [`Error::Setting`] for items that are none.
    pub async fn recommend(&self, engine: &Engine, question: RecommendQuestion) -> Result<Report> {
        let RecommendQuestion { to, run, epoch, liked, count, .. } = question;
        let (epoch, model) = self.model(engine, run, epoch)?;
        let history = fastvae::data::Csr::from_rows(&[liked], self.context.items.len() as u32)?;
        let ranking = rank(engine, &model, &history, count as usize, &RankOptions::default()).await?;
        let items = ranking.row(0).iter().copied().zip(ranking.scores.iter().copied()).collect();
        let code = model.code(engine, history.row(0)).await?.unwrap_or_default();
        Ok(Report::Recommended { to, run, epoch, items, code })
    }

    /// The last model of a run as a file for the command line.
    ///
    /// # Errors
    /// If names are more than the format holds.
    pub fn export(&self, index: usize) -> Result<(String, Vec<u8>)> {
        let run = self.runs.get(index).ok_or_else(|| Error::setting("samplers", "there is no such run"))?;
        let mut context = self.context.clone();
        context.config.set_method(run.sampler);
        context.metrics = run.epochs().metrics.clone();
        let last = run.epochs().near(None).ok_or_else(|| Error::Data("no model has been kept".into()))?.1;
        let bytes = checkpoint::to_bytes(&context, last)?;
        Ok((format!("fastvae-{}.safetensors", web::samplers::name(run.sampler)), bytes))
    }
}

/// Refuses what does not fit in memory, before an allocation that fails ends the worker.
fn check_room(config: &Config, runs: usize, items: usize) -> Result<()> {
    let parameters = config.model.parameter_count(items);
    let bytes = parameters as u64 * BYTES_A_PARAMETER * runs as u64;
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    let most = items as u64 * MOST_BYTES / bytes;
    Err(Error::setting(
        "items",
        format!(
            "{runs} x {parameters} parameters for {items} films take {} MB of memory, of {} MB that a page has: take \
             the {most} most popular films, or fewer samplers at a time",
            bytes >> 20,
            MOST_BYTES >> 20
        ),
    ))
}
