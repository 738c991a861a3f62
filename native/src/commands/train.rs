//! `fastvae train`: drives a trainer, shows and logs its events, saves, measures, reports.

use std::path::Path;

use fastvae::{
    Error, Result,
    checkpoint::{self, Checkpoint, Context},
    data::{self, Dataset, Split},
    engine::Engine,
    evaluate::evaluate,
    event::Event,
    file,
    model::Model,
    report,
    run_config::RunConfig,
    run_metrics::RunMetrics,
    train::Trainer,
};
use pollster::block_on;

use crate::{
    Outcome,
    args::train::TrainArgs,
    commands::evaluate::metrics_table,
    display::Display,
    interrupt,
    log::Log,
    memory,
    output::{duration, grouped, note, print, print_json},
    run_folder::RunFolder,
    settings,
};

/// Cut-offs of the test metrics.
const AT: [usize; 3] = [10, 20, 50];

/// Trains.
///
/// # Errors
/// Whatever data, engine, training and saving meet; the checkpoints that were there stay.
pub fn run(args: &TrainArgs) -> Result<Outcome> {
    interrupt::listen();
    match &args.run.resume {
        Some(path) => resume(args, path),
        None => start(args),
    }
}

fn start(args: &TrainArgs) -> Result<Outcome> {
    let config = settings::new_run(args.run.config.as_deref(), &args.settings)?;
    let (dataset, split) = prepare(args, &config)?;
    config.training().validate(dataset.items.len())?;
    let engine = engine(args)?;
    let trainer = block_on(Trainer::new(engine, &config.training(), &split.train, Some(&split.validation)))?;
    let folder = RunFolder::create(args.run.out.as_deref(), args.run.force, &dataset.name, &config)?;
    folder.clear()?;
    let log = Log::open(&folder.log(), 0)?;
    Run { args, config, dataset, split, folder, trainer, log }.drive()
}

fn resume(args: &TrainArgs, path: &Path) -> Result<Outcome> {
    let folder = RunFolder::open(path)?;
    let Checkpoint { context, mut state } = checkpoint::read(&folder.last())?;
    let config = settings::resumed(&context.config, &args.settings)?;
    let done = state.progress.epoch;
    let more = config.training.epochs > context.config.training.epochs;
    if folder.is_finished() && !more {
        return Err(Error::setting(
            "resume",
            format!(
                "{} is finished after {done} epochs; --epochs N with a larger N trains it longer",
                path.display()
            ),
        ));
    }
    if config.training.epochs <= done && !state.progress.finished {
        return Err(Error::setting(
            "epochs",
            format!("{done} epochs are done already; give a larger number"),
        ));
    }
    state.progress.finished &= !more;
    let (dataset, split) = prepare(args, &config)?;
    let fingerprint = checkpoint::fingerprint(&dataset);
    if fingerprint != context.fingerprint {
        return Err(Error::Checkpoint {
            path: folder.last(),
            problem: format!(
                "it was trained on {} ({} users, {} items, {} interactions), and {} is another set ({}); going on needs \
                 the same file and the same filters, given by --data if it has moved",
                context.data,
                context.users.len(),
                context.items.len(),
                context.histories.nnz(),
                dataset.name,
                dataset.statistics().counts
            ),
        });
    }
    let engine = engine(args)?;
    let training = config.training();
    let trainer = Trainer::resume(engine, &training, &split.train, Some(&split.validation), &state);
    let trainer = block_on(trainer).map_err(|error| match error {
        Error::Data(problem) => Error::Checkpoint { path: folder.last(), problem },
        other => other,
    })?;
    if !args.run.quiet {
        let steps = state.progress.step_in_epoch;
        note(&format!("resumed:  {} after {done} epochs and {steps} steps", path.display()));
    }
    folder.reopen()?;
    let log = Log::open(&folder.log(), done)?;
    Run { args, config, dataset, split, folder, trainer, log }.drive()
}

fn prepare(args: &TrainArgs, config: &RunConfig) -> Result<(Dataset, Split)> {
    let start = std::time::Instant::now();
    let dataset = settings::load(&config.data)?;
    let split = data::split(&dataset, &config.split)?;
    if !args.run.quiet {
        let counts = dataset.statistics().counts;
        note(&format!(
            "data:     {}: {} users, {} items, {} interactions (read in {})",
            dataset.name,
            grouped(counts.users),
            grouped(counts.items),
            grouped(counts.interactions),
            duration(start.elapsed().as_secs_f64())
        ));
    }
    Ok((dataset, split))
}

fn engine(args: &TrainArgs) -> Result<Engine> {
    let (engine, why) = settings::engine(&args.engine)?;
    if !args.run.quiet {
        note(&format!("engine:   {}\n          because: {why}", engine.describe()));
    }
    Ok(engine)
}

/// Everything a run has at hand.
struct Run<'a> {
    args: &'a TrainArgs,
    config: RunConfig,
    dataset: Dataset,
    split: Split,
    folder: RunFolder,
    trainer: Trainer,
    log: Log,
}

