//! What people and programs put around tables and into their fields: titles above the header, sums and remarks below
//! the last row, delimiters of several characters, quotes other than `"`. Everything is turned into a plain table
//! before its form is recognised, and said.

mod brackets;
mod escapes;
mod footer;
mod kinds;
mod named;
mod quotes;
mod separator;
mod title;

use std::{
    cell::RefCell,
    io::{self, BufRead, Read},
    rc::Rc,
};

use super::{
    Header,
    lines::{LONGEST_LINE, Text, too_long},
    sniff::{HEAD, whole_lines},
    unpack::Refusal,
};
use crate::{Error, Result};
pub(super) use footer::{end, is_total};

/// The lines that were cut off at the end of a text, for the report.
pub(super) type Footers = Rc<RefCell<Vec<String>>>;

/// What was done to a text.
#[derive(Default)]
pub(super) struct Tidied {
    /// The delimiter of several characters that was replaced by a control character.
    pub(super) separator: Option<String>,
    /// Whether the text begins with a line of names that were beside the fields.
    pub(super) named: bool,
    /// What a reader should know.
    pub(super) notes: Vec<String>,
}

/// Turns a text into a plain table. Nothing but blank lines and comments may have been consumed.
pub(super) fn tidy(text: &mut Text, header: Header) -> Result<Tidied> {
    let mut done = Tidied::default();
    let starts_json = |text: &Text| matches!(lines(text).first(), Some([b'{' | b'[', ..]) | None);
    if starts_json(text) {
        return Ok(done);
    }
    text.cut_footers();
    if let Some(problem) = kinds::problem(&lines(text)) {
        return Err(Error::format(text.stream.name.clone(), problem));
    }
    if let Some(named) = named::find(&lines(text)).filter(|_| header != Header::No) {
        done.notes.push(named.note());
        done.named = true;
        text.replace(|reader| {
            let header = io::Cursor::new(named.header());
            Box::new(header.chain(Rewritten::of(reader, Box::new(move |line| named.replaced(line)))))
        });
        text.peek(HEAD)?;
        return Ok(done);
    }
    if brackets::are_around(&lines(text)) {
        done.notes.push("parentheses around rows are left out".into());
        text.replace(|reader| Rewritten::of(reader, Box::new(brackets::replaced)));
        text.peek(HEAD)?;
    }
    if escapes::are_in(text.ahead()) {
        done.notes.push("quotes behind a backslash are read as quotes within a field".into());
        text.replace(|reader| Rewritten::of(reader, Box::new(escapes::replaced)));
        text.peek(HEAD)?;
    }
    if let Some(separator) = separator::find(&lines(text)) {
        done.notes.push(format!("{separator:?} separates the fields"));
        let bytes = separator.clone().into_bytes();
        text.replace(|reader| Rewritten::of(reader, Box::new(move |line| separator::replaced(line, &bytes))));
        text.peek(HEAD)?;
        done.separator = Some(separator);
    }
    if let Some((length, breaks, note)) = title::find(text.ahead(), &lines(text)) {
        text.skip(length, breaks);
        text.peek(HEAD)?;
        done.notes.push(note);
    }
    if let Some(found) = quotes::find(&lines(text)) {
        done.notes.push(found.note());
        text.replace(|reader| Rewritten::of(reader, Box::new(move |line| found.replaced(line))));
        text.peek(HEAD)?;
    }
    Ok(done)
}

/// The first lines that are neither blank nor comments.
fn lines<'a>(text: &'a Text) -> Vec<&'a [u8]> {
    let mut lines = whole_lines(text.ahead(), text.is_at_end());
    lines.retain(|line| !line.starts_with(b"#") && !line.starts_with(b"%"));
    lines
}

/// The new content of a line.
type Rewrite = Box<dyn FnMut(&[u8]) -> Vec<u8>>;

/// Changes a text line by line while it is read. Line breaks stay.
struct Rewritten<R> {
    reader: io::BufReader<R>,
    rewrite: Rewrite,
    line: Vec<u8>,
    ready: Vec<u8>,
    at: usize,
}

impl<R: Read> Rewritten<R> {
    fn of<'a>(reader: R, rewrite: Rewrite) -> Box<dyn Read + 'a>
    where
        R: 'a,
    {
        let reader = io::BufReader::with_capacity(HEAD, reader);
        Box::new(Self { reader, rewrite, line: Vec::new(), ready: Vec::new(), at: 0 })
    }
}

impl<R: Read> Read for Rewritten<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.ready.len() {
            self.line.clear();
            let most = LONGEST_LINE as u64;
            self.reader.by_ref().take(most).read_until(b'\n', &mut self.line)?;
            if self.line.len() as u64 == most {
                return Err(Refusal::error(format!("a line {}", too_long())));
            }
            if self.line.is_empty() {
                return Ok(0);
            }
            let breaks = self.line.iter().rev().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            let (line, end) = self.line.split_at(self.line.len() - breaks);
            self.ready = (self.rewrite)(line);
            self.ready.extend_from_slice(end);
            self.at = 0;
        }
        let count = (&self.ready[self.at..]).read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

/// A text whose last lines are held back until its end is known, so that footers can be cut off.
pub(super) struct Ending<R> {
    reader: R,
    /// Where footers are noted; `None` if nothing is cut off.
    footers: Option<Footers>,
    held: Vec<u8>,
    at: usize,
    ended: bool,
}

/// The bytes that are held back.
const TAIL: usize = 1 << 16;

impl<R: Read> Ending<R> {
    pub(super) fn of(reader: R, footers: Option<Footers>) -> Self {
        Self { reader, footers, held: Vec::new(), at: 0, ended: false }
    }
}

impl<R: Read> Read for Ending<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(footers) = &self.footers else { return self.reader.read(buffer) };
        if !self.ended && self.held.len() - self.at <= TAIL {
            self.held.drain(..self.at);
            self.at = 0;
            let wanted = 4 * TAIL;
            let count = self.reader.by_ref().take(wanted as u64).read_to_end(&mut self.held)?;
            if count < wanted {
                self.ended = true;
                let end = end(&self.held, false, &mut footers.borrow_mut());
                self.held.truncate(end);
            }
        }
        let end = if self.ended { self.held.len() } else { self.held.len() - TAIL };
        let count = (&self.held[self.at..end]).read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_text_is_held_back_until_it_is_known() {
        for rows in [1, 5_000, 40_000] {
            let text: String = (0..rows).map(|row| format!("u{row},\"i\"\n")).collect();
            let footers = Footers::default();
            let whole = format!("{text}Total,7\n");
            let mut read = Vec::new();
            let mut ending = Ending::of(whole.as_bytes(), Some(footers.clone()));
            // Pieces that do not divide what is held back.
            let mut piece = [0; 777];
            loop {
                match ending.read(&mut piece).unwrap() {
                    0 => break,
                    count => read.extend_from_slice(&piece[..count]),
                }
            }
            assert!(read == text.as_bytes(), "{rows}");
            assert_eq!(*footers.borrow(), ["Total,7"]);
        }
    }

    #[test]
    fn rewritten_texts_keep_their_line_breaks() {
        let rewrite: Rewrite = Box::new(|line| line.iter().rev().copied().collect());
        let mut read = String::new();
        Rewritten::of(&b"ab\r\n\ncd\nef"[..], rewrite).read_to_string(&mut read).unwrap();
        assert_eq!(read, "ba\r\n\ndc\nfe");
    }
}
