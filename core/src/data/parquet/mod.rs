//! Parquet: reads only the columns of user, item and rating, one row group at a time.

mod column;
mod write;

use std::{
    cell::Cell,
    io::Read,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

use parquet::{
    errors::ParquetError,
    file::reader::{FileReader, RowGroupReader, SerializedFileReader},
    schema::types::{ColumnDescPtr, SchemaDescPtr},
};

use super::{
    LoadOptions,
    collect::Collector,
    evidence::LINES,
    excerpt::shorten,
    lines::Text,
    roles,
    shard::{Row, Shard},
    unpack::check_growth,
};
use crate::{Error, Result, watch};
use column::Column;
pub(super) use write::write;

/// The most columns of which the first values are examined.
const MOST_EXAMINED: usize = 64;

/// Reads the columns that are found by name or given in the options. `keys` are columns that the whole file
/// shares.
pub(super) fn read(
    text: Text,
    options: &LoadOptions,
    keys: &[(String, String)],
    collector: &mut Collector,
) -> Result<()> {
    let name = text.stream.name.clone();
    // The parquet crate panics on some damaged files.
    contained(|| read_columns(text, options, keys, collector)).unwrap_or_else(|problem| {
        Err(Error::format(name, format!("damaged Parquet ({problem}); write it again")))
    })
}

/// The result of `work`, or the message of its panic, which is not printed.
fn contained<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    thread_local!(static SILENT: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !SILENT.get() {
                before(info);
            }
        }));
    });
    SILENT.set(true);
    // On a panic, the caller drops everything that `work` may have left in an inconsistent state.
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    SILENT.set(false);
    result.map_err(|panicked| {
        let text = panicked.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panicked.downcast_ref::<&str>().copied());
        format!("its reader fails: {}", shorten(text.unwrap_or("no reason given")))
    })
}

fn read_columns(
    text: Text,
    options: &LoadOptions,
    keys: &[(String, String)],
    collector: &mut Collector,
) -> Result<()> {
    let name = text.stream.name.clone();
    let stream_error = text.stream.error_of();
    let damaged = |error: ParquetError| unreadable(&name, &error);
    // A file is read where it lies; one that was packed is in memory.
    let (file, size): (Box<dyn FileReader>, u64) = match &text.stream.path {
        Some(path) if !text.stream.is_packed() => {
            let refused = |error| Error::io("read", path, error);
            let file = std::fs::File::open(path).map_err(refused)?;
            let size = file.metadata().map_err(refused)?.len();
            (Box::new(SerializedFileReader::new(file).map_err(damaged)?), size)
        }
        _ => {
            let mut bytes = Vec::new();
            text.rest(Vec::new()).read_to_end(&mut bytes).map_err(&stream_error)?;
            let size = bytes.len() as u64;
            (Box::new(SerializedFileReader::new(bytes::Bytes::from(bytes)).map_err(damaged)?), size)
        }
    };
    let rows = u64::try_from(file.metadata().file_metadata().num_rows())
        .map_err(|_| Error::format(&name, "damaged Parquet: it has less than no rows; write it again"))?;
    // Two numbers are stored per row.
    check_growth(rows.saturating_mul(8), size).map_err(&stream_error)?;
    let schema = file.metadata().file_metadata().schema_descr_ptr();
    let mut names = names(&schema);
    let mut head = first_rows(&*file, &schema);
    for (key, value) in keys {
        names.push(key.clone());
        head.iter_mut().for_each(|row| row.push(value.clone()));
    }
    let decision = roles::of_names(&names, &head, options, &name)?;
    collector.decided(&name, "Parquet", &decision)?;
    let mut table = Table { name: &name, schema: &schema, keys, options, roles: decision.roles };
    let mut read = 0u64;
    for group in 0..file.num_row_groups() {
        let group = file.get_row_group(group).map_err(damaged)?;
        table.read_group(&*group, &mut read, &mut collector.shards[0])?;
    }
    if read != rows {
        let problem = format!("damaged Parquet: it promises {rows} rows and holds {read}; write it again");
        return Err(Error::format(&name, problem));
    }
    Ok(())
}

/// The error for a file that its reader cannot decode.
fn unreadable(name: &str, error: &ParquetError) -> Error {
    let problem = match error {
        ParquetError::NYI(what) => {
            format!(
                "Parquet with a feature that is not read ({what}); write it with Snappy or zstd compression"
            )
        }
        _ if error.to_string().contains("Disabled feature") => {
            format!("Parquet with a compression that is not read ({error}); write it with Snappy or zstd")
        }
        _ => format!("damaged Parquet ({error}); write it again"),
    };
    Error::format(name, problem)
}

/// The name of each column: its path; of a list, the name of the list.
fn names(schema: &SchemaDescPtr) -> Vec<String> {
    let name = |column: &ColumnDescPtr| {
        let parts = column.path().parts();
        if column.max_rep_level() == 0 {
            return parts.join(".");
        }
        let inner = ["list", "element", "item", "bag", "array_element", "array", "key_value", "value"];
        let is_outer = |(at, part): &(usize, &String)| *at == 0 || !inner.contains(&part.as_str());
        let outer = parts.iter().enumerate().filter(is_outer).map(|(_, part)| part.as_str());
        outer.collect::<Vec<_>>().join(".")
    };
    schema.columns().iter().map(name).collect()
}

