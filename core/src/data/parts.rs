//! Recognises by their names files that are parts of one set: numbered parts, and training and test files.

use std::collections::HashSet;

use super::{moment, names::MORE, shard::Part};

/// Words for the parts of a split.
const WORDS: [(&str, Part); 30] = [
    ("train", Part::Train),
    ("training", Part::Train),
    ("trn", Part::Train),
    ("trainset", Part::Train),
    ("base", Part::Train),
    ("valid", Part::ValidationHeldOut),
    ("validation", Part::ValidationHeldOut),
    ("val", Part::ValidationHeldOut),
    ("dev", Part::ValidationHeldOut),
    ("validset", Part::ValidationHeldOut),
    ("valset", Part::ValidationHeldOut),
    ("test", Part::TestHeldOut),
    ("testing", Part::TestHeldOut),
    ("tst", Part::TestHeldOut),
    ("testset", Part::TestHeldOut),
    ("heldout", Part::TestHeldOut),
    ("holdout", Part::TestHeldOut),
    ("tr", Part::Train),
    ("trainingset", Part::Train),
    ("learn", Part::Train),
    ("learning", Part::Train),
    ("va", Part::ValidationHeldOut),
    ("validationset", Part::ValidationHeldOut),
    ("devset", Part::ValidationHeldOut),
    ("eval", Part::ValidationHeldOut),
    ("evaluation", Part::ValidationHeldOut),
    ("te", Part::TestHeldOut),
    ("ts", Part::TestHeldOut),
    ("testingset", Part::TestHeldOut),
    ("probe", Part::TestHeldOut),
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
        // `2019-Oct.csv` and `2019-Nov.csv`.
        let is_month = moment::month_of(stem).is_some();
        let is_word = !(stem.is_empty() || digits && hexadecimal || is_month);
        is_word.then(|| stem.to_owned())
    };
    words(&path.join("/")).iter().filter_map(plain).collect()
}

/// Whether a name without an ending is that of a part, as Hadoop and Hive write them: `part-00000`, `000000_0`.
pub(super) fn is_numbered(name: &str) -> bool {
    let numbers = |text: &str| {
        text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'_' | b'-'))
    };
    let number = name.strip_prefix("part-").map(|rest| rest.trim_start_matches(['r', 'm', '-']));
    let ends = |ending: &str| ending.len() >= 2 && ending.bytes().all(|byte| byte.is_ascii_digit());
    let of_split =
        |text: &str| matches!(text.len(), 2 | 3) && text.bytes().all(|byte| byte.is_ascii_lowercase());
    numbers(number.unwrap_or(name))
        // `log.csv.000`, `0.part` of Dask, and `xaa` of the program split.
        || MORE && name.rsplit_once('.').is_some_and(|(_, ending)| ends(ending))
        || MORE && name.strip_suffix(".part").is_some_and(|stem| stem.bytes().all(|byte| byte.is_ascii_digit()))
        || MORE && name.strip_prefix('x').is_some_and(of_split)
}

/// The problem with files that split one set several times, as for cross-validation.
pub(super) fn folds(files: &[String]) -> Option<String> {
    let numbered = |file: &String, part: Part| {
        let words = words(file);
        let fold = words.iter().any(|word| word.starts_with("fold"));
        let number = |word: &str| word.ends_with(|c: char| c.is_ascii_digit());
        // `train1`, and `u1.base`.
        let attached = words.iter().any(|word| part_of(word).is_some() && number(word))
            || words.last().is_some_and(|word| word == "base")
            || words.iter().any(|word| word == "test") && words.len() == 2 && number(&words[0]);
        (fold || attached) && words.iter().rev().find_map(|word| part_of(word)) == Some(part)
    };
    let of = |part: Part| files.iter().filter(|file| numbered(file, part)).count();
    let tests = of(Part::TestHeldOut);
    (tests >= 2 && of(Part::Train) == tests).then(|| {
        format!("{tests} training and {tests} test files, as for cross-validation; put those of one split into a folder, or give the path of one file")
    })
}

/// Whether files are numbered parts of one: their names differ in nothing but numbers.
pub(super) fn are_one_set(files: &[String]) -> bool {
    let stems: Vec<Vec<String>> = files.iter().map(|file| stem(file)).collect();
    stems.iter().collect::<HashSet<_>>().len() == 1 || MORE && are_lettered(&stems)
}

