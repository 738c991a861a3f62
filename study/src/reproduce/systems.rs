//! Table 3: systems compared by NDCG@50 and Recall@50 on the test users.

use fastvae::{
    Error, Result,
    config::Method,
    engine::Engine,
    event::Event,
    model::ModelKind,
    run::{Memory, Run, Saves, Setup, checkpoint::Context},
    watch,
};
use pollster::block_on;
use serde::{Deserialize, Serialize};

use super::{
    Experiment,
    lab::{Lab, Size},
    paper::{self, FAST_VAE, MULT_VAE, PaperSystem, SYSTEMS},
    report::{Measured, Report, Row, Verdict},
    sets::{Set, missing},
};
use crate::chart::{self, Frame};

/// The result of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Scores {
    ndcg: f64,
    recall: f64,
    /// Seconds of training and validation.
    seconds: f64,
    best_epoch: Option<u32>,
}

/// What became of a system on a set.
enum Found {
    /// The runs, one for each seed.
    Runs(Vec<Scores>),
    /// It could not be run, and why.
    Refused(String),
}

/// Below the paper's value by at most so much of it, a value holds.
const CLOSE: f64 = 0.01;

/// Table 3.
///
/// # Errors
/// As [`super::reproduce`].
pub(super) fn table3(lab: &mut Lab<'_>) -> Result<Report> {
    let seeds = 0..lab.plan.seeds;
    let mut jobs = Vec::new();
    for set in 0..lab.sets.len() {
        for system in SYSTEMS.iter().filter(|system| ModelKind::parse(system.model).is_some()) {
            jobs.extend(seeds.clone().map(|seed| (set, system, seed)));
        }
    }
    lab.announce(
        jobs.iter().map(|(set, system, seed)| key(&lab.sets[*set], system, *seed)).collect::<Vec<_>>(),
    );
    let mut report = Report::new(Experiment::Table3, "Table 3: systems compared", lab.line());
    for set in 0..lab.sets.len() {
        let mut found = Vec::new();
        for system in &SYSTEMS {
            found.push((system, run_all(lab, set, system)?));
        }
        add_rows(&mut report, &lab.sets[set], &found);
        add_claims(&mut report, &lab.sets[set], &found);
        report.figures.push((format!("ndcg-{}", lab.sets[set].name), figure(&lab.sets[set], &found)));
    }
    for paper in missing(&lab.sets) {
        let column = paper::SETS.iter().position(|set| set.name == paper.name).unwrap_or(0);
        for system in &SYSTEMS {
            let Some(scores) = system.scores else { continue };
            for (measure, value) in MEASURES.iter().zip(scores[column]) {
                let mut row = Row::new(paper.title, system.title, *measure);
                row.paper = Some(value);
                row.note = format!("not given: {}", paper.supply);
                report.rows.push(row);
            }
        }
    }
    report.notes = notes(lab);
    Ok(report)
}

const MEASURES: [&str; 2] = ["NDCG@50", "Recall@50"];

fn key(set: &Set, system: &PaperSystem, seed: u32) -> String {
    format!("{}/{}/{seed}", set.name, system.title)
}

