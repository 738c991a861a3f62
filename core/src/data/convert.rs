//! Writes data sets in formats that other programs read. Files are written atomically.

use std::{
    borrow::Cow,
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use super::{Csr, Dataset, EvaluationSet, Split};
use crate::{Error, Result, file};

/// An output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteForm {
    /// `user,item` with a header.
    Csv,
    /// The same, gzipped.
    CsvGz,
    /// RecBole's atomic file, with an `.item` file for titles and genres.
    Inter,
    /// A folder with `train.txt`, `test.txt` and lists of ids; requires a split.
    Lightgcn,
    /// Parquet with columns `user` and `item`.
    #[cfg(feature = "parquet")]
    Parquet,
}

impl WriteForm {
    /// All formats, by their names on the command line.
    pub const ALL: &[(&str, Self)] = &[
        ("csv", Self::Csv),
        ("csv.gz", Self::CsvGz),
        ("inter", Self::Inter),
        ("lightgcn", Self::Lightgcn),
        #[cfg(feature = "parquet")]
        ("parquet", Self::Parquet),
    ];

    /// The format for the extension of a path.
    pub fn of_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let fits = |form: &&(&str, Self)| name.ends_with(&format!(".{}", form.0));
        Self::ALL.iter().find(fits).map(|form| form.1)
    }
}

impl fmt::Display for WriteForm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|form| form.1 == *self).map_or("", |form| form.0);
        out.write_str(name)
    }
}

impl FromStr for WriteForm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.iter().find(|form| form.0 == text).map(|form| form.1).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|form| form.0).collect();
            Error::setting(
                "format",
                format!("{text:?} is not a form this build writes: {}", known.join(", ")),
            )
        })
    }
}

/// Options for writing a data set. The default writes texts unchanged.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteOptions<'a> {
    /// The parts of [`WriteForm::Lightgcn`]; if not given, those of the data set. Other formats ignore them.
    pub split: Option<&'a Split>,
    /// Whether texts in csv are escaped by [`without_formula`].
    pub no_formulas: bool,
}

/// Escapes a text that a spreadsheet would read as a formula: puts `'` before it if it begins with `=`, `+`,
/// `-`, `@`, a TAB or a carriage return.
pub fn without_formula(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}").into() } else { text.into() }
}

/// Writes the interactions, and titles and genres if there are any: beside a table as `NAME.items.csv` (which
/// [`load`](super::load) finds again), for RecBole as `NAME.item`. Returns the files written.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written; [`Error::Data`] for an id that the format cannot represent;
/// [`Error::Setting`] for LightGCN without parts.
pub fn write(
    dataset: &Dataset,
    path: &Path,
    form: WriteForm,
    options: &WriteOptions,
) -> Result<Vec<PathBuf>> {
    check_ids(dataset)?;
    let no_formulas = options.no_formulas;
    let mut written = vec![path.to_owned()];
    match form {
        WriteForm::Csv => file::write_with(path, |out| csv_table(dataset, no_formulas, out))?,
        WriteForm::CsvGz => file::write_with(path, |out| {
            let mut packed = flate2::write::GzEncoder::new(out, flate2::Compression::default());
            csv_table(dataset, no_formulas, &mut packed)?;
            packed.finish().map(drop)
        })?,
        WriteForm::Inter => {
            file::write_with(path, |out| {
                writeln!(out, "user_id:token\titem_id:token")?;
                pairs(dataset)
                    .try_for_each(|(user, item)| writeln!(out, "{}\t{}", quoted(user), quoted(item)))
            })?;
            if dataset.titles.is_some() {
                let titles = path.with_extension("item");
                file::write_with(&titles, |out| recbole_titles(dataset, out))?;
                written.push(titles);
            }
        }
        WriteForm::Lightgcn => return lightgcn(dataset, options.split, path),
        #[cfg(feature = "parquet")]
        WriteForm::Parquet => file::write_with(path, |out| {
            super::parquet::write(&mut *out, pairs(dataset)).map_err(io::Error::other)
        })?,
    }
    if form != WriteForm::Inter && dataset.titles.is_some() {
        let titles = beside(path);
        file::write_with(&titles, |out| csv_titles(dataset, no_formulas, out))?;
        written.push(titles);
    }
    Ok(written)
}

/// Fails for ids with surrounding blanks or line breaks: no format would read them back unchanged.
fn check_ids(dataset: &Dataset) -> Result<()> {
    let unfit =
        |id: &&String| id.trim_ascii() != id.as_str() || id.is_empty() || id.chars().any(char::is_control);
    match dataset.users.iter().chain(&dataset.items).find(unfit) {
        Some(id) => Err(Error::Data(format!(
            "the id {id:?} holds control characters, or blanks at an end, which no table keeps; change it in the source"
        ))),
        None => Ok(()),
    }
}

