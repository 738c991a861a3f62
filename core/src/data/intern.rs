//! Maps external ids to dense numbers.

use std::{borrow::Cow, cmp::Ordering, collections::HashMap, sync::Arc};

use rustc_hash::FxBuildHasher;

use super::parallel;

/// An external id. Plain decimal integers are stored as numbers, because nearly all data sets use them.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Id {
    Number(u64),
    Text(Arc<str>),
}

/// Codes of integers below this are looked up in an array.
const DENSE: u64 = 1 << 22;
const ABSENT: u32 = u32::MAX;

/// Numbers ids in the order in which they first occur. [`merge`] combines several interners.
#[derive(Default)]
pub(super) struct Interner {
    dense: Vec<u32>,
    numbers: HashMap<u64, u32, FxBuildHasher>,
    texts: HashMap<Arc<str>, u32, FxBuildHasher>,
    ids: Vec<Id>,
    /// How often an id was not UTF-8 and was read as Windows-1252.
    pub(super) decoded: u64,
}

impl Interner {
    /// The number of different ids.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The id with this code.
    pub(super) fn name(&self, code: u32) -> Cow<'_, str> {
        match &self.ids[code as usize] {
            Id::Number(number) => number.to_string().into(),
            Id::Text(text) => (&**text).into(),
        }
    }

    /// All codes in the order of [`compare_ids`].
    pub(super) fn sorted(&self) -> Vec<u32> {
        let mut codes: Vec<u32> = (0..self.ids.len() as u32).collect();
        codes.sort_unstable_by(|&a, &b| compare(&self.ids[a as usize], &self.ids[b as usize]));
        codes
    }

    /// Forgets all ids.
    pub(super) fn clear(&mut self) {
        self.dense.fill(ABSENT);
        self.numbers.clear();
        self.texts.clear();
        self.ids.clear();
    }

    /// The code of an id that occurred.
    pub(super) fn find(&self, id: &str) -> Option<u32> {
        match canonical(id.as_bytes()) {
            None => self.texts.get(id).copied(),
            Some(number) if number < DENSE => {
                self.dense.get(number as usize).copied().filter(|&code| code != ABSENT)
            }
            Some(number) => self.numbers.get(&number).copied(),
        }
    }

    /// The code of an id.
    pub(super) fn code(&mut self, id: &[u8]) -> Result<u32, String> {
        let next = self.ids.len() as u32;
        if next == ABSENT {
            return Err("more than 2^32 - 2 different ids".into());
        }
        let Some(number) = canonical(id) else {
            let Ok(text) = std::str::from_utf8(id) else { return self.decoded_code(id) };
            if let Some(&code) = self.texts.get(text) {
                return Ok(code);
            }
            let text: Arc<str> = text.into();
            self.texts.insert(Arc::clone(&text), next);
            self.ids.push(Id::Text(text));
            return Ok(next);
        };
        let code = if number < DENSE {
            let at = number as usize;
            if at >= self.dense.len() {
                self.dense.resize((at + 1).next_power_of_two(), ABSENT);
            }
            &mut self.dense[at]
        } else {
            self.numbers.entry(number).or_insert(ABSENT)
        };
        if *code == ABSENT {
            *code = next;
            self.ids.push(Id::Number(number));
        }
        Ok(*code)
    }
}

impl Interner {
    /// The code of an id that is not UTF-8.
    #[cold]
    fn decoded_code(&mut self, id: &[u8]) -> Result<u32, String> {
        let text = windows_1252(id).ok_or_else(|| {
            format!("the id {:?} is not UTF-8; save the file as UTF-8", String::from_utf8_lossy(id))
        })?;
        self.decoded += 1;
        self.code(text.as_bytes())
    }
}

/// The text of bytes that are not UTF-8, read as Windows-1252, in which every sequence of bytes has a meaning.
#[cfg(feature = "forms")]
fn windows_1252(bytes: &[u8]) -> Option<String> {
    Some(encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned())
}

