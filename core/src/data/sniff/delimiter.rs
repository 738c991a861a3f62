//! What separates the fields of a table, and what its quotes mean.

use super::records;
use crate::{
    Error, Result,
    data::{
        evidence::usual,
        excerpt::shorten,
        table::{Delimiter, Quotes},
    },
};

/// The delimiter that gives all lines the same number of fields, or else one that is in the first line.
pub(super) fn delimiter(name: &str, lines: &[&[u8]]) -> Result<Delimiter> {
    let first = lines[0];
    let tab = Delimiter::Byte(b'\t');
    // 1 is what Hive writes, and what nobody writes within an id.
    let bytes = [b';', b',', b'|', b'^', b'~'].map(Delimiter::Byte);
    let by_preference = [Delimiter::Byte(1), tab, Delimiter::DoubleColon].into_iter().chain(bytes);
    // Lines of rules and of nothing but delimiters say nothing.
    let says = |line: &&[u8]| line.iter().any(|&byte| byte.is_ascii_alphanumeric() || byte >= 0x80);
    let is_count = |line: &&[u8]| {
        let ends = [&b" rows in set"[..], b" rows selected"];
        line.starts_with(b"(") || ends.iter().any(|end| memchr::memmem::find(line, end).is_some())
    };
    let rows: Vec<&[u8]> = lines.iter().copied().filter(says).filter(|line| !is_count(line)).collect();
    // `:::` is another delimiter, and `::::` stands around an empty field.
    let three = |line: &[u8]| {
        memchr::memmem::find(line, b":::").is_some() && memchr::memmem::find(line, b"::::").is_none()
    };
    let fits = |delimiter: Delimiter| {
        if delimiter == Delimiter::DoubleColon && three(first) {
            return false;
        }
        let widths: Vec<usize> = rows.iter().map(|line| delimiter.quoted_fields(line).len()).collect();
        let (Some(&first), rest) = (widths.first(), &widths[1.min(widths.len())..]) else { return false };
        let Some(usual) = usual(rest.iter().copied()).or(rest.is_empty().then_some(first)) else {
            return false;
        };
        first >= 2
            && (first == usual || first + 1 == usual)
            && rest.iter().filter(|&&width| width == usual).count() * 10 >= rest.len() * 9
    };
    if let Some(found) = by_preference.into_iter().find(|&delimiter| fits(delimiter)) {
        return Ok(found);
    }
    let occurs = |delimiter: Delimiter| match delimiter {
        Delimiter::Byte(byte) => first.contains(&byte),
        Delimiter::DoubleColon => first.windows(2).any(|pair| pair == b"::") && !three(first),
        Delimiter::Blanks => first.contains(&b' ') || first.iter().all(u8::is_ascii_digit),
    };
    let in_first = [
        tab,
        Delimiter::DoubleColon,
        Delimiter::Byte(b','),
        Delimiter::Byte(b';'),
        Delimiter::Byte(b'|'),
        Delimiter::Blanks,
    ];
    in_first.into_iter().find(|&delimiter| occurs(delimiter)).ok_or_else(|| {
        let problem = format!(
            "the first line, {:?}, is one column; a user and an item are expected, between them a comma, a TAB, a \
             semicolon, a bar, :: or a blank",
            shorten(&String::from_utf8_lossy(first))
        );
        Error::format(name, problem)
    })
}

/// What quotes mean: commas and semicolons follow RFC 4180; elsewhere quotes stay within their line, unless
/// only quoted line breaks give all rows the same number of fields.
pub(super) fn quotes(delimiter: Delimiter, head: &[u8], ended: bool) -> Quotes {
    let Delimiter::Byte(byte) = delimiter else { return Quotes::Lines };
    if matches!(byte, b',' | b';') {
        return Quotes::Records;
    }
    let uniform = |rows: &[Vec<String>]| rows.iter().all(|row| row.len() == rows[0].len());
    let rows = |quotes| records(head, ended, delimiter, quotes).unwrap_or_default();
    let (by_line, by_record) = (rows(Quotes::Lines), rows(Quotes::Records));
    if !uniform(&by_line) && by_record.len() > 1 && uniform(&by_record) {
        Quotes::Records
    } else {
        Quotes::Lines
    }
}
