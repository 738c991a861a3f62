//! UTF-32, which the encodings of the web do not have.

use std::io::{self, Read};

use super::super::unpack::Refusal;

/// The byte order of a text in UTF-32, if it has a mark or is nothing but letters of the first plane.
pub(super) fn label(head: &[u8]) -> Option<&'static str> {
    // Where zeros are in every four bytes.
    let zeros = |places: [usize; 2]| {
        head.len() >= 8
            && head.len().is_multiple_of(4)
            && head
                .chunks_exact(4)
                .all(|unit| places.iter().all(|&at| unit[at] == 0) && unit.iter().any(|&byte| byte != 0))
    };
    if head.starts_with(b"\xff\xfe\0\0") || zeros([2, 3]) {
        Some("utf-32le")
    } else if head.starts_with(b"\0\0\xfe\xff") || zeros([0, 1]) {
        Some("utf-32be")
    } else {
        None
    }
}

/// Converts a text in UTF-32 to UTF-8 while it is read. A mark at its beginning is left out.
pub(super) struct Utf32<R> {
    pub(super) reader: R,
    pub(super) name: String,
    pub(super) is_big_endian: bool,
    /// Bytes of a unit that is not complete, and those that were not handed out yet.
    pub(super) unit: Vec<u8>,
    pub(super) ready: Vec<u8>,
    pub(super) at: usize,
}

impl<R: Read> Utf32<R> {
    fn fill(&mut self) -> io::Result<()> {
        const AT_ONCE: u64 = 1 << 16;
        self.ready.clear();
        self.at = 0;
        let count = self.reader.by_ref().take(AT_ONCE).read_to_end(&mut self.unit)?;
        let whole = self.unit.len() / 4 * 4;
        let refused = || {
            Refusal::error(format!(
                "{} holds bytes that UTF-32 does not have; name its encoding with `encoding`",
                self.name
            ))
        };
        if count == 0 && !self.unit.is_empty() {
            return Err(refused());
        }
        let mut text = String::new();
        for unit in self.unit[..whole].chunks_exact(4) {
            let bytes = [unit[0], unit[1], unit[2], unit[3]];
            let code = if self.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
            text.push(char::from_u32(code).ok_or_else(refused)?);
        }
        self.unit.drain(..whole);
        self.ready = text.into_bytes();
        Ok(())
    }
}

impl<R: Read> Read for Utf32<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.ready.len() {
            self.fill()?;
        }
        let count = (&self.ready[self.at..]).read(buffer)?;
        self.at += count;
        Ok(count)
    }
}
