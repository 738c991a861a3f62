//! `fastvae recommend`: the best items for users of the run, or for given histories.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use fastvae::{
    Error, Result,
    data::Csr,
    recommend::{Filter, Own, Recommendation, Recommender},
};
use indicatif::{ProgressBar, ProgressStyle};
use pollster::block_on;

use super::people::{self, People};
use crate::{
    Outcome,
    args::use_model::RecommendArgs,
    lists::{self, For, List, Target, Writer},
    settings,
};

/// Users whose lists are in memory at once.
const CHUNK: usize = 4096;
/// Most items of the masks of these users: with lists of allowed items, a mask is nearly the catalogue.
const MASKED: usize = 1 << 24;
/// Candidates for each item of a list of items that differ.
const CANDIDATES: usize = 10;

/// Runs `fastvae recommend`.
///
/// # Errors
/// [`Error::Setting`] for unknown users or items; errors of checkpoint and engine.
pub fn run(args: &RecommendArgs) -> Result<Outcome> {
    if args.histories.is_none() && !args.filter.is_empty() {
        return Err(Error::setting("histories", "the options under Data say how it is read; name it too"));
    }
    if !(0.0..=1.0).contains(&args.diversity) {
        return Err(Error::setting("diversity", format!("{} is not in 0..=1", args.diversity)));
    }
    let recommender = settings::recommender(&args.run, &args.engine)?;
    let list = |flag: &str, path: &Option<PathBuf>| match path {
        Some(path) => items(&recommender, flag, path, args.strict).map(Some),
        None => Ok(None),
    };
    let pairs = |flag: &str, path: &Option<PathBuf>| match path {
        Some(path) => people::pairs(flag, path, &recommender, args.strict).map(Some),
        None => Ok(None),
    };
    let job = Job {
        filter: Filter {
            include_seen: args.include_seen,
            allow: list("allow", &args.allow)?,
            deny: list("deny", &args.deny)?.unwrap_or_default(),
            min_popularity: args.min_popularity,
        },
        exclude: pairs("exclude", &args.exclude)?,
        only: pairs("only", &args.only)?,
        args,
        recommender: &recommender,
    };
    let people = whom(args, &recommender)?;
    let target =
        Target { format: args.format, output: args.output.as_deref(), no_formulas: args.no_formulas };
    lists::write(For::User, &recommender, &target, |writer| job.write_all(&people, writer))?;
    Ok(Outcome::Done)
}

/// What to recommend.
struct Job<'a> {
    args: &'a RecommendArgs,
    recommender: &'a Recommender,
    filter: Filter,
    exclude: Option<HashMap<String, Vec<u32>>>,
    only: Option<HashMap<String, Vec<u32>>>,
}

impl Job<'_> {
    /// Writes the lists of all people, some at a time.
    fn write_all(&self, people: &People, writer: &mut Writer) -> Result<()> {
        let style = ProgressStyle::with_template("{bar:32} {pos} of {len} users, {per_sec}, {eta} left");
        let bar = ProgressBar::new(people.names.len() as u64)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let items = self.recommender.context().items.len();
        let chunk = if self.only.is_some() { (MASKED / items.max(1)).clamp(1, CHUNK) } else { CHUNK };
        let numbers: Vec<u32> = (0..people.names.len() as u32).collect();
        for chunk in numbers.chunks(chunk) {
            let names: Vec<&String> = chunk.iter().map(|&at| &people.names[at as usize]).collect();
            let histories: Vec<&[u32]> = chunk.iter().map(|&at| people.histories.row(at as usize)).collect();
            for (name, items) in names.into_iter().zip(self.lists(chunk, people, &histories)?) {
                writer.list(&List { of: name.clone(), heading: name.clone(), items, hits: None })?;
            }
            bar.inc(chunk.len() as u64);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn lists(
        &self,
        chunk: &[u32],
        people: &People,
        histories: &[&[u32]],
    ) -> Result<Vec<Vec<Recommendation>>> {
        let own: Vec<Own> = if self.exclude.is_some() || self.only.is_some() {
            let of = |map: &Option<HashMap<String, Vec<u32>>>, at: u32| {
                map.as_ref().map(|map| map.get(&people.names[at as usize]).cloned().unwrap_or_default())
            };
            let one = |&at: &u32| Own {
                exclude: of(&self.exclude, at).unwrap_or_default(),
                only: of(&self.only, at),
            };
            chunk.iter().map(one).collect()
        } else {
            Vec::new()
        };
        let n = self.args.n;
        let diverse = self.args.diversity > 0.0;
        let asked = if diverse { n.saturating_mul(CANDIDATES) } else { n };
        let lists = block_on(self.recommender.recommend_each(histories, &own, asked, &self.filter))?;
        if !diverse {
            return Ok(lists);
        }
        let rerank = |list: &Vec<_>| block_on(self.recommender.diversify(list, n, self.args.diversity));
        lists.iter().map(rerank).collect()
    }
}

/// Names and histories of the users to recommend for.
fn whom(args: &RecommendArgs, recommender: &Recommender) -> Result<People> {
    let context = recommender.context();
    if let Some(path) = &args.histories {
        return people::of_file(path, &args.filter, recommender, args.strict);
    }
    if args.all_users {
        return Ok(People { names: context.users.to_vec(), histories: context.histories.clone() });
    }
    let users: Vec<&str> = args.user.iter().map(String::as_str).collect();
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    let find = |user: &str| recommender.history_of(user).map(<[u32]>::to_vec);
    for (name, row) in people::known("user", &users, args.strict, find)? {
        names.push(name);
        rows.push(row);
    }
    if !args.history.is_empty() {
        rows.push(history(args, recommender)?);
        names.push("history".into());
    }
    Ok(People { names, histories: Csr::from_rows(&rows, context.items.len() as u32)? })
}

/// Parses `--history`. Each value is one item (whose title may contain a comma) or a comma-separated list.
fn history(args: &RecommendArgs, recommender: &Recommender) -> Result<Vec<u32>> {
    let mut parts: Vec<&str> = Vec::new();
    for flag in &args.history {
        if recommender.item(flag).is_ok() {
            parts.push(flag);
        } else {
            parts.extend(flag.split(',').filter(|part| !part.trim().is_empty()));
        }
    }
    if parts.is_empty() {
        return Err(Error::setting("history", "it names no item; give at least one id or title"));
    }
    let found = people::known("history", &parts, args.strict, |name| recommender.item(name))?;
    Ok(found.into_iter().map(|(_, item)| item).collect())
}

/// Reads a file of items, one id or title per line.
fn items(recommender: &Recommender, flag: &str, path: &Path, strict: bool) -> Result<Vec<u32>> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
    let text = text.trim_start_matches('\u{feff}');
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return Err(Error::setting(flag, format!("{} names no item", path.display())));
    }
    let find = |line: &str| {
        recommender.item(line).map_err(|error| match error {
            Error::Setting { problem, .. } => {
                let number = text.lines().position(|other| other.trim() == line).map_or(1, |at| at + 1);
                Error::setting(flag, format!("{}:{number}: {problem}", path.display()))
            }
            other => other,
        })
    };
    Ok(people::known(flag, &lines, strict, find)?.into_iter().map(|(_, item)| item).collect())
}
