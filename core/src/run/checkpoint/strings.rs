//! Lists of strings as two tensors: the concatenated bytes, and the offset at which each string ends.

use std::io::{self, Write};

/// Separates the genres of one item: the unit separator, which does not occur in names.
pub(super) const GENRES: &str = "\u{1f}";

/// Strings to write, in order.
#[derive(Clone, Copy)]
pub(super) enum Strings<'a> {
    /// One string per entry.
    Each(&'a [String]),
    /// The genres of each item, joined to one string.
    Genres(&'a [Vec<String>]),
}

impl Strings<'_> {
    /// The number of strings.
    pub(super) fn count(self) -> usize {
        match self {
            Self::Each(strings) => strings.len(),
            Self::Genres(items) => items.len(),
        }
    }

    /// The total number of bytes; an error if it exceeds the range of an offset.
    pub(super) fn bytes(self, name: &str) -> Result<usize, String> {
        let bytes = match self {
            Self::Each(strings) => strings.iter().map(|string| string.len() as u64).sum(),
            Self::Genres(items) => items.iter().map(|genres| genres.join(GENRES).len() as u64).sum::<u64>(),
        };
        u32::try_from(bytes)
            .map(|bytes| bytes as usize)
            .map_err(|_| format!("the {name} of this set take more than 4 GiB of text"))
    }

    /// Writes the concatenated bytes.
    pub(super) fn write_bytes(self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Each(strings) => strings.iter().try_for_each(|string| out.write_all(string.as_bytes())),
            Self::Genres(items) => {
                items.iter().try_for_each(|genres| out.write_all(genres.join(GENRES).as_bytes()))
            }
        }
    }

    /// Writes the offset at which each string ends.
    pub(super) fn write_ends(self, out: &mut dyn Write) -> io::Result<()> {
        let mut end = 0u32;
        let mut next = |length: usize| {
            end += length as u32;
            out.write_all(&end.to_le_bytes())
        };
        match self {
            Self::Each(strings) => strings.iter().try_for_each(|string| next(string.len())),
            Self::Genres(items) => items.iter().try_for_each(|genres| next(genres.join(GENRES).len())),
        }
    }
}

pub(super) fn split(name: &str, bytes: &[u8], ends: &[u32]) -> Result<Vec<String>, String> {
    let mut start = 0;
    let mut strings = Vec::with_capacity(ends.len());
    for &end in ends {
        let text = bytes.get(start..end as usize).and_then(|text| std::str::from_utf8(text).ok());
        strings.push(text.ok_or_else(|| format!("its {name} are damaged"))?.to_owned());
        start = end as usize;
    }
    if start != bytes.len() {
        return Err(format!("its {name} are damaged"));
    }
    Ok(strings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_survive_and_damage_is_seen() {
        let strings = ["1", "", "Amélie (2001)"];
        let strings = strings.map(String::from);
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        Strings::Each(&strings).write_bytes(&mut bytes).unwrap();
        Strings::Each(&strings).write_ends(&mut ends).unwrap();
        assert_eq!(Strings::Each(&strings).bytes("items"), Ok(bytes.len()));
        let ends: Vec<u32> = ends.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect();
        assert_eq!(split("items", &bytes, &ends).unwrap(), strings);
        assert!(split("items", &bytes[1..], &ends).is_err());
        assert!(split("items", &bytes, &[2, 1, 15]).is_err());
        assert!(split("items", &bytes, &ends[..2]).is_err());
    }
}
