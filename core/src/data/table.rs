//! Tables with one interaction per line: csv, tsv, `::` and blank-separated, with and without quotes.

use std::{borrow::Cow, io};

use super::{
    condition::Condition,
    lines::{self, LineFormat, Text},
    quoted::{Failure, Records},
    roles::Roles,
    shard::{Row, Shard},
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

    /// All fields of a line, where a delimiter within quotes belongs to its field. Quotes around a field are
    /// removed, and doubled quotes within are one; a quote that does not close on the line is a letter.
    pub(super) fn quoted_fields(self, line: &[u8]) -> Vec<Cow<'_, [u8]>> {
        let mut fields = Vec::new();
        let mut rest = match self {
            Self::Blanks => line.trim_ascii(),
            _ => without_blanks(line),
        };
        loop {
            let inside = closing_quote(rest).and_then(|end| {
                let after = &rest[end + 1..];
                let after = if self == Self::Blanks { after } else { without_blanks(after) };
                self.starts(after).then(|| (unescaped(&rest[1..end]), after))
            });
            let (field, after) = inside.unwrap_or_else(|| {
                let end = (0..rest.len()).find(|&at| self.length(&rest[at..]) > 0).unwrap_or(rest.len());
                (Cow::Borrowed(rest[..end].trim_ascii()), &rest[end..])
            });
            fields.push(field);
            if after.is_empty() {
                return fields;
            }
            rest = without_blanks(&after[self.length(after)..]);
        }
    }

    /// The length of the delimiter that a text starts with; 0 if it starts with none.
    pub(super) fn length(self, text: &[u8]) -> usize {
        match self {
            Self::Byte(byte) => usize::from(text.first() == Some(&byte)),
            Self::DoubleColon => {
                if text.starts_with(b"::") {
                    2
                } else {
                    0
                }
            }
            Self::Blanks => text.iter().take_while(|byte| byte.is_ascii_whitespace()).count(),
        }
    }

    /// Whether a text is at its end or starts with the delimiter.
    fn starts(self, text: &[u8]) -> bool {
        text.is_empty() || self.length(text) > 0
    }

    /// What stands between two fields.
    #[cfg(feature = "forms")]
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Byte(b'\t') => "\t",
            Self::Byte(b';') => ";",
            Self::Byte(b'|') => "|",
            Self::Byte(b'^') => "^",
            Self::Byte(b'~') => "~",
            Self::Byte(1) => "\u{1}",
            Self::Byte(_) => ",",
            Self::DoubleColon => "::",
            Self::Blanks => " ",
        }
    }

    /// Its name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Byte(b'\t') => "TAB",
            Self::Byte(b',') => "comma",
            Self::Byte(b';') => "semicolon",
            Self::Byte(b'|') => "bar",
            Self::Byte(b'^') => "caret",
            Self::Byte(b'~') => "tilde",
            Self::Byte(_) => "control-A",
            Self::DoubleColon => "::",
            Self::Blanks => "blank",
        }
    }
}

/// The content of a quoted field without surrounding blanks.
fn unescaped(field: &[u8]) -> Cow<'_, [u8]> {
    let field = field.trim_ascii();
    if memchr::memmem::find(field, b"\"\"").is_none() {
        return Cow::Borrowed(field);
    }
    let mut text = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(&byte) = bytes.next() {
        text.push(byte);
        if byte == b'"' {
            bytes.next();
        }
    }
    Cow::Owned(text)
}

/// A text without blanks at its ends; TABs stay, which may be delimiters.
fn without_blanks(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = text {
        text = rest;
    }
    text
}

/// The place of the quote that closes the one which a text starts with; doubled quotes are text.
fn closing_quote(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    loop {
        at += memchr::memchr(b'"', text.get(at..)?)?;
        if text.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

/// What quotes (`"`) mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quotes {
    /// As in RFC 4180: a quoted field may hold delimiters and line breaks.
    Records,
    /// Within one line only, and only in pairs: other quotes are letters.
    Lines,
}

/// The format of one table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    pub(super) delimiter: Delimiter,
    pub(super) quotes: Quotes,
    /// Fields per line.
    pub(super) width: usize,
    pub(super) roles: Roles,
    /// A condition for each of the columns of `roles.conditions`.
    pub(super) conditions: Vec<Condition>,
    /// Columns that the whole file shares, after those of its lines: the keys of its folder.
    pub(super) constants: Vec<String>,
    /// The number of rows that the file states before its first.
    pub(super) stated_rows: Option<u64>,
}