/// Whether names differ in one word, which counts in letters: `log_a`, `log_b`; `xaa`, `xab`.
fn are_lettered(stems: &[Vec<String>]) -> bool {
    let first = &stems[0];
    let differs = |at: &usize| stems.iter().any(|stem| stem.get(*at) != first.get(*at));
    let places: Vec<usize> = (0..first.len()).filter(differs).collect();
    let [at] = places[..] else { return false };
    if stems.iter().any(|stem| stem.len() != first.len()) {
        return false;
    }
    let mut letters: Vec<&[u8]> = stems.iter().map(|stem| stem[at].as_bytes()).collect();
    letters.sort_unstable();
    let number = |word: &[u8]| match *word {
        [letter @ b'a'..=b'z'] => Some(i32::from(letter)),
        [b'x', high @ b'a'..=b'z', low @ b'a'..=b'z'] => Some((i32::from(high)) * 26 + i32::from(low)),
        _ => None,
    };
    let counts = |pair: &[&[u8]]| number(pair[0]).is_some_and(|one| number(pair[1]) == Some(one + 1));
    let begins = if first.len() > 2 { letters[0] == b"a" } else { letters[0] == b"xaa" };
    begins && letters.windows(2).all(counts)
}

/// The files of a training and a test part, and perhaps of a validation part, if there are both; the names of
/// all of them differ in nothing else but numbers. A validation part alone stands for the test.
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
    let held_out = has(Part::TestHeldOut) || MORE && has(Part::ValidationHeldOut);
    (stems.len() == 1 && has(Part::Train) && held_out).then_some(found)
}

/// What to say of a split without a test part, whose validation part becomes the test.
#[cfg(feature = "forms")]
pub(super) fn validation_as_test(split: &mut [(String, Part)]) -> Option<&'static str> {
    if split.iter().any(|one| one.1 == Part::TestHeldOut) {
        return None;
    }
    split.iter_mut().filter(|one| one.1 == Part::ValidationHeldOut).for_each(|one| one.1 = Part::TestHeldOut);
    Some("there is no test part; the validation part is the test of the given split")
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
            &["2019-Oct.csv", "2019-Nov.csv"],
            #[cfg(feature = "forms")]
            &["log_a.csv", "log_b.csv", "log_c.csv"],
            #[cfg(feature = "forms")]
            &["xaa", "xab"],
            &["log.csv.000", "log.csv.001"],
            &["only.csv"],
        ] {
            assert!(are_one_set(&names(files)), "{files:?}");
        }
        assert!(!are_one_set(&names(&["users.csv", "items.csv"])));
        assert!(
            !are_one_set(&names(&["log_a.csv", "log_c.csv"])) && !are_one_set(&names(&["u.csv", "i.csv"]))
        );
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
        assert_eq!(parts(&["u1.base", "u1.test"]), Some(vec![Train, Test]));
        assert_eq!(parts(&["x_tr.csv", "x_te.csv"]), Some(vec![Train, Test]));
        assert_eq!(parts(&["train.csv", "eval.csv", "test.csv"]), Some(vec![Train, Validation, Test]));
        assert_eq!(parts(&["trainingset.csv", "probe.csv"]), Some(vec![Train, Test]));
        #[cfg(feature = "forms")]
        {
            let mut alone = split(&names(&["dev.csv", "train.csv"])).unwrap();
            assert!(validation_as_test(&mut alone).is_some());
            assert_eq!((alone[0].1, alone[1].1), (Test, Train));
            let mut both = split(&names(&["dev.csv", "train.csv", "test.csv"])).unwrap();
            assert_eq!((validation_as_test(&mut both), both[0].1), (None, Validation));
        }
        assert_eq!(parts(&["ml-1m.train.rating", "ml-1m.test.rating"]), Some(vec![Train, Test]));
        for files in [&["train.csv"][..], &["a_train.csv", "b_test.csv"], &["latest.csv", "training.csv"]] {
            assert_eq!(parts(files), None, "{files:?}");
        }
    }

    #[test]
    fn parts_without_an_ending_and_folds_are_known() {
        assert!(["part-00000", "part-r-00001", "000000_0"].iter().all(|name| is_numbered(name)));
        #[cfg(feature = "forms")]
        assert!(["log.csv.000", "12.part", "xaa"].iter().all(|name| is_numbered(name)));
        assert!(
            ["readme", "part-x", "12", "data", "v1.2", "movie.part"].iter().all(|name| !is_numbered(name))
        );
        for files in [
            &["u1.base", "u1.test", "u2.base", "u2.test"][..],
            &["train1.csv", "train2.csv", "test1.csv", "test2.csv"],
            &["fold_0/train.csv", "fold_0/test.csv", "fold_1/train.csv", "fold_1/test.csv"],
        ] {
            assert!(folds(&names(files)).is_some(), "{files:?}");
        }
        for files in [
            &["train/part-0.csv", "train/part-1.csv", "test/part-0.csv", "test/part-1.csv"][..],
            &["train.csv", "test.csv"],
            &["u1.base", "u1.test"],
        ] {
            assert!(folds(&names(files)).is_none(), "{files:?}");
        }
    }
}
