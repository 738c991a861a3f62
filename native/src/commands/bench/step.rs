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
    let engine = crate::settings::engine(&args.engine)?.0.profiled();
    let what = engine.describe();
    let mut trainer = block_on(Trainer::new(engine, &config.training()?, &split.train, None))?;
    advance(&mut trainer, warm_up)?;
    let before = trainer.engine().profile();
    let (seconds, index) = advance(&mut trainer, steps)?;
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
    kernels.sort_by(|a, b| b.2.total_cmp(&a.2));
    let steps = f64::from(steps);
    if args.common.json {
        let kernels: Vec<_> = kernels
            .iter()
            .map(|(name, calls, spent)| {
                json!({ "kernel": name, "calls_a_step": *calls as f64 / steps, "seconds_a_step": spent / steps })
            })
            .collect();
        return print_json(&json!({
            "data": dataset.name, "engine": what, "steps": steps, "seconds_a_step": seconds / steps,
            "index_seconds": index, "kernels": kernels,
        }));
    }
    let mut table = Table::new(["kernel", "calls a step", "ms a step", "share"]);
    let row = |table: &mut Table, name: &str, calls: String, spent: f64| {
        let share = format!("{:.1} %", 100.0 * spent / seconds);
        table.row([name.to_owned(), calls, format!("{:.3}", spent / steps * 1e3), share]);
    };
    for (name, calls, spent) in &kernels {
        row(&mut table, name, format!("{:.1}", *calls as f64 / steps), *spent);
    }
    let rest = seconds - kernels.iter().map(|kernel| kernel.2).sum::<f64>();
    row(&mut table, "between kernels", String::new(), rest.max(0.0));
    row(&mut table, "a step", String::new(), seconds);
    print(&format!("{}\nengine: {what}\n{steps} steps of {batch} users\n\n{table}", name(&dataset)))
}
