//! `fastvae bench step`: time of a training step by kernel.

use fastvae::{Result, train::Trainer};
use pollster::block_on;
use serde_json::json;

use super::{advance, name, prepare};
use crate::{
    args::bench::StepArgs,
    output::{Table, print, print_json},
};

/// Most warm-up steps.
const WARM_UP: u32 = 20;

/// Runs `fastvae bench step`.
///
/// # Errors
/// Errors of data and training.
pub fn run(args: &StepArgs) -> Result<()> {
    let (mut config, dataset, split) = prepare(&args.settings)?;
    let steps = args.steps.max(1);
    let warm_up = steps.min(WARM_UP);
    let batch = config.training.batch.min(split.train.rows()).max(1);
    let an_epoch = split.train.rows().div_ceil(batch) as u32;
    config.training.epochs = (steps + warm_up).div_ceil(an_epoch) + 1;
    let training = config.training()?;
    let engine = crate::settings::engine(&args.engine)?.0;
    let what = engine.describe();
    let times_kernels = engine.times_kernels();

    // First as in a run, for the whole and for what the host does; then with a record of each kernel, which takes longer.
    let mut trainer = block_on(Trainer::new(engine.clone(), &training, &split.train, None))?;
    advance(&mut trainer, warm_up)?;
    let before = engine.host_times();
    let (seconds, index) = advance(&mut trainer, steps)?;
    let mut host: Vec<(&str, f64)> = engine
        .host_times()
        .into_iter()
        .map(|(stage, spent)| (stage, (spent - before.get(stage).copied().unwrap_or_default()).as_secs_f64()))
        .collect();
    host.sort_by(|a, b| b.1.total_cmp(&a.1));
    drop(trainer);

    let engine = engine.profiled();
    let mut trainer = block_on(Trainer::new(engine, &training, &split.train, None))?;
    advance(&mut trainer, warm_up)?;
    let before = trainer.engine().profile();
    advance(&mut trainer, steps)?;
    let mut kernels: Vec<(&str, u64, f64)> = trainer
        .engine()
        .profile()
        .into_iter()
        .map(|(kernel, (calls, spent))| {
            let (calls_before, spent_before) = before.get(kernel).copied().unwrap_or_default();
            (kernel, calls - calls_before, (spent - spent_before).as_secs_f64())
        })
        .filter(|kernel| kernel.1 > 0)
        .collect();
    kernels.sort_by(|a, b| b.2.total_cmp(&a.2).then(b.1.cmp(&a.1)));
    let steps = f64::from(steps);
    if args.common.json {
        let kernels: Vec<_> = kernels
            .iter()
            .map(|(name, calls, spent)| {
                let spent = times_kernels.then_some(spent / steps);
                json!({ "kernel": name, "calls_a_step": *calls as f64 / steps, "seconds_a_step": spent })
            })
            .collect();
        let host: Vec<_> = host
            .iter()
            .map(|(stage, spent)| json!({ "stage": stage, "seconds_a_step": spent / steps }))
            .collect();
        return print_json(&json!({
            "data": dataset.name, "engine": what, "steps": steps, "seconds_a_step": seconds / steps,
            "index_seconds": index, "kernels": kernels, "host": host,
        }));
    }
    let mut table = Table::new(["kernel", "calls a step", "ms a step", "share"]);
    let row = |table: &mut Table, name: &str, calls: f64, spent: Option<f64>| {
        let ms = spent.map_or_else(String::new, |spent| format!("{:.3}", spent / steps * 1e3));
        let share = spent.map_or_else(String::new, |spent| format!("{:.1} %", 100.0 * spent / seconds));
        table.row([name.to_owned(), format!("{calls:.1}"), ms, share]);
    };
    for (name, calls, spent) in &kernels {
        row(&mut table, name, *calls as f64 / steps, times_kernels.then_some(*spent));
    }
    let (calls, spent) =
        kernels.iter().fold((0, 0.0), |(calls, sum), kernel| (calls + kernel.1, sum + kernel.2));
    row(&mut table, "all", calls as f64 / steps, times_kernels.then_some(spent));
    row(&mut table, "a step, unprofiled", 1.0, Some(seconds));
    let mut text = format!("{}\nengine: {what}\n{steps} steps of {batch} users\n\n{table}", name(&dataset));
    if !times_kernels {
        text += "\nThis adapter does not report the time of a dispatch.\n";
    }
    if !host.is_empty() {
        let mut table = Table::new(["host", "ms a step"]);
        for (stage, spent) in host {
            table.row([stage.to_owned(), format!("{:.3}", spent / steps * 1e3)]);
        }
        text += &format!("\n{table}");
    }
    print(&text)
}