impl Run<'_> {
    fn drive(mut self) -> Result<Outcome> {
        let toml = toml::to_string_pretty(&self.config)
            .map_err(|error| Error::setting("config", error.to_string()))?;
        file::write(&self.folder.config(), toml.as_bytes())?;
        let mut context = Context::new(self.config.clone(), &self.dataset);
        let training = &self.config.training;
        let mut display = Display::new(self.args.run.quiet, &training.metric, training.epochs);
        let result = self.train(&mut context, &mut display);
        display.end();
        if result? == Outcome::Interrupted {
            return Ok(Outcome::Interrupted);
        }
        let metrics = self.finish(&mut context)?;
        self.tell(&metrics)?;
        Ok(Outcome::Done)
    }

    fn train(&mut self, context: &mut Context, display: &mut Display) -> Result<Outcome> {
        let mut save_due = false;
        loop {
            let event = match block_on(self.trainer.next()) {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(Outcome::Done),
                Err(error) => {
                    self.tell_what_is_kept(display);
                    return Err(error);
                }
            };
            self.log.record(&event)?;
            display.show(&event);
            let finished = self.trainer.progress().finished;
            match &event {
                Event::Epoch { epoch, .. } => {
                    let every = self.args.run.save_every;
                    save_due = every > 0 && epoch.is_multiple_of(every);
                    // Its validation may be waiting; the best model is saved before the state that says so.
                    continue;
                }
                Event::Evaluated { best: true, metrics, .. } => {
                    context.metrics.clone_from(metrics);
                    let state = block_on(self.trainer.state())?;
                    checkpoint::write(&self.folder.model(), context, &state.into_model())?;
                }
                Event::Done { .. } => save_due = true,
                _ => {}
            }
            // News that is still waiting would be lost: a best epoch whose model is not saved yet, say.
            let stop = interrupt::asked() && !finished && !self.trainer.has_news();
            if stop || save_due && (!finished || matches!(event, Event::Done { .. })) {
                self.save(context)?;
                save_due = false;
            }
            if stop {
                self.tell_how_to_resume(display);
                return Ok(Outcome::Interrupted);
            }
        }
    }

    fn save(&mut self, context: &Context) -> Result<()> {
        let state = block_on(self.trainer.state())?;
        checkpoint::write(&self.folder.last(), context, &state)
    }

    /// Measures the best model, or the last without validation, on the test part; writes metrics and report.
    fn finish(&mut self, context: &mut Context) -> Result<RunMetrics> {
        let best_epoch = self.trainer.progress().best.map(|(epoch, _)| epoch);
        if best_epoch.is_none() {
            context.metrics.clear();
            let state = block_on(self.trainer.state())?;
            checkpoint::write(&self.folder.model(), context, &state.into_model())?;
        }
        // The file itself is measured: what is reported is what others will load.
        let Checkpoint { state, .. } = checkpoint::read(&self.folder.model())?;
        let engine = self.trainer.engine();
        let model = Model::from_state(engine, &self.config.model, self.dataset.items.len(), &state)?;
        let test = block_on(evaluate(engine, &model, &self.split.test, &AT))?;
        // Through text, so that 0.2 stays 0.2.
        let text = serde_json::to_string(&self.config);
        let config = text.and_then(|text| serde_json::from_str(&text));
        let counts = self.dataset.statistics().counts;
        let epochs = std::mem::take(&mut self.log.epochs);
        let metrics = RunMetrics {
            version: env!("CARGO_PKG_VERSION").into(),
            seed: self.config.training.seed,
            engine: engine.describe(),
            users: counts.users,
            items: counts.items,
            interactions: counts.interactions,
            config: config.map_err(|error| Error::setting("config", error.to_string()))?,
            total_seconds: epochs.iter().map(|epoch| epoch.seconds).sum::<f64>()
                + self.log.validation_seconds,
            epochs,
            best_epoch,
            test: test.means()?,
            test_users_skipped: u64::from(self.split.test.skipped) + test.skipped(),
            peak_memory_bytes: memory::peak_bytes(),
        };
        report::write(&self.folder.report(), &metrics)?;
        // Last, because its presence says that the run is finished.
        metrics.write(&self.folder.metrics())?;
        Ok(metrics)
    }

    fn tell(&self, metrics: &RunMetrics) -> Result<()> {
        if self.args.run.json {
            return print_json(metrics);
        }
        let users = self.split.test.users.len() as u64;
        let skipped = match metrics.test_users_skipped {
            0 => String::new(),
            many => format!(" ({} without held-out items skipped)", grouped(many)),
        };
        let model = match metrics.best_epoch {
            Some(best) => format!("the model of epoch {best}, the best on validation"),
            None => "the model of the last epoch".into(),
        };
        let peak = match metrics.peak_memory_bytes {
            Some(bytes) => format!(", peak memory {} MB", grouped(bytes.div_ceil(1_000_000))),
            None => String::new(),
        };
        print(&format!(
            "\ntest: {} users{skipped}, {model}\n\n{}\ntrained in {}{peak}\nrun: {}\n",
            grouped(users),
            metrics_table(&metrics.test),
            duration(metrics.total_seconds),
            self.folder.path().display()
        ))
    }

    fn tell_how_to_resume(&self, display: &mut Display) {
        display.end();
        let progress = self.trainer.progress();
        note(&format!(
            "\nstopped after {} epochs and {} steps; go on with: fastvae train --resume {}",
            progress.epoch,
            progress.step_in_epoch,
            self.folder.path().display()
        ));
    }

    fn tell_what_is_kept(&self, display: &mut Display) {
        display.end();
        for (path, what) in [(self.folder.model(), "the best model"), (self.folder.last(), "the last save")] {
            if path.exists() {
                note(&format!("kept: {} ({what})", path.display()));
            }
        }
    }
}
