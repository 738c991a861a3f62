//! Many strings as two tensors: their bytes in a row, and the place where each ends.

/// Between the genres of one item: the unit separator, which no name contains.
pub(super) const GENRES: &str = "\u{1f}";

pub(super) fn join(
    name: &str,
    strings: &mut dyn Iterator<Item = &str>,
) -> Result<(Vec<u8>, Vec<u32>), String> {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for string in strings {
        bytes.extend_from_slice(string.as_bytes());
        let end = u32::try_from(bytes.len());
        ends.push(end.map_err(|_| format!("the {name} of this set take more than 4 GiB of text"))?);
    }
    Ok((bytes, ends))
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
        let (bytes, ends) = join("items", &mut strings.into_iter()).unwrap();
        assert_eq!(split("items", &bytes, &ends).unwrap(), strings);
        assert!(split("items", &bytes[1..], &ends).is_err());
        assert!(split("items", &bytes, &[2, 1, 15]).is_err());
        assert!(split("items", &bytes, &ends[..2]).is_err());
    }
}
