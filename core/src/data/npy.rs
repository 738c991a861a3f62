//! Arrays of numpy's `.npy` files.

/// The first bytes of such a file.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// The type of the elements of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Bool,
    Signed(usize),
    Unsigned(usize),
    Float(usize),
    /// Bytes, ended by zeros.
    Bytes(usize),
    /// UTF-32, ended by zeros; the number of characters.
    Unicode(usize),
}

/// An array of numbers or texts.
pub(super) struct Array {
    /// The sizes of its dimensions.
    pub(super) shape: Vec<usize>,
    kind: Type,
    big_endian: bool,
    by_column: bool,
    data: Vec<u8>,
}

impl Array {
    /// Reads a whole file.
    ///
    /// # Errors
    /// The problem, in words.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let damaged = || "damaged, or no numpy array; save it again".to_owned();
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let (&major, rest) = rest.split_first().ok_or_else(damaged)?;
        let rest = rest.get(1..).ok_or_else(damaged)?;
        let width = if major == 1 { 2 } else { 4 };
        let length = rest.get(..width).ok_or_else(damaged)?;
        let length = length.iter().rev().fold(0usize, |value, &byte| value << 8 | usize::from(byte));
        let rest = &rest[width..];
        let header = std::str::from_utf8(rest.get(..length).ok_or_else(damaged)?).map_err(|_| damaged())?;
        let data = &rest[length..];
        let value = |key: &str| header.split_once(&format!("'{key}':")).map(|parts| parts.1.trim_start());
        let descr = value("descr").ok_or_else(damaged)?;
        let Some(descr) = descr.strip_prefix('\'').and_then(|text| text.split('\'').next()) else {
            return Err(
                "a numpy array of records; save its columns as one array of numbers, or as csv".into()
            );
        };
        let by_column = value("fortran_order").ok_or_else(damaged)?.starts_with("True");
        let shape =
            value("shape").and_then(|text| text.strip_prefix('(')?.split(')').next()).ok_or_else(damaged)?;
        let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
        let shape: Vec<usize> = sizes.map(str::parse).collect::<Result<_, _>>().map_err(|_| damaged())?;
        let (kind, big_endian) = kind(descr)?;
        let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
        let size = count.and_then(|count| count.checked_mul(kind.size())).ok_or_else(damaged)?;
        let data =
            data.get(..size).ok_or("cut short: it holds fewer numbers than it promises; save it again")?;
        Ok(Self { shape, kind, big_endian, by_column, data: data.to_vec() })
    }

    /// The number of elements.
    pub(super) fn len(&self) -> usize {
        self.data.len() / self.kind.size().max(1)
    }

    /// The bytes of an element, the least significant one first.
    fn bytes(&self, at: usize) -> [u8; 8] {
        let size = self.kind.size();
        let mut bytes = [0; 8];
        for (place, &byte) in self.data[at * size..(at + 1) * size].iter().enumerate().take(8) {
            bytes[if self.big_endian { size - 1 - place } else { place }] = byte;
        }
        bytes
    }

    fn signed(&self, at: usize, size: usize) -> i64 {
        let unused = 64 - 8 * size as u32;
        i64::from_le_bytes(self.bytes(at)) << unused >> unused
    }

    /// An element as a number; texts are 0.
    pub(super) fn real(&self, at: usize) -> f64 {
        match self.kind {
            Type::Bool => f64::from(self.data[at]),
            Type::Signed(size) => self.signed(at, size) as f64,
            Type::Unsigned(_) => u64::from_le_bytes(self.bytes(at)) as f64,
            Type::Float(4) => f64::from(f32::from_bits(u64::from_le_bytes(self.bytes(at)) as u32)),
            Type::Float(_) => f64::from_le_bytes(self.bytes(at)),
            Type::Bytes(_) | Type::Unicode(_) => 0.0,
        }
    }

    /// All elements as numbers from 0.
    ///
    /// # Errors
    /// If some are negative, or no whole numbers.
    pub(super) fn whole(&self) -> Result<Vec<u64>, String> {
        (0..self.len())
            .map(|at| match self.kind {
                Type::Signed(size) => u64::try_from(self.signed(at, size)).ok(),
                Type::Unsigned(_) => Some(u64::from_le_bytes(self.bytes(at))),
                _ => None,
            })
            .map(|number| number.ok_or_else(|| "its indices are not whole numbers from 0".to_owned()))
            .collect()
    }

    /// The text of an element of a matrix; whole numbers have no fraction.
    pub(super) fn text(&self, row: usize, column: usize) -> String {
        let at = if self.by_column { column * self.shape[0] + row } else { row * self.shape[1] + column };
        match self.kind {
            Type::Signed(size) => self.signed(at, size).to_string(),
            Type::Unsigned(_) => u64::from_le_bytes(self.bytes(at)).to_string(),
            Type::Bytes(size) => String::from_utf8_lossy(&self.data[at * size..(at + 1) * size])
                .trim_end_matches('\0')
                .to_owned(),
            Type::Unicode(count) => {
                let characters = self.data[at * count * 4..(at + 1) * count * 4].chunks_exact(4);
                let code = |bytes: &[u8]| {
                    let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
                    if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
                };
                let codes = characters.map(code).take_while(|&code| code != 0);
                codes.map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
            }
            Type::Bool | Type::Float(_) => self.real(at).to_string(),
        }
    }

    /// The text of an array of one element.
    pub(super) fn word(&self) -> String {
        match self.kind {
            Type::Bytes(size) if size > 0 && !self.data.is_empty() => {
                String::from_utf8_lossy(&self.data).trim_end_matches('\0').to_owned()
            }
            Type::Unicode(_) => {
                let codes =
                    self.data.chunks_exact(4).map(|bytes| if self.big_endian { bytes[3] } else { bytes[0] });
                codes.filter(|code| *code != 0).map(char::from).collect()
            }
            _ => String::new(),
        }
    }
}

