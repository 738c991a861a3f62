//! `fastvae data`: info, convert, get.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use fastvae::{
    Error, Result,
    data::{self, Dataset, LoadOptions, TimesRead, WriteForm, WriteOptions, download},
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::{
    Outcome,
    args::data::{ConvertArgs, DataCommand, GetArgs, InfoArgs},
    output::{duration, grouped, note, plain, print, print_json},
    settings,
};

/// Runs a subcommand of `fastvae data`.
///
/// # Errors
/// Errors of reading, writing or downloading.
pub fn run(command: &DataCommand) -> Result<Outcome> {
    match command {
        DataCommand::Info(args) => info(args),
        DataCommand::Convert(args) => convert(args),
        DataCommand::Get(args) => get(args),
    }?;
    Ok(Outcome::Done)
}

fn info(args: &InfoArgs) -> Result<()> {
    let start = Instant::now();
    let config = settings::data_config(args.path.as_deref(), &args.filter)?;
    let options = LoadOptions { times: TimesRead::Span, ..config.load_options() };
    let dataset = settings::load_with(&config, options)?;
    let seconds = start.elapsed().as_secs_f64();
    if args.json {
        return print_json(&json!({
            "name": dataset.name,
            "statistics": dataset.statistics(),
            "report": dataset.report,
            "titles": dataset.titles.is_some(),
            "genres": dataset.genres.is_some(),
            "given_split": dataset.given.is_some(),
            "seconds": seconds,
        }));
    }
    print(&describe(&dataset, seconds))
}

fn describe(dataset: &Dataset, seconds: f64) -> String {
    let (statistics, report) = (dataset.statistics(), &dataset.report);
    let counts = statistics.counts;
    let mut text = format!("{}\n", plain(&dataset.name));
    let mut line = |name: &str, value: String| {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  {name:<22}{}", plain(&value));
    };
    if !report.form.is_empty() {
        line("form", report.form.clone());
    }
    match report.files.as_slice() {
        [] => {}
        files if files.len() <= 4 => line("files", files.join(", ")),
        files => line("files", format!("{} and {} more", files[0], files.len() - 1)),
    }
    for (name, value) in report.lines(grouped) {
        line(&name, value);
    }
    line("read in", duration(seconds));
    if report.core > 1 {
        let before = report.before_core;
        let gone = |before: u64, after: u64| grouped(before.saturating_sub(after));
        line(
            &format!("- {}-core", report.core),
            format!(
                "{} users, {} items, {} interactions, in {} rounds",
                gone(before.users, counts.users),
                gone(before.items, counts.items),
                gone(before.interactions, counts.interactions),
                report.core_rounds
            ),
        );
    }
    line("users", grouped(counts.users));
    line("items", grouped(counts.items));
    line("interactions", grouped(counts.interactions));
    line("sparsity", format!("{:.2} %", statistics.sparsity));
    let histories = statistics.histories;
    line(
        "items a user",
        format!(
            "{} to {}, median {}, mean {:.1}",
            histories.min, histories.max, histories.median, histories.mean
        ),
    );
    line("titles", if dataset.titles.is_some() { "yes" } else { "no" }.into());
    line("genres", if dataset.genres.is_some() { "yes" } else { "no" }.into());
    if let Some(given) = &dataset.given {
        let validation = given.validation.as_ref().map_or(0, |set| set.users.len() as u64);
        line(
            "given split",
            format!(
                "{} training interactions, {} validation users, {} test users",
                grouped(given.train.nnz() as u64),
                grouped(validation),
                grouped(given.test.users.len() as u64)
            ),
        );
    }
    text
}

fn convert(args: &ConvertArgs) -> Result<()> {
    let form = match &args.format {
        Some(form) => form.parse()?,
        None => WriteForm::of_path(&args.to).ok_or_else(|| {
            let known: Vec<&str> = WriteForm::ALL.iter().map(|form| form.0).collect();
            Error::setting(
                "format",
                format!(
                    "the ending of {} says nothing; choose one of {}",
                    args.to.display(),
                    known.join(", ")
                ),
            )
        })?,
    };
    if form != WriteForm::Lightgcn && !args.split.is_empty() {
        return Err(Error::setting(
            "split",
            "this form holds interactions without a split; --format lightgcn writes train.txt and test.txt",
        ));
    }
    if args.to.exists() && !args.force {
        return Err(Error::setting(
            "force",
            format!("{} is there already; --force replaces it", args.to.display()),
        ));
    }
    let dataset = settings::load(&settings::data_config(Some(&args.from), &args.filter)?)?;
    let split = if form == WriteForm::Lightgcn && (dataset.given.is_none() || !args.split.is_empty()) {
        Some(data::split(&dataset, &settings::new_run(None, &args.split)?.split)?)
    } else {
        None
    };
    let options = WriteOptions { split: split.as_ref(), no_formulas: args.no_formulas };
    let written = data::write(&dataset, &args.to, form, &options)?;
    let names: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
    if args.json {
        return print_json(&json!({
            "name": dataset.name, "statistics": dataset.statistics(), "report": dataset.report, "written": names,
        }));
    }
    let (name, names) = (plain(&dataset.name), names.join(", "));
    print(&format!("{name}: {}\nwritten: {}\n", dataset.statistics().counts, plain(&names)))
}

fn get(args: &GetArgs) -> Result<()> {
    let remote = download::remote(&args.name)?;
    note(&format!("licence: {}", remote.licence));
    let style =
        ProgressStyle::with_template("{bar:32} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left");
    let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let progress = |progress: download::Progress| {
        if let Some(total) = progress.total {
            bar.set_length(total);
        }
        bar.set_position(progress.done);
    };
    let mut server = download::Server { patience: Duration::from_secs(args.timeout), ..Default::default() };
    if let Some(home) = &args.mirror {
        server.home = home.trim_end_matches('/').to_owned();
    }
    let path = download::get(&server, remote, &args.to, progress);
    bar.finish_and_clear();
    let path = path?;
    if args.json {
        let checked = remote.md5.is_some();
        return print_json(&json!({
            "name": args.name, "path": path.display().to_string(), "licence": remote.licence, "md5_checked": checked,
        }));
    }
    let checked =
        if remote.md5.is_some() { "its MD5 is the published one" } else { "no MD5 is published for it" };
    note(&format!("{checked}; train on it with: fastvae train --data {}", path.display()));
    print(&format!("{}\n", path.display()))
}
