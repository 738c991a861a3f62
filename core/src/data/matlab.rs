//! MATLAB 5 files, as MATLAB, Octave and `scipy.io.savemat` write them: their sparse matrices.

use std::io::Read;

use super::{sparse::Sparse, unpack::Bounded};

/// Types of elements.
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
/// The class of a sparse matrix.
const SPARSE: u32 = 5;
/// Bytes before the first element.
const HEADER: usize = 128;

/// All sparse matrices of a file.
///
/// # Errors
/// The problem, in words; also if there is none.
pub(super) fn sparse_matrices(bytes: &[u8]) -> Result<Vec<Sparse>, String> {
    let big_endian = match bytes.get(126..128) {
        Some(b"IM") => false,
        Some(b"MI") => true,
        _ => return Err(damaged()),
    };
    let mut elements = Elements { bytes: &bytes[HEADER..], big_endian };
    let mut found = Vec::new();
    let mut others = Vec::new();
    while let Some((kind, data)) = elements.next()? {
        let unpacked;
        let data = match kind {
            MATRIX => data,
            COMPRESSED => {
                unpacked = inflate(data)?;
                match (Elements { bytes: &unpacked, big_endian }).next()? {
                    Some((MATRIX, _)) => &unpacked[8..],
                    _ => continue,
                }
            }
            _ => continue,
        };
        match matrix(Elements { bytes: data, big_endian })? {
            Ok(matrix) => found.push(matrix),
            Err(name) => others.push(name),
        }
    }
    if found.is_empty() {
        return Err(if others.is_empty() {
            "a MATLAB file without matrices".into()
        } else {
            format!(
                "a MATLAB file without a sparse matrix; its variables are {}; in MATLAB: S = sparse({}); save('NAME.mat', 'S')",
                others.join(", "),
                others[0]
            )
        });
    }
    Ok(found)
}

fn damaged() -> String {
    "a damaged MATLAB file; save it again".into()
}

fn inflate(data: &[u8]) -> Result<Vec<u8>, String> {
    let mut unpacked = Vec::new();
    let mut reader = Bounded::new(flate2::read::ZlibDecoder::new(data), data.len() as u64);
    reader
        .read_to_end(&mut unpacked)
        .map_err(|error| format!("the MATLAB file cannot be unpacked: {error}"))?;
    Ok(unpacked)
}

/// The elements of a file or of a matrix.
struct Elements<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Elements<'a> {
    fn number(&self, at: usize) -> Option<u32> {
        let bytes: [u8; 4] = self.bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// Type and data of the next element.
    fn next(&mut self) -> Result<Option<(u32, &'a [u8])>, String> {
        if self.bytes.len() < 8 {
            return Ok(None);
        }
        let first = self.number(0).ok_or_else(damaged)?;
        // Four bytes or fewer are stored in the tag itself.
        if first >> 16 != 0 {
            let length = (first >> 16) as usize;
            let data = self.bytes.get(4..4 + length).filter(|_| length <= 4).ok_or_else(damaged)?;
            self.bytes = &self.bytes[8..];
            return Ok(Some((first & 0xffff, data)));
        }
        let length = self.number(4).ok_or_else(damaged)? as usize;
        let data = self.bytes.get(8..8 + length).ok_or_else(damaged)?;
        // Compressed elements are not padded.
        let padded = if first == COMPRESSED { length } else { length.next_multiple_of(8) };
        self.bytes = self.bytes.get(8 + padded..).unwrap_or_default();
        Ok(Some((first, data)))
    }

    fn expect(&mut self) -> Result<(u32, &'a [u8]), String> {
        self.next()?.ok_or_else(damaged)
    }
}

/// The numbers of an element.
fn numbers(kind: u32, data: &[u8], big_endian: bool) -> Result<Vec<f64>, String> {
    fn all<const N: usize>(data: &[u8], big_endian: bool, read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        let one = |bytes: &[u8]| {
            let mut array = [0; N];
            array.copy_from_slice(bytes);
            if big_endian {
                array.reverse();
            }
            read(array)
        };
        data.chunks_exact(N).map(one).collect()
    }
    Ok(match kind {
        1 => all(data, big_endian, |b| f64::from(i8::from_le_bytes(b))),
        2 => all(data, big_endian, |b| f64::from(u8::from_le_bytes(b))),
        3 => all(data, big_endian, |b| f64::from(i16::from_le_bytes(b))),
        4 => all(data, big_endian, |b| f64::from(u16::from_le_bytes(b))),
        5 => all(data, big_endian, |b| f64::from(i32::from_le_bytes(b))),
        6 => all(data, big_endian, |b| f64::from(u32::from_le_bytes(b))),
        7 => all(data, big_endian, |b| f64::from(f32::from_le_bytes(b))),
        9 => all(data, big_endian, f64::from_le_bytes),
        12 => all(data, big_endian, |b| i64::from_le_bytes(b) as f64),
        13 => all(data, big_endian, |b| u64::from_le_bytes(b) as f64),
        _ => return Err(damaged()),
    })
}

