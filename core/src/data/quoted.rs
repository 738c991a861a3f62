//! Records with quoted fields (RFC 4180): fields may hold delimiters, line breaks and, doubled, quotes.

use std::io::{self, BufRead};

use super::lines::{LONGEST_LINE, too_long};

/// Why the next record cannot be read.
pub(super) enum Failure {
    /// The source failed.
    Read(io::Error),
    /// The line, counted from 1, and the problem.
    Wrong(u64, String),
}

/// Reads the records of a text in order.
pub(super) struct Records<R> {
    reader: R,
    delimiter: u8,
    /// Line breaks read so far.
    lines: u64,
    /// Line of the record's first byte, counted from 1.
    line: u64,
    /// The concatenated fields of the record, and the offset at which each ends.
    text: Vec<u8>,
    ends: Vec<usize>,
    blank: bool,
}

/// The parser's state within a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Plain,
    /// Inside quotes that opened on this line.
    Quoted(u64),
    /// After a quote inside quotes: it closes them, unless another quote follows, in which case both stand
    /// for one quote.
    Closing(u64),
    /// After blanks that follow a closing quote.
    Closed(u64),
    /// After a carriage return outside of quotes.
    Return,
}

impl<R: BufRead> Records<R> {
    /// Reads the records of `reader`, before which `lines` line breaks were already consumed.
    pub(super) fn new(reader: R, delimiter: u8, lines: u64) -> Self {
        let (text, ends) = (Vec::new(), Vec::new());
        Self { reader, delimiter, lines, line: lines + 1, text, ends, blank: false }
    }

    /// Reads the next record; false at the end.
    ///
    /// A quote inside an unquoted field is a literal quote, and text after a closing quote is accepted if
    /// both are on one line. If the field spans several lines, such text is an error: it indicates a quote
    /// that was never closed.
    pub(super) fn next(&mut self) -> Result<bool, Failure> {
        self.text.clear();
        self.ends.clear();
        self.line = self.lines + 1;
        self.blank = true;
        let mut state = State::FieldStart;
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::Read(error)),
            };
            if buffer.is_empty() {
                return match state {
                    State::Quoted(opened) => Err(Failure::Wrong(
                        opened,
                        "a quote (\") opens here and never closes; close it, or write it twice if it is text"
                            .into(),
                    )),
                    State::FieldStart if self.ends.is_empty() && self.text.is_empty() => Ok(false),
                    _ => {
                        self.ends.push(self.text.len());
                        Ok(true)
                    }
                };
            }
            let mut used = buffer.len();
            let mut ended = false;
            for (at, &byte) in buffer.iter().enumerate() {
                self.lines += u64::from(byte == b'\n');
                self.blank &= byte.is_ascii_whitespace() || byte == self.delimiter;
                state = match (state, byte) {
                    (State::Quoted(opened), b'"') => State::Closing(opened),
                    (State::Quoted(opened), _) => {
                        self.text.push(byte);
                        State::Quoted(opened)
                    }
                    (State::Closing(opened), b'"') => {
                        self.text.push(byte);
                        State::Quoted(opened)
                    }
                    (_, b'\n') => {
                        self.ends.push(self.text.len());
                        (used, ended) = (at + 1, true);
                        break;
                    }
                    (_, b'\r') => State::Return,
                    (State::Return, _) => {
                        return Err(Failure::Wrong(self.lines + 1, super::lines::CARRIAGE_RETURN.into()));
                    }
                    (State::FieldStart, b'"') => State::Quoted(self.lines + 1),
                    // A quote may open after blanks.
                    (State::FieldStart, b' ') if self.delimiter != b' ' => {
                        self.text.push(byte);
                        State::FieldStart
                    }
                    (_, byte) if byte == self.delimiter => {
                        self.ends.push(self.text.len());
                        State::FieldStart
                    }
                    (State::Closing(opened) | State::Closed(opened), b' ' | b'\t') => {
                        self.text.push(byte);
                        State::Closed(opened)
                    }
                    (State::Closing(opened) | State::Closed(opened), _) if opened <= self.lines => {
                        let closed = self.lines + 1;
                        return Err(Failure::Wrong(
                            opened,
                            format!(
                                "a quote (\") opens here and closes on line {closed}, where text follows it; is it left \
                                 open on line {opened}?"
                            ),
                        ));
                    }
                    _ => {
                        self.text.push(byte);
                        State::Plain
                    }
                };
            }
            self.reader.consume(used);
            if ended {
                return Ok(true);
            }
            if self.text.len() > LONGEST_LINE {
                let line = if let State::Quoted(opened) = state { opened } else { self.line };
                return Err(Failure::Wrong(line, too_long()));
            }
        }
    }

    /// The number of fields.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A field without surrounding blanks; empty if the record has fewer fields.
    pub(super) fn field(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends.get(at - 1).copied().unwrap_or(0) };
        let end = self.ends.get(at).copied().unwrap_or(start);
        self.text[start..end].trim_ascii()
    }

    /// All fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|at| self.field(at))
    }

    /// Whether the record is a blank line, or nothing but delimiters and blanks.
    pub(super) fn is_blank(&self) -> bool {
        self.blank
    }

    /// The line of its first byte, counted from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Line breaks read so far, including those before the reader's start.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// The rest of the text.
    pub(super) fn rest(self) -> R {
        self.reader
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line and the fields of a record.
    type Row = (u64, Vec<String>);

    fn all(text: &str) -> Result<Vec<Row>, (u64, String)> {
        // A buffer of three bytes: the parser's state must survive the end of a buffer.
        let mut records = Records::new(io::BufReader::with_capacity(3, text.as_bytes()), b',', 0);
        let mut found = Vec::new();
        loop {
            match records.next() {
                Ok(true) => {
                    let fields = records.fields().map(|field| String::from_utf8_lossy(field).into());
                    found.push((records.line(), fields.collect()));
                }
                Ok(false) => return Ok(found),
                Err(Failure::Wrong(line, problem)) => return Err((line, problem)),
                Err(Failure::Read(error)) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn quotes_hold_delimiters_breaks_and_quotes() {
        let text = "a,\"b,c\"\r\n\"d\n\"\"e\"\"\",f\n\ng \"h\",\"i\" j\n\"\",";
        let rows = all(text).unwrap();
        let fields: Vec<Vec<&str>> =
            rows.iter().map(|(_, fields)| fields.iter().map(String::as_str).collect()).collect();
        assert_eq!(
            fields,
            [vec!["a", "b,c"], vec!["d\n\"e\"", "f"], vec![""], vec!["g \"h\"", "i j"], vec!["", ""]]
        );
        assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [1, 2, 4, 5, 6]);
        assert!(all("").unwrap().is_empty());
    }

    #[test]
    fn quotes_left_open_are_named_where_they_open() {
        for (text, line) in [
            ("1,2\n3,\"4\n5,6\n", 2),
            ("1,2\n3,\"4\n5,\"6\"\n7,8\n", 2),
            ("1,2\n3,\"4\n5,\" \"6\n7,8\n", 2),
            ("1,\"ok\nok\"\n3,\"4\n5,\"\"\n6,\"x\"\n", 3),
        ] {
            let (at, problem) = all(text).unwrap_err();
            assert_eq!(at, line, "{text:?}: {problem}");
            assert!(problem.contains("opens here"), "{problem}");
        }
        assert_eq!(all("1,2\r3,4\r").unwrap_err().0, 1);
    }
}
