//! Lists of items as a table, csv, JSON lines or Parquet, written as they come.

mod parquet;

use std::{
    io::{self, Write},
    path::Path,
};

use fastvae::{
    Error, Result,
    data::without_formula,
    file,
    recommend::{Recommendation, Recommender},
};
use serde::Serialize;

use self::parquet::Parquet;
use crate::{
    args::use_model::Format,
    output::{Stdout, Table, plain},
};

/// The key of a list, and the name of its first column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// Users, by id.
    User,
    /// Items similar to this item, by id.
    Like,
}

impl For {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Like => "like",
        }
    }
}

/// A list of items for one user, or similar to one item.
pub struct List {
    /// The id of the user or the item.
    pub of: String,
    /// Heading above the table.
    pub heading: String,
    /// Items, best first.
    pub items: Vec<Recommendation>,
    /// For each item whether it was held out; `None` for lists that are not compared with anything.
    pub hits: Option<Vec<bool>>,
}

/// One line of a list.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    like: Option<&'a str>,
    rank: usize,
    item: &'a str,
    title: &'a str,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    hit: Option<u8>,
}

fn rows<'a>(whom: For, list: &'a List, names: &'a Recommender) -> impl Iterator<Item = Row<'a>> {
    list.items.iter().enumerate().map(move |(at, one)| Row {
        user: (whom == For::User).then_some(&list.of),
        like: (whom == For::Like).then_some(&list.of),
        rank: at + 1,
        item: names.item_id(one.item),
        title: names.title(one.item),
        score: one.score,
        hit: list.hits.as_ref().map(|hits| u8::from(hits[at])),
    })
}

/// Output options of lists.
pub struct Target<'a> {
    /// Format.
    pub format: Format,
    /// File to write; standard output if `None`.
    pub output: Option<&'a Path>,
    /// In csv, whether to escape text that a spreadsheet would evaluate as a formula.
    pub no_formulas: bool,
}

/// Writes the lists that `produce` hands to its argument one by one. A file is replaced whole or not at all; a
/// pipe or a device gets the lists as they come.
///
/// # Errors
/// [`Error::Io`] if they cannot be written; [`Error::Setting`] for Parquet without a file; errors of `produce`.
pub fn write(
    whom: For,
    names: &Recommender,
    target: &Target,
    produce: impl FnOnce(&mut Writer) -> Result<()>,
) -> Result<()> {
    let all = |out: &mut (dyn Write + Send)| {
        let mut writer = Writer::new(whom, names, target, out).map_err(io::Error::other)?;
        produce(&mut writer).and_then(|()| writer.finish()).map_err(|error| match error {
            // The reader of a pipe may have enough.
            Error::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => source,
            error => io::Error::other(error),
        })
    };
    let Some(path) = target.output else {
        if target.format == Format::Parquet {
            let problem = "Parquet is not for the terminal; name a file with --output";
            return Err(Error::setting("output", problem));
        }
        return match all(&mut Stdout::default()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => {
                Err(error.downcast().unwrap_or_else(|error| Error::io("write", "standard output", error)))
            }
            Ok(()) => Ok(()),
        };
    };
    file::write_with(path, all)
}

/// Writes lists in one of the formats.
pub struct Writer<'a> {
    whom: For,
    names: &'a Recommender,
    no_formulas: bool,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Table { out: &'a mut (dyn Write + Send), first: bool },
    Csv { out: Box<csv::Writer<&'a mut (dyn Write + Send)>>, begun: bool },
    Json(&'a mut (dyn Write + Send)),
    Parquet(Box<Parquet<'a>>),
}

impl<'a> Writer<'a> {
    fn new(
        whom: For,
        names: &'a Recommender,
        target: &Target,
        out: &'a mut (dyn Write + Send),
    ) -> Result<Self> {
        let kind = match target.format {
            Format::Table => Kind::Table { out, first: true },
            Format::Csv => Kind::Csv { out: Box::new(csv::Writer::from_writer(out)), begun: false },
            Format::Json => Kind::Json(out),
            Format::Parquet => Kind::Parquet(Box::new(Parquet::new(whom.name(), out))),
        };
        Ok(Self { whom, names, no_formulas: target.no_formulas, kind })
    }

    /// Writes a list.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn list(&mut self, list: &List) -> Result<()> {
        let (whom, names) = (self.whom, self.names);
        match &mut self.kind {
            Kind::Table { out, first } => {
                let gap = if std::mem::take(first) { "" } else { "\n" };
                write!(out, "{gap}{}\n{}", plain(&list.heading), table(whom, list, names)).map_err(failed)
            }
            Kind::Csv { out: writer, begun } => {
                *begun |= !list.items.is_empty();
                for row in rows(whom, list, names) {
                    let written = if self.no_formulas {
                        let text = |text: &'_ str| without_formula(text).into_owned();
                        let (user, like) = (row.user.map(text), row.like.map(text));
                        let (item, title) = (text(row.item), text(row.title));
                        let (user, like) = (user.as_deref(), like.as_deref());
                        writer.serialize(Row { user, like, item: &item, title: &title, ..row })
                    } else {
                        writer.serialize(row)
                    };
                    written.map_err(|error| failed(error.into()))?;
                }
                Ok(())
            }
            Kind::Json(out) => rows(whom, list, names).try_for_each(|row| {
                let mut line = serde_json::to_vec(&row).map_err(|error| failed(error.into()))?;
                line.push(b'\n');
                out.write_all(&line).map_err(failed)
            }),
            Kind::Parquet(parquet) => rows(whom, list, names).try_for_each(|row| parquet.row(&row)),
        }
    }

    fn finish(self) -> Result<()> {
        match self.kind {
            Kind::Table { out, .. } | Kind::Json(out) => out.flush().map_err(failed),
            Kind::Csv { mut out, begun } => {
                // The header comes with the first row; a table without rows has one too.
                if !begun {
                    let header = [self.whom.name(), "rank", "item", "title", "score"];
                    out.write_record(header).map_err(|error| failed(error.into()))?;
                }
                out.flush().map_err(failed)
            }
            Kind::Parquet(parquet) => parquet.finish(),
        }
    }
}

fn failed(error: io::Error) -> Error {
    Error::io("write", "the lists", error)
}

fn table(whom: For, list: &List, names: &Recommender) -> String {
    let mut columns = vec!["rank", "item", "title", "score"];
    if !names.has_titles() {
        columns.remove(2);
    }
    let mut table = Table::new(columns);
    for row in rows(whom, list, names) {
        let mut cells =
            vec![row.rank.to_string(), row.item.into(), row.title.into(), format!("{:.4}", row.score)];
        if !names.has_titles() {
            cells.remove(2);
        }
        table.row(cells);
    }
    table.to_string()
}
