//! Parquet: reads only the columns of user, item and rating, one row group at a time.

use std::{
    cell::Cell,
    io::{Read, Write},
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

use parquet::{
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::{ByteArray, ByteArrayType, DataType},
    errors::ParquetError,
    file::reader::{FileReader, SerializedFileReader},
    schema::types::ColumnDescriptor,
};

use super::{
    LoadOptions,
    collect::Shard,
    excerpt::shorten,
    lines::Text,
    roles::{asked_roles, named_roles, no_ratings},
    unpack::check_growth,
};
use crate::{Error, Result, watch};

/// Rows decoded at once.
const BATCH: usize = 1 << 16;

/// Reads the user, item and rating columns, found by name or given in the options.
pub(super) fn read(text: Text, options: &LoadOptions, shard: &mut Shard) -> Result<()> {
    let name = text.stream.name.clone();
    // The parquet crate panics on some damaged files.
    contained(|| read_columns(text, options, shard)).unwrap_or_else(|problem| {
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

fn read_columns(text: Text, options: &LoadOptions, shard: &mut Shard) -> Result<()> {
    let name = text.stream.name.clone();
    let stream_error = text.stream.error_of();
    let mut bytes = Vec::new();
    text.rest(Vec::new()).read_to_end(&mut bytes).map_err(&stream_error)?;
    let size = bytes.len() as u64;
    let damaged =
        |error: ParquetError| Error::format(&name, format!("damaged Parquet ({error}); write it again"));
    let file = SerializedFileReader::new(bytes::Bytes::from(bytes)).map_err(damaged)?;
    let rows = u64::try_from(file.metadata().file_metadata().num_rows())
        .map_err(|_| Error::format(&name, "damaged Parquet: it has less than no rows; write it again"))?;
    // Two numbers are stored per row.
    check_growth(rows.saturating_mul(8), size).map_err(&stream_error)?;
    let schema = file.metadata().file_metadata().schema_descr_ptr();
    let names: Vec<String> = schema.columns().iter().map(|column| column.path().string()).collect();
    let (user, item, rating) = match &options.columns {
        Some(columns) => asked_roles(columns, &names, true, &name)?,
        None => match named_roles(&names) {
            (Some(user), Some(item), rating) => (user, item, rating),
            (user, ..) => {
                let role = if user.is_none() { "user" } else { "item" };
                let problem = format!(
                    "no column is named as {role}s are ({}); say which to read in `columns`, as user=NAME,item=NAME",
                    shorten(&names.join(", "))
                );
                return Err(Error::format(name, problem));
            }
        },
    };
    if options.min_rating.is_some() && rating.is_none() {
        return Err(no_ratings(&name));
    }
    let mut row = 0u64;
    for group in 0..file.num_row_groups() {
        let group = file.get_row_group(group).map_err(damaged)?;
        let column = |at: usize| {
            Column::new(&name, schema.column(at).as_ref(), group.get_column_reader(at).map_err(damaged)?)
        };
        let (mut users, mut items) = (column(user)?, column(item)?);
        let mut ratings = rating.map(column).transpose()?;
        loop {
            let count = users.advance().map_err(damaged)?;
            let counts = [Some(items.advance()), ratings.as_mut().map(Column::advance)];
            for other in counts.into_iter().flatten() {
                if other.map_err(damaged)? != count {
                    return Err(Error::format(&name, "damaged Parquet: its columns differ in length"));
                }
            }
            if count == 0 {
                break;
            }
            watch::check()?;
            watch::advance(count as u64);
            for _ in 0..count {
                row += 1;
                let wrong = |problem| Error::format(format!("{name}:row {row}"), problem);
                let user = users.next().ok_or_else(|| wrong("the user is null".to_owned()))?;
                let item = items.next().ok_or_else(|| wrong("the item is null".to_owned()))?;
                let rating = match &mut ratings {
                    Some(ratings) => {
                        Some(ratings.next().ok_or_else(|| wrong("the rating is null".to_owned()))?)
                    }
                    None => None,
                };
                shard.add(user.trim_ascii(), item.trim_ascii(), rating).map_err(wrong)?;
            }
        }
    }
    if row != rows {
        let problem = format!("damaged Parquet: it promises {rows} rows and holds {row}; write it again");
        return Err(Error::format(&name, problem));
    }
    Ok(())
}

/// A flat column whose values are read as text.
struct Column {
    values: Values,
    levels: Vec<i16>,
    full: i16,
    /// Levels and values consumed so far.
    at: (usize, usize),
    text: Vec<u8>,
}

/// A column reader with the values that it decoded last.
enum Values {
    Whole(Decoded<parquet::data_type::Int32Type>),
    Long(Decoded<parquet::data_type::Int64Type>, bool),
    Single(Decoded<parquet::data_type::FloatType>),
    Double(Decoded<parquet::data_type::DoubleType>),
    Bytes(Decoded<ByteArrayType>),
}

struct Decoded<T: DataType> {
    reader: ColumnReaderImpl<T>,
    values: Vec<T::T>,
}

impl<T: DataType> Decoded<T> {
    fn new(reader: ColumnReaderImpl<T>) -> Self {
        Self { reader, values: Vec::new() }
    }

    fn advance(&mut self, levels: &mut Vec<i16>) -> Result<usize, ParquetError> {
        self.values.clear();
        levels.clear();
        Ok(self.reader.read_records(BATCH, Some(levels), None, &mut self.values)?.0)
    }
}

impl Column {
    fn new(name: &str, column: &ColumnDescriptor, reader: ColumnReader) -> Result<Self> {
        use parquet::basic::ConvertedType;
        let unfit = |kind: &str| {
            Error::format(
                name,
                format!("the column {} holds {kind}; texts or numbers are expected", column.path().string()),
            )
        };
        if column.max_rep_level() > 0 {
            return Err(unfit("lists"));
        }
        let values = match reader {
            ColumnReader::Int32ColumnReader(reader) => Values::Whole(Decoded::new(reader)),
            ColumnReader::Int64ColumnReader(reader) => {
                Values::Long(Decoded::new(reader), column.converted_type() == ConvertedType::UINT_64)
            }
            ColumnReader::FloatColumnReader(reader) => Values::Single(Decoded::new(reader)),
            ColumnReader::DoubleColumnReader(reader) => Values::Double(Decoded::new(reader)),
            ColumnReader::ByteArrayColumnReader(reader) => Values::Bytes(Decoded::new(reader)),
            ColumnReader::BoolColumnReader(_) => return Err(unfit("yes and no")),
            ColumnReader::Int96ColumnReader(_) => return Err(unfit("times")),
            ColumnReader::FixedLenByteArrayColumnReader(_) => return Err(unfit("binary data")),
        };
        Ok(Self { values, levels: Vec::new(), full: column.max_def_level(), at: (0, 0), text: Vec::new() })
    }

    /// Decodes the next rows and returns their number.
    fn advance(&mut self) -> Result<usize, ParquetError> {
        self.at = (0, 0);
        match &mut self.values {
            Values::Whole(column) => column.advance(&mut self.levels),
            Values::Long(column, _) => column.advance(&mut self.levels),
            Values::Single(column) => column.advance(&mut self.levels),
            Values::Double(column) => column.advance(&mut self.levels),
            Values::Bytes(column) => column.advance(&mut self.levels),
        }
    }

    /// The next value; `None` if it is null.
    fn next(&mut self) -> Option<&[u8]> {
        let (level, value) = self.at;
        self.at.0 += 1;
        if self.full > 0 && self.levels.get(level).is_none_or(|&level| level < self.full) {
            return None;
        }
        self.at.1 += 1;
        self.text.clear();
        // Writing to memory cannot fail.
        let written = match &self.values {
            Values::Whole(column) => write!(self.text, "{}", column.values.get(value)?),
            Values::Long(column, true) => write!(self.text, "{}", *column.values.get(value)? as u64),
            Values::Long(column, false) => write!(self.text, "{}", column.values.get(value)?),
            Values::Single(column) => write!(self.text, "{}", column.values.get(value)?),
            Values::Double(column) => write!(self.text, "{}", column.values.get(value)?),
            Values::Bytes(column) => return column.values.get(value).map(ByteArray::data),
        };
        written.ok()?;
        Some(&self.text)
    }
}

/// Writes `user` and `item` as text columns, one row group at a time.
pub(super) fn write<'a, W: Write + Send>(
    out: W,
    mut pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<(), ParquetError> {
    use parquet::{
        basic::Compression,
        file::{properties::WriterProperties, writer::SerializedFileWriter},
        schema::parser::parse_message_type,
    };
    const GROUP: usize = 1 << 20;
    let schema = parse_message_type(
        "message interactions { REQUIRED BYTE_ARRAY user (UTF8); REQUIRED BYTE_ARRAY item (UTF8); }",
    )?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut file = SerializedFileWriter::new(out, schema.into(), properties.into())?;
    loop {
        let rows: Vec<(&str, &str)> = pairs.by_ref().take(GROUP).collect();
        if rows.is_empty() {
            break;
        }
        let mut group = file.next_row_group()?;
        for side in 0..2 {
            let text = |row: &(&str, &str)| ByteArray::from(if side == 0 { row.0 } else { row.1 });
            let values: Vec<ByteArray> = rows.iter().map(text).collect();
            if let Some(mut column) = group.next_column()? {
                column.typed::<ByteArrayType>().write_batch(&values, None, None)?;
                column.close()?;
            }
        }
        group.close()?;
    }
    file.close()?;
    Ok(())
}
