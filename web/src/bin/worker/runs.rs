//! Runs that start alike and see the same batches, epoch by epoch in turn.

use std::collections::BTreeMap;

use fastvae::{
    Error, Result,
    checkpoint::{self, Checkpoint, Context},
    config::Loss,
    data::EvaluationSet,
    engine::{Engine, Recording},
    evaluate::{RankOptions, rank},
    event::Event,
    model::{Activations, Batch, Mode, Model},
    run_config::RunConfig,
    state::{State, TensorData},
    train::Trainer,
};
use web::{Report, RunSettings};
use web_time::Instant;

use crate::data::Data;

/// Bytes of models kept for looking back, of all runs of a group together.
const KEPT_BYTES: usize = 192 << 20;

/// What a page has room for: a quarter of what WebAssembly can reach, as browsers refuse more on small machines.
const MOST_BYTES: u64 = 1 << 30;
/// Bytes a parameter of a run: the value, two moments of Adam, and as much again for going back; two models kept.
const BYTES_A_PARAMETER: u64 = 2 * 12 + 2 * 4;

/// Runs of one kind of thing.
pub struct Group {
    settings: RunSettings,
    runs: Vec<Run>,
    context: Context,
    train: fastvae::data::Csr,
    validation: Option<EvaluationSet>,
}

/// One run.
struct Run {
    sampler: Loss,
    /// None for a model that came from a file.
    trainer: Option<Trainer>,
    epoch: u32,
    done: bool,
    /// All that a resume needs, as of the last whole epoch.
    last: State,
    /// The model after each epoch, some of them dropped.
    kept: BTreeMap<u32, State>,
    metrics: BTreeMap<String, f64>,
}

impl Group {
    /// Sets runs up.
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub async fn start(engine: &Engine, settings: &RunSettings, data: &Data) -> Result<Self> {
        let validation = Some(data.split.validation.clone()).filter(|set| !set.users.is_empty());
        let mut runs = Vec::new();
        let mut settings = settings.clone();
        let items = data.split.train.columns() as u32;
        settings.codewords = settings.codewords.min(items);
        settings.negatives = settings.negatives.min(items.max(16));
        check_room(&settings, items as usize)?;
        for &sampler in &settings.samplers {
            let config = settings.config(sampler);
            let mut trainer =
                Trainer::new(engine.clone(), &config, &data.split.train, validation.as_ref()).await?;
            let last = trainer.state().await?;
            let kept = [(0, last.clone().into_model())].into();
            runs.push(Run {
                sampler,
                trainer: Some(trainer),
                epoch: 0,
                done: false,
                last,
                kept,
                metrics: BTreeMap::new(),
            });
        }
        let config = RunConfig { split: split_of(&settings), ..run_config(&settings, settings.samplers[0]) };
        Ok(Self {
            context: Context::new(config, &data.set),
            train: data.split.train.clone(),
            validation,
            settings,
            runs,
        })
    }

