//! Lines above the header: titles of reports, names of tables, what a query was.

use super::super::{
    excerpt::shorten,
    header::{self, Verdict},
    table::{Delimiter, rule_or_count},
};

/// The most lines of a title.
const MOST: usize = 5;

/// The length of the lines above the header, their line breaks, and what to say of them.
pub(super) fn find(head: &[u8], lines: &[&[u8]]) -> Option<(usize, u64, String)> {
    let first = *lines.first()?;
    // `17:` above rows is an item of the Netflix prize.
    if first.strip_suffix(b":").is_some_and(|id| id.iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let delimiters = [b'\t', b';', b',', b'|', 1].map(Delimiter::Byte);
    let count = delimiters.iter().find_map(|&delimiter| above(lines, delimiter))?;
    let place = lines[count].as_ptr() as usize - head.as_ptr() as usize;
    let start = memchr::memrchr(b'\n', &head[..place]).map_or(0, |at| at + 1);
    let breaks = memchr::memchr_iter(b'\n', &head[..start]).count() as u64;
    let shown = shorten(String::from_utf8_lossy(first).trim_matches(|c: char| ",;| \t\"".contains(c)));
    let what = if count == 1 {
        "line above the header is".to_owned()
    } else {
        format!("{count} lines above the header are")
    };
    Some((start, breaks, format!("the {what} left out: {shown:?}")))
}

/// The number of lines above a header whose table has this delimiter.
fn above(lines: &[&[u8]], delimiter: Delimiter) -> Option<usize> {
    let fields = |line: &[u8]| -> Vec<String> {
        let fields = delimiter.quoted_fields(line);
        fields.iter().map(|field| String::from_utf8_lossy(field.trim_ascii()).into_owned()).collect()
    };
    let filled = |record: &[String]| record.iter().filter(|field| !field.is_empty()).count();
    let records: Vec<Vec<String>> = lines.iter().map(|line| fields(line)).collect();
    let count = records.iter().position(|record| filled(record) >= 2).filter(|at| (1..=MOST).contains(at))?;
    let is_row = |record: &&Vec<String>| {
        filled(record) > 0 && rule_or_count(record.iter().map(String::as_bytes)).is_none()
    };
    let table: Vec<Vec<String>> = records[count..].iter().filter(is_row).cloned().collect();
    let width = table.first()?.len();
    let uniform = table.iter().filter(|record| record.len() == width).count() * 10 >= table.len() * 9;
    // One word above rows may be a row that is damaged, or a list of one item.
    let is_title = |line: &[u8]| line.trim_ascii().contains(&b' ');
    let has_rule = records.get(count + 1).is_some_and(|record| !is_row(&record) && filled(record) > 0);
    let padded = records[..count].iter().all(|record| record.len() == width);
    // The beeline of Hive begins with it.
    let is_ok = count == 1 && lines[0] == b"OK";
    let titled = is_ok || has_rule || padded || lines[..count].iter().any(|line| is_title(line));
    let is_table = table.len() >= 2 && uniform && titled;
    (is_table && matches!(header::verdict(&table), Verdict::Header)).then_some(count)
}
