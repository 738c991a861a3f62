//! Recognises the format of a file by its first lines.

use super::{
    Columns,
    excerpt::shorten,
    forms::JsonLines,
    lines::{LONGEST_LINE, Text, too_long},
    quoted::{Failure, Records},
    roles::{no_ratings, roles},
    source::base_name,
    table::{Delimiter, Table},
};
use crate::{Error, Result};

/// The most bytes examined.
const HEAD: usize = 64 << 10;
/// The most lines examined.
const LINES: usize = 100;

/// The format of a file of interactions.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One interaction per line.
    Table(Table),
    /// `user item item ...` per line.
    Adjacency,
    /// `MovieID:`, then `CustomerID,Rating,Date` lines.
    Netflix,
    /// One JSON object per line.
    Json(JsonLines),
    /// Columns of a Parquet file.
    Parquet,
}

/// The format, and its name in a report. A byte order mark, leading comments and the header are consumed.
pub(super) fn sniff(
    text: &mut Text,
    columns: Option<&Columns>,
    needs_rating: bool,
) -> Result<(Form, String)> {
    let name = text.stream.name.clone();
    let head = text.peek(HEAD)?;
    if head.is_empty() {
        return Err(Error::format(name, "the file is empty"));
    }
    if head.starts_with(b"PAR1") {
        return Ok((Form::Parquet, "Parquet".into()));
    }
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Err(Error::format(name, "the text is UTF-16; save it as UTF-8"));
    }
    if head.contains(&0) {
        return Err(Error::format(
            name,
            "binary, not text; csv, tsv, JSON lines, Parquet, .gz and .zip are read",
        ));
    }
    skip_preamble(text)?;
    // A line of an adjacency list may be very long.
    let mut length = HEAD;
    while length < LONGEST_LINE && !text.is_at_end() && !text.peek(length)?.contains(&b'\n') {
        length *= 2;
    }
    let before = text.lines;
    let place = format!("{name}:{}", before + 1);
    let ended = text.is_at_end();
    let head = text.peek(0)?;
    let lines = whole_lines(head, ended);
    let Some(&first) = lines.first() else {
        return Err(if ended {
            Error::format(name, "nothing in it but blank lines")
        } else {
            Error::format(place, too_long())
        });
    };
    if first.starts_with(b"{") {
        let json = JsonLines::of(first, columns, &place)?;
        if needs_rating && !json.is_rated() {
            return Err(no_ratings(&name));
        }
        return Ok((Form::Json(json), "JSON lines".into()));
    }
    if first.starts_with(b"[") {
        return Err(Error::format(name, "a JSON array; write one object a line (JSON lines)"));
    }
    if let Some(id) = first.strip_suffix(b":")
        && !id.is_empty()
        && id.iter().all(u8::is_ascii_digit)
    {
        return Ok((Form::Netflix, "Netflix prize".into()));
    }
    let delimiter = delimiter(&name, first)?;
    let adjacency_name = ["train.txt", "test.txt", "val.txt", "valid.txt"]
        .iter()
        .any(|known| base_name(&name).starts_with(known));
    if delimiter == Delimiter::Blanks && columns.is_none() {
        let widths: Vec<usize> = lines.iter().map(|line| delimiter.fields(line).len()).collect();
        if adjacency_name || !mostly_one(&widths) {
            if needs_rating {
                return Err(no_ratings(&name));
            }
            return Ok((Form::Adjacency, "user item item ... (LightGCN)".into()));
        }
    }
    let quoted = match delimiter {
        Delimiter::Byte(b',' | b';') => true,
        Delimiter::Byte(_) => first.starts_with(b"\""),
        _ => false,
    };
    let head = text.peek(0)?;
    let records = records(head, ended, delimiter, quoted)
        .map_err(|(line, problem)| Error::format(format!("{name}:{}", before + line), problem))?;
    let width = records.first().map_or(0, Vec::len);
    let (header, roles) = roles(&records, columns, &place)?;
    if needs_rating && roles.2.is_none() {
        return Err(no_ratings(&name));
    }
    let mut form = format!("{}-separated", delimiter.name());
    if header {
        form += &format!(", header {}", records[0].join(","));
        skip_record(text, delimiter, quoted)?;
    } else {
        form += ", no header";
    }
    let table = Table { delimiter, quoted, width, user: roles.0, item: roles.1, rating: roles.2 };
    Ok((Form::Table(table), form))
}

