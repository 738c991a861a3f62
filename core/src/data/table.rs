//! Tables with one interaction per line: csv, tsv, `::` and blank-separated, with and without quotes.

use std::io;

use super::{
    collect::Shard,
    lines::{self, LineFormat, Text},
    quoted::{Failure, Records},
};
use crate::{Error, Result, watch};

/// The separator of fields.
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
    /// Calls `visit` with index and content of each field, without surrounding blanks; returns the number of
    /// fields.
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

    /// Its name in messages.
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

/// The format of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) delimiter: Delimiter,
    /// Whether `"` quotes fields.
    pub(super) quoted: bool,
    /// Fields per line.
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

    /// Reads everything from the first quote on, since quoted fields may contain delimiters and line breaks.
    fn read_quoted(&self, text: Text, block: Vec<u8>, shard: &mut Shard) -> Result<()> {
        let Delimiter::Byte(delimiter) = self.delimiter else { return Ok(()) };
        let name = text.stream.name.clone();
        let stream_error = text.stream.error_of();
        let lines = text.lines;
        let wrong = |line: u64, problem| Error::format(format!("{name}:{line}"), problem);
        let rest = io::BufReader::with_capacity(1 << 16, text.rest(block));
        let mut records = Records::new(rest, delimiter, lines);
        for record in 1u64.. {
            if record.is_multiple_of(1 << 12) {
                watch::check()?;
                watch::advance(1 << 12);
            }
            match records.next() {
                Ok(false) => return Ok(()),
                Ok(true) if records.is_blank() => shard.blank_lines += 1,
                Ok(true) => self.record(&records, shard).map_err(|problem| wrong(records.line(), problem))?,
                Err(Failure::Read(error)) => return Err(stream_error(error)),
                Err(Failure::Wrong(line, problem)) => return Err(wrong(line, problem)),
            }
        }
        Ok(())
    }

    fn record<R: io::BufRead>(&self, record: &Records<R>, shard: &mut Shard) -> Result<(), String> {
        self.check_width(record.len())?;
        let (user, item) = (record.field(self.user), record.field(self.item));
        if user.contains(&b'\n') || item.contains(&b'\n') {
            return Err("a line break inside an id; is a quote (\") left open?".into());
        }
        shard.add(user, item, self.rating.map(|at| record.field(at)))
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