    /// A group of one run that is over: a model from a file.
    ///
    /// # Errors
    /// If the tensors do not fit the model.
    pub fn of_checkpoint(engine: &Engine, checkpoint: Checkpoint, data: &Data) -> Result<Self> {
        let Checkpoint { context, state } = checkpoint;
        Model::from_state(engine, &context.config.model, context.items.len(), &state)?;
        let (epoch, config) = (state.progress.epoch, &context.config);
        let settings = RunSettings {
            group: "study".into(),
            samplers: vec![config.loss.loss],
            seed: config.training.seed as u32,
            epochs: epoch,
            negatives: config.loss.negatives as u32,
            codewords: config.loss.codewords as u32,
            hidden: config.model.hidden as u32,
            latent: config.model.latent as u32,
            batch: config.training.batch as u32,
        };
        let run = Run {
            sampler: config.loss.loss,
            trainer: None,
            epoch,
            done: true,
            kept: [(epoch, state.clone().into_model())].into(),
            last: state,
            metrics: context.metrics.clone(),
        };
        Ok(Self { settings, runs: vec![run], context, train: data.split.train.clone(), validation: None })
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
            kept: self.runs.iter().map(|run| run.kept.keys().copied().collect()).collect(),
            finished: self.runs.iter().all(|run| run.done),
        }
    }

    /// Goes on for a while: always with the run that has fewest epochs behind it, so that each has the machine to
    /// itself for an epoch.
    ///
    /// # Errors
    /// As [`Trainer::next`].
    pub async fn advance(&mut self, milliseconds: f64, single: bool) -> Result<Report> {
        let start = Instant::now();
        let mut events: Vec<(usize, Event)> = Vec::new();
        loop {
            let next =
                (0..self.runs.len()).filter(|&at| !self.runs[at].done).min_by_key(|&at| self.runs[at].epoch);
            let Some(index) = next else { break };
            let run = &mut self.runs[index];
            let Some(trainer) = &mut run.trainer else {
                run.done = true;
                continue;
            };
            let Some(event) = trainer.next().await? else {
                run.done = true;
                continue;
            };
            let step = matches!(event, Event::Step { .. });
            if let Event::Evaluated { metrics, .. } = &event {
                run.metrics = metrics.clone();
            }
            let epoch_over = matches!(event, Event::Epoch { .. });
            if let Event::Done { .. } = event {
                run.done = true;
            }
            if step && matches!(events.last(), Some((before, Event::Step { .. })) if *before == index) {
                events.pop();
            }
            events.push((index, event));
            if epoch_over {
                // Evaluation comes after the epoch and is told with it.
                while trainer.has_news() {
                    let Some(event) = trainer.next().await? else { break };
                    if let Event::Evaluated { metrics, .. } = &event {
                        run.metrics = metrics.clone();
                    }
                    run.done |= matches!(event, Event::Done { .. });
                    events.push((index, event));
                }
                run.epoch += 1;
                run.last = trainer.state().await?;
                run.kept.insert(run.epoch, run.last.clone().into_model());
                self.forget();
            }
            if (single && step) || start.elapsed().as_secs_f64() * 1000.0 >= milliseconds {
                break;
            }
        }
        Ok(self.progress(events))
    }

    /// Drops every other kept model, where there are more than fit; the first and the last stay.
    fn forget(&mut self) {
        let size = |state: &State| -> usize {
            let len = |data: &TensorData| match data {
                TensorData::F32(values) => values.len(),
                TensorData::U32(values) => values.len(),
            };
            state.tensors.values().map(|tensor| 4 * len(&tensor.data)).sum()
        };
        loop {
            let total: usize = self.runs.iter().flat_map(|run| run.kept.values()).map(size).sum();
            let most = self.runs.iter().map(|run| run.kept.len()).max().unwrap_or(0);
            if total <= KEPT_BYTES || most <= 2 {
                return;
            }
            for run in &mut self.runs {
                let last = run.kept.len() - 1;
                let mut place = 0;
                run.kept.retain(|_, _| {
                    place += 1;
                    (place - 1) % 2 == 0 || place - 1 == last
                });
            }
        }
    }

    /// All runs again from their last whole epoch, on another engine.
    ///
    /// # Errors
    /// As [`Trainer::resume`].
    pub async fn resume(&mut self, engine: &Engine) -> Result<()> {
        for run in self.runs.iter_mut().filter(|run| run.trainer.is_some()) {
            let config = self.settings.config(run.sampler);
            let trainer =
                Trainer::resume(engine.clone(), &config, &self.train, self.validation.as_ref(), &run.last)
                    .await?;
            run.trainer = Some(trainer);
        }
        Ok(())
    }

    /// The kept model of an epoch: the nearest one before it, the last without.
    ///
    /// # Errors
    /// If there is no such run, or the engine cannot hold it.
    pub fn model(&self, engine: &Engine, run: usize, epoch: Option<u32>) -> Result<(u32, Model)> {
        let kept =
            &self.runs.get(run).ok_or_else(|| Error::setting("samplers", "there is no such run"))?.kept;
        let (epoch, state) = kept
            .range(..=epoch.unwrap_or(u32::MAX))
            .next_back()
            .or_else(|| kept.first_key_value())
            .ok_or_else(|| Error::Data("no model has been kept".into()))?;
        let items = self.context.items.len();
        Ok((*epoch, Model::from_state(engine, &self.context.config.model, items, state)?))
    }

    /// What a kept model recommends for a history, and the latent code it makes of it.
    ///
    /// # Errors
    /// [`Error::Setting`] for items that are none.
    pub async fn recommend(
        &self,
        engine: &Engine,
        to: String,
        run: usize,
        epoch: Option<u32>,
        liked: &[u32],
        count: u32,
    ) -> Result<Report> {
        let (epoch, model) = self.model(engine, run, epoch)?;
        let history = fastvae::data::Csr::from_rows(&[liked.to_vec()], model.items as u32)?;
        let ranking = rank(engine, &model, &history, count as usize, &RankOptions::default()).await?;
        let items = ranking.row(0).iter().copied().zip(ranking.scores.iter().copied()).collect();
        let (code, _) = encode(engine, &model, history.row(0)).await?;
        Ok(Report::Recommended { to, run, epoch, items, code })
    }

    /// The last model of a run as a file for the command line.
    ///
    /// # Errors
    /// If names are more than the format holds.
    pub fn export(&self, index: usize) -> Result<(String, Vec<u8>)> {
        let run = self.runs.get(index).ok_or_else(|| Error::setting("samplers", "there is no such run"))?;
        let mut context = self.context.clone();
        context.config.loss.loss = run.sampler;
        context.metrics = run.metrics.clone();
        let bytes = checkpoint::to_bytes(&context, &run.last.clone().into_model())?;
        Ok((format!("fastvae-{}.safetensors", web::samplers::name(run.sampler)), bytes))
    }
}

