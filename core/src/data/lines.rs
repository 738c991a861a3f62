//! Reads text in blocks of whole lines, which are parsed on all threads while the next block is read and
//! decompressed.

use std::io::{self, Read};

#[cfg(feature = "forms")]
use super::tidy::{self, Footers};
use super::{parallel, shard::Shard, source::Stream};
use crate::{Error, Result, watch};

/// Bytes read at once; a longer line is read in several pieces.
const BLOCK: usize = 8 << 20;
/// The longest line, or record with quoted fields, that is accepted.
pub(super) const LONGEST_LINE: usize = 64 << 20;

/// The error for a line longer than [`LONGEST_LINE`].
pub(super) fn too_long() -> String {
    format!("longer than {} MiB; is it a table of users and items?", LONGEST_LINE >> 20)
}

/// The error for a line with a carriage return before its end.
pub(super) const CARRIAGE_RETURN: &str =
    "a carriage return in the middle of the line; save the file with line feeds (LF or CRLF)";

/// A format whose lines can be parsed independently.
pub(super) trait LineFormat: Sync {
    /// Whether a line can be parsed without the lines before it.
    const INDEPENDENT: bool = true;

    /// A byte at which another parser must continue with the rest of the text.
    fn stop_byte(&self) -> Option<u8> {
        None
    }

    /// Parses one line, given without its line break.
    fn line(&self, line: &[u8], shard: &mut Shard) -> Result<(), String>;
}

/// A text that is being read: bytes read ahead, and the number of lines consumed.
pub(super) struct Text<'a> {
    pub(super) stream: Stream<'a>,
    ahead: Vec<u8>,
    ended: bool,
    /// Number of lines consumed so far.
    pub(super) lines: u64,
    /// Line breaks read from the stream, to check that every one was consumed.
    breaks: u64,
    /// Lines below the last row that were cut off; `None` if nothing is cut off.
    #[cfg(feature = "forms")]
    pub(super) footers: Option<Footers>,
}

impl<'a> Text<'a> {
    pub(super) fn new(stream: Stream<'a>) -> Self {
        Self {
            stream,
            ahead: Vec::new(),
            ended: false,
            lines: 0,
            breaks: 0,
            #[cfg(feature = "forms")]
            footers: None,
        }
    }

    /// Reads ahead until `length` bytes or the end are available, and returns them.
    pub(super) fn peek(&mut self, length: usize) -> Result<&[u8]> {
        self.fill(length)?;
        Ok(&self.ahead)
    }

    /// Consumes `length` bytes that were read ahead and contain `lines` line breaks.
    pub(super) fn skip(&mut self, length: usize, lines: u64) {
        self.ahead.drain(..length);
        self.lines += lines;
    }

    /// Puts a line before the text.
    #[cfg(feature = "forms")]
    pub(super) fn prepend(&mut self, line: &str) {
        let line = io::Cursor::new(line.as_bytes().to_vec());
        self.replace(|reader| Box::new(line.chain(reader)));
    }

    /// Counts one line less: the header that was consumed is none of the file's.
    #[cfg(feature = "forms")]
    pub(super) fn uncount_header(&mut self) {
        self.lines -= 1;
        self.breaks -= 1;
    }

    /// Whether all of the text has been read ahead.
    pub(super) fn is_at_end(&self) -> bool {
        self.ended
    }

    /// What has been read ahead.
    #[cfg(feature = "forms")]
    pub(super) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// From now on cuts off what is below the last row of the text, and notes it.
    #[cfg(feature = "forms")]
    pub(super) fn cut_footers(&mut self) {
        self.footers = Some(Footers::default());
        self.cut_at_end();
    }

    #[cfg(feature = "forms")]
    fn cut_at_end(&mut self) {
        let Some(footers) = self.footers.as_ref().filter(|_| self.ended) else { return };
        let end = tidy::end(&self.ahead, self.lines == 0, &mut footers.borrow_mut());
        self.breaks -= memchr::memchr_iter(b'\n', &self.ahead[end..]).count() as u64;
        self.ahead.truncate(end);
    }

