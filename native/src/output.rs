//! Standard output and standard error, and the formatting of numbers and tables.

use std::{
    borrow::Cow,
    io::{ErrorKind, IsTerminal, Write},
};

use fastvae::{Error, Result};
use serde::Serialize;

/// Most characters of a line on standard error; the rest of a longer line is left out.
const LONGEST_LINE: usize = 2000;

/// Prints text. A closed pipe (`| head`) is not an error. On a terminal, control characters are escaped;
/// files and pipes get the text unchanged.
///
/// # Errors
/// [`Error::Io`] if the output cannot be written, for example on a full disk.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let text = if out.is_terminal() { escaped(text, is_line_break) } else { text.into() };
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::io("write", "standard output", error))
        }
        _ => Ok(()),
    }
}

/// Standard output as a writer. On a terminal, control characters are escaped, as by [`print()`].
#[derive(Default)]
pub struct Stdout {
    pending: Vec<u8>,
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= 1 << 16 {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        let bytes = std::mem::take(&mut self.pending);
        if out.is_terminal() {
            // A character may be cut at the end; it is written with the rest of it.
            let whole = match std::str::from_utf8(&bytes) {
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                _ => bytes.len(),
            };
            self.pending.extend_from_slice(&bytes[whole..]);
            out.write_all(escaped(&String::from_utf8_lossy(&bytes[..whole]), is_line_break).as_bytes())?;
        } else {
            out.write_all(&bytes)?;
        }
        out.flush()
    }
}

/// Prints one JSON document.
///
/// # Errors
/// As [`print()`].
pub fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::Data(format!("cannot be written as JSON: {error}")))?;
    print(&format!("{text}\n"))
}

/// Writes a message to standard error; write errors are ignored.
pub fn note(text: &str) {
    // If standard error is closed, there is no other place to report the error.
    let text = escaped(text, is_line_break);
    let lines = text.split('\n').map(|line| match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}… ({} bytes more)", &line[..end], line.len() - end),
        None => line.to_owned(),
    });
    let _ = writeln!(std::io::stderr(), "{}", lines.collect::<Vec<_>>().join("\n"));
}

/// Escapes text from data for a terminal: control characters and characters that change the writing
/// direction are shown as escapes, so that text cannot move the cursor, change colours or hide anything.
pub fn plain(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\t')
}

fn escaped(text: &str, allowed: fn(char) -> bool) -> Cow<'_, str> {
    let turns = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let hazard = |c: char| (c.is_control() || turns(c)) && !allowed(c);
    if !text.contains(hazard) {
        return text.into();
    }
    let escape = |c: char| if hazard(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// Formats an integer with separators: `2,001,164`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats seconds: `8.4 s`, `12 min 05 s`, `3 h 20 min`.
pub fn duration(seconds: f64) -> String {
    if seconds < 59.95 {
        return if seconds < 0.0995 {
            format!("{:.1} ms", seconds * 1e3)
        } else if seconds < 9.95 {
            format!("{seconds:.2} s")
        } else {
            format!("{seconds:.1} s")
        };
    }
    let whole = seconds.round() as u64;
    match whole / 3600 {
        0 => format!("{} min {:02} s", whole / 60, whole % 60),
        hours => format!("{hours} h {:02} min", whole % 3600 / 60),
    }
}

/// A table of aligned cells under a header; numbers are right-aligned.
#[derive(Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these column names.
    pub fn new<T: Into<String>>(header: impl IntoIterator<Item = T>) -> Self {
        Self { rows: vec![header.into_iter().map(Into::into).collect()] }
    }

    /// Appends a row.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(|cell| plain(&cell.into()).into_owned()).collect());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: &Vec<String>, at: usize| row.get(at).cloned().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|at| self.rows.iter().map(|row| width(&cell(row, at))).max().unwrap_or(0))
            .collect();
        let right: Vec<bool> =
            (0..columns).map(|at| self.rows.iter().skip(1).all(|row| is_number(&cell(row, at)))).collect();
        for row in &self.rows {
            let mut line = String::from(" ");
            for at in 0..columns {
                let text = cell(row, at);
                let pad = " ".repeat(widths[at] - width(&text));
                line.push(' ');
                line.push_str(&if right[at] { format!("{pad}{text}") } else { format!("{text}{pad}") });
                line.push(' ');
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

fn is_number(text: &str) -> bool {
    text.is_empty() || text == "–" || text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!([0, 999, 1000, 2_001_164].map(grouped), ["0", "999", "1,000", "2,001,164"]);
        assert_eq!(
            [0.0123, 8.4, 59.94, 59.96, 725.2, 12_001.0].map(duration),
            ["12.3 ms", "8.40 s", "59.9 s", "1 min 00 s", "12 min 05 s", "3 h 20 min"]
        );
    }

    #[test]
    fn terminals_get_no_control_characters() {
        assert_eq!(plain("Brücke \u{1b}[31mred\r\u{9b}2J"), "Brücke \\u{1b}[31mred\\r\\u{9b}2J");
        assert_eq!(plain("a\u{202e}b\n"), "a\\u{202e}b\\n");
        let mut table = Table::new(["item"]);
        table.row(["x\u{7}\ny"]);
        assert_eq!(table.to_string(), "  item\n  x\\u{7}\\ny\n");
    }

    #[test]
    fn tables_align_names_left_and_numbers_right() {
        let mut table = Table::new(["item", "score"]);
        table.row(["Brücke", "1.25"]);
        table.row(["Heat", "10.50"]);
        assert_eq!(table.to_string(), "  item    score\n  Brücke   1.25\n  Heat    10.50\n");
    }
}