/// Collects the fields of a row that are read.
struct Reading<'a> {
    table: &'a Table,
    row: Row<'a>,
    met: bool,
}

impl<'a> Reading<'a> {
    fn of(table: &'a Table) -> Self {
        Self { table, row: Row::default(), met: true }
    }

    #[inline]
    fn field(&mut self, at: usize, field: &'a [u8]) {
        let roles = &self.table.roles;
        if at == roles.user {
            self.row.user = field;
        } else if at == roles.item {
            self.row.item = field;
        }
        // A column may have several roles.
        if Some(at) == roles.rating {
            self.row.rating = Some(field);
        }
        if Some(at) == roles.time {
            self.row.time = Some(field);
        }
        for (column, condition) in roles.conditions.iter().zip(&self.table.conditions) {
            if *column == at {
                self.met &= condition.holds(field);
            }
        }
    }

    #[inline]
    fn add(mut self, shard: &mut Shard) -> Result<(), String> {
        let table = self.table;
        for (at, constant) in (table.width..).zip(&table.constants) {
            self.field(at, constant.as_bytes());
        }
        if !self.met {
            shard.left_out.unmet_conditions += 1;
            return Ok(());
        }
        if self.table.roles.lists { shard.add_list(&self.row) } else { shard.add(&self.row) }
    }
}

impl Table {
    fn wrong_width(&self, found: usize) -> String {
        format!(
            "{found} {}-separated field{} where the first line has {}; is the line cut short, or the delimiter another?",
            self.delimiter.name(),
            if found == 1 { "" } else { "s" },
            self.width
        )
    }

    /// Reads the rest of a text.
    pub(super) fn read(&self, mut text: Text, shards: &mut [Shard]) -> Result<()> {
        let name = text.stream.name.clone();
        let sum = |shards: &[Shard], of: fn(&Shard) -> u64| shards.iter().map(of).sum::<u64>();
        let (seen, stated) = (sum(shards, Shard::rows_seen), sum(shards, |shard| shard.stated_rows));
        if let Some(block) = lines::read(&mut text, self, shards)? {
            shards.iter_mut().for_each(Shard::begin_block);
            self.read_quoted(text, block, &mut shards[0])?;
        }
        // A row with a list counts once for each of its items.
        if self.roles.lists {
            return Ok(());
        }
        let seen = sum(shards, Shard::rows_seen) - seen;
        let stated_below = sum(shards, |shard| shard.stated_rows).saturating_sub(stated);
        match self.stated_rows {
            Some(stated) if stated != seen => Err(lost_rows(&name, stated, seen)),
            // Rows that repeat the header are seen too.
            None if stated_below > seen => Err(lost_rows(&name, stated_below, seen)),
            _ => Ok(()),
        }
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
                Ok(false) => break,
                Ok(true) if records.is_blank() => shard.left_out.blank_lines += 1,
                Ok(true) => {
                    if let Err(problem) = self.record(&records, shard) {
                        let line = records.line();
                        shard.bad_row(line, problem).map_err(|(line, problem)| wrong(line, problem))?;
                        let bad = std::mem::take(&mut shard.bad);
                        let samples =
                            bad.into_iter().map(|(line, problem)| format!("{name}:{line}: {problem}"));
                        shard.note_bad_rows(samples.collect());
                    }
                }
                Err(Failure::Read(error)) => return Err(stream_error(error)),
                Err(Failure::Wrong(line, problem)) => return Err(wrong(line, problem)),
            }
        }
        Ok(())
    }

    fn record<R: io::BufRead>(&self, record: &Records<R>, shard: &mut Shard) -> Result<(), String> {
        let found = record.len();
        if found != self.width {
            if skip_printed(record.fields(), shard) {
                return Ok(());
            }
            if !(found == self.width + 1 && record.field(self.width).is_empty()) {
                return Err(self.wrong_width(found));
            }
        }
        let mut reading = Reading::of(self);
        record.fields().take(self.width).enumerate().for_each(|(at, field)| reading.field(at, field));
        if reading.row.user.contains(&b'\n') || reading.row.item.contains(&b'\n') {
            return Err("a line break inside an id; is a quote (\") left open?".into());
        }
        reading.add(shard)
    }

    /// Reads a line with quotes, or whose number of fields is not the usual one.
    #[cold]
    fn unusual_line(&self, line: &[u8], shard: &mut Shard) -> Result<(), String> {
        let plain = self.delimiter.fields(line);
        if plain.iter().all(|field| field.is_empty()) {
            shard.left_out.blank_lines += 1;
            return Ok(());
        }
        if skip_printed(plain.iter().copied(), shard) {
            return Ok(());
        }
        let quoted = self.delimiter.quoted_fields(line);
        let quoted: Vec<&[u8]> = quoted.iter().map(|field| &**field).collect();
        let fits = |fields: &[&[u8]]| {
            fields.len() == self.width || fields.len() == self.width + 1 && fields[self.width].is_empty()
        };
        let fields = match (fits(&quoted), fits(&plain)) {
            (true, _) => quoted,
            (false, true) => plain,
            (false, false) => return Err(self.wrong_width(plain.len())),
        };
        let mut reading = Reading::of(self);
        fields.iter().take(self.width).enumerate().for_each(|(at, field)| reading.field(at, field));
        reading.add(shard)
    }
}

