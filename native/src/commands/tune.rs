//! `fastvae tune`: searches settings on the validation users.

use fastvae::{
    Error, Result,
    data::{self, Split},
    engine::Engine,
    event::Event,
    metrics,
    model::ModelKind,
    run::{RunConfig, Saves, Setup, checkpoint::Context, fingerprint},
};
use fastvae_study::{
    journal::Journal,
    tune::{self, Budget, Ended, Limits, Proposal, Search, Space, Strategy, Trial, Tuning},
};
use pollster::block_on;
use serde_json::{Value, json};

use crate::{
    Outcome,
    args::tune::TuneArgs,
    commands::results::Results,
    interrupt,
    output::{Table, duration, grouped, note, plain, print, print_json},
    pieces::Pieces,
    settings,
};

/// Trials of each system if neither a number nor a time is given.
const TRIALS: u32 = 30;

/// Runs `fastvae tune`.
///
/// # Errors
/// [`Error::Setting`] for an invalid space, and errors of data, engine and files. A trial that fails is a result.
pub fn run(args: &TuneArgs) -> Result<Outcome> {
    interrupt::listen();
    let space = settings::read_space(&args.space, args.settings.given())?;
    let strategy = Strategy::parse(&args.search).unwrap_or(Strategy::Tpe);
    if args.budget.is_some_and(|seconds| seconds <= 0.0) {
        return Err(Error::setting("budget", "no time is left for a trial; give more than 0 seconds"));
    }
    let trials = args.trials.or(if args.budget.is_none() { Some(TRIALS) } else { None });
    let mut configs: Vec<RunConfig> = (space.systems.iter())
        .map(|&kind| settings::complete(space.settings(kind, &Default::default())))
        .collect::<Result<_>>()?;
    metrics::cutoff(&configs[0].training.metric)?;
    let search = Search {
        space: &space,
        strategy,
        budget: Budget { trials, seconds: args.budget },
        seed: configs[0].training.seed,
        epochs: configs.iter().map(epochs).collect(),
    };
    search.check().map_err(|problem| Error::setting("search", problem))?;
    let engines: Vec<Engine> = (space.systems.iter())
        .map(|&kind| Ok(settings::engine_for(&args.engine, kind)?.0))
        .collect::<Result<_>>()?;
    let dataset = settings::load_run(&configs[0])?;
    // All systems have one split.
    let asked = space.settings(space.systems[0], &Default::default());
    let change = settings::fit_split(&mut configs[0], &asked, dataset.interactions.rows());
    let split = data::split(&dataset, &configs[0].split)?;
    if split.validation.users.is_empty() {
        let problem = "this split has no validation users, on whom settings are compared";
        return Err(Error::setting("validation-users", problem));
    }
    let results = Results::create(args.output.out.as_deref(), "tune", &dataset.name)?;
    let mut subject = subject(&search, &engines, args.settings.given(), &fingerprint(&dataset));
    subject["split"] = serde_json::to_value(&configs[0].split)
        .map_err(|error| Error::setting("split", error.to_string()))?;
    let journal = Journal::open(results.path(), "trials.jsonl", &subject)?;
    let mut work =
        Work { search, journal, engines, context: Context::new(configs[0].clone(), &dataset), split: &split };
    if !args.output.quiet {
        note(&work.introduction());
        if let Some(change) = change {
            note(&format!("note:    {change}\n"));
        }
    }
    let outcome = work.finish(args.output.quiet)?;
    let tuning = work.tuning();
    for (name, svg) in tuning.figures() {
        results.write(&format!("{name}.svg"), &svg)?;
    }
    results.write("trials.csv", &tuning.csv()?)?;
    results.write("report.html", &tuning.html())?;
    if outcome == Outcome::Interrupted {
        let done = work.journal.entries().len();
        let folder = results.path().display();
        note(&format!("\nstopped; {done} trials are in {folder}, and the same command goes on"));
        return Ok(outcome);
    }
    let best = work.write_best(&results)?;
    if args.output.csv {
        print(&tuning.csv()?)?;
    } else if args.output.json {
        print_json(&json!({ "metric": tuning.metric, "best": best.0, "trials": tuning.trials }))?;
    } else {
        let told = results.told();
        print(&format!("\n{}\n{}\n{told}best:   {}\n", summary(&tuning), best.1, best.2.display()))?;
    }
    Ok(outcome)
}

/// The epochs of a whole trial; `None` for a model that is computed at once.
fn epochs(config: &RunConfig) -> Option<u32> {
    config.model.kind().uses("training", "epochs").then_some(config.training.epochs)
}

