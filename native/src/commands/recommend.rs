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

use super::people::{self, Histories, People};
use crate::{
    Outcome,
    args::use_model::{Format, RecommendArgs},
    lists::{self, For, List, Target, Writer},
    output::note,
    settings,
};

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
    let mut whom = whom(args, &recommender)?;
    let target = Target {
        format: Format::chosen(args.format, args.output.as_deref()),
        output: args.output.as_deref(),
        no_formulas: args.no_formulas,
    };
    lists::write(For::User, &recommender, &target, |writer| job.write_all(&mut whom, writer))?;
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
    fn write_all(&self, whom: &mut Whom, writer: &mut Writer) -> Result<()> {
        let items = self.recommender.context().items.len();
        let most = if self.only.is_some() { (MASKED / items.max(1)).max(1) } else { usize::MAX };
        let bar = whom.progress();
        let (mut asked, mut empty) = (0, 0);
        let mut write = |people: &People| -> Result<()> {
            asked += people.names.len();
            for (name, items) in people.names.iter().zip(self.lists(people)?) {
                empty += usize::from(items.is_empty());
                writer.list(&List { of: name.clone(), heading: name.clone(), items, hits: None })?;
            }
            bar.inc(people.names.len() as u64);
            Ok(())
        };
        match whom {
            Whom::Known(people) => people.chunks(most).try_for_each(|people| write(&people?))?,
            Whom::InFile(histories) => {
                while let Some(people) = histories.next(most, self.recommender)? {
                    write(&people)?;
                }
            }
        }
        bar.finish_and_clear();
        if empty > 0 {
            note(&format!("note: {empty} of {asked} users have no list: no item is left for them"));
        }
        Ok(())
    }

    fn lists(&self, people: &People) -> Result<Vec<Vec<Recommendation>>> {
        let own: Vec<Own> = if self.exclude.is_some() || self.only.is_some() {
            let of = |map: &Option<HashMap<String, Vec<u32>>>, name: &String| {
                map.as_ref().map(|map| map.get(name).cloned().unwrap_or_default())
            };
            let one = |name: &String| Own {
                exclude: of(&self.exclude, name).unwrap_or_default(),
                only: of(&self.only, name),
            };
            people.names.iter().map(one).collect()
        } else {
            Vec::new()
        };
        let n = self.args.n;
        let diverse = self.args.diversity > 0.0;
        let asked = if diverse { n.saturating_mul(CANDIDATES) } else { n };
        let histories: Vec<&[u32]> = people.histories.iter().collect();
        let lists = block_on(self.recommender.recommend_each(&histories, &own, asked, &self.filter))?;
        if !diverse {
            return Ok(lists);
        }
        let rerank = |list: &Vec<_>| block_on(self.recommender.diversify(list, n, self.args.diversity));
        lists.iter().map(rerank).collect()
    }
}

/// Whom to recommend for.
enum Whom {
    Known(People),
    InFile(Box<Histories>),
}

impl Whom {
    /// How many of them have lists. How many people are in a file is known at its end.
    fn progress(&self) -> ProgressBar {
        let (bar, template) = match self {
            Self::Known(people) => (
                ProgressBar::new(people.names.len() as u64),
                "{bar:32} {pos} of {len} users, {per_sec}, {eta} left",
            ),
            Self::InFile(_) => (ProgressBar::new_spinner(), "{spinner} {pos} users, {per_sec}"),
        };
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}

/// Names and histories of the users to recommend for.
fn whom(args: &RecommendArgs, recommender: &Recommender) -> Result<Whom> {
    let context = recommender.context();
    if let Some(path) = &args.histories {
        let histories = Histories::open(path, &args.filter, recommender, args.strict, folder(args))?;
        return Ok(Whom::InFile(Box::new(histories)));
    }
    if args.all_users {
        let people = People { names: context.users.to_vec(), histories: context.histories.clone() };
        return Ok(Whom::Known(people));
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
    Ok(Whom::Known(People { names, histories: Csr::from_rows(&rows, context.items.len() as u32)? }))
}

/// Where temporary files lie: beside the output, whose disk must have space for the lists anyway.
fn folder(args: &RecommendArgs) -> PathBuf {
    let beside =
        args.output.as_deref().filter(|path| !path.exists() || path.is_file()).and_then(Path::parent);
    match beside {
        Some(folder) if folder.as_os_str().is_empty() => ".".into(),
        Some(folder) => folder.into(),
        None => std::env::temp_dir(),
    }
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