/// Whether more than half of the values are equal: typical of the lines of a table, even if some are damaged,
/// and not of lists of items.
fn mostly_one(widths: &[usize]) -> bool {
    widths.iter().any(|width| 2 * widths.iter().filter(|other| *other == width).count() > widths.len())
}

/// Consumes the byte order mark, blank lines, and comments as in SNAP and KONECT files.
fn skip_preamble(text: &mut Text) -> Result<()> {
    if text.peek(HEAD)?.starts_with(b"\xef\xbb\xbf") {
        text.skip(3, 0);
    }
    loop {
        let head = text.peek(HEAD)?;
        let (mut length, mut lines) = (0, 0);
        while let Some(end) = memchr::memchr(b'\n', &head[length..]) {
            let line = head[length..length + end].trim_ascii();
            if !(line.is_empty() || line.starts_with(b"#") || line.starts_with(b"%")) {
                break;
            }
            (length, lines) = (length + end + 1, lines + 1);
        }
        if length == 0 {
            return Ok(());
        }
        text.skip(length, lines);
    }
}

/// The first lines that are not blank; the last one is included only if the file ends there.
fn whole_lines(head: &[u8], ended: bool) -> Vec<&[u8]> {
    let whole = if ended { head.len() } else { memchr::memrchr(b'\n', head).unwrap_or(0) };
    let lines = head[..whole].split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty()).take(LINES).collect()
}

fn delimiter(name: &str, first: &[u8]) -> Result<Delimiter> {
    if base_name(name).contains(".inter") || first.contains(&b'\t') {
        return Ok(Delimiter::Byte(b'\t'));
    }
    if first.windows(2).any(|pair| pair == b"::") {
        return Ok(Delimiter::DoubleColon);
    }
    if let Some(&byte) = b",;|".iter().find(|byte| first.contains(byte)) {
        return Ok(Delimiter::Byte(byte));
    }
    if first.contains(&b' ') || first.iter().all(u8::is_ascii_digit) {
        return Ok(Delimiter::Blanks);
    }
    Err(Error::format(
        name,
        format!(
            "the first line, {:?}, is one column; a user and an item are expected, between them a comma, a TAB, a \
             semicolon, a bar, :: or a blank",
            shorten(&String::from_utf8_lossy(first))
        ),
    ))
}

/// The fields of the first lines, or the line (counted from 1) with invalid quotes and the reason.
fn records(
    head: &[u8],
    ended: bool,
    delimiter: Delimiter,
    quoted: bool,
) -> Result<Vec<Vec<String>>, (u64, String)> {
    let text = |field: &[u8]| String::from_utf8_lossy(field.trim_ascii()).into_owned();
    let byte = match delimiter {
        Delimiter::Byte(byte) if quoted => byte,
        _ => {
            let lines = whole_lines(head, ended).into_iter();
            return Ok(lines.map(|line| delimiter.fields(line).into_iter().map(text).collect()).collect());
        }
    };
    let whole = if ended { head.len() } else { memchr::memrchr(b'\n', head).unwrap_or(0) };
    let mut records = Records::new(&head[..whole], byte, 0);
    let mut found = Vec::new();
    while found.len() < LINES {
        match records.next() {
            Ok(true) if records.is_blank() => {}
            Ok(true) => found.push(records.fields().map(text).collect()),
            // An error beyond the first record is reported later, when the file is read.
            Err(Failure::Wrong(line, problem)) if found.is_empty() => return Err((line, problem)),
            _ => break,
        }
    }
    Ok(found)
}

/// Consumes the header line.
fn skip_record(text: &mut Text, delimiter: Delimiter, quoted: bool) -> Result<()> {
    let head = text.peek(0)?;
    let (length, lines) = match delimiter {
        Delimiter::Byte(byte) if quoted => {
            let mut records = Records::new(head, byte, 0);
            // The header is complete, because it was already parsed once.
            let _ = records.next();
            let lines = records.lines();
            (head.len() - records.rest().len(), lines)
        }
        _ => memchr::memchr(b'\n', head).map_or((head.len(), 0), |end| (end + 1, 1)),
    };
    text.skip(length, lines);
    Ok(())
}
