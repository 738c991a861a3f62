//! `fastvae bench quality`: seconds to a quality on the validation users by loss as the catalogue grows.

use std::time::Instant;

use fastvae::{
    Error, Result,
    data::{self, Dataset},
    engine::Engine,
    run::{RunConfig, fingerprint},
};
use fastvae_study::{
    compare::{Point, compare},
    crossover::{Crossover, Size},
    fidelity::Sampler,
    journal::Journal,
};
use pollster::block_on;
use serde_json::json;

use crate::{
    Outcome,
    args::bench::QualityArgs,
    commands::results::Results,
    interrupt,
    output::{Table, duration, grouped, note, print, print_json},
    pieces::Pieces,
    settings,
};

/// Runs `fastvae bench quality`. Every size is finished before the next begins, and an interrupted command goes on with
/// the size that it was at.
///
/// # Errors
/// Errors of data, engine and training; [`Error::Setting`] for invalid samplers.
pub fn run(args: &QualityArgs) -> Result<Outcome> {
    interrupt::listen();
    if !(args.target > 0.0 && args.target <= 1.0) {
        return Err(Error::setting("target", "is above 0 and at most 1"));
    }
    let mut config = settings::new_run(None, &args.settings)?;
    settings::network_alone(&mut config, &settings::asked(None, &args.settings)?);
    let samplers = Sampler::parse_all(&args.samplers, &config.training()?)?;
    let dataset = settings::load_run(&config)?;
    let (engine, why) = settings::engine(&args.engine)?;
    let results = Results::create(args.output.out.as_deref(), "quality", &dataset.name)?;
    let subject = json!({
        "command": "bench quality",
        "config": config,
        "samplers": samplers.iter().map(|sampler| &sampler.label).collect::<Vec<_>>(),
        "data": fingerprint(&dataset),
        "engine": if engine.is_cpu() { "cpu" } else { "gpu" },
    });
    let mut journal: Journal<Size> = Journal::open(results.path(), "sizes.jsonl", &subject)?;
    if !args.output.quiet {
        note(&format!("engine: {}, because {why}", engine.describe()));
    }
    let mut sizes: Vec<usize> =
        args.items.iter().map(|&items| (items as usize).min(dataset.items.len())).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let is_finished =
        |journal: &Journal<Size>, items: usize| journal.entries().iter().any(|size| size.items == items);
    let before = sizes.iter().filter(|&&items| is_finished(&journal, items)).count();
    let (start, mut done) = (Instant::now(), 0);
    let mut pieces = Pieces::new(args.output.quiet, Some(sizes.len() as u64), before as u64);
    for &items in &sizes {
        if is_finished(&journal, items) {
            continue;
        }
        match measure(&dataset, items, &config, &samplers, &engine, &pieces) {
            Ok(size) => journal.push(size)?,
            Err(Error::Interrupted) => {
                pieces.end();
                let folder = results.path().display();
                note(&format!("\nstopped; what is finished is in {folder}, and the same command goes on"));
                return Ok(Outcome::Interrupted);
            }
            Err(error) => return Err(error),
        }
        done += items;
        // As if an epoch took a time in proportion to the items.
        let left: usize = sizes.iter().filter(|&&items| !is_finished(&journal, items)).sum();
        let seconds = start.elapsed().as_secs_f64() * left as f64 / done as f64;
        pieces.finished(&format!("{} items", grouped(items as u64)), Some(seconds));
    }
    pieces.end();
    let of_size = |&items: &usize| journal.entries().iter().find(|size| size.items == items).cloned();
    let crossover = Crossover {
        data: dataset.name.clone(),
        engine: engine.describe(),
        metric: config.training.metric.clone(),
        share: args.target,
        negatives: config.proposal.negatives,
        sizes: sizes.iter().filter_map(of_size).collect(),
    };
    results.write("quality.csv", &crossover.csv())?;
    for (name, svg) in crossover.figures() {
        results.write(&format!("{name}.svg"), &svg)?;
    }
    results.write("report.html", &crossover.html())?;
    if args.output.csv {
        print(&crossover.csv())?;
    } else if args.output.json {
        print_json(&crossover)?;
    } else {
        print(&format!("{}\n{}", summary(&crossover), results.told()))?;
    }
    Ok(Outcome::Done)
}

/// Trains every loss on the most popular items of a set.
fn measure(
    dataset: &Dataset,
    items: usize,
    config: &RunConfig,
    samplers: &[Sampler],
    engine: &Engine,
    pieces: &Pieces,
) -> Result<Size> {
    let part = dataset.clone().most_popular(items)?;
    let split = data::split(&part, &config.split)?;
    if split.validation.users.is_empty() {
        let problem = "this split has no validation users, on whom the quality is measured";
        return Err(Error::setting("validation-users", problem));
    }
    let training = config.training()?;
    let metric = &training.training.metric;
    let mut tell = |loss: &str, point: &Point| {
        let value = point.metrics.get(metric).copied().unwrap_or(f64::NAN);
        pieces.at(&format!(
            "{} items  epoch {}/{}  {loss}  {metric} {value:.4}  after {}",
            grouped(items as u64),
            point.epoch,
            training.training.epochs,
            duration(point.seconds)
        ));
    };
    let comparison =
        block_on(compare(engine, &training, samplers, &split.train, &split.validation, &mut tell))?;
    Ok(Size { items, users: part.users.len(), lines: comparison.lines })
}

fn summary(crossover: &Crossover) -> String {
    let mut table =
        Table::new(["items", "loss", "best", "an epoch", "epochs", "seconds", "x epochs", "x seconds"]);
    for one in crossover.reached() {
        let optional = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.2}"));
        table.row([
            grouped(one.items as u64),
            one.loss.clone(),
            format!("{:.4}", one.best),
            duration(one.epoch_seconds),
            one.epoch.map_or("–".into(), |epoch| epoch.to_string()),
            optional(one.seconds),
            optional(one.epochs_ratio),
            optional(one.seconds_ratio),
        ]);
    }
    format!(
        "{}: seconds to {:.0} % of the best {} of the first loss\n\n{table}",
        crossover.data,
        100.0 * crossover.share,
        crossover.metric
    )
}