/// The text of the first rows, as far as they can be read.
fn first_rows(file: &dyn FileReader, schema: &SchemaDescPtr) -> Vec<Vec<String>> {
    let Some(group) = (file.num_row_groups() > 0).then(|| file.get_row_group(0).ok()).flatten() else {
        return Vec::new();
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for at in 0..schema.num_columns() {
        let values =
            if at < MOST_EXAMINED { first_values(&*group, &schema.column(at), at) } else { Vec::new() };
        rows.resize(rows.len().max(values.len()), vec![String::new(); schema.num_columns()]);
        for (row, value) in rows.iter_mut().zip(values) {
            row[at] = value;
        }
    }
    rows
}

/// The first values of a column as text; a list in brackets. None if they cannot be read, which is an error
/// only if the column is needed.
fn first_values(group: &dyn RowGroupReader, descriptor: &ColumnDescPtr, at: usize) -> Vec<String> {
    let Ok(reader) = group.get_column_reader(at) else { return Vec::new() };
    let Ok(mut column) = Column::new(descriptor, reader) else { return Vec::new() };
    let Ok(count) = column.advance(LINES) else { return Vec::new() };
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        let mut items = Vec::new();
        column.next(|item| items.push(String::from_utf8_lossy(item).into_owned()));
        values.push(if column.is_list() { format!("[{}]", items.join(",")) } else { items.concat() });
    }
    values
}

/// The columns of a file that are read.
struct Table<'a> {
    name: &'a str,
    schema: &'a SchemaDescPtr,
    keys: &'a [(String, String)],
    options: &'a LoadOptions,
    roles: roles::Roles,
}

/// A column, or the value that all rows of the file share.
enum Values<'a> {
    Column(Box<Column>),
    Shared(&'a [u8]),
}

impl Values<'_> {
    /// The next value; empty if it is null.
    fn next(&mut self, into: &mut Vec<u8>) {
        into.clear();
        match self {
            Self::Shared(value) => into.extend_from_slice(value),
            Self::Column(column) => column.next(|value| {
                if into.is_empty() {
                    into.extend_from_slice(value.trim_ascii());
                }
            }),
        }
    }

    /// The next values of a list.
    fn next_list(&mut self, mut visit: impl FnMut(&[u8])) {
        match self {
            Self::Shared(value) => visit(value),
            Self::Column(column) => column.next(|value| visit(value.trim_ascii())),
        }
    }
}

impl<'a> Table<'a> {
    fn column(&self, group: &dyn RowGroupReader, at: usize) -> Result<Values<'a>> {
        if let Some(key) = at.checked_sub(self.schema.num_columns()) {
            return Ok(Values::Shared(self.keys[key].1.as_bytes()));
        }
        let descriptor = self.schema.column(at);
        let reader = group.get_column_reader(at).map_err(|error| unreadable(self.name, &error))?;
        let column = Column::new(&descriptor, reader).map_err(|kind| {
            let path = descriptor.path().string();
            Error::format(self.name, format!("the column {path} holds {kind}; texts or numbers are expected"))
        })?;
        Ok(Values::Column(Box::new(column)))
    }

    fn read_group(&mut self, group: &dyn RowGroupReader, row: &mut u64, shard: &mut Shard) -> Result<()> {
        let roles = self.roles.clone();
        // User, item, rating, time, then a column for each condition.
        let places = [Some(roles.user), Some(roles.item), roles.rating, roles.time];
        let places = places.into_iter().chain(roles.conditions.iter().map(|&at| Some(at)));
        let mut columns = places
            .map(|at| at.map(|at| self.column(group, at)).transpose())
            .collect::<Result<Vec<Option<Values>>>>()?;
        if let Some(Values::Column(column)) = &columns[1] {
            self.roles.lists |= column.is_list();
        }
        let mut texts = vec![Vec::new(); columns.len()];
        loop {
            let mut count = None;
            for column in columns.iter_mut().flatten() {
                let Values::Column(column) = column else { continue };
                let more = column.advance(column::BATCH).map_err(|error| unreadable(self.name, &error))?;
                if count.is_some_and(|count| count != more) {
                    return Err(Error::format(self.name, "damaged Parquet: its columns differ in length"));
                }
                count = Some(more);
            }
            let count = count.unwrap_or(0);
            if count == 0 {
                return Ok(());
            }
            watch::check()?;
            watch::advance(count as u64);
            for _ in 0..count {
                *row += 1;
                if let Err(problem) = self.add(&mut columns, &mut texts, shard) {
                    let place = *row;
                    shard.bad_row(place, problem).map_err(|(row, problem)| {
                        Error::format(format!("{}:row {row}", self.name), problem)
                    })?;
                    let bad = std::mem::take(&mut shard.bad);
                    shard.note_bad_rows(
                        bad.into_iter()
                            .map(|(row, problem)| format!("{}:row {row}: {problem}", self.name))
                            .collect(),
                    );
                }
            }
        }
    }

    fn add(
        &self,
        columns: &mut [Option<Values>],
        texts: &mut [Vec<u8>],
        shard: &mut Shard,
    ) -> Result<(), String> {
        let mut items: Vec<Vec<u8>> = Vec::new();
        let is_list = matches!(&columns[1], Some(Values::Column(column)) if column.is_list());
        for (at, (column, text)) in columns.iter_mut().zip(&mut *texts).enumerate() {
            let Some(column) = column else { continue };
            if at == 1 && is_list {
                column.next_list(|value| items.push(value.to_vec()));
            } else {
                column.next(text);
            }
        }
        for (condition, text) in self.options.conditions.iter().zip(&texts[4..]) {
            if !condition.holds(text) {
                shard.left_out.unmet_conditions += 1;
                return Ok(());
            }
        }
        let row = Row {
            user: &texts[0],
            item: &texts[1],
            rating: self.roles.rating.map(|_| texts[2].as_slice()),
            time: self.roles.time.map(|_| texts[3].as_slice()),
        };
        if is_list {
            return items.iter().try_for_each(|item| shard.add(&Row { item, ..row }));
        }
        if self.roles.lists { shard.add_list(&row) } else { shard.add(&row) }
    }
}