fn pairs(dataset: &Dataset) -> impl Iterator<Item = (&str, &str)> {
    let rows = dataset.users.iter().zip(dataset.interactions.iter());
    rows.flat_map(move |(user, row)| {
        row.iter().map(move |&item| (user.as_str(), dataset.items[item as usize].as_str()))
    })
}

/// A text that begins with a quote, in quotes, as readers of tables separated by TABs expect it.
fn quoted(text: &str) -> Cow<'_, str> {
    if text.starts_with('"') { format!("\"{}\"", text.replace('"', "\"\"")).into() } else { text.into() }
}

fn csv_table(dataset: &Dataset, no_formulas: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(["user", "item"])?;
    for (user, item) in pairs(dataset) {
        table
            .write_record([user, item].map(|id| text(id, no_formulas)).each_ref().map(|id| id.as_bytes()))?;
    }
    table.flush()
}

fn text(text: &str, no_formulas: bool) -> Cow<'_, str> {
    if no_formulas { without_formula(text) } else { text.into() }
}

/// The titles of `NAME.csv.gz` are in `NAME.items.csv`.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.strip_suffix(".gz").unwrap_or(&name);
    path.with_file_name(format!("{}.items.csv", stem.rsplit_once('.').map_or(stem, |parts| parts.0)))
}

/// Id, title and genres of each item, genres separated by `|`.
fn titles(dataset: &Dataset) -> impl Iterator<Item = [String; 3]> {
    let one_line = |text: &str| text.split(char::is_control).collect::<Vec<_>>().join(" ");
    let titles = dataset.items.iter().zip(dataset.titles.iter().flatten()).enumerate();
    titles.map(move |(at, (id, title))| {
        let genres = dataset.genres.as_ref().map_or_else(String::new, |genres| genres[at].join("|"));
        [id.clone(), one_line(title), one_line(&genres)]
    })
}

fn csv_titles(dataset: &Dataset, no_formulas: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(["item", "title", "genres"])?;
    for row in titles(dataset) {
        table.write_record(
            row.each_ref().map(|field| text(field, no_formulas)).each_ref().map(|f| f.as_bytes()),
        )?;
    }
    table.flush()
}

/// RecBole separates the tokens of a sequence by blanks, so blanks within a genre are replaced by `_`.
fn recbole_titles(dataset: &Dataset, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "item_id:token\ttitle:token\tgenres:token_seq")?;
    for [id, title, genres] in titles(dataset) {
        writeln!(out, "{id}\t{title}\t{}", genres.replace(' ', "_").replace('|', " "))?;
    }
    Ok(())
}

/// Writes numbers instead of ids, as LightGCN and its successors expect, and lists that map ids to numbers.
fn lightgcn(dataset: &Dataset, split: Option<&Split>, folder: &Path) -> Result<Vec<PathBuf>> {
    let blank = |id: &&String| id.contains(char::is_whitespace);
    if let Some(id) = dataset.users.iter().chain(&dataset.items).find(blank) {
        return Err(Error::Data(format!(
            "the id {id:?} holds blanks, which LightGCN's lists cannot; use csv"
        )));
    }
    let all: Vec<u32> = (0..dataset.users.len() as u32).collect();
    let (train_users, train, test) = match (split, &dataset.given) {
        (Some(split), _) => (&split.train_users, &split.train, &split.test),
        (None, Some(given)) => (&all, &given.train, &given.test),
        (None, None) => {
            return Err(Error::setting(
                "format",
                "LightGCN's form is a training and a test file, and this set comes in one piece; give a split, weak",
            ));
        }
    };
    // Training files of this format hold all interactions except the test items, so the validation part is
    // included.
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); all.len()];
    for (users, csr) in [(train_users, train), (&test.users, &test.fold_in)] {
        for (&user, row) in users.iter().zip(csr.iter()) {
            rows[user as usize].extend_from_slice(row);
        }
    }
    let train = Csr::from_rows(&rows, dataset.interactions.columns() as u32)?;
    fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
    let lines = |out: &mut dyn Write, users: &[u32], csr: &Csr| {
        for (user, row) in users.iter().zip(csr.iter()) {
            write!(out, "{user}")?;
            row.iter().try_for_each(|item| write!(out, " {item}"))?;
            writeln!(out)?;
        }
        io::Result::Ok(())
    };
    let list = |out: &mut dyn Write, ids: &[String]| {
        writeln!(out, "org_id remap_id")?;
        ids.iter().enumerate().try_for_each(|(number, id)| writeln!(out, "{id} {number}"))
    };
    let files = ["train.txt", "test.txt", "user_list.txt", "item_list.txt"].map(|name| folder.join(name));
    let EvaluationSet { users, held_out, .. } = test;
    file::write_with(&files[0], |out| lines(out, &all, &train))?;
    file::write_with(&files[1], |out| lines(out, users, held_out))?;
    file::write_with(&files[2], |out| list(out, &dataset.users))?;
    file::write_with(&files[3], |out| list(out, &dataset.items))?;
    Ok(files.into())
}
