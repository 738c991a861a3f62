//! Recommended items as a table, csv, JSON lines or Parquet.

use std::{fmt::Write, path::Path, sync::Arc};

use fastvae::{
    Error, Result,
    data::without_formula,
    file,
    recommend::{Recommendation, Recommender},
};
use parquet::{
    basic::Compression,
    data_type::{ByteArray, ByteArrayType, FloatType, Int32Type},
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use serde::Serialize;

use crate::{
    args::use_model::Format,
    output::{Table, plain, print},
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
}

fn rows<'a>(whom: For, lists: &'a [List], names: &'a Recommender) -> impl Iterator<Item = Row<'a>> {
    lists.iter().flat_map(move |list| list_rows(whom, list, names))
}

fn list_rows<'a>(whom: For, list: &'a List, names: &'a Recommender) -> impl Iterator<Item = Row<'a>> {
    (1..).zip(&list.items).map(move |(rank, one)| Row {
        user: (whom == For::User).then_some(&list.of),
        like: (whom == For::Like).then_some(&list.of),
        rank,
        item: names.item_id(one.item),
        title: names.title(one.item),
        score: one.score,
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

/// Prints lists, or writes them to a file, which is replaced whole or not at all.
///
/// # Errors
/// [`Error::Io`] if they cannot be written; [`Error::Setting`] for Parquet without a file.
pub fn put(whom: For, lists: &[List], names: &Recommender, target: &Target) -> Result<()> {
    let output = target.output;
    let bytes = match target.format {
        Format::Table => table(whom, lists, names).into_bytes(),
        Format::Csv => csv(whom, lists, names, target.no_formulas)?,
        Format::Json => json(whom, lists, names)?,
        Format::Parquet if output.is_none() => {
            return Err(Error::setting(
                "output",
                "Parquet is not for the terminal; name a file with --output",
            ));
        }
        Format::Parquet => parquet(whom, lists, names)
            .map_err(|error| Error::Data(format!("the lists cannot be written as Parquet: {error}")))?,
    };
    match output {
        Some(path) => file::write(path, &bytes),
        None => print(&String::from_utf8_lossy(&bytes)),
    }
}

fn table(whom: For, lists: &[List], names: &Recommender) -> String {
    let mut text = String::new();
    for (at, list) in lists.iter().enumerate() {
        let mut columns = vec!["rank", "item", "title", "score"];
        if !names.has_titles() {
            columns.remove(2);
        }
        let mut table = Table::new(columns);
        for row in list_rows(whom, list, names) {
            let mut cells =
                vec![row.rank.to_string(), row.item.into(), row.title.into(), format!("{:.4}", row.score)];
            if !names.has_titles() {
                cells.remove(2);
            }
            table.row(cells);
        }
        let gap = if at > 0 { "\n" } else { "" };
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{gap}{}\n{table}", plain(&list.heading));
    }
    text
}

fn csv(whom: For, lists: &[List], names: &Recommender, no_formulas: bool) -> Result<Vec<u8>> {
    let failed = |error: csv::Error| Error::Data(format!("the lists cannot be written as csv: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows(whom, lists, names) {
        if !no_formulas {
            writer.serialize(row).map_err(failed)?;
            continue;
        }
        let text = |text: &'_ str| without_formula(text).into_owned();
        let (user, like) = (row.user.map(text), row.like.map(text));
        let (item, title) = (text(row.item), text(row.title));
        let row = Row { user: user.as_deref(), like: like.as_deref(), item: &item, title: &title, ..row };
        writer.serialize(row).map_err(failed)?;
    }
    writer.into_inner().map_err(|error| failed(error.into_error().into()))
}

fn json(whom: For, lists: &[List], names: &Recommender) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for row in rows(whom, lists, names) {
        serde_json::to_writer(&mut bytes, &row)
            .map_err(|error| Error::Data(format!("the lists cannot be written as JSON: {error}")))?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn parquet(whom: For, lists: &[List], names: &Recommender) -> Result<Vec<u8>, ParquetError> {
    let schema = parse_message_type(&format!(
        "message recommendations {{ required binary {} (utf8); required int32 rank; required binary item (utf8); \
         required binary title (utf8); required float score; }}",
        whom.name()
    ))?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    let texts = |text: for<'r> fn(&Row<'r>) -> &'r str| -> Vec<ByteArray> {
        rows(whom, lists, names).map(|row| ByteArray::from(text(&row))).collect()
    };
    let ranks: Vec<i32> = rows(whom, lists, names).map(|row| row.rank as i32).collect();
    let scores: Vec<f32> = rows(whom, lists, names).map(|row| row.score).collect();
    let (users, items, titles) = (
        texts(|row| row.user.or(row.like).unwrap_or_default()),
        texts(|row| row.item),
        texts(|row| row.title),
    );
    let mut at = 0;
    while let Some(mut column) = group.next_column()? {
        match at {
            1 => column.typed::<Int32Type>().write_batch(&ranks, None, None)?,
            4 => column.typed::<FloatType>().write_batch(&scores, None, None)?,
            _ => {
                let texts = [&users, &users, &items, &titles][at];
                column.typed::<ByteArrayType>().write_batch(texts, None, None)?
            }
        };
        column.close()?;
        at += 1;
    }
    group.close()?;
    writer.close()?;
    Ok(bytes)
}
