//! `fastvae bench`: measures the speed of this machine.

mod epoch;
mod gpu;
mod quality;
mod samplers;
mod step;

use std::time::Instant;

use fastvae::{
    Result,
    data::{self, Dataset, Split},
    engine::Engine,
    rank::{RankOptions, rank},
    run::{RunConfig, peak_memory_bytes},
    train::Trainer,
};
use pollster::block_on;
use serde_json::json;

use crate::{
    Outcome,
    args::{
        bench::{BenchArgs, EvalArgs, LoadArgs},
        flags::SettingArgs,
    },
    output::{Table, duration, grouped, print, print_json},
    settings,
};

/// Runs one of the benchmarks.
///
/// # Errors
/// Errors of data, engine and training.
pub fn run(args: &BenchArgs) -> Result<Outcome> {
    match args {
        BenchArgs::Quality(args) => return quality::run(args),
        BenchArgs::Step(args) => step::run(args),
        BenchArgs::Epoch(args) => epoch::run(args),
        BenchArgs::Samplers(args) => samplers::run(args),
        BenchArgs::Gpu(args) => gpu::run(args),
        BenchArgs::Load(args) => load(args),
        BenchArgs::Eval(args) => eval(args),
    }?;
    Ok(Outcome::Done)
}

/// Settings and data of a benchmark, validated as for a run.
fn prepare(flags: &SettingArgs) -> Result<(RunConfig, Dataset, Split)> {
    let config = settings::new_run(None, flags)?;
    let dataset = settings::load_run(&config)?;
    let split = data::split(&dataset, &config.split)?;
    config.training()?.validate(dataset.items.len())?;
    Ok((config, dataset, split))
}

/// Describes a data set: `ml-10m: 47,292 users, 5,942 items, 2,001,164 interactions`.
fn name(dataset: &Dataset) -> String {
    let counts = dataset.statistics().counts;
    format!(
        "{}: {} users, {} items, {} interactions",
        dataset.name,
        grouped(counts.users),
        grouped(counts.items),
        grouped(counts.interactions)
    )
}

/// Repeated measurements of one quantity, in seconds, ascending.
struct Times(Vec<f64>);

impl Times {
    fn of<T>(repeats: u32, mut work: impl FnMut() -> Result<T>) -> Result<(Self, T)> {
        let mut times = Self(Vec::new());
        loop {
            let start = Instant::now();
            let made = work()?;
            times.push(start.elapsed().as_secs_f64());
            if times.0.len() >= repeats.max(1) as usize {
                return Ok((times, made));
            }
        }
    }

    fn push(&mut self, seconds: f64) {
        let at = self.0.partition_point(|&other| other < seconds);
        self.0.insert(at, seconds);
    }

    fn best(&self) -> f64 {
        self.0.first().copied().unwrap_or(0.0)
    }

    fn median(&self) -> f64 {
        let middle = |at: usize| self.0.get(at).copied().unwrap_or(0.0);
        (middle(self.0.len() / 2) + middle(self.0.len().saturating_sub(1) / 2)) / 2.0
    }

    fn worst(&self) -> f64 {
        self.0.last().copied().unwrap_or(0.0)
    }
}

fn load(args: &LoadArgs) -> Result<()> {
    let config = settings::data_config(None, &args.data)?;
    let (times, dataset) = Times::of(args.repeats, || settings::load(&config))?;
    let rows = dataset.report.rows;
    if args.common.json {
        return print_json(&json!({
            "data": dataset.name, "rows": rows, "counts": dataset.statistics().counts,
            "seconds": times.0, "seconds_best": times.best(), "seconds_median": times.median(),
            "peak_memory_bytes": peak_memory_bytes(),
        }));
    }
    let mut table = Table::new(["best", "median", "worst", "rows/s"]);
    let rate = grouped((rows as f64 / times.median()) as u64);
    table.row([duration(times.best()), duration(times.median()), duration(times.worst()), rate]);
    print(&format!("{}\nload, {} times\n\n{table}", name(&dataset), times.0.len()))
}

fn eval(args: &EvalArgs) -> Result<()> {
    let (config, dataset, split) = prepare(&args.settings)?;
    let (engine, why) = settings::engine(&args.engine)?;
    let what = engine.describe();
    // An untrained model is enough: the time of ranking does not depend on the parameters.
    let trainer = block_on(Trainer::new(engine, &config.training()?, &split.train, None))?;
    let (model, histories) = (trainer.model(), &split.test.fold_in);
    let options = RankOptions::default();
    let (times, _) =
        Times::of(args.repeats, || block_on(rank(trainer.engine(), &model, histories, args.n, &options)))?;
    let users = histories.rows() as f64;
    if args.common.json {
        return print_json(&json!({
            "data": dataset.name, "engine": what, "users": histories.rows(), "items": dataset.items.len(), "n": args.n,
            "seconds": times.0, "seconds_best": times.best(), "seconds_median": times.median(),
            "peak_memory_bytes": peak_memory_bytes(),
        }));
    }
    let mut table = Table::new(["best", "median", "worst", "users/s"]);
    let rate = grouped((users / times.median()) as u64);
    table.row([duration(times.best()), duration(times.median()), duration(times.worst()), rate]);
    print(&format!(
        "{}\nengine: {what} ({why})\ntop {} of {} users, {} times\n\n{table}",
        name(&dataset),
        args.n,
        grouped(histories.rows() as u64),
        times.0.len()
    ))
}

/// Trains for `steps` steps; returns the seconds in total, and those of index builds.
pub(super) fn advance(trainer: &mut Trainer, steps: u32) -> Result<(f64, f64)> {
    use fastvae::event::Event;
    let start = Instant::now();
    let (mut done, mut index) = (0, 0.0);
    while done < steps {
        match block_on(trainer.next())? {
            Some(Event::Step { .. }) => done += 1,
            Some(Event::Indexed { seconds, .. }) => index += seconds,
            Some(_) => {}
            None => break,
        }
    }
    wait(trainer.engine())?;
    Ok((start.elapsed().as_secs_f64(), index))
}

/// Waits until the engine has finished all submitted work.
fn wait(engine: &Engine) -> Result<()> {
    let flag = engine.zeros::<u32>("end", 1)?;
    block_on(engine.read(&flag)).map(drop)
}