/// Refuses what does not fit in memory, before an allocation that fails ends the worker.
fn check_room(settings: &RunSettings, items: usize) -> Result<()> {
    let runs = settings.samplers.len();
    let parameters = settings.config(settings.samplers[0]).model.parameter_count(items);
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

fn run_config(settings: &RunSettings, sampler: Loss) -> RunConfig {
    let config = settings.config(sampler);
    RunConfig {
        model: config.model,
        loss: config.loss,
        optimizer: config.optimizer,
        training: config.training,
        ..RunConfig::default()
    }
}

fn split_of(settings: &RunSettings) -> fastvae::data::SplitOptions {
    fastvae::data::SplitOptions { seed: settings.seed.into(), ..Default::default() }
}

/// The mean of the latent code of a history, and the query that meets the item rows.
///
/// # Errors
/// If the engine cannot hold it.
pub async fn encode(engine: &Engine, model: &Model, history: &[u32]) -> Result<(Vec<f32>, Vec<f32>)> {
    let entries = history.len();
    let forward = Activations::new(engine, &model.config, 1, entries.max(1), 1)?;
    let batch = Batch {
        offsets: engine.upload("offsets", &[0, entries as u32])?,
        items: engine.upload("history", if entries > 0 { history } else { &[0] })?,
        rows: engine.zeros("rows", entries.max(1))?,
        users: 1,
        entries,
    };
    let mut recording = Recording::new();
    forward.record(&mut recording, &model.config, model.values(), &batch, 1, &Mode::Rank);
    engine.run(&recording)?;
    let (code, query) = (0..model.config.latent, 0..model.config.item_width());
    let mut read = engine.read_ranges(&[(&forward.posterior, code), (forward.queries(), query)]).await?;
    let query = read.pop().unwrap_or_default();
    Ok((read.pop().unwrap_or_default(), query))
}