    /// Replaces the rest of the source by one that is made of it and has the same lines.
    pub(super) fn replace(&mut self, make: impl FnOnce(Box<dyn Read + 'a>) -> Box<dyn Read + 'a>) {
        let ahead = io::Cursor::new(std::mem::take(&mut self.ahead));
        let reader = std::mem::replace(&mut self.stream.reader, Box::new(io::empty()));
        self.stream.reader = make(Box::new(ahead.chain(reader)));
        (self.ended, self.breaks) = (false, self.lines);
    }

    fn fill(&mut self, length: usize) -> Result<()> {
        if self.ahead.len() < length && !self.ended {
            let before = self.ahead.len();
            let missing = (length - before) as u64;
            let read = self.stream.reader.by_ref().take(missing).read_to_end(&mut self.ahead);
            self.ended = (read.map_err(|error| self.stream.error(error))? as u64) < missing;
            self.breaks += memchr::memchr_iter(b'\n', &self.ahead[before..]).count() as u64;
            #[cfg(feature = "forms")]
            self.cut_at_end();
        }
        Ok(())
    }

    /// The next block, which ends at a line break or at the end of the text.
    fn block(&mut self) -> Result<Option<Vec<u8>>> {
        let mut length = BLOCK;
        loop {
            self.fill(length)?;
            if self.ended {
                let block = std::mem::take(&mut self.ahead);
                return Ok((!block.is_empty()).then_some(block));
            }
            if let Some(last) = memchr::memrchr(b'\n', &self.ahead) {
                let mut rest = Vec::with_capacity(BLOCK);
                rest.extend_from_slice(&self.ahead[last + 1..]);
                self.ahead.truncate(last + 1);
                return Ok(Some(std::mem::replace(&mut self.ahead, rest)));
            }
            if length > LONGEST_LINE {
                // No line break is left, so all of them were before this line.
                return Err(self.wrong(self.breaks + 1, too_long()));
            }
            length *= 2;
        }
    }

    /// Fails unless every line break of a text that was read to its end has been consumed.
    pub(super) fn check_lines(&self) -> Result<()> {
        // The last line may have no break.
        if self.lines == self.breaks || self.lines == self.breaks + 1 {
            return Ok(());
        }
        let problem = format!("{} of {} lines were read; is it damaged?", self.lines, self.breaks);
        Err(Error::format(&self.stream.name, problem))
    }

    /// The rest of the text as a reader; errors of the source keep their kind.
    pub(super) fn rest(self, block: Vec<u8>) -> impl Read + 'a {
        let rest = io::Cursor::new(block).chain(io::Cursor::new(self.ahead)).chain(self.stream.reader);
        #[cfg(feature = "forms")]
        let rest = tidy::Ending::of(rest, self.footers.filter(|_| !self.ended));
        rest
    }

    /// An error for a line, counted from 1.
    pub(super) fn wrong(&self, line: u64, problem: impl Into<String>) -> Error {
        Error::format(format!("{}:{line}", self.stream.name), problem)
    }
}

/// Reads all lines. If the format's stop byte occurs, returns the block that contains it; the lines of that
/// block are not parsed yet.
pub(super) fn read<F: LineFormat>(
    text: &mut Text,
    format: &F,
    shards: &mut [Shard],
) -> Result<Option<Vec<u8>>> {
    let mut counted = text.lines;
    let mut block = text.block()?;
    while let Some(bytes) = block {
        watch::check()?;
        watch::advance(text.lines - counted);
        counted = text.lines;
        if format.stop_byte().is_some_and(|stop| memchr::memchr(stop, &bytes).is_some()) {
            return Ok(Some(bytes));
        }
        shards.iter_mut().for_each(Shard::begin_block);
        let pieces = if F::INDEPENDENT { pieces(&bytes, shards.len()) } else { vec![&bytes[..]] };
        let tasks: Vec<_> = pieces.into_iter().zip(&mut *shards).collect();
        let (results, next) =
            parallel::spread(tasks, |(piece, shard)| parse(piece, format, shard), || text.block());
        let mut samples = Vec::new();
        for (result, shard) in results.into_iter().zip(&mut *shards) {
            for (line, problem) in shard.bad.drain(..) {
                samples.push(format!("{}:{}: {problem}", text.stream.name, text.lines + line));
            }
            match result {
                Ok(lines) => text.lines += lines,
                Err((line, problem)) => return Err(text.wrong(text.lines + line, problem)),
            }
        }
        shards[0].note_bad_rows(samples);
        #[cfg(not(target_arch = "wasm32"))]
        shards.iter_mut().filter_map(|shard| shard.spill.as_mut()).try_for_each(|spill| spill.check())?;
        block = next?;
    }
    text.check_lines()?;
    Ok(None)
}

/// The number of lines, or the line (counted from 1) that is wrong and the reason.
fn parse<F: LineFormat>(piece: &[u8], format: &F, shard: &mut Shard) -> Result<u64, (u64, String)> {
    let mut lines = 0;
    let mut start = 0;
    let returns = memchr::memchr(b'\r', piece).is_some();
    while start < piece.len() {
        let end = memchr::memchr(b'\n', &piece[start..]).map_or(piece.len(), |length| start + length);
        let mut line = &piece[start..end];
        lines += 1;
        if returns {
            while let Some(shorter) = line.strip_suffix(b"\r") {
                line = shorter;
            }
            if line.contains(&b'\r') {
                shard.bad_row(lines, CARRIAGE_RETURN.into())?;
                start = end + 1;
                continue;
            }
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            shard.left_out.blank_lines += 1;
        } else if let Err(problem) = format.line(line, shard) {
            shard.bad_row(lines, problem)?;
        }
        start = end + 1;
    }
    Ok(lines)
}

/// Splits into about equal parts that end at line breaks.
fn pieces(block: &[u8], count: usize) -> Vec<&[u8]> {
    let mut pieces = Vec::with_capacity(count);
    let mut start = 0;
    for piece in 1..=count {
        let aim = (block.len() * piece / count).max(start);
        let end = memchr::memchr(b'\n', &block[aim..]).map_or(block.len(), |length| aim + length + 1);
        pieces.push(&block[start..end]);
        start = end;
    }
    pieces
}
