//! Recognises the format of a file by its first lines.

mod delimiter;
mod market;

#[cfg(feature = "forms")]
use std::io::BufReader;

use self::delimiter::{delimiter, quotes};
#[cfg(feature = "forms")]
use super::{
    Header,
    baskets::{self, Baskets},
    header,
    json::{self, JsonObjects, Rows},
    tidy,
};
use super::{
    LoadOptions, encoding,
    evidence::{LINES, usual},
    foreign,
    forms::{self, Head, ListForm},
    lines::{LONGEST_LINE, Text, too_long},
    names::{MORE, names_both},
    quoted::{Failure, Records},
    roles::{self, Decision},
    table::{Delimiter, Quotes, Table, rule_or_count},
};
use crate::{Error, Result};

/// The most bytes examined.
pub(super) const HEAD: usize = 64 << 10;

/// The format of a file of interactions.
#[derive(Debug)]
pub(super) enum Form {
    /// One interaction per line.
    Table(Table),
    /// Lines that are not rows of a table.
    Lists(&'static dyn ListForm),
    /// One JSON object per line.
    #[cfg(feature = "forms")]
    JsonLines(JsonObjects),
    /// JSON objects in an array, or one after the other.
    #[cfg(feature = "forms")]
    JsonStream(JsonObjects),
    /// Columns of a Parquet file.
    Parquet,
    /// A matrix of numpy or MATLAB.
    #[cfg(feature = "forms")]
    Matrix(super::matrix::Kind),
    /// A basket of items by line.
    #[cfg(feature = "forms")]
    Baskets(Baskets),
}

/// A recognised file: its format, the name of the format for people, and the decision about its columns.
#[derive(Debug)]
pub(super) struct Sniffed {
    pub(super) form: Form,
    pub(super) shown: String,
    pub(super) decision: Decision,
    /// The names of a header as a line, where other parts of the set may lack one.
    pub(super) header: Option<String>,
}

impl Sniffed {
    fn plain(form: Form, shown: &str) -> Self {
        Self { form, shown: shown.into(), decision: Decision::default(), header: None }
    }
}

/// The format of a text. A byte order mark, leading comments and the header are consumed. `constants` are
/// columns that the whole file shares.
pub(super) fn sniff(
    text: &mut Text,
    options: &LoadOptions,
    constants: &[(String, String)],
) -> Result<Sniffed> {
    let name = text.stream.name.clone();
    let head = text.peek(HEAD)?;
    if head.is_empty() {
        let place = text.stream.archive.map_or_else(String::new, |kind| format!(" within the {kind}"));
        return Err(Error::format(name, format!("the file is empty{place}")));
    }
    if head.starts_with(b"PAR1") {
        return Ok(Sniffed::plain(Form::Parquet, "Parquet"));
    }
    if let Some(problem) = foreign::name(head, &name) {
        return Err(Error::format(name, problem));
    }
    #[cfg(feature = "forms")]
    if let Some(kind) = super::matrix::kind(head) {
        return Ok(Sniffed::plain(Form::Matrix(kind), kind.name()));
    }
    let converted = encoding::convert(text, options.encoding.as_deref())?;
    if text.peek(HEAD)?.contains(&0) {
        let forms = "csv, tsv, JSON, Parquet, .npz, .mat, .gz, .tar and .zip are read";
        return Err(Error::format(name, format!("binary, not text; {forms}")));
    }
    let mut sniffed = of_text(text, options, constants)?;
    for word in converted {
        sniffed.shown += &format!(", {word}");
    }
    Ok(sniffed)
}

fn of_text(text: &mut Text, options: &LoadOptions, constants: &[(String, String)]) -> Result<Sniffed> {
    let preamble = skip_preamble(text)?;
    if let Some(market) = preamble.market {
        return market::table(text, &market, options);
    }
    // A line of an adjacency list may be very long.
    let mut length = HEAD;
    while length < LONGEST_LINE && !text.is_at_end() && !text.peek(length)?.contains(&b'\n') {
        length *= 2;
    }
    #[cfg(not(feature = "forms"))]
    return of_lines(text, preamble.separator, options, constants);
    #[cfg(feature = "forms")]
    {
        let tidied = tidy::tidy(text, options.header)?;
        let mut sniffed = of_lines(text, preamble.separator, options, constants)?;
        sniffed.decision.notes.extend(tidied.notes);
        if tidied.named {
            // The line of names is none of the file's.
            text.uncount_header();
            sniffed.shown = sniffed.shown.replace("control-A-separated, header ", "fields with names ");
        }
        if let Some(separator) = tidied.separator {
            sniffed.shown = sniffed.shown.replace("control-A", separator.trim());
        }
        Ok(sniffed)
    }
}

/// The format of a text that begins with its header or its first row.
fn of_lines(
    text: &mut Text,
    separator: Option<u8>,
    options: &LoadOptions,
    constants: &[(String, String)],
) -> Result<Sniffed> {
    let name = text.stream.name.clone();
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
    if first.starts_with(b"{") || first.starts_with(b"[") {
        #[cfg(feature = "forms")]
        if let Some(shape) = json::shape(head, ended).filter(|_| lines.len() == 1 || !json::is_object(first))
        {
            let names = options.header != Header::No;
            text.replace(|reader| Box::new(Rows::of(BufReader::with_capacity(HEAD, reader), shape, names)));
            text.peek(HEAD)?;
            let mut sniffed = of_lines(text, Some(b','), options, constants)?;
            sniffed.shown = sniffed.shown.replace("comma-separated", "JSON arrays");
            return Ok(sniffed);
        }
        #[cfg(feature = "forms")]
        if let Some(start) = json::wrapped(head).filter(|_| lines.len() == 1 || !json::is_object(first)) {
            let line_breaks = memchr::memchr_iter(b'\n', &head[..start]).count() as u64;
            text.skip(start, line_breaks);
            let head = text.peek(HEAD)?;
            let mut sniffed = json(&[b"["], head, options, constants, &place)?;
            if let Form::JsonStream(objects) = sniffed.form {
                sniffed.form = Form::JsonStream(objects.within_object());
            }
            return Ok(sniffed);
        }
        return json(&lines, head, options, constants, &place);
    }
    let delimiter = match separator {
        Some(byte) => Ok(Delimiter::Byte(byte)),
        None => delimiter(&name, &lines),
    };
    #[cfg(feature = "forms")]
    if let Some(found) = baskets::recognise(&name, &lines, delimiter.as_ref().ok().copied(), options)? {
        let (shown, note) = (found.shown(), found.note());
        let mut sniffed = Sniffed::plain(Form::Baskets(found), &shown);
        sniffed.decision.notes.push(note);
        return Ok(sniffed);
    }
    let blanks = options.columns.is_none() && matches!(delimiter, Ok(Delimiter::Blanks));
    if let Some(form) = forms::recognise(&Head { name: &name, lines: &lines, blanks }, options)? {
        let mut sniffed = Sniffed::plain(Form::Lists(form), form.shown());
        sniffed.decision.notes.extend(form.note().map(str::to_owned));
        return Ok(sniffed);
    }
    table(text, options, constants, delimiter?)
}

/// The header of a table; `None` for what is no table with a header.
#[cfg(feature = "forms")]
pub(super) fn header_of(text: &mut Text) -> Result<Option<Vec<String>>> {
    let name = text.stream.name.clone();
    let head = text.peek(HEAD)?;
    let binary = [&b"PAR1"[..], b"PK"].iter().any(|magic| head.starts_with(magic)) || head.contains(&0);
    if binary || encoding::convert(text, None).is_err() || skip_preamble(text)?.market.is_some() {
        return Ok(None);
    }
    let ended = text.is_at_end();
    let head = text.peek(0)?;
    let lines = whole_lines(head, ended);
    let Some(first) = lines.first().filter(|line| !matches!(line.first(), Some(b'{' | b'['))) else {
        return Ok(None);
    };
    if first.is_empty() {
        return Ok(None);
    }
    let Ok(delimiter) = delimiter(&name, &lines) else { return Ok(None) };
    let Ok(mut records) = records(head, ended, delimiter, quotes(delimiter, head, ended)) else {
        return Ok(None);
    };
    let is_header = matches!(header::verdict(&records), header::Verdict::Header);
    Ok(is_header.then(|| records.swap_remove(0)))
}

/// A table with a delimiter. The header is consumed.
fn table(
    text: &mut Text,
    options: &LoadOptions,
    constants: &[(String, String)],
    delimiter: Delimiter,
) -> Result<Sniffed> {
    let name = text.stream.name.clone();
    let (before, ended) = (text.lines, text.is_at_end());
    let place = format!("{name}:{}", before + 1);
    let head = text.peek(0)?;
    let quotes = quotes(delimiter, head, ended);
    let mut records = records(head, ended, delimiter, quotes)
        .map_err(|(line, problem)| Error::format(format!("{name}:{}", before + line), problem))?;
    let width = width(&records);
    let shown = records.first().map(|record| record.join(",")).unwrap_or_default();
    let header = records.first().filter(|_| MORE).and_then(|names| line(names, delimiter));
    if !constants.is_empty() {
        records.iter_mut().for_each(|record| record.resize(width, String::new()));
    }
    let decision = roles::of_table(records, options, constants, &place)?;
    let mut form = format!("{}-separated", delimiter.name());
    let header = header.filter(|_| decision.header);
    if decision.header {
        form += &format!(", header {shown}");
        skip_record(text, delimiter, quotes)?;
    } else {
        form += ", no header";
    }
    let table = Table {
        delimiter,
        quotes,
        width,
        roles: decision.roles.clone(),
        conditions: options.conditions.iter().cloned().collect(),
        constants: constants.iter().map(|(_, value)| value.clone()).collect(),
        stated_rows: None,
    };
    Ok(Sniffed { form: Form::Table(table), shown: form, decision, header })
}

/// Names as the line of a table, if they need no quotes.
#[cfg(feature = "forms")]
fn line(names: &[String], delimiter: Delimiter) -> Option<String> {
    let plain =
        |name: &String| !name.contains(['"', '\n', '\r']) && delimiter.fields(name.as_bytes()).len() == 1;
    names.iter().all(plain).then(|| names.join(delimiter.text()) + "\n")
}

#[cfg(not(feature = "forms"))]
fn line(_: &[String], _: Delimiter) -> Option<String> {
    None
}

/// The number of fields of a row: that of most rows, since the first line may be a header with one name too few,
/// without an empty field that only delimiters at the ends of rows make.
fn width(records: &[Vec<String>]) -> usize {
    let Some((first, rows)) = records.split_first() else { return 0 };
    let width = match rows {
        [row] if row.len() != first.len() + 1 => first.len(),
        _ => usual(rows.iter().map(Vec::len)).unwrap_or(first.len()),
    };
    let trailing = !rows.is_empty() && rows.iter().all(|row| row.len() != width || row[width - 1].is_empty());
    if trailing && first.len() + 1 == width { width - 1 } else { width }
}

/// What came before the first line of data.
#[derive(Default)]
struct Preamble {
    /// The delimiter that a line for Excel names: `sep=;`.
    separator: Option<u8>,
    market: Option<market::Market>,
}

/// Consumes the byte order mark, blank lines, comments as in SNAP and KONECT files, and Excel's `sep=`.
fn skip_preamble(text: &mut Text) -> Result<Preamble> {
    let mut preamble = Preamble::default();
    if text.peek(HEAD)?.starts_with(b"\xef\xbb\xbf") {
        text.skip(3, 0);
    }
    if text.peek(HEAD)?.get(..14).is_some_and(|start| start.eq_ignore_ascii_case(b"%%MatrixMarket")) {
        preamble.market = Some(market::head(text)?);
    }
    loop {
        let head = text.peek(HEAD)?;
        let (mut length, mut lines) = (0, 0);
        while let Some(end) = memchr::memchr(b'\n', &head[length..]) {
            let line = without_blanks(&head[length..length + end]);
            let unquoted = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
            if let [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', separator] = *unquoted {
                preamble.separator = Some(separator);
            } else if !(line.trim_ascii().is_empty() || is_comment(line)) {
                break;
            }
            (length, lines) = (length + end + 1, lines + 1);
        }
        if length == 0 {
            return Ok(preamble);
        }
        text.skip(length, lines);
    }
}

/// Whether a line before the table is a comment. A header may begin with the sign of one: `#user,item`.
fn is_comment(line: &[u8]) -> bool {
    if MORE && line.starts_with(b"#") {
        let text = String::from_utf8_lossy(line);
        let is_header = |separator: char| {
            let names: Vec<String> = text.split(separator).map(|name| name.trim().to_owned()).collect();
            names_both(&names)
        };
        if ['\t', ',', ';', '|'].into_iter().any(is_header) {
            return false;
        }
    }
    line.starts_with(b"#") || line.starts_with(b"%") || MORE && line.starts_with(b"//")
}

/// A line without blanks at its ends and without what is left of its break; a TAB at an end is a delimiter.
fn without_blanks(mut line: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' ' | b'\r'] = line {
        line = rest;
    }
    line
}

