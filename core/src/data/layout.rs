//! Recognises a data set by its file names: which files hold interactions, which hold titles.

#[cfg(feature = "forms")]
mod tables;

#[cfg(feature = "forms")]
use self::tables::only_one_of_both;
use super::{foreign::base_name, names::MORE, parts, shard::Part, source::Source};
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

/// A file of interactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InteractionFile {
    pub(super) name: String,
    pub(super) part: Part,
    /// Columns that all of its rows share: the keys of its folders, as Hive names them (`day=1`).
    pub(super) keys: Vec<(String, String)>,
}

impl InteractionFile {
    pub(super) fn new(name: String, part: Part) -> Self {
        let folders = name.rsplit_once('/').map_or("", |parts| parts.0).split('/');
        let keys = folders.filter_map(|folder| folder.split_once('='));
        let keys = keys.map(|(key, value)| (decoded(key), decoded(value))).collect();
        Self { name, part, keys }
    }
}

/// A key or a value of a folder's name: `%3A` is a colon, and Hive has a word for a missing value.
fn decoded(text: &str) -> String {
    if !MORE {
        return text.to_owned();
    }
    if text == "__HIVE_DEFAULT_PARTITION__" {
        return String::new();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        let code =
            after.get(..2).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        match code.filter(|_| *byte == b'%') {
            Some(code) => {
                out.push(code);
                rest = &after[2..];
            }
            None => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// The files to read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Files of interactions.
    pub(super) interactions: Vec<InteractionFile>,
    /// The file of titles.
    pub(super) titles: Option<(String, TitleForm)>,
    /// LightGCN's `user_list.txt` and `item_list.txt`, which map numbers to ids.
    pub(super) lists: [Option<String>; 2],
    /// Tables beside them that are not read.
    pub(super) ignored: Vec<String>,
    /// What a reader should know of the parts.
    #[cfg(feature = "forms")]
    pub(super) note: Option<&'static str>,
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

/// Endings of files that may hold interactions.
const ENDINGS: [&str; 18] = [
    ".csv", ".tsv", ".txt", ".dat", ".data", ".tab", ".json", ".jsonl", ".ndjson", ".inter", ".mtx", ".mat",
    ".parquet", ".pq", ".train", ".test", ".base", ".rating",
];

impl Layout {
    /// Examines the names of all files; among equal names the one in the fewest folders counts.
    pub(super) fn of(source: &mut Source) -> Result<Self> {
        let names = source.files.clone();
        let mut files: Vec<(String, &String)> = names.iter().map(|file| (plain(file), file)).collect();
        files.retain(|(name, file)| {
            !name.starts_with(['.', '_']) && !file.starts_with("__MACOSX") && !file.contains("/_")
        });
        files.sort_by_key(|(_, file)| (file.matches('/').count(), *file));
        if let Some(asked) = &source.asked {
            let titles = titles_for(&plain(asked), &files);
            let interactions = vec![InteractionFile::new(asked.clone(), Part::Train)];
            return Ok(Self { interactions, titles, ..Self::default() });
        }
        if let Some(published) = Self::published(&files) {
            return Ok(published);
        }
        let find = |name: &str| files.iter().find(|file| file.0 == name).map(|file| file.1.clone());
        let known = ["ratings.csv", "ratings.dat", "u.data"].iter().find_map(|name| find(name));
        let mut chosen: Vec<String> = known.into_iter().collect();
        if chosen.is_empty() {
            chosen = files.iter().filter(|file| is_netflix(&file.0)).map(|file| file.1.clone()).collect();
        }
        if chosen.is_empty() {
            let one = files.iter().find(|file| file.0.ends_with("totalcheckins.txt"));
            chosen.extend(one.map(|file| file.1.clone()));
        }
        if !chosen.is_empty() {
            let titles = titles_for(&plain(&chosen[0]), &files);
            let interactions =
                chosen.into_iter().map(|file| InteractionFile::new(file, Part::Train)).collect();
            return Ok(Self { interactions, titles, ..Self::default() });
        }
        Self::unknown(source, &files)
    }

    /// A set that is published in parts under names of its own.
    fn published(files: &[(String, &String)]) -> Option<Self> {
        for (train, others) in GIVEN {
            // RecBole prefixes its parts with the name of the data set.
            let find = |name: &str| {
                let ending = format!(".{name}");
                let named = files.iter().find(|file| file.0 == name);
                let prefixed =
                    || files.iter().find(|file| name.ends_with(".inter") && file.0.ends_with(&ending));
                named.or_else(prefixed).map(|file| file.1.clone())
            };
            let parts: Vec<_> = others.iter().filter_map(|&(name, part)| Some((find(name)?, part))).collect();
            if let Some(train) = find(train)
                && parts.iter().any(|(_, part)| *part == Part::TestHeldOut)
            {
                let titles = titles_for(&plain(&train), files);
                let lists = if train.ends_with(".txt") {
                    ["user_list.txt", "item_list.txt"].map(find)
                } else {
                    [None, None]
                };
                let all = [vec![(train, Part::Train)], parts].concat();
                let interactions =
                    all.into_iter().map(|(file, part)| InteractionFile::new(file, part)).collect();
                return Some(Self { interactions, titles, lists, ..Self::default() });
            }
        }
        None
    }

    /// A set with names of its own: one file, parts of one, or a training and a test file.
    fn unknown(source: &mut Source, files: &[(String, &String)]) -> Result<Self> {
        let aside = |name: &str| {
            has_ending(name, &["readme.txt", "license.txt", "requirements.txt", ".items.csv"])
                || TITLES.iter().any(|known| known.0 == name)
        };
        let candidates = files
            .iter()
            .filter(|file| (has_ending(&file.0, &ENDINGS) || parts::is_numbered(&file.0)) && !aside(&file.0));
        let mut candidates: Vec<String> = candidates.map(|file| file.1.clone()).collect();
        // Beside a file of RecBole's, others describe its users and items.
        let atomic = |file: &String| plain(file).ends_with(".inter");
        if candidates.iter().any(atomic) {
            candidates.retain(atomic);
        }
        if MORE && let Some(problem) = parts::folds(&candidates) {
            return Err(Error::format(&source.name, problem));
        }
        #[cfg(feature = "forms")]
        let mut note = None;
        #[allow(unused_mut, reason = "the page lets nothing stand for a test part")]
        let (chosen, ignored) = if let Some(mut split) = parts::split(&candidates) {
            #[cfg(feature = "forms")]
            {
                note = parts::validation_as_test(&mut split);
            }
            // The training part comes first: others may lack a header.
            split.sort_by_key(|one| one.1 as usize);
            let is_ignored = |file: &&String| !split.iter().any(|one| one.0 == **file);
            let ignored = candidates.iter().filter(is_ignored).cloned().collect();
            (split, ignored)
        } else if !candidates.is_empty() && parts::are_one_set(&candidates) {
            candidates.sort_by(|a, b| super::compare_ids(a, b));
            (candidates.into_iter().map(|file| (file, Part::Train)).collect(), Vec::new())
        } else if let Some(one) = only_one_of_both(source, &candidates)? {
            let ignored = candidates.into_iter().filter(|file| *file != one).collect();
            (vec![(one, Part::Train)], ignored)
        } else {
            return Err(unclear(source, &candidates));
        };
        let titles = titles_for(&plain(&chosen[0].0), files);
        let interactions = chosen.into_iter().map(|(file, part)| InteractionFile::new(file, part)).collect();
        Ok(Self {
            interactions,
            titles,
            ignored,
            #[cfg(feature = "forms")]
            note,
            ..Self::default()
        })
    }
}

#[cfg(not(feature = "forms"))]
fn only_one_of_both(_: &mut Source, _: &[String]) -> Result<Option<String>> {
    Ok(None)
}

fn is_netflix(name: &str) -> bool {
    name.ends_with(".txt") && (name.starts_with("combined_data_") || name.starts_with("mv_"))
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
            "no set is recognised in this {} (found: {}); expected ratings.csv, ratings.dat, u.data, a training and a test \
             file, *.inter, combined_data_*.txt, or one csv, tsv, JSON or Parquet file or its parts",
            source.kind(),
            list(&source.files)
        )
    } else {
        format!("several files may be meant: {}; give the path of one of them", list(chosen))
    };
    Error::format(&source.name, problem)
}
