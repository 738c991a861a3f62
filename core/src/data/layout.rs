//! Recognises a data set by its file names: which files hold interactions, which hold titles.

use super::{
    collect::Part,
    source::{Source, base_name},
};
use crate::{Error, Result};

/// The format of a file of titles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TitleForm {
    /// `movieId,title,genres`, UTF-8; also `NAME.items.csv` beside `NAME.csv`.
    Csv,
    /// `id::title::genre|genre`, UTF-8 or Latin-1.
    MoviesDat,
    /// `id|title|date||url|19 flags`, Latin-1.
    UItem,
    /// `id,year,title`, Latin-1, titles with commas.
    Netflix,
    /// RecBole: TAB, a header with types.
    RecBole,
}

/// The files to read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Files of interactions.
    pub(super) interactions: Vec<(String, Part)>,
    /// The file of titles.
    pub(super) titles: Option<(String, TitleForm)>,
    /// LightGCN's `user_list.txt` and `item_list.txt`, which map numbers to ids.
    pub(super) lists: [Option<String>; 2],
}

/// Data sets that come in parts: the training file, then other files and their parts. The first entry whose
/// files exist is used.
const GIVEN: [(&str, &[(&str, Part)]); 3] = [
    (
        "train.csv",
        &[
            ("validation_tr.csv", Part::ValidationFoldIn),
            ("validation_te.csv", Part::ValidationHeldOut),
            ("test_tr.csv", Part::TestFoldIn),
            ("test_te.csv", Part::TestHeldOut),
        ],
    ),
    (
        "train.txt",
        &[
            ("val.txt", Part::ValidationHeldOut),
            ("valid.txt", Part::ValidationHeldOut),
            ("test.txt", Part::TestHeldOut),
        ],
    ),
    ("train.inter", &[("valid.inter", Part::ValidationHeldOut), ("test.inter", Part::TestHeldOut)]),
];

const TITLES: [(&str, TitleForm); 5] = [
    ("movies.csv", TitleForm::Csv),
    ("movies.dat", TitleForm::MoviesDat),
    ("u.item", TitleForm::UItem),
    ("movie_titles.txt", TitleForm::Netflix),
    ("movie_titles.csv", TitleForm::Netflix),
];

/// A name in lower case, without folders and `.gz`.
fn plain(file: &str) -> String {
    let name = base_name(file).to_ascii_lowercase();
    name.strip_suffix(".gz").map_or_else(|| name.clone(), str::to_owned)
}

fn has_ending(name: &str, endings: &[&str]) -> bool {
    endings.iter().any(|ending| name.ends_with(ending))
}

impl Layout {
    /// Examines the names of all files; among equal names the one in the fewest folders counts.
    pub(super) fn of(source: &Source) -> Result<Self> {
        let mut files: Vec<(String, &String)> = source.files.iter().map(|file| (plain(file), file)).collect();
        files.retain(|(name, file)| !name.starts_with('.') && !file.starts_with("__MACOSX"));
        files.sort_by_key(|(_, file)| (file.matches('/').count(), *file));
        let find = |name: &str| files.iter().find(|file| file.0 == name).map(|file| file.1.clone());
        if let Some(asked) = &source.asked {
            let titles = titles_for(&plain(asked), &files);
            return Ok(Self {
                interactions: vec![(asked.clone(), Part::Train)],
                titles,
                lists: [None, None],
            });
        }
        for (train, others) in GIVEN {
            // RecBole prefixes its parts with the name of the data set.
            let find = |name: &str| {
                let ending = format!(".{name}");
                find(name).or_else(|| {
                    let file =
                        files.iter().find(|file| name.ends_with(".inter") && file.0.ends_with(&ending));
                    file.map(|file| file.1.clone())
                })
            };
            let parts: Vec<_> = others.iter().filter_map(|&(name, part)| Some((find(name)?, part))).collect();
            if let Some(train) = find(train)
                && parts.iter().any(|(_, part)| *part == Part::TestHeldOut)
            {
                let titles = titles_for(&plain(&train), &files);
                let lists = if train.ends_with(".txt") {
                    ["user_list.txt", "item_list.txt"].map(&find)
                } else {
                    [None, None]
                };
                return Ok(Self {
                    interactions: [vec![(train, Part::Train)], parts].concat(),
                    titles,
                    lists,
                });
            }
        }
        let known = ["ratings.csv", "ratings.dat", "u.data"].iter().find_map(|name| find(name));
        let mut chosen: Vec<String> = known.into_iter().collect();
        if chosen.is_empty() {
            let netflix = |name: &str| {
                name.ends_with(".txt") && (name.starts_with("combined_data_") || name.starts_with("mv_"))
            };
            chosen = files.iter().filter(|file| netflix(&file.0)).map(|file| file.1.clone()).collect();
        }
        if chosen.is_empty() {
            let one =
                files.iter().find(|file| file.0.ends_with("totalcheckins.txt") || file.0.ends_with(".inter"));
            chosen.extend(one.map(|file| file.1.clone()));
        }
        if chosen.is_empty() {
            let endings =
                [".csv", ".tsv", ".txt", ".dat", ".data", ".json", ".jsonl", ".ndjson", ".parquet", ".pq"];
            let readme = |name: &str| {
                has_ending(name, &["readme.txt", "license.txt", ".items.csv"])
                    || TITLES.iter().any(|t| t.0 == name)
            };
            let candidates = files.iter().filter(|file| has_ending(&file.0, &endings) && !readme(&file.0));
            chosen = candidates.map(|file| file.1.clone()).collect();
        }
        if chosen.is_empty() || mixed(&chosen) {
            return Err(unclear(source, &chosen));
        }
        let titles = titles_for(&plain(&chosen[0]), &files);
        Ok(Self {
            interactions: chosen.into_iter().map(|file| (file, Part::Train)).collect(),
            titles,
            lists: [None, None],
        })
    }
}