/// The first lines that are not blank; the last one is included only if the file ends there.
pub(super) fn whole_lines(head: &[u8], ended: bool) -> Vec<&[u8]> {
    let whole = if ended { head.len() } else { memchr::memrchr(b'\n', head).unwrap_or(0) };
    let lines = head[..whole].split(|&byte| byte == b'\n').map(without_blanks);
    lines.filter(|line| !line.trim_ascii().is_empty()).take(LINES).collect()
}

/// The fields of the first lines, or the line (counted from 1) with invalid quotes and the reason.
fn records(
    head: &[u8],
    ended: bool,
    delimiter: Delimiter,
    quotes: Quotes,
) -> Result<Vec<Vec<String>>, (u64, String)> {
    let text = |field: &[u8]| String::from_utf8_lossy(field.trim_ascii()).into_owned();
    let is_data = |record: &Vec<String>| {
        rule_or_count(record.iter().map(String::as_bytes)).is_none()
            && record.iter().any(|field| !field.is_empty())
    };
    let byte = match delimiter {
        Delimiter::Byte(byte) if quotes == Quotes::Records => byte,
        _ => {
            let lines = whole_lines(head, ended).into_iter();
            let records =
                lines.map(|line| delimiter.quoted_fields(line).iter().map(|field| text(field)).collect());
            return Ok(records.filter(is_data).collect());
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
    found.retain(is_data);
    Ok(found)
}

/// Consumes the header line.
fn skip_record(text: &mut Text, delimiter: Delimiter, quotes: Quotes) -> Result<()> {
    let head = text.peek(0)?;
    let (length, lines) = match delimiter {
        Delimiter::Byte(byte) if quotes == Quotes::Records => {
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

#[cfg(not(feature = "forms"))]
fn json(_: &[&[u8]], _: &[u8], _: &LoadOptions, _: &[(String, String)], place: &str) -> Result<Sniffed> {
    let problem =
        "JSON, which this build does not read; the command line makes a csv of it: fastvae data convert";
    Err(Error::format(place, problem))
}

/// The form of a JSON text, from its first lines and its first bytes.
#[cfg(feature = "forms")]
fn json(
    lines: &[&[u8]],
    head: &[u8],
    options: &LoadOptions,
    constants: &[(String, String)],
    place: &str,
) -> Result<Sniffed> {
    let first = lines.first().copied().unwrap_or_default();
    if let Some(problem) = json::columns(first).filter(|_| lines.len() == 1) {
        return Err(Error::format(place, problem));
    }
    if json::is_object(first) {
        let (json, decision) = JsonObjects::of(lines, options, constants, place)?;
        return Ok(Sniffed {
            form: Form::JsonLines(json),
            shown: "JSON lines".into(),
            decision,
            header: None,
        });
    }
    let objects = json::first_objects(head, LINES).map_err(|problem| Error::format(place, problem))?;
    let objects: Vec<&[u8]> = objects.iter().map(Vec::as_slice).collect();
    let shown = if first.starts_with(b"[") { "JSON array" } else { "JSON objects" };
    let (json, decision) = JsonObjects::of(&objects, options, constants, place)?;
    Ok(Sniffed { form: Form::JsonStream(json), shown: shown.into(), decision, header: None })
}
