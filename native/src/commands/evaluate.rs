//! `fastvae evaluate`: evaluates the model of a run, and compares it with another one.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use fastvae::{
    Error, Result,
    data::{self, Csr, Dataset, EvaluationSet},
    evaluate::{self, Background, Difference, Interval, PerUser, beyond},
    rank::Ranking,
    recommend::{Recommendation, Recommender},
    run::{checkpoint::Context, fingerprint},
};
use fastvae_study::labels;
use pollster::block_on;
use serde_json::json;

use crate::{
    Outcome,
    args::use_model::{EvaluateArgs, Format},
    lists::{self, For, List, Target},
    output::{Table, grouped, note, plain, print, print_json},
    settings,
};

/// Seed of the intervals and of the comparison of two models.
const SEED: u64 = 1;

/// Runs `fastvae evaluate`.
///
/// # Errors
/// Errors of checkpoint, data and engine; [`Error::Data`] if the data does not match the model.
pub fn run(args: &EvaluateArgs) -> Result<Outcome> {
    let recommender = settings::recommender(&args.run, &args.engine)?;
    let Subject { name, part, set, train } = subject(args, recommender.context())?;
    let ranking = block_on(evaluate::lists(recommender.engine(), recommender.model(), &set, &args.at))?;
    let metrics = evaluate::measure(&ranking, &set, &args.at)?;
    let (means, skipped) = (metrics.means()?, u64::from(set.skipped) + metrics.skipped());
    if let Some(path) = &args.lists {
        write_lists(path, &recommender, &ranking, &set, &args.at)?;
    }
    let more =
        if args.more { Some(described(&recommender, &ranking, &set, &train, &args.at)?) } else { None };
    let users = || PerUser::of(&ranking, &set, &args.at);
    let intervals = if args.intervals { Some(users()?.intervals(SEED)) } else { None };
    let comparison = match &args.other {
        Some(path) => Some(compare(args, path, &recommender, &set, &users()?)?),
        None => None,
    };
    if args.json {
        let mut report = json!({
            "data": name,
            "part": part,
            "users": metrics.users(),
            "users_skipped": skipped,
            "metrics": means,
        });
        if let Some(more) = more {
            report["beyond"] = json!(more);
        }
        if let Some(intervals) = intervals {
            report["intervals"] = json!(intervals);
        }
        if let Some(comparison) = comparison {
            report["comparison"] = json!(comparison);
        }
        print_json(&report)?;
        return Ok(Outcome::Done);
    }
    let skipped = match skipped {
        0 => String::new(),
        many => format!(" ({} without held-out items skipped)", grouped(many)),
    };
    let mut text = format!(
        "{part} part of {}: {} users{skipped}\n\n{}",
        plain(&name),
        grouped(metrics.users()),
        metrics_table(&means)
    );
    if let Some(more) = &more {
        text += &format!("\n{}", table(more, labels::BEYOND, |value| format!("{value:.4}")));
    }
    if let Some(intervals) = &intervals {
        let shown = |interval: &Interval| format!("{:.4}..{:.4}", interval.low, interval.high);
        text += &format!("\n95% intervals\n\n{}", table(intervals, labels::ACCURACY, shown));
    }
    if let (Some(comparison), Some(other)) = (&comparison, &args.other) {
        let shown = |one: &Difference| {
            let Interval { mean, low, high } = one.difference;
            format!("{mean:+.4} ({low:+.4}..{high:+.4}) p {:.3}", one.p)
        };
        text += &format!(
            "\n{} minus {}, with 95% intervals and the p-value of a paired randomisation test\n\n{}",
            other.display(),
            args.run.display(),
            table(comparison, labels::ACCURACY, shown)
        );
    }
    print(&text)?;
    Ok(Outcome::Done)
}

/// What a model is evaluated on.
struct Subject {
    /// The name of the data.
    name: String,
    part: &'static str,
    set: EvaluationSet,
    /// The interactions that popularity is counted in.
    train: Csr,
}

/// The users and their held-out items: those of the run, or those of the set given instead.
fn subject(args: &EvaluateArgs, context: &Context) -> Result<Subject> {
    let dataset = dataset(args, context)?;
    let name = dataset.name.clone();
    if args.data.is_some() && !args.split_again {
        let set = held_out(&dataset, context)?;
        return Ok(Subject { name, part: "held-out", set, train: context.histories.clone() });
    }
    let split = data::split(&dataset, &context.config.split)?;
    let train = if dataset.items == *context.items { split.train } else { context.histories.clone() };
    let (part, set) = if args.validation { ("validation", split.validation) } else { ("test", split.test) };
    let set = fitted(set, &dataset, context)?;
    Ok(Subject { name, part, set, train })
}