/// Runs a system on a set with every seed.
fn run_all(lab: &mut Lab<'_>, set: usize, system: &PaperSystem) -> Result<Found> {
    let Some(kind) = ModelKind::parse(system.model) else {
        return Ok(Found::Refused(format!("this program has no model `{}` yet", system.model)));
    };
    let mut runs = Vec::new();
    for seed in 0..lab.plan.seeds {
        let key = key(&lab.sets[set], system, seed);
        match lab.cell(&key, |lab| run(lab, &lab.sets[set], kind, system.method, seed)) {
            Ok(scores) => runs.push(scores),
            // Such as a matrix that does not fit in memory.
            Err(error @ (Error::Setting { .. } | Error::Diverged { .. })) => {
                return Ok(Found::Refused(error.to_string()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Found::Runs(runs))
}

fn run(lab: &Lab<'_>, set: &Set, kind: ModelKind, method: Option<&str>, seed: u32) -> Result<Scores> {
    let config = lab.config(kind, method.and_then(Method::parse), set, seed);
    let metric = config.training.metric.clone();
    let epochs = config.training.epochs;
    let split = set.split(seed)?;
    let engine = if kind.needs_cpu() { Engine::cpu() } else { lab.engine.clone() };
    let context = Context::new(config, &set.dataset);
    let setup = Setup { engine, context, split: &split, saves: Saves { every: 0, best: true } };
    let metrics = block_on(async {
        let mut run = Run::start(setup, || Ok(Memory::default())).await?;
        while let Some(event) = run.next().await? {
            watch::check()?;
            if let Event::Evaluated { epoch: epoch @ 1.., metrics, .. } = event {
                let value = metrics.get(&metric).copied().unwrap_or(f64::NAN);
                lab.at(&format!("{} {} epoch {epoch}/{epochs} {metric} {value:.4}", set.name, kind.name()));
            }
        }
        run.measure().await
    })?;
    let value = |name: &str| metrics.test.get(name).copied().unwrap_or(f64::NAN);
    Ok(Scores {
        ndcg: value("ndcg@50"),
        recall: value("recall@50"),
        seconds: metrics.total_seconds,
        best_epoch: metrics.best_epoch,
    })
}

/// Mean and deviation of both measures.
fn measured(found: &Found) -> [Option<Measured>; 2] {
    let Found::Runs(runs) = found else { return [None, None] };
    let of = |pick: fn(&Scores) -> f64| Measured::of(&runs.iter().map(pick).collect::<Vec<_>>());
    [of(|scores| scores.ndcg), of(|scores| scores.recall)]
}

fn add_rows(report: &mut Report, set: &Set, found: &[(&PaperSystem, Found)]) {
    let column = paper::SETS.iter().position(|paper| paper.name == set.name);
    for (system, found) in found {
        let note = match found {
            Found::Refused(problem) => problem.clone(),
            Found::Runs(runs) => {
                let seconds = runs.iter().map(|run| run.seconds).sum::<f64>() / runs.len().max(1) as f64;
                let epochs: Vec<String> =
                    runs.iter().filter_map(|run| run.best_epoch).map(|epoch| epoch.to_string()).collect();
                match epochs.is_empty() {
                    true => format!("{seconds:.1} s a run"),
                    false => format!("{seconds:.1} s a run; best epoch {}", epochs.join(", ")),
                }
            }
        };
        for ((measure, ours), at) in MEASURES.iter().zip(measured(found)).zip(0..) {
            let mut row = Row::new(set.title(), system.title, *measure);
            row.ours = ours;
            row.paper = column.and_then(|column| Some(system.scores?[column][at]));
            // A part of a set has other values, and a stronger baseline than the paper's is no failure.
            if set.is_comparable() {
                let ratio = ours.zip(row.paper).map(|(ours, paper)| ours.mean / paper);
                row.verdict = Verdict::at_least(ratio, 1.0 - CLOSE, 1.0 - 3.0 * CLOSE);
            }
            row.note.clone_from(&note);
            report.rows.push(row);
        }
    }
}

fn add_claims(report: &mut Report, set: &Set, found: &[(&PaperSystem, Found)]) {
    let value = |title: &str| {
        let found = found.iter().find(|(system, _)| system.title == title)?;
        Some(measured(&found.1)[0]?.mean)
    };
    let ratio = |a: &str, b: &str| Some(value(a)? / value(b)?);
    let title = set.title();
    let full = ratio(FAST_VAE, MULT_VAE);
    report.claim(
        format!("{title}: FastVAE behaves almost as well as Mult-VAE with the full softmax"),
        full.map_or_else(|| "not measured".into(), |ratio| format!("{ratio:.3} of its NDCG@50")),
        Verdict::at_least(full, 1.0 - CLOSE, 1.0 - 3.0 * CLOSE),
    );
    let compared = |in_paper: bool| {
        let others = found.iter().filter(|(system, _)| system.scores.is_some() == in_paper);
        let others = others.filter(|(system, _)| ![FAST_VAE, MULT_VAE].contains(&system.title));
        let pairs: Vec<(&str, bool)> = others
            .filter_map(|(system, _)| Some((system.title, ratio(FAST_VAE, system.title)? > 1.0)))
            .collect();
        let named = |wins: bool| {
            let names: Vec<&str> =
                pairs.iter().filter(|(_, won)| *won == wins).map(|(name, _)| *name).collect();
            if names.is_empty() { "none".into() } else { names.join(", ") }
        };
        let met: Vec<bool> = pairs.iter().map(|(_, won)| *won).collect();
        (format!("above {}; below {}", named(true), named(false)), Verdict::of_all(&met))
    };
    let (text, verdict) = compared(true);
    report.claim(
        format!("{title}: FastVAE outperforms the baselines of the paper that are here"),
        text,
        verdict,
    );
    let (text, _) = compared(false);
    report.claim(format!("{title}: and those that the paper does not have"), text, Verdict::Open);
    let wrmf = ratio("WRMF", "BPR");
    report.claim(
        format!("{title}: WRMF works better than BPR, a baseline with static sampling"),
        wrmf.map_or_else(|| "not measured".into(), |ratio| format!("{ratio:.3} of its NDCG@50")),
        Verdict::at_least(wrmf, 1.0, 1.0 - CLOSE),
    );
}

fn figure(set: &Set, found: &[(&PaperSystem, Found)]) -> String {
    let mut values: Vec<(String, f64)> = found
        .iter()
        .filter_map(|(system, found)| Some((system.title.to_owned(), measured(found)[0]?.mean)))
        .collect();
    values.sort_by(|a, b| b.1.total_cmp(&a.1));
    let frame = Frame {
        title: format!("NDCG@50: {}", set.title()),
        description: format!("NDCG@50 of each system on the test users of {}.", set.title()),
        x_label: "NDCG@50".into(),
        size: (620, 80 + 30 * values.len().max(2) as u32),
        ..Frame::default()
    };
    chart::bars(&frame, &values)
}

fn notes(lab: &Lab<'_>) -> Vec<String> {
    let mut notes = vec![
        format!(
            "Of every user a random 80 % of the items are for training; means over {} seeds, of training and split.",
            lab.plan.seeds
        ),
        "Every run takes the epoch that is best on validation users; test users are ranked once.".into(),
        format!(
            "A value holds from {:.0} % below the paper's on, in part from {:.0} %; a better one holds.",
            100.0 * CLOSE,
            300.0 * CLOSE
        ),
    ];
    let tuned: Vec<&str> = lab.plan.configs.keys().copied().collect();
    notes.push(match tuned.is_empty() {
        true => "Settings are defaults; `--configs FOLDER` takes those that `fastvae tune` found.".into(),
        false => format!("Settings of {} were given; the others are defaults.", tuned.join(", ")),
    });
    if lab.plan.size != Size::Full {
        notes.push(
            "This is a small experiment: its order of systems need not be that of the whole set, and few epochs do \
             the models that learn slowly no justice."
                .into(),
        );
    }
    notes
}
