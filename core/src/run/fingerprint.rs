//! Tells one data set from another.

use crate::data::Dataset;

/// 64 bits of FNV-1a over the ids and interactions, in hexadecimal.
pub fn fingerprint(dataset: &Dataset) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |bytes: &[u8]| {
        for &byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for id in dataset.users.iter().chain([&String::new()]).chain(&dataset.items) {
        add(id.as_bytes());
        add(b"\0");
    }
    for row in dataset.interactions.iter() {
        add(&(row.len() as u32).to_le_bytes());
        for item in row {
            add(&item.to_le_bytes());
        }
    }
    format!("{hash:016x}")
}
