//! `fastvae bench epoch`: times losses in turns, so that other load on the machine affects all of them
//! equally.

use fastvae::{Result, config::Method, run::peak_memory_bytes, train::Trainer};
use pollster::block_on;
use serde_json::json;

use super::{Times, advance, name, prepare};
use crate::{
    args::bench::EpochArgs,
    output::{Table, duration, note, print, print_json},
    settings,
};

/// One of the losses to compare.
struct Contender {
    loss: String,
    trainer: Trainer,
    epochs: Times,
    index: Times,
}

/// Runs `fastvae bench epoch`.
///
/// # Errors
/// Errors of data, engine and training.
pub fn run(args: &EpochArgs) -> Result<()> {
    let (_, dataset, split) = prepare(&args.settings)?;
    let mut contenders = Vec::new();
    for loss in &args.losses {
        let mut flags = args.settings.clone();
        if let Some(method) = Method::parse(loss) {
            flags = flags.with_method(method);
        }
        flags.put("training", "epochs", (args.repeats + 2).into());
        let config = settings::new_run(None, &flags)?;
        let (engine, _) = settings::engine(&args.engine)?;
        let trainer = block_on(Trainer::new(engine, &config.training()?, &split.train, None))?;
        contenders.push(Contender {
            loss: loss.clone(),
            trainer,
            epochs: Times(Vec::new()),
            index: Times(Vec::new()),
        });
    }
    let what = contenders[0].trainer.engine().describe();
    for turn in 0..=args.repeats {
        for one in &mut contenders {
            let an_epoch = one.trainer.steps_per_epoch();
            let steps = args.steps.unwrap_or(an_epoch).clamp(1, an_epoch);
            let (seconds, index) = advance(&mut one.trainer, steps)?;
            // The first turn is a warm-up. If epochs are cut short, its index build is used for every
            // epoch.
            if turn > 0 {
                let whole = (seconds - index) * f64::from(an_epoch) / f64::from(steps);
                let index = if steps < an_epoch { one.index.best() } else { index };
                one.epochs.push(whole + index);
                one.index.push(index);
            } else if steps < an_epoch {
                one.index.push(index);
            }
        }
        if !args.common.json {
            note(&format!("turn {} of {}", turn + 1, args.repeats + 1));
        }
    }
    let reference = contenders[0].epochs.median();
    if args.common.json {
        let losses: Vec<_> = contenders
            .iter()
            .map(|one| {
                json!({
                    "loss": one.loss, "seconds": one.epochs.0, "seconds_median": one.epochs.median(),
                    "index_seconds_median": one.index.median(), "ratio": one.epochs.median() / reference,
                    "steps_per_epoch": one.trainer.steps_per_epoch(),
                })
            })
            .collect();
        return print_json(&json!({
            "data": dataset.name, "engine": what, "extrapolated_from_steps": args.steps, "losses": losses,
            "peak_memory_bytes": peak_memory_bytes(),
        }));
    }
    let against = format!("x {}", contenders[0].loss);
    let mut table = Table::new(["loss", "best", "median", "worst", "of it index", against.as_str()]);
    for one in &contenders {
        table.row([
            one.loss.clone(),
            duration(one.epochs.best()),
            duration(one.epochs.median()),
            duration(one.epochs.worst()),
            duration(one.index.median()),
            format!("{:.3}", one.epochs.median() / reference),
        ]);
    }
    let how = match args.steps {
        Some(steps) => format!("an epoch, extrapolated from {steps} steps"),
        None => "an epoch".into(),
    };
    print(&format!(
        "{}\nengine: {what}\n{how}, {} times each in turn\n\n{table}",
        name(&dataset),
        args.repeats
    ))
}
