//! `fastvae reproduce`: measures a table or a figure of the paper again.

use std::{collections::BTreeMap, path::Path};

use fastvae::{
    Error, Result,
    model::ModelKind,
    run::{RunConfig, fingerprint},
};
use fastvae_study::{
    journal::Journal,
    reproduce::{Cell, Experiment, Lab, Plan, Report, Set, Size, Verdict, Watch, reproduce},
};
use serde_json::{Value, json};

use crate::{
    Outcome,
    args::{flags::Flags, reproduce::ReproduceArgs},
    commands::results::Results,
    interrupt,
    output::{Table, duration, note, print, print_json},
    pieces::Pieces,
    settings,
};

/// The k-core of the paper.
const CORE: u64 = 10;

/// Runs `fastvae reproduce`.
///
/// # Errors
/// Errors of data, settings, engine, training and files; finished cells stay.
pub fn run(args: &ReproduceArgs) -> Result<Outcome> {
    interrupt::listen();
    let experiment = Experiment::parse(&args.experiment).unwrap_or(Experiment::Table3);
    let size = if args.quick { Size::Quick } else { Size::parse(&args.size).unwrap_or(Size::Full) };
    let configs = args.configs.as_deref().map(configs).transpose()?.unwrap_or_default();
    let engine = settings::engine(&args.engine)?.0;
    let (sets, fingerprints) = sets(args, size)?;
    let seeds = args.seeds.unwrap_or(size.of(1, 2, 5));
    let results = Results::create(args.output.out.as_deref(), "reproduce", experiment.name())?;
    let subject = json!({
        "command": "reproduce",
        "experiment": experiment.name(),
        "size": size.name(),
        "data": fingerprints,
        "epochs": args.epochs,
        "configs": configs.iter().map(|(kind, config)| Ok((*kind, json(config)?))).collect::<Result<BTreeMap<_, _>>>()?,
        "engine": if engine.is_cpu() { "cpu" } else { "gpu" },
    });
    let journal: Journal<Cell> = Journal::open(results.path(), "cells.jsonl", &subject)?;
    let mut display = Display::new(args.output.quiet, journal.entries().len(), journal.damaged());
    let folder = results.path().to_owned();
    let plan = Plan { size, seeds, epochs: args.epochs, configs, folder };
    let report = {
        let mut lab = Lab::new(engine, plan, sets, journal, &mut display);
        reproduce(experiment, &mut lab)
    };
    display.pieces.end();
    let report = match report {
        Err(Error::Interrupted) => {
            let folder = results.path().display();
            note(&format!("\nstopped; what is finished is in {folder}, and the same command goes on"));
            return Ok(Outcome::Interrupted);
        }
        report => report?,
    };
    write(&results, &report)?;
    if args.output.csv {
        print(&report.csv()?)?;
    } else if args.output.json {
        print_json(&report)?;
    } else {
        print(&format!("\n{}\n{}", summary(&report), results.told()))?;
    }
    Ok(Outcome::Done)
}

fn json(config: &RunConfig) -> Result<Value> {
    serde_json::to_value(config).map_err(|error| Error::setting("configs", error.to_string()))
}

/// The sets that are given, or the built-in one, with their fingerprints by name.
fn sets(args: &ReproduceArgs, size: Size) -> Result<(Vec<Set>, BTreeMap<String, String>)> {
    if args.data.is_empty() {
        if !args.filter.is_empty() {
            let problem = "a filter is for sets that are given: --data NAME=PATH";
            return Err(Error::setting("data", problem));
        }
        return Ok((vec![Set::built_in(size)?], BTreeMap::new()));
    }
    let (mut sets, mut fingerprints) = (Vec::new(), BTreeMap::new());
    for (name, path) in &args.data {
        if fingerprints.contains_key(name) {
            return Err(Error::setting("data", format!("`{name}` is there twice")));
        }
        let mut filter: Flags<_> = args.filter.clone();
        if filter.given()["data"]["core"].is_null() {
            filter.put("data", "core", CORE.into());
        }
        let config = settings::data_config(Some(path), &filter)?;
        let dataset = settings::load(&config)?;
        fingerprints.insert(name.clone(), fingerprint(&dataset));
        sets.push(Set::new(name, dataset, size)?);
    }
    Ok((sets, fingerprints))
}

/// The settings by kind of model in a folder of `fastvae tune`.
fn configs(folder: &Path) -> Result<BTreeMap<&'static str, RunConfig>> {
    let mut configs = BTreeMap::new();
    for (name, kind) in ModelKind::NAMED {
        let path = folder.join(format!("best-{name}.toml"));
        if path.is_file() {
            let config = settings::new_run(Some(&path), &Flags::<()>::default())?;
            if config.model.kind() != kind {
                let problem = format!("{} is about {}", path.display(), config.model.kind().name());
                return Err(Error::setting("configs", problem));
            }
            configs.insert(name, config);
        }
    }
    if configs.is_empty() {
        let problem = format!("{} has no best-MODEL.toml; give the folder of a search", folder.display());
        return Err(Error::setting("configs", problem));
    }
    Ok(configs)
}

/// Writes all files of a report.
fn write(results: &Results, report: &Report) -> Result<()> {
    results.write(&format!("{}.csv", report.experiment), &report.csv()?)?;
    results.write("claims.csv", &report.claims_csv()?)?;
    for (name, svg) in &report.figures {
        results.write(&format!("{name}.svg"), svg)?;
    }
    results.write("report.html", &report.html())
}

/// Shows the progress of an experiment.
struct Display {
    pieces: Pieces,
}

impl Display {
    fn new(quiet: bool, finished: usize, damaged: usize) -> Self {
        let pieces = Pieces::new(quiet, None, finished as u64);
        if finished > 0 {
            pieces.say(&format!("resumed: {finished} cells are finished"));
        }
        if damaged > 0 {
            pieces.say(&format!(
                "note:    {damaged} lines of the log could not be read; they are measured again"
            ));
        }
        Self { pieces }
    }
}

impl Watch for Display {
    fn at(&mut self, text: &str) {
        self.pieces.at(text);
    }

    fn finished(&mut self, key: &str, seconds: f64, done: usize, total: usize, left: Option<f64>) {
        self.pieces.finished(&format!("  {done:>3}/{total}  {key:<40} {:>10}", duration(seconds)), left);
    }
}

/// Rows and claims for the terminal.
fn summary(report: &Report) -> String {
    let mut rows = Table::new(["set", "what", "measure", "paper", "ours", "difference", "verdict"]);
    for row in report.rows.iter().filter(|row| row.ours.is_some() || row.note.contains("no model")) {
        let number = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| row.shown(value));
        rows.row([
            row.set.clone(),
            row.what.clone(),
            row.measure.clone(),
            number(row.paper),
            number(row.ours.map(|ours| ours.mean)),
            number(row.difference()),
            match row.verdict {
                Verdict::Open if row.ours.is_none() => row.note.clone(),
                verdict => verdict.words().into(),
            },
        ]);
    }
    let claims = report.claims.iter().map(|claim| {
        format!("  {:<14} {}\n                 {}\n", claim.verdict.words(), claim.text, claim.measured)
    });
    let mut missing: Vec<String> = report
        .rows
        .iter()
        .filter(|row| row.note.starts_with("not given"))
        .map(|row| format!("  {}: {}\n", row.set, row.note))
        .collect();
    missing.dedup();
    format!("{}\n{}\n\n{rows}\n{}{}", report.title, report.line, claims.collect::<String>(), missing.concat())
}