/// What a log must be about, beside the split, so that this search goes on with it. The budget is free, except that of halving, whose
/// rounds depend on it.
fn subject(search: &Search<'_>, engines: &[Engine], flags: &Value, data: &str) -> Value {
    let without_path = |settings: &Value| {
        let mut settings = settings.clone();
        if let Some(data) = settings.get_mut("data").and_then(Value::as_object_mut) {
            data.remove("path");
        }
        settings
    };
    let engine = |engine: &Engine| if engine.is_cpu() { "cpu" } else { "gpu" };
    let mut subject = json!({
        "command": "tune",
        "space": without_path(&search.space.given),
        "flags": without_path(flags),
        "data": data,
        "search": search.strategy.name(),
        "seed": search.seed,
        "engines": engines.iter().map(engine).collect::<Vec<_>>(),
    });
    if search.strategy == Strategy::Halving {
        subject["trials"] = search.budget.trials.into();
    }
    subject
}

/// A search that is being done.
struct Work<'a> {
    search: Search<'a>,
    journal: Journal<Trial>,
    /// The engine of each system.
    engines: Vec<Engine>,
    context: Context,
    split: &'a Split,
}

impl Work<'_> {
    fn introduction(&self) -> String {
        let Context { items, data, .. } = &self.context;
        let finished = match self.journal.entries().len() {
            0 => String::new(),
            done => format!("\nresumed: {done} trials are finished"),
        };
        let damaged = match self.journal.damaged() {
            0 => String::new(),
            lines => {
                format!("\nnote:    {lines} lines of the log could not be read; their trials are done again")
            }
        };
        format!(
            "data:    {data}: {} training users, {} items, {} validation users\nengine:  {}\n\
             search:  {} over {} settings of {}{finished}{damaged}\n",
            grouped(self.split.train.rows() as u64),
            grouped(items.len() as u64),
            grouped(self.split.validation.users.len() as u64),
            self.engines[0].describe(),
            self.search.strategy.name(),
            self.search.space.dimensions.len(),
            self.search.space.systems.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
        )
    }

    /// The settings of a trial, fitted to the size of the catalogue.
    fn config(&self, proposal: &Proposal) -> Result<RunConfig> {
        let given = self.search.space.settings(proposal.system, &proposal.values);
        let mut config = settings::complete(given.clone())?;
        let (users, items) = (self.split.train.rows(), self.context.items.len());
        settings::fit(&mut config, &given, users, items);
        config.split = self.context.config.split.clone();
        if let Some(epochs) = proposal.epochs {
            config.training.epochs = epochs;
        }
        Ok(config)
    }

    /// Does all trials that are left, until Ctrl-C.
    fn finish(&mut self, quiet: bool) -> Result<Outcome> {
        let systems = 0..self.search.space.systems.len();
        let total: Option<u64> = systems.map(|at| self.search.most_trials(at).map(u64::from)).sum();
        let mut pieces = Pieces::new(quiet, total, self.journal.entries().len() as u64);
        let result = loop {
            let Some(proposal) = self.search.next(self.journal.entries()) else { break Ok(Outcome::Done) };
            match self.trial(&proposal, &pieces) {
                Ok(trial) => {
                    let before = tune::best(self.journal.entries(), Some(proposal.system.name()));
                    let better = trial.score() > before.map_or(f64::NEG_INFINITY, Trial::score);
                    let line = self.line(&trial, better);
                    self.journal.push(trial)?;
                    let left = self.search.seconds_expected(self.journal.entries());
                    pieces.finished(&line, left);
                }
                Err(Error::Interrupted) => break Ok(Outcome::Interrupted),
                Err(error) => break Err(error),
            }
        };
        pieces.end();
        result
    }

    fn trial(&self, proposal: &Proposal, pieces: &Pieces) -> Result<Trial> {
        let config = self.config(proposal)?;
        let kind = proposal.system;
        let at = self.search.space.systems.iter().position(|&system| system == kind).unwrap_or(0);
        let result = Trial {
            system: kind.name().into(),
            number: proposal.number,
            values: proposal.values.clone(),
            epochs: 0,
            best_epoch: None,
            score: None,
            metrics: Default::default(),
            ended: Ended::Done,
            seconds: 0.0,
        };
        let (what, epochs, metric) =
            (result.settings(), config.training.epochs, config.training.metric.clone());
        pieces.at(&format!("{} {what}", kind.name()));
        let mut show = |event: &Event| {
            if let Event::Evaluated { epoch: 1.., metrics, .. } = event {
                let value = metrics.get(&metric).copied().unwrap_or(f64::NAN);
                let Event::Evaluated { epoch, .. } = event else { return };
                pieces.at(&format!("{} {what}   epoch {epoch}/{epochs} {metric} {value:.4}", kind.name()));
            }
        };
        let setup = Setup {
            engine: self.engines[at].clone(),
            context: Context { config, ..self.context.clone() },
            split: self.split,
            saves: Saves { every: 0, best: false },
        };
        let limits = Limits { seconds: self.search.seconds_left(kind, self.journal.entries()) };
        block_on(tune::trial(setup, limits, result, &mut show))
    }

    fn line(&self, trial: &Trial, better: bool) -> String {
        let metric = &self.context.config.training.metric;
        let value = match &trial.ended {
            Ended::Failed(problem) => format!("failed: {}", plain(problem)),
            _ => format!("{metric} {:.4}{}", trial.score(), if better { " *" } else { "" }),
        };
        let number = trial.number + 1;
        let settings = trial.settings();
        format!("  {:<10} {number:>3}  {settings}   {value}   {}", trial.system, duration(trial.seconds))
    }

    fn tuning(&self) -> Tuning<'_> {
        let Search { space, strategy, budget, seed, .. } = self.search;
        let split = self.split;
        Tuning {
            space,
            strategy,
            budget,
            seed,
            data: self.context.data.clone(),
            size: (split.train.rows(), split.train.columns(), split.validation.users.len()),
            metric: self.context.config.training.metric.clone(),
            engine: self.engines[0].describe(),
            trials: self.journal.entries(),
        }
    }

    /// Writes the best settings of each system, and of all as `best.toml`. Returns the best trial, its settings as text,
    /// and their file.
    fn write_best(&self, results: &Results) -> Result<(Value, String, std::path::PathBuf)> {
        let Space { systems, .. } = self.search.space;
        let trials = self.journal.entries();
        for kind in systems {
            if let Some(best) = tune::best(trials, Some(kind.name())) {
                results.write(&format!("best-{}.toml", kind.name()), &self.best_text(best)?)?;
            }
        }
        let Some(best) = tune::best(trials, None) else {
            let problem = trials.iter().find_map(|trial| match &trial.ended {
                Ended::Failed(problem) => Some(problem.as_str()),
                _ => None,
            });
            let problem = problem.unwrap_or("there was no time for any");
            return Err(Error::Data(format!("none of {} trials succeeded: {problem}", trials.len())));
        };
        let text = self.best_text(best)?;
        results.write("best.toml", &text)?;
        let json = serde_json::to_value(best).map_err(|error| Error::Data(error.to_string()))?;
        Ok((json, text, results.path().join("best.toml")))
    }

    /// The settings of a trial as a configuration file that says how they were found.
    fn best_text(&self, best: &Trial) -> Result<String> {
        let kind = ModelKind::parse(&best.system).unwrap_or_default();
        let own = || self.journal.entries().iter().filter(|trial| trial.system == best.system);
        let epochs = (self.search.strategy == Strategy::Halving).then_some(best.epochs);
        let proposal = Proposal { system: kind, number: best.number, values: best.values.clone(), epochs };
        let mut config = self.config(&proposal)?;
        settings::find_again(&mut config)?;
        let toml =
            toml::to_string_pretty(&config).map_err(|error| Error::setting("config", error.to_string()))?;
        let ended = match best.ended {
            Ended::OutOfTime => format!(", which ended out of time after {} epochs", best.epochs),
            _ => String::new(),
        };
        Ok(format!(
            "# The best of {} trials of {} on {}: trial {}{ended}, {} {:.4} on {} validation users.\n\
             # Search: {}, seed {}, {} settings.\n\n{toml}",
            own().count(),
            best.system,
            self.context.data.replace(char::is_control, " "),
            best.number + 1,
            config.training.metric,
            best.score(),
            self.split.validation.users.len(),
            self.search.strategy.name(),
            self.search.seed,
            self.search.space.of(kind).count(),
        ))
    }
}

/// The best trial of each system.
fn summary(tuning: &Tuning<'_>) -> String {
    let mut table = Table::new(["system", &tuning.metric, "trial", "of", "seconds", "settings"]);
    for kind in &tuning.space.systems {
        let own = || tuning.trials.iter().filter(|trial| trial.system == kind.name());
        let seconds: f64 = own().map(|trial| trial.seconds).sum();
        let best = tune::best(tuning.trials, Some(kind.name()));
        table.row([
            kind.name().to_owned(),
            best.map_or("–".into(), |best| format!("{:.4}", best.score())),
            best.map_or("–".into(), |best| (best.number + 1).to_string()),
            own().count().to_string(),
            format!("{seconds:.1}"),
            best.map_or("–".into(), Trial::settings),
        ]);
    }
    format!("{}, the validation part\n\n{table}", tuning.data)
}