/// Loads the data of the run, or the set given instead.
fn dataset(args: &EvaluateArgs, context: &Context) -> Result<Dataset> {
    if args.data.is_some() {
        let config = settings::data_config(args.data.as_deref(), &args.filter)?;
        let mut options = config.load_options();
        if args.split_again {
            options.times = context.config.split.times();
        }
        return settings::load_with(&config, options);
    }
    if !args.filter.is_empty() || args.split_again {
        return Err(Error::setting(
            "data",
            "filters and another split go with a set of its own; without --data, those of the run hold",
        ));
    }
    let mut dataset = settings::load_run(&context.config).map_err(|error| match (&error, &context.config.data.path) {
        (Error::Io { action: "read", source, .. }, Some(path)) => Error::Data(format!(
            "the data of the run is not at {} any more ({source}); name where it is with --data PATH --split-again",
            path.display()
        )),
        _ => error,
    })?;
    // A run that was started from an earlier one may have more items than its data.
    dataset.keep_items(context.known_items());
    if fingerprint(&dataset) != context.fingerprint {
        return Err(Error::Data(format!(
            "{} is no longer what the model was trained on ({} users, {} items, {} interactions): it has {} now; \
             name it with --data to measure on it as it is",
            dataset.name,
            context.users.len(),
            context.items.len(),
            context.histories.nnz(),
            dataset.statistics().counts
        )));
    }
    Ok(dataset)
}

/// The number of each item of a set in the model; those that it does not have are counted.
fn numbers(dataset: &Dataset, context: &Context) -> Result<Vec<Option<u32>>> {
    let known: BTreeMap<&str, u32> = context.items.iter().map(String::as_str).zip(0..).collect();
    let number: Vec<Option<u32>> = dataset.items.iter().map(|id| known.get(id.as_str()).copied()).collect();
    let unknown = number.iter().filter(|item| item.is_none()).count();
    if unknown == number.len() {
        return Err(Error::Data(format!(
            "{} and the model have no item id in common: it has ids like {}, the model like {}",
            dataset.name, dataset.items[0], context.items[0]
        )));
    }
    if unknown > 0 {
        note(&format!(
            "note: {} of {} items are unknown to the model and left out",
            grouped(unknown as u64),
            grouped(number.len() as u64)
        ));
    }
    Ok(number)
}

/// All interactions of a set as what is to be found for users whose histories the run has.
fn held_out(dataset: &Dataset, context: &Context) -> Result<EvaluationSet> {
    let number = numbers(dataset, context)?;
    let users: BTreeMap<&str, u32> = context.users.iter().map(String::as_str).zip(0..).collect();
    let mut rows = BTreeMap::new();
    let (mut strangers, mut skipped, mut seen_before) = (0u64, 0, 0u64);
    for (name, row) in dataset.users.iter().zip(dataset.interactions.iter()) {
        let Some(&user) = users.get(name.as_str()) else {
            strangers += 1;
            continue;
        };
        let history = context.histories.row(user as usize);
        let items: Vec<u32> = row.iter().filter_map(|&item| number[item as usize]).collect();
        let new: Vec<u32> =
            items.iter().copied().filter(|item| history.binary_search(item).is_err()).collect();
        seen_before += (items.len() - new.len()) as u64;
        if new.is_empty() {
            skipped += 1;
        } else {
            rows.insert(user, new);
        }
    }
    if rows.is_empty() {
        return Err(Error::Data(format!(
            "{} holds nothing new for a user of the run ({strangers} of its users are unknown to the run); --split-again splits \
             it as the run's data was split",
            dataset.name
        )));
    }
    for (count, what) in [
        (strangers, "users are unknown to the run"),
        (seen_before, "interactions are in the histories of the run"),
    ] {
        if count > 0 {
            note(&format!("note: {} {what} and left out", grouped(count)));
        }
    }
    let users: Vec<u32> = rows.keys().copied().collect();
    let held_out: Vec<Vec<u32>> = rows.into_values().collect();
    Ok(EvaluationSet {
        fold_in: context.histories.select(&users)?,
        held_out: Csr::from_rows(&held_out, context.items.len() as u32)?,
        users,
        skipped,
    })
}

