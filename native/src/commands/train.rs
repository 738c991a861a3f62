//! `fastvae train`: makes a run from flags, trains it, and shows its progress.

mod fastest;

use std::path::Path;

use fastvae::{
    Error, Result,
    data::{self, LoadReport, Split},
    engine::Engine,
    run::{
        Folder, Run, RunConfig, RunMetrics, Saved, Saves, Setup,
        checkpoint::{self, Context},
    },
    watch,
};
use fastvae_study::report;
use pollster::block_on;
use serde_json::Value;

use crate::{
    Outcome,
    args::train::TrainArgs,
    commands::evaluate::metrics_table,
    display::Display,
    interrupt,
    output::{duration, grouped, note, plain, print, print_json},
    settings,
};

/// Runs `fastvae train`.
///
/// # Errors
/// Errors of data, engine, training and saving; existing checkpoints are not removed on an error.
pub fn run(args: &TrainArgs) -> Result<Outcome> {
    interrupt::listen();
    let (mut run, report) = match &args.run.resume {
        Some(path) => resume(args, path),
        None => start(args),
    }?;
    // Ranking may lose the device too; what is then trained again is an epoch at most.
    let mut losses = 0;
    let measured = loop {
        if train(args, &mut run, &mut losses)? == Outcome::Interrupted {
            return stop(run);
        }
        match block_on(run.measure()) {
            Err(error) if may_go_on(&run, &mut losses) => go_on(args, &mut run, &error)?,
            measured => break measured,
        }
    };
    let metrics = match measured {
        Err(Error::Interrupted) => {
            let (path, resumed) = (run.storage().path().display(), run.storage().last().exists());
            let command = if resumed { "train --resume" } else { "evaluate" };
            note(&format!(
                "\nstopped while measuring; the model is saved, and measured by: fastvae {command} {path}"
            ));
            return Ok(Outcome::Interrupted);
        }
        metrics => metrics?,
    };
    let metrics = RunMetrics { data: Some(report), ..metrics };
    report::write(&run.storage().report(), &metrics)?;
    run.finish(&metrics)?;
    show(args, &run, &metrics)?;
    Ok(Outcome::Done)
}

fn start(args: &TrainArgs) -> Result<(Run<Folder>, LoadReport)> {
    let mut config = settings::new_run(args.run.config.as_deref(), &args.settings)?;
    if args.settings.is_automatic() {
        fastest::check(&config)?;
    }
    settings::find_again(&mut config)?;
    Folder::check(args.run.out.as_deref(), args.run.force)?;
    let warm_start = args.run.warm_start.as_deref();
    let earlier = warm_start.map(|path| checkpoint::read(&checkpoint::model_of(path))).transpose()?;
    let earlier = earlier.map(checkpoint::Checkpoint::into_model);
    let kept = earlier.as_ref().filter(|_| !args.run.drop_missing).map(|earlier| &earlier.context);
    let asked = settings::asked(args.run.config.as_deref(), &args.settings)?;
    let Prepared { mut context, split, report } = prepare(args, config, kept, Some(&asked))?;
    let (users, items) = (split.train.rows(), context.items.len());
    for change in settings::fit(&mut context.config, &asked, users, items) {
        note(&format!("note:     {change}"));
    }
    let engine = engine(args, &context)?;
    if args.settings.is_automatic() {
        let choice = fastest::choose(&engine, &mut context.config, &asked, &split.train)?;
        note(&format!("loss:     {choice}"));
    }
    context.config.validate(context.items.len())?;
    let setup = Setup { engine, context: context.clone(), split: &split, saves: saves(args) };
    let folder = || Folder::create(args.run.out.as_deref(), args.run.force, &context.data, &context.config);
    let (Some(earlier), Some(path)) = (earlier, warm_start) else {
        return Ok((block_on(Run::start(setup, folder))?, report));
    };
    let (run, matched) = block_on(Run::start_from(setup, &earlier, folder))?;
    let gone = match matched.gone {
        0 => String::new(),
        gone => format!("; {} items of it leave", grouped(gone as u64)),
    };
    note(&format!(
        "start:    {} items as in {}, {} at the mean of items they are seen with, {} at random{gone}",
        grouped(matched.known as u64),
        path.display(),
        grouped(matched.means as u64),
        grouped(matched.random as u64),
    ));
    Ok((run, report))
}

fn resume(args: &TrainArgs, path: &Path) -> Result<(Run<Folder>, LoadReport)> {
    let folder = Folder::open(path)?;
    let last = folder.checkpoint()?;
    let config = settings::resumed(&last.context.config, &args.settings)?;
    let before = last.context.clone();
    let mut saved = Saved::new(last, &config, path, folder.is_finished())?;
    if args.run.from_last {
        saved.forget_best();
    }
    let (epochs, steps) = (saved.epochs(), saved.steps());
    let Prepared { context, split, report } = prepare(args, config, Some(&before), None)?;
    let setup = Setup { engine: engine(args, &context)?, context, split: &split, saves: saves(args) };
    let run = block_on(Run::resume(setup, saved, folder))?;
    if !args.run.quiet {
        note(&format!("resumed:  {} after {epochs} epochs and {steps} steps", path.display()));
    }
    Ok((run, report))
}

/// The data of a run.
struct Prepared {
    context: Context,
    split: Split,
    /// What was read of the data.
    report: LoadReport,
}