/// Several files form one data set only if they are Netflix's.
fn mixed(chosen: &[String]) -> bool {
    let netflix = |file: &String| plain(file).starts_with("combined_data_") || plain(file).starts_with("mv_");
    chosen.len() > 1 && !chosen.iter().all(netflix)
}

/// The file of titles that belongs to a file of interactions.
fn titles_for(interactions: &str, files: &[(String, &String)]) -> Option<(String, TitleForm)> {
    let belongs = |name: &str, form: TitleForm| match form {
        TitleForm::Csv if name == "movies.csv" => interactions == "ratings.csv",
        TitleForm::Csv => name.strip_suffix("items.csv").is_some_and(|set| is_beside(set, interactions)),
        TitleForm::MoviesDat => interactions == "ratings.dat",
        TitleForm::UItem => {
            interactions == "u.data"
                || has_ending(interactions, &[".base", ".test"]) && interactions.starts_with('u')
        }
        TitleForm::Netflix => interactions.starts_with("combined_data_") || interactions.starts_with("mv_"),
        TitleForm::RecBole => {
            let set = name.strip_suffix(".item").unwrap_or(name);
            interactions.ends_with(".inter") && interactions.split('.').next() == Some(set)
        }
    };
    files.iter().find_map(|(name, file)| {
        let known = TITLES.iter().find(|known| known.0 == name).map(|known| known.1);
        let form = known
            .or_else(|| name.ends_with(".items.csv").then_some(TitleForm::Csv))
            .or_else(|| name.ends_with(".item").then_some(TitleForm::RecBole))?;
        belongs(name, form).then(|| ((*file).clone(), form))
    })
}

/// Whether `interactions` is `set` (which ends with a dot) followed by a table's extension.
fn is_beside(set: &str, interactions: &str) -> bool {
    let ending = interactions.strip_prefix(set);
    ending.is_some_and(|ending| ["csv", "tsv", "txt", "parquet"].contains(&ending))
}

fn unclear(source: &Source, chosen: &[String]) -> Error {
    let list = |files: &[String]| {
        let shown: Vec<&str> = files.iter().take(8).map(String::as_str).collect();
        format!("{}{}", shown.join(", "), if files.len() > 8 { ", ..." } else { "" })
    };
    let problem = if source.files.is_empty() {
        "there are no files in it".into()
    } else if chosen.is_empty() {
        format!(
            "no set is recognised in it (found: {}); expected ratings.csv, ratings.dat, u.data, train.txt and \
             test.txt, train.csv and test_te.csv, *.inter, combined_data_*.txt, or one csv, tsv, JSON lines or \
             Parquet file",
            list(&source.files)
        )
    } else {
        format!("several files may be meant: {}; give the path of one of them", list(chosen))
    };
    Error::format(&source.name, problem)
}
