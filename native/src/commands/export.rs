//! `fastvae export`: the model, and vectors of users and items, for other programs.

use std::{io::Write, path::Path, sync::Arc};

use fastvae::{
    Error, Result, file,
    onnx::Graph,
    recommend::Vectors,
    run::checkpoint::{self, Checkpoint},
};
use parquet::{
    data_type::{ByteArray, ByteArrayType, FloatType},
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use pollster::block_on;

use super::people::{Histories, People};
use crate::{
    Outcome,
    args::use_model::ExportArgs,
    output::{grouped, note},
    settings,
};

/// Rows of a group of Parquet, which are held in memory.
const GROUP: usize = 1 << 14;

/// Runs `fastvae export`.
///
/// # Errors
/// Errors of checkpoint, engine and writing.
pub fn run(args: &ExportArgs) -> Result<Outcome> {
    let form = |flag: &str, path: &Option<_>| path.as_deref().map(|path| Form::of(flag, path)).transpose();
    let (users, items) = (form("users", &args.users)?, form("items", &args.items)?);
    if let Some(path) = &args.onnx {
        onnx(path, &checkpoint::read(&checkpoint::model_of(&args.run))?.into_model())?;
    }
    if users.is_none() && items.is_none() {
        return Ok(Outcome::Done);
    }
    let recommender = settings::recommender(&args.run, &args.engine)?;
    if let (Some(path), Some(form)) = (&args.items, items) {
        let rows = block_on(recommender.item_rows())?;
        write("item", path, form, &recommender.context().items, &rows)?;
    }
    if let (Some(path), Some(form)) = (&args.users, users) {
        let people = match &args.histories {
            Some(file) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new(".")).to_owned();
                Histories::open(file, &args.filter, &recommender, false, folder)?.all(&recommender)?
            }
            None => {
                let context = recommender.context();
                People { names: context.users.to_vec(), histories: context.histories.clone() }
            }
        };
        let rows = block_on(recommender.queries(&people.histories))?;
        write("user", path, form, &people.names, &rows)?;
    }
    Ok(Outcome::Done)
}

/// A format of vectors.
#[derive(Clone, Copy)]
enum Form {
    Npy,
    Csv,
    Parquet,
}

impl Form {
    fn of(flag: &str, path: &Path) -> Result<Self> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("npy") => Ok(Self::Npy),
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(Error::setting(
                flag,
                format!("the ending of {} says nothing; choose .npy, .csv or .parquet", path.display()),
            )),
        }
    }
}

/// Writes a row for each id. The ids of an array of numpy are in a csv beside it.
fn write(key: &str, path: &Path, form: Form, ids: &[String], rows: &Vectors) -> Result<()> {
    match form {
        Form::Npy => {
            file::write_with(path, |out| npy(out, ids.len(), rows))?;
            write_ids(key, path, ids)?;
        }
        Form::Csv => file::write_with(path, |out| {
            let mut table = csv::Writer::from_writer(out);
            let names = (0..rows.width).map(|at| format!("v{at}"));
            table.write_record(std::iter::once(key.to_owned()).chain(names))?;
            for (id, row) in ids.iter().zip(rows.rows()) {
                let numbers = row.iter().map(f32::to_string);
                table.write_record(std::iter::once(id.clone()).chain(numbers))?;
            }
            table.flush()
        })?,
        Form::Parquet => {
            file::write_with(path, |out| parquet(out, key, ids, rows).map_err(std::io::Error::other))?
        }
    }
    note(&format!("{}: {} rows of {} numbers", path.display(), grouped(ids.len() as u64), rows.width));
    Ok(())
}

/// Writes the ids of the rows of a file to a csv beside it.
fn write_ids(key: &str, path: &Path, ids: &[String]) -> Result<()> {
    let beside = path.with_extension("ids.csv");
    file::write_with(&beside, |out| {
        let mut table = csv::Writer::from_writer(out);
        table.write_record([key])?;
        ids.iter().try_for_each(|id| table.write_record([id]))?;
        table.flush()
    })?;
    note(&format!("{}: the {key} of each number, from 0", beside.display()));
    Ok(())
}

/// Writes the graph of a model, and the ids of its items beside it.
fn onnx(path: &Path, checkpoint: &Checkpoint) -> Result<()> {
    let graph = Graph::new(checkpoint)?;
    file::write_with(path, |out| graph.write(out))?;
    write_ids("item", path, &checkpoint.context.items)?;
    let items = grouped(checkpoint.context.items.len() as u64);
    note(&format!("{}: a graph of ONNX that scores {items} items", path.display()));
    Ok(())
}

/// An array of numpy, version 1.
fn npy(out: &mut (dyn Write + Send), count: usize, rows: &Vectors) -> std::io::Result<()> {
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({count}, {}), }}", rows.width);
    // Header and magic bytes together are a multiple of 64.
    let length = (MAGIC.len() + 2 + header.len() + 1).next_multiple_of(64) - MAGIC.len() - 2;
    header.extend(std::iter::repeat_n(' ', length - header.len() - 1));
    header.push('\n');
    out.write_all(MAGIC)?;
    out.write_all(&(length as u16).to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    rows.values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))
}

/// Parquet with the id and a list of numbers.
fn parquet(
    out: &mut (dyn Write + Send),
    key: &str,
    ids: &[String],
    rows: &Vectors,
) -> Result<(), ParquetError> {
    let schema = parse_message_type(&format!(
        "message vectors {{ required binary {key} (utf8); \
         required group vector (list) {{ repeated group list {{ required float element; }} }} }}"
    ))?;
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(out, Arc::new(schema), properties)?;
    for (ids, values) in ids.chunks(GROUP).zip(rows.values.chunks(GROUP * rows.width)) {
        let mut group = writer.next_row_group()?;
        if let Some(mut column) = group.next_column()? {
            let texts: Vec<ByteArray> = ids.iter().map(|id| ByteArray::from(id.as_str())).collect();
            column.typed::<ByteArrayType>().write_batch(&texts, None, None)?;
            column.close()?;
        }
        if let Some(mut column) = group.next_column()? {
            let levels = vec![1i16; values.len()];
            let repeats: Vec<i16> = (0..values.len()).map(|at| i16::from(at % rows.width != 0)).collect();
            column.typed::<FloatType>().write_batch(values, Some(&levels), Some(&repeats))?;
            column.close()?;
        }
        group.close()?;
    }
    writer.close()?;
    Ok(())
}