/// Renumbers the set's items as in the model; items that the model does not have are dropped and counted.
fn fitted(set: EvaluationSet, dataset: &Dataset, context: &Context) -> Result<EvaluationSet> {
    if dataset.items == *context.items {
        return Ok(set);
    }
    let number = numbers(dataset, context)?;
    let renumbered =
        |row: &[u32]| -> Vec<u32> { row.iter().filter_map(|&item| number[item as usize]).collect() };
    let (mut users, mut fold_in, mut held_out, mut skipped) =
        (Vec::new(), Vec::new(), Vec::new(), set.skipped);
    for (at, &user) in set.users.iter().enumerate() {
        let (seen, rest) = (renumbered(set.fold_in.row(at)), renumbered(set.held_out.row(at)));
        if seen.is_empty() || rest.is_empty() {
            skipped += 1;
            continue;
        }
        users.push(user);
        fold_in.push(seen);
        held_out.push(rest);
    }
    let columns = context.items.len() as u32;
    let (fold_in, held_out) = (Csr::from_rows(&fold_in, columns)?, Csr::from_rows(&held_out, columns)?);
    Ok(EvaluationSet { users, fold_in, held_out, skipped })
}

/// Writes the ranked lists that the metrics are made of, with the hits.
fn write_lists(
    path: &Path,
    recommender: &Recommender,
    ranking: &Ranking,
    set: &EvaluationSet,
    at: &[usize],
) -> Result<()> {
    let format = Format::of_file(path).unwrap_or(Format::Csv);
    let target = Target { format, output: Some(path), no_formulas: false };
    let users = &recommender.context().users;
    lists::write(For::User, recommender, &target, |writer| {
        for (at, &user) in set.users.iter().enumerate() {
            let scores = &ranking.scores[at * ranking.k..];
            let row = ranking.row(at);
            let items = row.iter().zip(scores).map(|(&item, &score)| Recommendation { item, score });
            let held_out = set.held_out.row(at);
            let hits = row.iter().map(|item| held_out.binary_search(item).is_ok()).collect();
            // Users of another set are numbered as in that set.
            let of = users.get(user as usize).cloned().unwrap_or_else(|| user.to_string());
            writer.list(&List { heading: of.clone(), of, items: items.collect(), hits: Some(hits) })?;
        }
        Ok(())
    })?;
    let k = at.iter().max().copied().unwrap_or(0);
    note(&format!("lists: {}: the first {k} of {} users", path.display(), grouped(set.users.len() as u64)));
    Ok(())
}

/// What the lists recommend, beside whether it is right.
fn described(
    recommender: &Recommender,
    ranking: &Ranking,
    set: &EvaluationSet,
    train: &Csr,
    at: &[usize],
) -> Result<BTreeMap<String, f64>> {
    let rows = block_on(recommender.item_rows()).ok();
    // The last number of a row is the bias.
    let vectors = rows.map(|rows| {
        let inner = rows.rows().flat_map(|row| row[..row.len() - 1].iter().copied()).collect::<Vec<f32>>();
        (inner, rows.width - 1)
    });
    let vectors = vectors.as_ref().map(|(vectors, width)| (vectors.as_slice(), *width));
    beyond(ranking, set, &Background { train, vectors }, at)
}

/// How another model differs on the same users.
fn compare(
    args: &EvaluateArgs,
    other: &Path,
    first: &Recommender,
    set: &EvaluationSet,
    users: &PerUser,
) -> Result<BTreeMap<String, Difference>> {
    let second = settings::recommender(other, &args.engine)?;
    let same_split = second.context().config.split == first.context().config.split || args.data.is_some();
    if second.context().items != first.context().items || !same_split {
        return Err(Error::Data(format!(
            "{} and {} cannot be compared: they were trained on other items or with another split",
            args.run.display(),
            other.display()
        )));
    }
    let ranking = block_on(evaluate::lists(second.engine(), second.model(), set, &args.at))?;
    users.compare(&PerUser::of(&ranking, set, &args.at)?, SEED)
}

/// A table with metrics as rows and cut-offs as columns.
pub fn metrics_table(means: &BTreeMap<String, f64>) -> Table {
    table(means, labels::ACCURACY, |value| format!("{value:.4}"))
}

fn table<T>(values: &BTreeMap<String, T>, rows: &[(&str, &str)], shown: impl Fn(&T) -> String) -> Table {
    let cutoffs: BTreeSet<usize> =
        values.keys().filter_map(|key| key.split_once('@')?.1.parse().ok()).collect();
    let mut table = Table::new(std::iter::once(String::new()).chain(cutoffs.iter().map(|k| format!("@{k}"))));
    for (name, label) in rows {
        let value = |k: &usize| values.get(&format!("{name}@{k}"));
        if cutoffs.iter().any(|k| value(k).is_some()) {
            let cells = cutoffs.iter().map(|k| value(k).map_or("–".into(), &shown));
            table.row(std::iter::once((*label).to_owned()).chain(cells));
        }
    }
    table
}
