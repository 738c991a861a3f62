//! One column of Parquet, whose values are read as text.

use std::io::Write;

use parquet::{
    basic::{ConvertedType, LogicalType},
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::{
        BoolType, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type,
        Int64Type, Int96Type,
    },
    errors::ParquetError,
    schema::types::ColumnDescriptor,
};

use crate::data::Moment;

/// Rows decoded at once.
pub(super) const BATCH: usize = 1 << 16;
const DAY: i64 = 86_400_000_000;

/// What the stored values stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// What they are.
    Plain,
    /// Whole numbers without a sign.
    Unsigned,
    /// Whole numbers with a decimal point before the last digits.
    Decimal(usize),
    /// Days since 1970.
    Date,
    /// Sixteen bytes that name something.
    Uuid,
    /// A number of 16 bits.
    Half,
}

/// A column whose values are read as text.
pub(super) struct Column {
    values: Values,
    meaning: Meaning,
    /// Definition levels of the decoded rows, and the level of a value that is not null.
    levels: Vec<i16>,
    full: i16,
    /// Repetition levels, for a list.
    repeats: Vec<i16>,
    list: bool,
    /// Levels and values consumed so far.
    at: (usize, usize),
    text: Vec<u8>,
}

/// A column reader with the values that it decoded last.
enum Values {
    Bool(Decoded<BoolType>),
    Whole(Decoded<Int32Type>),
    Long(Decoded<Int64Type>),
    Time(Decoded<Int96Type>),
    Single(Decoded<FloatType>),
    Double(Decoded<DoubleType>),
    Bytes(Decoded<ByteArrayType>),
    Fixed(Decoded<FixedLenByteArrayType>),
}

struct Decoded<T: DataType> {
    reader: ColumnReaderImpl<T>,
    values: Vec<T::T>,
}

impl<T: DataType> Decoded<T> {
    fn new(reader: ColumnReaderImpl<T>) -> Self {
        Self { reader, values: Vec::new() }
    }

    fn advance(
        &mut self,
        rows: usize,
        levels: &mut Vec<i16>,
        repeats: &mut Vec<i16>,
    ) -> Result<usize, ParquetError> {
        self.values.clear();
        levels.clear();
        repeats.clear();
        Ok(self.reader.read_records(rows, Some(levels), Some(repeats), &mut self.values)?.0)
    }
}

impl Column {
    /// A column, or in words the kind of values that are not read.
    pub(super) fn new(column: &ColumnDescriptor, reader: ColumnReader) -> Result<Self, &'static str> {
        if column.max_rep_level() > 1 {
            return Err("lists of lists");
        }
        let logical = column.logical_type_ref();
        let meaning = match column.converted_type() {
            ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64 => Meaning::Unsigned,
            ConvertedType::DECIMAL => Meaning::Decimal(usize::try_from(column.type_scale()).unwrap_or(0)),
            ConvertedType::DATE => Meaning::Date,
            ConvertedType::INTERVAL => return Err("spans of time"),
            _ => match logical {
                Some(LogicalType::Uuid) => Meaning::Uuid,
                Some(LogicalType::Float16) => Meaning::Half,
                _ => Meaning::Plain,
            },
        };
        let values = match reader {
            ColumnReader::BoolColumnReader(reader) => Values::Bool(Decoded::new(reader)),
            ColumnReader::Int32ColumnReader(reader) => Values::Whole(Decoded::new(reader)),
            ColumnReader::Int64ColumnReader(reader) => Values::Long(Decoded::new(reader)),
            ColumnReader::Int96ColumnReader(reader) => Values::Time(Decoded::new(reader)),
            ColumnReader::FloatColumnReader(reader) => Values::Single(Decoded::new(reader)),
            ColumnReader::DoubleColumnReader(reader) => Values::Double(Decoded::new(reader)),
            ColumnReader::ByteArrayColumnReader(reader) => Values::Bytes(Decoded::new(reader)),
            ColumnReader::FixedLenByteArrayColumnReader(_) if meaning == Meaning::Plain => {
                return Err("binary data");
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => Values::Fixed(Decoded::new(reader)),
        };
        let (full, list) = (column.max_def_level(), column.max_rep_level() > 0);
        let (levels, repeats, text) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { values, meaning, levels, full, repeats, list, at: (0, 0), text })
    }

    /// Whether a row holds a list of values.
    pub(super) fn is_list(&self) -> bool {
        self.list
    }

    /// Decodes the next rows, at most so many, and returns their number.
    pub(super) fn advance(&mut self, rows: usize) -> Result<usize, ParquetError> {
        self.at = (0, 0);
        let (levels, repeats) = (&mut self.levels, &mut self.repeats);
        match &mut self.values {
            Values::Bool(column) => column.advance(rows, levels, repeats),
            Values::Whole(column) => column.advance(rows, levels, repeats),
            Values::Long(column) => column.advance(rows, levels, repeats),
            Values::Time(column) => column.advance(rows, levels, repeats),
            Values::Single(column) => column.advance(rows, levels, repeats),
            Values::Double(column) => column.advance(rows, levels, repeats),
            Values::Bytes(column) => column.advance(rows, levels, repeats),
            Values::Fixed(column) => column.advance(rows, levels, repeats),
        }
    }

    /// Visits the value of the next row, or its values if it holds a list; nothing if it is null.
    pub(super) fn next(&mut self, mut visit: impl FnMut(&[u8])) {
        loop {
            let (level, value) = self.at;
            self.at.0 += 1;
            let is_value = self.full == 0 || self.levels.get(level).is_some_and(|&level| level >= self.full);
            if is_value && self.write(value).is_some() {
                self.at.1 += 1;
                visit(&self.text);
            }
            // The values that follow in the same row repeat at a level above 0.
            if !self.list || self.repeats.get(self.at.0).is_none_or(|&level| level == 0) {
                return;
            }
        }
    }

    /// Writes a value as text.
    fn write(&mut self, at: usize) -> Option<()> {
        let text = &mut self.text;
        text.clear();
        // Writing to memory cannot fail.
        let written = match (&self.values, self.meaning) {
            (Values::Bool(column), _) => write!(text, "{}", column.values.get(at)?),
            (Values::Whole(column), Meaning::Unsigned) => write!(text, "{}", *column.values.get(at)? as u32),
            (Values::Whole(column), Meaning::Decimal(scale)) => {
                decimal(text, i128::from(*column.values.get(at)?), scale)
            }
            (Values::Whole(column), Meaning::Date) => {
                write!(text, "{}", Moment(i64::from(*column.values.get(at)?) * DAY).date())
            }
            (Values::Whole(column), _) => write!(text, "{}", column.values.get(at)?),
            (Values::Long(column), Meaning::Unsigned) => write!(text, "{}", *column.values.get(at)? as u64),
            (Values::Long(column), Meaning::Decimal(scale)) => {
                decimal(text, i128::from(*column.values.get(at)?), scale)
            }
            (Values::Long(column), _) => write!(text, "{}", column.values.get(at)?),
            (Values::Time(column), _) => write!(text, "{}", column.values.get(at)?.to_micros()),
            (Values::Single(column), _) => write!(text, "{}", column.values.get(at)?),
            (Values::Double(column), _) => write!(text, "{}", column.values.get(at)?),
            (Values::Bytes(column), Meaning::Decimal(scale)) => {
                decimal(text, big_endian(column.values.get(at)?.data())?, scale)
            }
            (Values::Bytes(column), _) => text.write_all(column.values.get(at)?.data()),
            (Values::Fixed(column), Meaning::Decimal(scale)) => {
                decimal(text, big_endian(column.values.get(at)?.data())?, scale)
            }
            (Values::Fixed(column), Meaning::Uuid) => uuid(text, column.values.get(at)?.data()),
            (Values::Fixed(column), _) => {
                let bytes: [u8; 2] = column.values.get(at)?.data().try_into().ok()?;
                write!(text, "{}", half(u16::from_le_bytes(bytes)))
            }
        };
        written.ok()
    }
}

