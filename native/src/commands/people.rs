//! People to recommend for: users of a run, or histories in a file.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use fastvae::{
    Error, Result,
    data::{Csr, Dataset, Grouped, Grouping},
    recommend::Recommender,
};

use crate::{
    args::flags::FilterArgs,
    output::{grouped as shown, note, plain},
    settings,
};

/// Names and histories of people.
pub struct People {
    /// The name of each.
    pub names: Vec<String>,
    /// Row `n`: the history of `names[n]`.
    pub histories: Csr,
}

impl People {
    /// These people, some at a time.
    pub fn chunks(&self, most: usize) -> impl Iterator<Item = Result<Self>> {
        let rows: Vec<u32> = (0..self.names.len() as u32).collect();
        let most = most.clamp(1, CHUNK);
        (0..rows.len()).step_by(most).map(move |start| {
            let end = (start + most).min(rows.len());
            Ok(Self {
                names: self.names[start..end].to_vec(),
                histories: self.histories.select(&rows[start..end])?,
            })
        })
    }
}

/// Standard input for `-`.
fn standard_input(path: &Path) -> &Path {
    if path == Path::new("-") { Path::new("/dev/stdin") } else { path }
}

/// Reads a set; `-` is standard input.
fn read(path: &Path, filter: &FilterArgs) -> Result<Dataset> {
    settings::load(&settings::data_config(Some(standard_input(path)), filter)?)
}

/// The number that each item of a set has in the model; `None` for items that the model does not know.
fn numbers(dataset: &Dataset, recommender: &Recommender) -> Vec<Option<u32>> {
    dataset.items.iter().map(|id| recommender.number_of(id)).collect()
}

/// Most users, and about as many interactions, that are in memory at once.
const CHUNK: usize = 4096;
const INTERACTIONS: usize = 1 << 21;

/// The histories of a file, some at a time.
pub struct Histories {
    grouped: Grouped,
    items: u32,
    path: PathBuf,
    /// People without an item that the model knows.
    without: u64,
    any: bool,
}

impl Histories {
    /// Opens a file, `-` for standard input, and reads it; temporary files lie in `folder`.
    ///
    /// # Errors
    /// As reading; [`Error::Setting`] if `strict` and the model does not know an item.
    pub fn open(
        path: &Path,
        filter: &FilterArgs,
        recommender: &Recommender,
        strict: bool,
        folder: PathBuf,
    ) -> Result<Self> {
        let grouping = Grouping { items: recommender.item_numbers(), folder, rows: Grouping::ROWS };
        let grouped = settings::grouped(standard_input(path), filter, &grouping)?;
        if let Some(first) = grouped.unknown.first() {
            let text = format!(
                "{} of {} items of {} are unknown to the model, {:?} for one",
                shown(grouped.unknown.len() as u64),
                shown(grouped.items as u64),
                path.display(),
                plain(first)
            );
            if strict {
                return Err(Error::setting("histories", text));
            }
            note(&format!("note: {text}; they are left out"));
        }
        let (items, path) = (recommender.context().items.len() as u32, path.to_owned());
        let mut histories = Self { grouped, items, path, without: 0, any: false };
        if histories.grouped.unknown.len() == histories.grouped.items {
            return Err(histories.nobody(recommender));
        }
        histories.grouped.unknown = Vec::new();
        Ok(histories)
    }

    /// The next people who have an item that the model knows; `None` after the last.
    ///
    /// # Errors
    /// As reading; [`Error::Data`] if there is nobody.
    pub fn next(&mut self, most: usize, recommender: &Recommender) -> Result<Option<People>> {
        let (mut names, mut rows, mut interactions) = (Vec::new(), Vec::new(), 0);
        while names.len() < most.min(CHUNK) && interactions < INTERACTIONS {
            let Some(next) = self.grouped.next() else { break };
            let (name, row) = next?;
            if row.is_empty() {
                self.without += 1;
                continue;
            }
            interactions += row.len();
            names.push(name);
            rows.push(row);
        }
        if !names.is_empty() {
            self.any = true;
            return Ok(Some(People { names, histories: Csr::from_rows(&rows, self.items)? }));
        }
        if !self.any {
            return Err(self.nobody(recommender));
        }
        if self.without > 0 {
            let count = shown(std::mem::take(&mut self.without));
            note(&format!("note: {count} people have no item that the model knows and get no list"));
        }
        Ok(None)
    }

    /// All people.
    ///
    /// # Errors
    /// As [`Histories::next`].
    pub fn all(mut self, recommender: &Recommender) -> Result<People> {
        let (mut names, mut rows) = (Vec::new(), Vec::new());
        while let Some(people) = self.next(usize::MAX, recommender)? {
            rows.extend(people.histories.iter().map(<[u32]>::to_vec));
            names.extend(people.names);
        }
        Ok(People { names, histories: Csr::from_rows(&rows, self.items)? })
    }

    fn nobody(&self, recommender: &Recommender) -> Error {
        Error::Data(format!(
            "nobody in {} has an item that the model knows; its items are called like {:?}",
            self.path.display(),
            recommender.item_id(0)
        ))
    }
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
