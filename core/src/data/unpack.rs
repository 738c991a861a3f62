//! Decompression with a limit on the ratio of decompressed to compressed size.

use std::{
    cell::Cell,
    fmt,
    io::{self, BufRead, BufReader, Read},
    rc::Rc,
};

use flate2::bufread::GzDecoder;

/// The first bytes of a gzip member.
pub(super) const GZIP: &[u8] = b"\x1f\x8b";
/// The largest accepted ratio. Tables compress to between a third and a twentieth; real data never reaches
/// this ratio.
const GROWTH: u64 = 100;
/// Up to this many bytes, any ratio is accepted.
const HARMLESS: u64 = 256 << 20;

/// An error with a complete message of its own, distinguished from errors of decompressors and the system.
#[derive(Debug)]
pub(super) struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// Wraps it as an error of a reader.
    pub(super) fn error(problem: impl Into<String>) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, Self(problem.into()))
    }
}

/// Fails if `grown` bytes are too many to come from `packed` bytes.
pub(super) fn check_growth(grown: u64, packed: u64) -> io::Result<()> {
    if grown <= HARMLESS || grown / GROWTH <= packed {
        return Ok(());
    }
    Err(Refusal::error(format!(
        "it grows to more than {GROWTH} times its size and {} MiB, as no table does; if you trust it, unpack it first",
        HARMLESS >> 20
    )))
}

/// A reader that checks the ratio against a compressed size that is known in advance: a member of a zip.
pub(super) struct Bounded<R> {
    reader: R,
    packed: u64,
    grown: u64,
}

impl<R: Read> Bounded<R> {
    pub(super) fn new(reader: R, packed: u64) -> Self {
        Self { reader, packed, grown: 0 }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.grown += count as u64;
        check_growth(self.grown, self.packed)?;
        Ok(count)
    }
}

/// A reader that counts the bytes read.
struct Counted<R> {
    reader: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.count.set(self.count.get() + count as u64);
        Ok(count)
    }
}

/// The concatenated members of a gzip file. Zeros may follow them, as on tapes; anything else is an error.
pub(super) struct Gunzip<R: Read> {
    member: Option<GzDecoder<BufReader<Counted<R>>>>,
    packed: Rc<Cell<u64>>,
    grown: u64,
}

impl<R: Read> Gunzip<R> {
    pub(super) fn new(reader: R) -> Self {
        let packed = Rc::new(Cell::new(0));
        let counted = Counted { reader, count: Rc::clone(&packed) };
        Self { member: Some(GzDecoder::new(BufReader::with_capacity(1 << 16, counted))), packed, grown: 0 }
    }
}

impl<R: Read> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.member.take() {
            let read = member.read(buffer);
            if buffer.is_empty() || !matches!(read, Ok(0)) {
                self.member = Some(member);
                let count = read?;
                self.grown += count as u64;
                check_growth(self.grown, self.packed.get())?;
                return Ok(count);
            }
            self.member = next_member(member.into_inner())?.map(GzDecoder::new);
        }
        Ok(0)
    }
}

/// The reader at its next member; `None` at the end.
fn next_member<R: BufRead>(mut reader: R) -> io::Result<Option<R>> {
    loop {
        let rest = reader.fill_buf()?;
        match rest.first() {
            None => return Ok(None),
            Some(0) => {
                let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
                reader.consume(zeros);
            }
            Some(&first) if first == GZIP[0] => return Ok(Some(reader)),
            Some(_) => {
                return Err(Refusal::error(
                    "other bytes follow the compressed data; was something appended to the file?",
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    fn gunzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Gunzip::new(bytes).read_to_end(&mut out).map(|_| out)
    }

    #[test]
    fn members_follow_one_another_and_zeros_may_end_them() {
        let two = [gzip(b"one,"), gzip(b"two")].concat();
        assert_eq!(gunzip(&two).unwrap(), b"one,two");
        assert_eq!(gunzip(&[two.clone(), vec![0; 70_000]].concat()).unwrap(), b"one,two");
        let error = gunzip(&[&two[..], b"appended"].concat()).unwrap_err();
        assert!(error.to_string().contains("follow the compressed data"), "{error}");
        let error = gunzip(&two[..two.len() - 3]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn growth_is_bounded() {
        assert!(check_growth(HARMLESS, 1).is_ok());
        assert!(check_growth(HARMLESS + 1, 1).unwrap_err().to_string().contains("unpack it first"));
        assert!(check_growth(u64::MAX, u64::MAX / GROWTH).is_ok());
        let mut bomb = Bounded::new(io::repeat(b'\n'), 1000);
        let refused = io::copy(&mut bomb, &mut io::sink()).unwrap_err();
        assert!(refused.get_ref().is_some_and(|inner| inner.is::<Refusal>()));
    }
}
