//! One interaction a line: csv, tsv, `::` and blank-separated tables, with and without quotes.

use super::{
    collect::Shard,
    lines::{self, LineFormat, Text},
};
use crate::{Error, Result};

/// What stands between two fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delimiter {
    /// One byte: comma, TAB, semicolon, bar.
    Byte(u8),
    /// `::`, as in ml-1m and ml-10m.
    DoubleColon,
    /// Any run of blanks.
    Blanks,
}

impl Delimiter {
    /// Hands each field, without surrounding blanks, to `visit` with its index; returns their number.
    #[inline]
    pub(super) fn split<'a>(self, line: &'a [u8], mut visit: impl FnMut(usize, &'a [u8])) -> usize {
        let mut count = 0;
        let mut field = |field: &'a [u8]| {
            visit(count, field.trim_ascii());
            count += 1;
        };
        match self {
            Self::Byte(byte) => {
                let mut start = 0;
                for (at, &found) in line.iter().enumerate() {
                    if found == byte {
                        field(&line[start..at]);
                        start = at + 1;
                    }
                }
                field(&line[start..]);
            }
            Self::DoubleColon => {
                let mut start = 0;
                while let Some(at) = line[start..].windows(2).position(|pair| pair == b"::") {
                    field(&line[start..start + at]);
                    start += at + 2;
                }
                field(&line[start..]);
            }
            Self::Blanks => {
                line.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty()).for_each(field);
            }
        }
        count
    }

    /// All fields of a line.
    pub(super) fn fields(self, line: &[u8]) -> Vec<&[u8]> {
        let mut fields = Vec::new();
        self.split(line, |_, field| fields.push(field));
        fields
    }

    /// How a message calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Byte(b'\t') => "TAB",
            Self::Byte(b',') => "comma",
            Self::Byte(b';') => "semicolon",
            Self::Byte(_) => "bar",
            Self::DoubleColon => "::",
            Self::Blanks => "blank",
        }
    }
}

/// How to read one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) delimiter: Delimiter,
    /// Whether `"` quotes fields.
    pub(super) quoted: bool,
    /// Fields on each line.
    pub(super) width: usize,
    pub(super) user: usize,
    pub(super) item: usize,
    pub(super) rating: Option<usize>,
}

impl Table {
    fn check_width(&self, found: usize) -> Result<(), String> {
        if found == self.width {
            return Ok(());
        }
        Err(format!(
            "{found} {}-separated field{} where the first line has {}; is the line cut short, or the delimiter another?",
            self.delimiter.name(),
            if found == 1 { "" } else { "s" },
            self.width
        ))
    }

    /// Reads the rest of a text.
    pub(super) fn read(&self, mut text: Text, shards: &mut [Shard]) -> Result<()> {
        let Some(block) = lines::read(&mut text, self, shards)? else {
            return Ok(());
        };
        self.read_quoted(text, block, &mut shards[0])
    }

    /// From the first quote on: fields may hold delimiters and line breaks.
    fn read_quoted(&self, text: Text, block: Vec<u8>, shard: &mut Shard) -> Result<()> {
        let Delimiter::Byte(delimiter) = self.delimiter else { return Ok(()) };
        let (name, before) = (text.stream.name.clone(), text.lines);
        let stream_error = text.stream.error_of();
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.rest(block));
        let mut record = csv::ByteRecord::new();
        loop {
            match reader.read_byte_record(&mut record) {
                Ok(false) => return Ok(()),
                Ok(true) => {}
                Err(error) => {
                    return Err(match error.into_kind() {
                        csv::ErrorKind::Io(error) => stream_error(error),
                        other => Error::format(&name, format!("{other:?}")),
                    });
                }
            }
            let row = self.check_width(record.len()).and_then(|()| {
                let field = |at: usize| record[at].trim_ascii();
                let (user, item) = (field(self.user), field(self.item));
                if user.contains(&b'\n') || item.contains(&b'\n') {
                    return Err("a line break inside an id; is a quote (\") left open?".into());
                }
                shard.add(user, item, self.rating.map(field))
            });
            row.map_err(|problem| {
                let line = before + record.position().map_or(1, csv::Position::line);
                Error::format(format!("{name}:{line}"), problem)
            })?;
        }
    }
}

impl LineFormat for Table {
    fn stop_byte(&self) -> Option<u8> {
        self.quoted.then_some(b'"')
    }

    #[inline]
    fn line(&self, line: &[u8], shard: &mut Shard) -> Result<(), String> {
        let (mut user, mut item, mut rating) = (&line[..0], &line[..0], None);
        let width = self.delimiter.split(line, |at, field| {
            if at == self.user {
                user = field;
            } else if at == self.item {
                item = field;
            } else if Some(at) == self.rating {
                rating = Some(field);
            }
        });
        self.check_width(width)?;
        shard.add(user, item, rating)
    }
}
