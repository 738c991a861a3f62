//! `fastvae evaluate`: evaluates the model of a run.

use std::collections::{BTreeMap, BTreeSet};

use fastvae::{
    Error, Result,
    data::{self, Csr, Dataset, EvaluationSet},
    evaluate::evaluate,
    run::{checkpoint::Context, fingerprint},
};
use pollster::block_on;
use serde_json::json;

use crate::{
    Outcome,
    args::use_model::EvaluateArgs,
    output::{Table, grouped, note, plain, print, print_json},
    settings,
};

/// Runs `fastvae evaluate`.
///
/// # Errors
/// Errors of checkpoint, data and engine; [`Error::Data`] if the data does not match the model.
pub fn run(args: &EvaluateArgs) -> Result<Outcome> {
    let recommender = settings::recommender(&args.run, &args.engine)?;
    let context = recommender.context();
    let dataset = dataset(args, context)?;
    let split = data::split(&dataset, &context.config.split)?;
    let (part, set) = if args.validation { ("validation", split.validation) } else { ("test", split.test) };
    let set = fitted(set, &dataset, context)?;
    let metrics = block_on(evaluate(recommender.engine(), recommender.model(), &set, &args.at))?;
    let (means, skipped) = (metrics.means()?, u64::from(set.skipped) + metrics.skipped());
    if args.json {
        print_json(&json!({
            "data": dataset.name,
            "part": part,
            "users": metrics.users(),
            "users_skipped": skipped,
            "metrics": means,
        }))?;
    } else {
        let skipped = match skipped {
            0 => String::new(),
            many => format!(" ({} without held-out items skipped)", grouped(many)),
        };
        print(&format!(
            "{part} part of {}: {} users{skipped}\n\n{}",
            plain(&dataset.name),
            grouped(metrics.users()),
            metrics_table(&means)
        ))?;
    }
    Ok(Outcome::Done)
}

/// Loads the data of the run, or the set given instead.
fn dataset(args: &EvaluateArgs, context: &Context) -> Result<Dataset> {
    if args.data.is_some() {
        return settings::load(&settings::data_config(args.data.as_deref(), &args.filter)?);
    }
    if !args.filter.is_empty() {
        return Err(Error::setting(
            "data",
            "filters go with a set of its own; without --data, those of the run hold",
        ));
    }
    let dataset = settings::load(&context.config.data)?;
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

/// Renumbers the set's items as in the model; items that the model does not have are dropped and counted.
fn fitted(set: EvaluationSet, dataset: &Dataset, context: &Context) -> Result<EvaluationSet> {
    if dataset.items == *context.items {
        return Ok(set);
    }
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

/// A table with metrics as rows and cut-offs as columns.
pub fn metrics_table(means: &BTreeMap<String, f64>) -> Table {
    let cutoffs: BTreeSet<usize> =
        means.keys().filter_map(|key| key.split_once('@')?.1.parse().ok()).collect();
    let mut table = Table::new(std::iter::once(String::new()).chain(cutoffs.iter().map(|k| format!("@{k}"))));
    for (name, label) in [
        ("ndcg", "NDCG"),
        ("recall", "Recall, hits / |test|"),
        ("recall_min_k", "Recall, hits / min(k, |test|)"),
        ("precision", "Precision"),
        ("map", "MAP"),
        ("mrr", "MRR"),
        ("hit_rate", "Hit rate"),
        ("coverage", "Coverage of the catalogue"),
    ] {
        let value =
            |k: &usize| means.get(&format!("{name}@{k}")).map_or("–".into(), |mean| format!("{mean:.4}"));
        table.row(std::iter::once(label.to_owned()).chain(cutoffs.iter().map(value)));
    }
    table
}