fn lost_rows(name: &str, stated: u64, seen: u64) -> Error {
    Error::format(
        name,
        format!("it states {stated} rows and has {seen}; is it cut short? Fetch or write it again"),
    )
}

/// Whether a record is no row of a printed table but its rule or its count, which is noted.
fn skip_printed<'a>(fields: impl Iterator<Item = &'a [u8]>, shard: &mut Shard) -> bool {
    let Some(count) = rule_or_count(fields) else { return false };
    shard.stated_rows = shard.stated_rows.saturating_add(count);
    shard.left_out.blank_lines += 1;
    true
}

/// If a record is a line between the head and the body of a printed table, 0; if it is the count of rows below, that
/// count.
pub(super) fn rule_or_count<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Option<u64> {
    let fields: Vec<&[u8]> = fields.filter(|field| !field.is_empty()).collect();
    let rule = |field: &&[u8]| {
        field.len() >= 2 && field.iter().all(|byte| matches!(byte, b'-' | b'+' | b'=' | b':' | b'|'))
    };
    if !fields.is_empty() && fields.iter().all(rule) {
        return Some(0);
    }
    // (120 rows), (1 row), (120 rows affected), with its words in one field or in several; 120 rows in set (0.01 sec); 120 rows selected.
    let text = fields.join(&b' ');
    let inner = match text.strip_prefix(b"(").and_then(|text| text.strip_suffix(b")")) {
        Some(inner) => inner,
        None if [&b" in set"[..], b" selected"]
            .iter()
            .any(|end| memchr::memmem::find(&text, end).is_some()) =>
        {
            &text
        }
        None => b"",
    };
    let mut words = inner.split(|&byte| byte == b' ');
    let count = std::str::from_utf8(words.next()?).ok()?.parse().ok();
    count.filter(|_| matches!(words.next(), Some(b"row" | b"rows")))
}

impl LineFormat for Table {
    fn stop_byte(&self) -> Option<u8> {
        (self.quotes == Quotes::Records).then_some(b'"')
    }

    #[inline]
    fn line(&self, line: &[u8], shard: &mut Shard) -> Result<(), String> {
        // Rules and counts of printed tables may have as many fields as the rows.
        let printed = matches!(line.first(), Some(b'(' | b'-' | b'+' | b'=' | b':' | b'|'));
        if printed && skip_printed(self.delimiter.fields(line).into_iter(), shard) {
            return Ok(());
        }
        if self.quotes == Quotes::Lines && memchr::memchr(b'"', line).is_some() {
            return self.unusual_line(line, shard);
        }
        let mut reading = Reading::of(self);
        let width = self.delimiter.split(line, |at, field| reading.field(at, field));
        if width != self.width || reading.row.user.is_empty() && self.roles.user < self.width {
            return self.unusual_line(line, shard);
        }
        reading.add(shard)
    }
}

#[cfg(test)]
mod tests;