/// A signed number in big-endian bytes, of which those before the last 16 only carry the sign.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let sign = if bytes.first()? & 0x80 == 0 { 0 } else { -1 };
    let (before, bytes) = bytes.split_at(bytes.len().saturating_sub(16));
    let extends = (bytes.first()? & 0x80 == 0) == (sign == 0);
    let is_sign = |&byte: &u8| i128::from(byte as i8) == sign;
    if !before.is_empty() && (!extends || !before.iter().all(is_sign)) {
        return None;
    }
    Some(bytes.iter().fold(sign, |value, &byte| value << 8 | i128::from(byte)))
}

/// Writes a decimal number without zeros at the end of its fraction.
fn decimal(text: &mut Vec<u8>, unscaled: i128, scale: usize) -> std::io::Result<()> {
    if scale == 0 {
        return write!(text, "{unscaled}");
    }
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    match fraction.trim_end_matches('0') {
        "" => write!(text, "{sign}{whole}"),
        fraction => write!(text, "{sign}{whole}.{fraction}"),
    }
}

/// Writes sixteen bytes in groups of hexadecimal digits.
fn uuid(text: &mut Vec<u8>, bytes: &[u8]) -> std::io::Result<()> {
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push(b'-');
        }
        write!(text, "{byte:02x}")?;
    }
    Ok(())
}

/// The value of a number of 16 bits (IEEE 754).
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_numbers_become_text() {
        let shown = |unscaled, scale| {
            let mut text = Vec::new();
            decimal(&mut text, unscaled, scale).unwrap();
            String::from_utf8(text).unwrap()
        };
        assert_eq!([shown(45, 1), shown(-5, 2), shown(300, 2), shown(7, 0)], ["4.5", "-0.05", "3", "7"]);
        assert_eq!(
            (big_endian(&[0xff, 0xfe]), big_endian(&[1, 0]), big_endian(&[])),
            (Some(-2), Some(256), None)
        );
        let wide = |first: u8| [[first; 8].as_slice(), &[first; 15], &[7]].concat();
        assert_eq!((big_endian(&wide(0)), big_endian(&wide(0xff))), (Some(7), Some(-249)));
        assert_eq!(big_endian(&[[1; 8].as_slice(), &[0; 16]].concat()), None);
        assert_eq!([half(0x3c00), half(0xc500), half(1)], [1.0, -5.0, 2f32.powi(-24)]);
        let mut text = Vec::new();
        uuid(&mut text, &(0..16).collect::<Vec<u8>>()).unwrap();
        assert_eq!(text, b"00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
