//! People to recommend for: users of a run, or histories in a file.

use std::{collections::HashMap, path::Path};

use fastvae::{
    Error, Result,
    data::{Csr, Dataset},
    recommend::Recommender,
};

use crate::{
    args::flags::FilterArgs,
    output::{grouped, note, plain},
    settings,
};

/// Names and histories of people.
pub struct People {
    /// The name of each.
    pub names: Vec<String>,
    /// Row `n`: the history of `names[n]`.
    pub histories: Csr,
}

/// Reads a set; `-` is standard input.
pub fn read(path: &Path, filter: &FilterArgs) -> Result<Dataset> {
    let path = if path == Path::new("-") { Path::new("/dev/stdin") } else { path };
    settings::load(&settings::data_config(Some(path), filter)?)
}

/// The number that each item of a set has in the model; `None` for items that the model does not know.
fn numbers(dataset: &Dataset, recommender: &Recommender) -> Vec<Option<u32>> {
    dataset.items.iter().map(|id| recommender.number_of(id)).collect()
}

/// The histories of a file, with the items that the model knows.
///
/// # Errors
/// As reading; [`Error::Data`] if nobody has an item that the model knows, or `strict` and an item is unknown.
pub fn of_file(path: &Path, filter: &FilterArgs, recommender: &Recommender, strict: bool) -> Result<People> {
    let dataset = read(path, filter)?;
    let known = numbers(&dataset, recommender);
    let unknown = known.iter().filter(|number| number.is_none()).count();
    if unknown > 0 {
        let first = known.iter().position(Option::is_none).map_or("", |at| dataset.items[at].as_str());
        let text = format!(
            "{} of {} items of {} are unknown to the model, {:?} for one",
            grouped(unknown as u64),
            grouped(known.len() as u64),
            path.display(),
            plain(first)
        );
        if strict {
            return Err(Error::setting("histories", text));
        }
        note(&format!("note: {text}; they are left out"));
    }
    let (mut names, mut rows, mut without) = (Vec::new(), Vec::new(), 0u64);
    for (name, row) in dataset.users.into_iter().zip(dataset.interactions.iter()) {
        let row: Vec<u32> = row.iter().filter_map(|&item| known[item as usize]).collect();
        if row.is_empty() {
            without += 1;
        } else {
            names.push(name);
            rows.push(row);
        }
    }
    if names.is_empty() {
        return Err(Error::Data(format!(
            "nobody in {} has an item that the model knows; its items are called like {:?}",
            path.display(),
            recommender.item_id(0)
        )));
    }
    if without > 0 {
        note(&format!("note: {} people have no item that the model knows and get no list", grouped(without)));
    }
    let histories = Csr::from_rows(&rows, recommender.context().items.len() as u32)?;
    Ok(People { names, histories })
}

/// The items that a file has for each user, by the user's id.
///
/// # Errors
/// As reading; [`Error::Setting`] for `flag` if it has no item that the model knows.
pub fn pairs(
    flag: &str,
    path: &Path,
    recommender: &Recommender,
    strict: bool,
) -> Result<HashMap<String, Vec<u32>>> {
    let dataset = read(path, &FilterArgs::default())?;
    let known = numbers(&dataset, recommender);
    let unknown = known.iter().filter(|number| number.is_none()).count();
    if unknown == known.len() || strict && unknown > 0 {
        let problem =
            format!("{}: {unknown} of {} items are unknown to the model", path.display(), known.len());
        return Err(Error::setting(flag, problem));
    }
    if unknown > 0 {
        note(&format!(
            "note: {unknown} of {} items of --{flag} are unknown to the model and left out",
            known.len()
        ));
    }
    let rows = dataset.users.into_iter().zip(dataset.interactions.iter());
    let items = |row: &[u32]| row.iter().filter_map(|&item| known[item as usize]).collect();
    Ok(rows.map(|(user, row)| (user, items(row))).collect())
}

/// Finds what is named; what is unknown is left out with a note, or is an error if `strict`.
///
/// # Errors
/// The first problem, if nothing is known or with `strict`.
pub fn known<T>(
    flag: &str,
    names: &[&str],
    strict: bool,
    find: impl Fn(&str) -> Result<T>,
) -> Result<Vec<(String, T)>> {
    const SHOWN: usize = 3;
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for name in names {
        match find(name) {
            Ok(one) => found.push(((*name).to_owned(), one)),
            Err(Error::Setting { problem, .. }) => problems.push((*name, problem)),
            Err(error) => return Err(error),
        }
    }
    if problems.is_empty() {
        return Ok(found);
    }
    if strict || found.is_empty() {
        return Err(Error::setting(flag, problems.swap_remove(0).1));
    }
    let shown: Vec<String> = problems.iter().take(SHOWN).map(|(name, _)| format!("{name:?}")).collect();
    let more = if problems.len() > SHOWN { ", .." } else { "" };
    note(&format!(
        "note: {} of {} in --{flag} are unknown and left out: {}{more} (--strict ends there)",
        problems.len(),
        names.len(),
        shown.join(", ")
    ));
    Ok(found)
}
