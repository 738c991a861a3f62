//! Recognises by their names files that are parts of one set: numbered parts, and training and test files.

use std::collections::HashSet;

use super::shard::Part;

/// Words for the parts of a split.
const WORDS: [(&str, Part); 12] = [
    ("train", Part::Train),
    ("training", Part::Train),
    ("trn", Part::Train),
    ("valid", Part::ValidationHeldOut),
    ("validation", Part::ValidationHeldOut),
    ("val", Part::ValidationHeldOut),
    ("dev", Part::ValidationHeldOut),
    ("test", Part::TestHeldOut),
    ("testing", Part::TestHeldOut),
    ("tst", Part::TestHeldOut),
    ("heldout", Part::TestHeldOut),
    ("holdout", Part::TestHeldOut),
];

/// The words of a path, in lower case.
fn words(file: &str) -> Vec<String> {
    let words = file.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

fn part_of(word: &str) -> Option<Part> {
    let plain = word.trim_end_matches(|c: char| c.is_ascii_digit());
    WORDS.iter().find(|known| known.0 == plain).map(|known| known.1)
}

/// What the names of parts of one file have in common: their words without numbers, and without the folders of
/// partitions (`day=1`).
fn stem(file: &str) -> Vec<String> {
    let path: Vec<&str> = file.split('/').filter(|folder| !folder.contains('=')).collect();
    let plain = |word: &String| {
        // `part1` is `part`; a word of digits and the letters of a hexadecimal number is no word.
        let hexadecimal = word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digits = word.bytes().any(|byte| byte.is_ascii_digit());
        let stem = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_word = !(stem.is_empty() || digits && hexadecimal);
        is_word.then(|| stem.to_owned())
    };
    words(&path.join("/")).iter().filter_map(plain).collect()
}

/// Whether files are numbered parts of one: their names differ in nothing but numbers.
pub(super) fn are_one_set(files: &[String]) -> bool {
    files.iter().map(|file| stem(file)).collect::<HashSet<_>>().len() == 1
}

/// The files of a training and a test part, and perhaps of a validation part, if there are both; the names of
/// all of them differ in nothing else but numbers.
pub(super) fn split(files: &[String]) -> Option<Vec<(String, Part)>> {
    let mut found = Vec::new();
    let mut stems = HashSet::new();
    for file in files {
        // The last word counts: test/train.csv is for training.
        let Some(part) = words(file).iter().rev().find_map(|word| part_of(word)) else { continue };
        stems.insert(stem(file).into_iter().filter(|word| part_of(word).is_none()).collect::<Vec<_>>());
        found.push((file.clone(), part));
    }
    let has = |part: Part| found.iter().any(|one| one.1 == part);
    (stems.len() == 1 && has(Part::Train) && has(Part::TestHeldOut)).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[&str]) -> Vec<String> {
        files.iter().map(|file| (*file).to_owned()).collect()
    }

    #[test]
    fn parts_differ_in_numbers_alone() {
        for files in [
            &["shop.part1.inter", "shop.part2.inter"][..],
            &["part-00000-1a2b-c000.snappy.parquet", "part-00001-9f2e-c000.snappy.parquet"],
            &["day=1/part-0.parquet", "day=2/part-0.parquet", "day=2/part-1.parquet"],
            &["2023.csv", "2024.csv"],
            &["only.csv"],
        ] {
            assert!(are_one_set(&names(files)), "{files:?}");
        }
        assert!(!are_one_set(&names(&["users.csv", "items.csv"])));
        assert!(!are_one_set(&names(&["a.csv", "a.parquet"])));
    }

    #[test]
    fn training_and_test_files_are_a_split() {
        let parts = |files: &[&str]| {
            split(&names(files)).map(|found| found.into_iter().map(|one| one.1).collect::<Vec<_>>())
        };
        use Part::{TestHeldOut as Test, Train, ValidationHeldOut as Validation};
        assert_eq!(parts(&["test.csv", "train.csv"]), Some(vec![Test, Train]));
        assert_eq!(
            parts(&["shop_train.tsv", "shop_val.tsv", "shop_test.tsv"]),
            Some(vec![Train, Validation, Test])
        );
        assert_eq!(
            parts(&["train/part-0.parquet", "train/part-1.parquet", "test/part-0.parquet"]),
            Some(vec![Train, Train, Test])
        );
        assert_eq!(parts(&["train.csv", "users.csv", "test.csv"]), Some(vec![Train, Test]));
        for files in [&["train.csv"][..], &["a_train.csv", "b_test.csv"], &["latest.csv", "training.csv"]] {
            assert_eq!(parts(files), None, "{files:?}");
        }
    }
}
