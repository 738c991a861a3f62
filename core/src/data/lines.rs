//! Text in blocks of whole lines, parsed on all threads while the next block is read and decompressed.

use std::io::{self, Read};

use super::{collect::Shard, parallel, source::Stream};
use crate::{Error, Result, watch};

/// Bytes read at once; the longest line may be longer.
const BLOCK: usize = 8 << 20;
/// A line, or a record with quoted fields, that is longer is no data.
pub(super) const LONGEST_LINE: usize = 64 << 20;

/// What is wrong with a line beyond [`LONGEST_LINE`].
pub(super) fn too_long() -> String {
    format!("longer than {} MiB; is it a table of users and items?", LONGEST_LINE >> 20)
}

/// What is wrong with a line that has a carriage return before its end.
pub(super) const CARRIAGE_RETURN: &str =
    "a carriage return in the middle of the line; save the file with line feeds (LF or CRLF)";

/// A form in which one line stands for itself.
pub(super) trait LineFormat: Sync {
    /// Whether a line can be understood without those before it.
    const INDEPENDENT: bool = true;

    /// A byte that hands the rest of the text over to another parser.
    fn stop_byte(&self) -> Option<u8> {
        None
    }

    /// Reads one line, without its line break.
    fn line(&self, line: &[u8], shard: &mut Shard) -> Result<(), String>;
}

/// The state of a text being read: what was read ahead and how many lines are behind.
pub(super) struct Text<'a> {
    pub(super) stream: Stream<'a>,
    ahead: Vec<u8>,
    ended: bool,
    /// Lines before those still to come.
    pub(super) lines: u64,
    /// Line breaks that the stream has given, to check that each was read by somebody.
    breaks: u64,
}

impl<'a> Text<'a> {
    pub(super) fn new(stream: Stream<'a>) -> Self {
        Self { stream, ahead: Vec::new(), ended: false, lines: 0, breaks: 0 }
    }

    /// Reads ahead until `length` bytes or the end are there, and shows them.
    pub(super) fn peek(&mut self, length: usize) -> Result<&[u8]> {
        self.fill(length)?;
        Ok(&self.ahead)
    }

    /// Drops `length` bytes that were peeked at and hold `lines` line breaks.
    pub(super) fn skip(&mut self, length: usize, lines: u64) {
        self.ahead.drain(..length);
        self.lines += lines;
    }

    /// Whether all of the text has been read ahead.
    pub(super) fn is_at_end(&self) -> bool {
        self.ended
    }

    fn fill(&mut self, length: usize) -> Result<()> {
        if self.ahead.len() < length && !self.ended {
            let before = self.ahead.len();
            let missing = (length - before) as u64;
            let read = self.stream.reader.by_ref().take(missing).read_to_end(&mut self.ahead);
            self.ended = (read.map_err(|error| self.stream.error(error))? as u64) < missing;
            self.breaks += memchr::memchr_iter(b'\n', &self.ahead[before..]).count() as u64;
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
                // No break is ahead, so all of them were before this line.
                return Err(self.wrong(self.breaks + 1, too_long()));
            }
            length *= 2;
        }
    }

    /// An error unless every line break of a text that was read to its end is behind.
    pub(super) fn check_lines(&self) -> Result<()> {
        // The last line may have no break.
        if self.lines == self.breaks || self.lines == self.breaks + 1 {
            return Ok(());
        }
        let problem = format!("{} of {} lines were read; is it damaged?", self.lines, self.breaks);
        Err(Error::format(&self.stream.name, problem))
    }

    /// All that is left, as a reader; errors of the source keep their kind.
    pub(super) fn rest(self, block: Vec<u8>) -> impl Read + 'a {
        io::Cursor::new(block).chain(io::Cursor::new(self.ahead)).chain(self.stream.reader)
    }

    /// The error of a line counted from 1.
    pub(super) fn wrong(&self, line: u64, problem: impl Into<String>) -> Error {
        Error::format(format!("{}:{line}", self.stream.name), problem)
    }
}

/// Reads all lines. Returns the block in which the format's stop byte occurs, if it does; the lines of that
/// block are still unread.
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
        let pieces = if F::INDEPENDENT { pieces(&bytes, shards.len()) } else { vec![&bytes[..]] };
        let tasks: Vec<_> = pieces.into_iter().zip(&mut *shards).collect();
        let (results, next) =
            parallel::spread(tasks, |(piece, shard)| parse(piece, format, shard), || text.block());
        for result in results {
            match result {
                Ok(lines) => text.lines += lines,
                Err((line, problem)) => return Err(text.wrong(text.lines + line, problem)),
            }
        }
        block = next?;
    }
    text.check_lines()?;
    Ok(None)
}

/// The number of lines, or the line counted from 1 that is wrong and why.
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
                return Err((lines, CARRIAGE_RETURN.into()));
            }
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            shard.blank_lines += 1;
        } else {
            format.line(line, shard).map_err(|problem| (lines, problem))?;
        }
        start = end + 1;
    }
    Ok(lines)
}

/// About equal parts that end at line breaks.
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
