//! Fingerprints that show whether two data sets are equal.

use crate::data::Dataset;

/// FNV-1a (64 bits) over ids and interactions, in hexadecimal.
pub fn fingerprint(dataset: &Dataset) -> String {
    let mut hash = Fnv::default();
    for id in dataset.users.iter().chain([&String::new()]).chain(&dataset.items) {
        hash.add(id.as_bytes());
        hash.add(b"\0");
    }
    for row in dataset.interactions.iter() {
        hash.add(&(row.len() as u32).to_le_bytes());
        for item in row {
            hash.add(&item.to_le_bytes());
        }
    }
    hash.shown()
}

/// The same hash over titles and genres.
pub(super) fn names_fingerprint(dataset: &Dataset) -> String {
    let mut hash = Fnv::default();
    for title in dataset.titles.iter().flatten() {
        hash.add(title.as_bytes());
        hash.add(b"\0");
    }
    for genres in dataset.genres.iter().flatten() {
        hash.add(b"\x01");
        for genre in genres {
            hash.add(genre.as_bytes());
            hash.add(b"\0");
        }
    }
    hash.shown()
}

struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn shown(&self) -> String {
        format!("{:016x}", self.0)
    }
}