#[cfg(not(feature = "forms"))]
fn windows_1252(_: &[u8]) -> Option<String> {
    None
}

/// The value of an integer that is printed as the same text: no sign, no leading zero, at most 19 digits.
fn canonical(id: &[u8]) -> Option<u64> {
    if id.is_empty() || id.len() > 19 || (id[0] == b'0' && id.len() > 1) {
        return None;
    }
    id.iter().try_fold(0u64, |value, &byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + u64::from(digit))
    })
}

/// The standard order of ids: integers of any length by value, then all other texts by their bytes.
///
/// It makes the numbering of a data set independent of the order of its rows and the number of threads.
pub fn compare_ids(a: &str, b: &str) -> Ordering {
    /// Sort key: numbers before texts; numbers by their length without leading zeros, then by their digits.
    fn key(id: &str) -> (bool, usize, &str) {
        if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
            let digits = id.trim_start_matches('0');
            (false, digits.len(), digits)
        } else {
            (true, 0, id)
        }
    }
    key(a).cmp(&key(b)).then_with(|| a.cmp(b))
}

fn compare(a: &Id, b: &Id) -> Ordering {
    match (a, b) {
        (Id::Number(a), Id::Number(b)) => a.cmp(b),
        (Id::Text(a), Id::Text(b)) => compare_ids(a, b),
        (Id::Number(a), Id::Text(b)) => compare_ids(&a.to_string(), b),
        (Id::Text(a), Id::Number(b)) => compare_ids(a, &b.to_string()),
    }
}

/// The union of several interners in the order of [`compare_ids`], and for each interner the position of each
/// of its codes in that union.
pub(super) fn merge(interners: Vec<Interner>) -> (Vec<String>, Vec<Vec<u32>>) {
    let mut places: Vec<Vec<u32>> = interners.iter().map(|interner| vec![0; interner.ids.len()]).collect();
    let mut all: Vec<(Id, u32, u32)> = Vec::with_capacity(places.iter().map(Vec::len).sum());
    for (source, interner) in interners.into_iter().enumerate() {
        let ids = interner.ids.into_iter().enumerate();
        all.extend(ids.map(|(code, id)| (id, source as u32, code as u32)));
    }
    parallel::sort_by(&mut all, |a, b| compare(&a.0, &b.0));
    let mut names: Vec<String> = Vec::new();
    let mut last: Option<Id> = None;
    for (id, source, code) in all {
        if last.as_ref() != Some(&id) {
            names.push(match &id {
                Id::Number(number) => number.to_string(),
                Id::Text(text) => text.to_string(),
            });
            last = Some(id);
        }
        places[source as usize][code as usize] = names.len() as u32 - 1;
    }
    (names, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_order_by_value_then_by_text() {
        let mut ids =
            ["b", "10", "9", "a", "007", "7", "99999999999999999999999", "18446744073709551615", "0", ""];
        ids.sort_by(|a, b| compare_ids(a, b));
        let expected =
            ["0", "007", "7", "9", "10", "18446744073709551615", "99999999999999999999999", "", "a", "b"];
        assert_eq!(ids, expected);
    }

    #[test]
    fn merged_interners_agree_on_places() {
        let (mut left, mut right) = (Interner::default(), Interner::default());
        let ids = ["20", "x", "3", "07", "7", "123456789012", "99999999999999999999"];
        let left_codes: Vec<u32> = ids.iter().map(|id| left.code(id.as_bytes()).unwrap()).collect();
        let right_codes: Vec<u32> = ids.iter().rev().map(|id| right.code(id.as_bytes()).unwrap()).collect();
        let (names, places) = merge(vec![left, right]);
        assert_eq!(names, ["3", "07", "7", "20", "123456789012", "99999999999999999999", "x"]);
        for (at, id) in ids.iter().enumerate() {
            assert_eq!(names[places[0][left_codes[at] as usize] as usize], *id);
            assert_eq!(names[places[1][right_codes[ids.len() - 1 - at] as usize] as usize], *id);
        }
    }
}