impl Type {
    /// The size of an element in bytes.
    fn size(self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Signed(size) | Self::Unsigned(size) | Self::Float(size) | Self::Bytes(size) => size,
            Self::Unicode(count) => count.saturating_mul(4),
        }
    }
}

/// The type and the byte order that a `descr` names.
fn kind(descr: &str) -> Result<(Type, bool), String> {
    let order = descr.starts_with('>');
    let code = descr.trim_start_matches(['<', '>', '|', '=']);
    let size: usize = code.get(1..).and_then(|size| size.parse().ok()).unwrap_or(0);
    let kind = match (code.chars().next(), size) {
        (Some('b'), 1) => Type::Bool,
        (Some('i'), 1 | 2 | 4 | 8) => Type::Signed(size),
        (Some('u'), 1 | 2 | 4 | 8) => Type::Unsigned(size),
        (Some('f'), 4 | 8) => Type::Float(size),
        (Some('S'), 1..) => Type::Bytes(size),
        (Some('U'), 1..) => Type::Unicode(size),
        (Some('O'), _) => return Err(
            "a numpy array of Python objects, which can run any program when it is opened; save it as csv"
                .into(),
        ),
        _ => return Err(format!("a numpy array of type {descr:?}, which is not read; save it as csv")),
    };
    Ok((kind, order))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(descr: &str, shape: &str, order: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes(), data].concat()
    }

    #[test]
    fn elements_of_every_type() {
        let array = Array::parse(&file(
            "<i4",
            "(2, 2)",
            "False",
            &[1, 0, 0, 0, 2, 0, 0, 0, 255, 255, 255, 255, 4, 0, 0, 0],
        ))
        .unwrap();
        assert_eq!((array.text(0, 1), array.text(1, 0), array.real(3)), ("2".into(), "-1".into(), 4.0));
        assert!(array.whole().is_err());
        let array = Array::parse(&file(">i2", "(2, 2)", "True", &[0, 1, 0, 2, 0, 3, 0, 4])).unwrap();
        assert_eq!((array.text(0, 1), array.whole().unwrap()), ("3".into(), vec![1, 2, 3, 4]));
        let array = Array::parse(&file("<f4", "(1,)", "False", &1.5f32.to_le_bytes())).unwrap();
        assert_eq!(array.real(0), 1.5);
        assert_eq!(Array::parse(&file("|S3", "()", "False", b"csr")).unwrap().word(), "csr");
        assert_eq!(
            Array::parse(&file("<U3", "()", "False", b"c\0\0\0s\0\0\0c\0\0\0")).unwrap().word(),
            "csc"
        );
        assert!(Array::parse(&file("|O", "(1,)", "False", b"")).err().unwrap().contains("Python objects"));
        assert!(Array::parse(&file("<i4", "(9,)", "False", b"")).err().unwrap().contains("cut short"));
    }

    proptest! {
        #[test]
        fn no_file_panics(header in "[ -~]{0,80}", data in prop::collection::vec(any::<u8>(), 0..40)) {
            let bytes = [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes(), &data].concat();
            if let Ok(array) = Array::parse(&bytes) {
                let _ = (array.whole(), array.word(), (0..array.len()).map(|at| array.real(at)).sum::<f64>());
            }
        }
    }
}