/// Loads and splits the data. The items and users of an earlier run stay, if it is given.
/// Reads and splits the data. Of a new run, settings of the split that were not `asked` for may give way.
fn prepare(
    args: &TrainArgs,
    mut config: RunConfig,
    earlier: Option<&Context>,
    asked: Option<&Value>,
) -> Result<Prepared> {
    let start = std::time::Instant::now();
    let mut dataset = settings::load_run(&config)?;
    let read = dataset.statistics().counts;
    let kept_items = earlier.map_or(0, |earlier| dataset.keep_items(earlier.known_items()));
    let users = dataset.interactions.rows();
    let change = asked.and_then(|asked| settings::fit_split(&mut config, asked, users));
    let split = data::split(&dataset, &config.split)?;
    let mut context = Context::new(config, &dataset);
    let kept_users = earlier.map_or(Ok(0), |earlier| context.keep_users(earlier))?;
    if !args.run.quiet {
        note(&format!(
            "data:     {}: {} users, {} items, {} interactions (read in {})",
            dataset.name,
            grouped(read.users),
            grouped(read.items),
            grouped(read.interactions),
            duration(start.elapsed().as_secs_f64())
        ));
        for (name, value) in dataset.report.lines(grouped) {
            note(&format!("          {name}: {}", plain(&value)));
        }
    }
    if let Some(change) = change {
        note(&format!("note:     {change}"));
    }
    if kept_items + kept_users > 0 {
        let (items, users) = (grouped(kept_items as u64), grouped(kept_users as u64));
        note(&format!(
            "note:     {items} items and {users} users of the earlier model are not in the data and stay"
        ));
    }
    Ok(Prepared { context, split, report: dataset.report })
}

fn engine(args: &TrainArgs, context: &Context) -> Result<Engine> {
    let (engine, why) = settings::engine_for(&args.engine, context.config.model.kind())?;
    if !args.run.quiet {
        note(&format!("engine:   {}\n          because: {why}", engine.describe()));
    }
    Ok(engine)
}

fn saves(args: &TrainArgs) -> Saves {
    Saves { every: args.run.save_every, best: true }
}

/// How often a run goes on after its device was lost: a driver that fails again and again needs its owner.
const MOST_LOSSES: u32 = 3;

/// Whether the device is lost and the run can go on from a save.
fn may_go_on(run: &Run<Folder>, losses: &mut u32) -> bool {
    let may = run.engine().is_lost() && run.storage().last().exists() && *losses < MOST_LOSSES;
    *losses += u32::from(may);
    may
}

/// Opens the engine again and goes back to the last save.
fn go_on(args: &TrainArgs, run: &mut Run<Folder>, error: &Error) -> Result<()> {
    note(&format!("\n{error}; it is opened again"));
    let engine = engine(args, run.context())?;
    block_on(run.go_back(engine))
}

/// Trains and shows events until the run is finished or Ctrl-C stops it.
fn train(args: &TrainArgs, run: &mut Run<Folder>, losses: &mut u32) -> Result<Outcome> {
    let training = &run.context().config.training;
    let mut display = Display::new(args.run.quiet, &training.metric, training.epochs);
    let result = loop {
        match block_on(run.next()) {
            Ok(Some(event)) => display.show(&event),
            Ok(None) => break Ok(Outcome::Done),
            // Interrupted during an index build or a validation, which a resume repeats.
            Err(Error::Interrupted) => break Ok(Outcome::Interrupted),
            Err(error) if may_go_on(run, losses) => go_on(args, run, &error)?,
            Err(error) => break Err(error),
        }
        if watch::is_stopping() && !run.progress().finished && run.can_stop() {
            break Ok(Outcome::Interrupted);
        }
    };
    display.end();
    if result.is_err() {
        name_saves(run.storage());
    }
    result
}

/// After an error, names the files that can still be used.
fn name_saves(folder: &Folder) {
    for (path, what) in [(folder.model(), "the best model"), (folder.last(), "the last save")] {
        if path.exists() {
            note(&format!("saved: {} ({what})", path.display()));
        }
    }
    if folder.last().exists() {
        note(&format!("go on from it with: fastvae train --resume {}", folder.path().display()));
    }
}

fn stop(run: Run<Folder>) -> Result<Outcome> {
    let (epochs, steps) = (run.progress().epoch, run.progress().step_in_epoch);
    if run.progress().step == 0 {
        run.into_storage().abandon()?;
        return Err(Error::Interrupted);
    }
    let folder = block_on(run.stop())?;
    note(&format!(
        "\nstopped after {epochs} epochs and {steps} steps; go on with: fastvae train --resume {}",
        folder.path().display()
    ));
    Ok(Outcome::Interrupted)
}

fn show(args: &TrainArgs, run: &Run<Folder>, metrics: &RunMetrics) -> Result<()> {
    if args.run.json {
        return print_json(metrics);
    }
    let users = run.test().users.len() as u64;
    let skipped = match metrics.test_users_skipped {
        0 => String::new(),
        many => format!(" ({} without held-out items skipped)", grouped(many)),
    };
    let model = match metrics.best_epoch {
        Some(best) => format!("the model of epoch {best}, the best on validation"),
        None if metrics.closed_form.is_some() => format!("{}, in closed form", run.context().config.name()),
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
        run.storage().path().display()
    ))
}