/// A sparse matrix, or the name of another variable.
fn matrix(mut elements: Elements) -> Result<Result<Sparse, String>, String> {
    let big_endian = elements.big_endian;
    let (_, flags) = elements.expect()?;
    let flags = Elements { bytes: flags, big_endian }.number(0).ok_or_else(damaged)?;
    let (_, sizes) = elements.expect()?;
    let sizes = numbers(5, sizes, big_endian)?;
    let name = String::from_utf8_lossy(elements.expect()?.1).into_owned();
    if flags & 0xff != SPARSE {
        return Ok(Err(name));
    }
    let &[height, width] = &sizes[..] else { return Err(damaged()) };
    let mut whole = || -> Result<Vec<u64>, String> {
        let (kind, data) = elements.expect()?;
        numbers(kind, data, big_endian)?
            .into_iter()
            .map(
                |number| {
                    if number >= 0.0 && number.fract() == 0.0 { Ok(number as u64) } else { Err(damaged()) }
                },
            )
            .collect()
    };
    let (rows, starts) = (whole()?, whole()?);
    let (kind, data) = elements.expect()?;
    let values = numbers(kind, data, big_endian)?;
    // A matrix may have space for more entries than it has.
    let entries = starts.last().copied().unwrap_or(0) as usize;
    let fits = starts.len() as f64 == width + 1.0
        && entries <= rows.len()
        && entries <= values.len()
        && rows.iter().all(|&row| (row as f64) < height);
    let matrix = Sparse { name, starts, rows, values };
    if !fits {
        return Err(damaged());
    }
    let Sparse { name, starts, mut rows, mut values } = matrix;
    rows.truncate(entries);
    values.truncate(entries);
    let matrix = Sparse { name, starts, rows, values };
    matrix.check()?;
    Ok(Ok(matrix))
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn element(kind: u32, data: &[u8]) -> Vec<u8> {
        let mut out = [kind.to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
        out.extend_from_slice(data);
        out.resize(out.len().next_multiple_of(8), 0);
        out
    }

    fn ints(values: &[i32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    /// A file with one sparse matrix of 3 x 2: rows 0 and 2 of the first column, row 1 of the second.
    fn file(compressed: bool) -> Vec<u8> {
        let small = [&1u16.to_le_bytes()[..], &4u16.to_le_bytes(), b"data"].concat();
        let reals: Vec<u8> = [1.0f64, 4.5, 0.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let inner = [
            element(6, &ints(&[5, 3])),
            element(5, &ints(&[3, 2])),
            small,
            element(5, &ints(&[0, 2, 1])),
            element(5, &ints(&[0, 2, 3])),
            element(9, &reals),
        ]
        .concat();
        let mut whole = element(MATRIX, &inner);
        if compressed {
            let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(&whole).unwrap();
            let packed = out.finish().unwrap();
            whole = [&COMPRESSED.to_le_bytes()[..], &(packed.len() as u32).to_le_bytes(), &packed].concat();
        }
        let mut header = b"MATLAB 5.0 MAT-file".to_vec();
        header.resize(124, b' ');
        [header, b"\x00\x01IM".to_vec(), whole].concat()
    }

    #[test]
    fn sparse_matrices_are_found() {
        for compressed in [false, true] {
            let found = sparse_matrices(&file(compressed)).unwrap();
            assert_eq!((found.len(), found[0].name.as_str()), (1, "data"));
            assert_eq!((&found[0].rows[..], &found[0].starts[..]), (&[0, 2, 1][..], &[0, 2, 3][..]));
            assert_eq!(found[0].values, [1.0, 4.5, 0.0]);
        }
    }

    proptest! {
        #[test]
        fn no_damage_panics(at in 0usize..400, byte: u8, cut in 0usize..400, compressed: bool) {
            let mut bytes = file(compressed);
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes.truncate(length.min(cut.max(20) + 128));
            let _ = sparse_matrices(&bytes);
        }
    }
}
