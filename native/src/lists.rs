//! Recommended items as a table, csv, JSON lines or Parquet.

use std::{fmt::Write, path::Path, sync::Arc};

use fastvae::{
    Error, Result, file,
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
    output::{Table, print},
};

/// One list: for whom (or for which item), and what.
pub struct List {
    /// The user's id, or the item's for similar ones.
    pub of: String,
    /// Best first.
    pub items: Vec<Recommendation>,
}

/// One line of a list.
#[derive(Serialize)]
struct Row<'a> {
    user: &'a str,
    rank: usize,
    item: &'a str,
    title: &'a str,
    score: f32,
}

fn rows<'a>(lists: &'a [List], names: &'a Recommender) -> impl Iterator<Item = Row<'a>> {
    lists.iter().flat_map(|list| list_rows(list, names))
}

fn list_rows<'a>(list: &'a List, names: &'a Recommender) -> impl Iterator<Item = Row<'a>> {
    (1..).zip(&list.items).map(|(rank, one)| Row {
        user: &list.of,
        rank,
        item: names.item_id(one.item),
        title: names.title(one.item),
        score: one.score,
    })
}

/// Prints lists, or writes them to a file, whole or not at all.
///
/// # Errors
/// [`Error::Io`] if they cannot be written; [`Error::Setting`] for Parquet without a file.
pub fn put(lists: &[List], names: &Recommender, format: Format, output: Option<&Path>) -> Result<()> {
    let bytes = match format {
        Format::Table => table(lists, names).into_bytes(),
        Format::Csv => csv(lists, names)?,
        Format::Json => json(lists, names)?,
        Format::Parquet if output.is_none() => {
            return Err(Error::setting(
                "output",
                "Parquet is not for the terminal; name a file with --output",
            ));
        }
        Format::Parquet => parquet(lists, names)
            .map_err(|error| Error::Data(format!("the lists cannot be written as Parquet: {error}")))?,
    };
    match output {
        Some(path) => file::write(path, &bytes),
        None => print(&String::from_utf8_lossy(&bytes)),
    }
}

fn table(lists: &[List], names: &Recommender) -> String {
    let mut text = String::new();
    for (at, list) in lists.iter().enumerate() {
        let mut columns = vec!["rank", "item", "title", "score"];
        if !names.has_titles() {
            columns.remove(2);
        }
        let mut table = Table::new(columns);
        for row in list_rows(list, names) {
            let mut cells =
                vec![row.rank.to_string(), row.item.into(), row.title.into(), format!("{:.4}", row.score)];
            if !names.has_titles() {
                cells.remove(2);
            }
            table.row(cells);
        }
        let gap = if at > 0 { "\n" } else { "" };
        // A String takes all that is written to it.
        let _ = write!(text, "{gap}{}\n{table}", list.of);
    }
    text
}

fn csv(lists: &[List], names: &Recommender) -> Result<Vec<u8>> {
    let failed = |error: csv::Error| Error::Data(format!("the lists cannot be written as csv: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows(lists, names) {
        writer.serialize(row).map_err(failed)?;
    }
    writer.into_inner().map_err(|error| failed(error.into_error().into()))
}

fn json(lists: &[List], names: &Recommender) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for row in rows(lists, names) {
        serde_json::to_writer(&mut bytes, &row)
            .map_err(|error| Error::Data(format!("the lists cannot be written as JSON: {error}")))?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn parquet(lists: &[List], names: &Recommender) -> Result<Vec<u8>, ParquetError> {
    let schema = parse_message_type(
        "message recommendations { required binary user (utf8); required int32 rank; required binary item (utf8); \
         required binary title (utf8); required float score; }",
    )?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    let texts = |text: for<'r> fn(&Row<'r>) -> &'r str| -> Vec<ByteArray> {
        rows(lists, names).map(|row| ByteArray::from(text(&row))).collect()
    };
    let ranks: Vec<i32> = rows(lists, names).map(|row| row.rank as i32).collect();
    let scores: Vec<f32> = rows(lists, names).map(|row| row.score).collect();
    let (users, items, titles) = (texts(|row| row.user), texts(|row| row.item), texts(|row| row.title));
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
