//! A data set written in any form is read back unchanged.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::{collections::BTreeSet, fs, path::Path};

use fastvae::{
    Error,
    data::{
        Dataset, LoadOptions, MissingIds, Protocol, SplitOptions, SyntheticOptions, WriteForm, WriteOptions,
        load, load_bytes, split, synthetic, write,
    },
};
use proptest::prelude::*;

const TABLES: [WriteForm; 4] = [WriteForm::Csv, WriteForm::CsvGz, WriteForm::Inter, WriteForm::Parquet];

fn small() -> Dataset {
    synthetic(&SyntheticOptions { users: 60, items: 120, shortest: 3, longest: 30, seed: 5 }).unwrap()
}

fn read(path: &Path) -> Dataset {
    load(path, &LoadOptions::default()).unwrap()
}

#[test]
fn every_table_round_trips_with_titles() {
    let (folder, set) = (tempfile::tempdir().unwrap(), small());
    for form in TABLES {
        let path = folder.path().join(format!("{form}/set.{form}"));
        fs::create_dir(path.parent().unwrap()).unwrap();
        assert_eq!(WriteForm::of_path(&path), Some(form));
        assert_eq!(form.to_string().parse::<WriteForm>().unwrap(), form);
        let written = write(&set, &path, form, &WriteOptions::default()).unwrap();
        assert_eq!(written.len(), 2, "{written:?}");
        let back = read(&path);
        assert_eq!(
            (&back.users, &back.items, &back.interactions),
            (&set.users, &set.items, &set.interactions)
        );
        assert_eq!(back.titles, set.titles, "{form}");
        let underscored =
            |genres: &Vec<Vec<String>>| format!("{genres:?}").replace("Science Fiction", "Science_Fiction");
        assert_eq!(underscored(back.genres.as_ref().unwrap()), underscored(set.genres.as_ref().unwrap()));
        // The folder can be read as a data set too, and contains no unfinished files.
        assert_eq!(read(path.parent().unwrap()).interactions, set.interactions);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 2);
    }
    assert!("xlsx".parse::<WriteForm>().unwrap_err().is_usage());
}

#[test]
fn lightgcn_round_trips_its_split() {
    let (folder, set) = (tempfile::tempdir().unwrap(), small());
    let path = folder.path().join("lightgcn");
    assert!(write(&set, &path, WriteForm::Lightgcn, &WriteOptions::default()).unwrap_err().is_usage());
    assert!(!path.exists());
    let weak = split(&set, &SplitOptions { validation_users: 10, ..SplitOptions::default() }).unwrap();
    write(&set, &path, WriteForm::Lightgcn, &WriteOptions { split: Some(&weak), ..Default::default() })
        .unwrap();
    let back = read(&path);
    assert_eq!((&back.users, &back.items, &back.interactions), (&set.users, &set.items, &set.interactions));
    let options = SplitOptions { protocol: Protocol::Given, validation_users: 10, ..SplitOptions::default() };
    let given = split(&back, &options).unwrap();
    assert_eq!((&given.test.users, &given.test.held_out), (&weak.test.users, &weak.test.held_out));
    assert_eq!(given.test.fold_in, weak.test.fold_in);
    // Written again without a split, it retains its split.
    write(&back, &folder.path().join("again"), WriteForm::Lightgcn, &WriteOptions::default()).unwrap();
    assert_eq!(read(&folder.path().join("again")).given, back.given);
}

#[test]
fn a_failed_write_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.csv");
    fs::write(&path, "user,item\n1,2\n").unwrap();
    let mut set = small();
    set.items[0] = "two\nlines".into();
    assert!(matches!(write(&set, &path, WriteForm::Csv, &WriteOptions::default()), Err(Error::Data(_))));
    let nowhere = folder.path().join("none").join("new.csv");
    assert!(matches!(
        write(&small(), &nowhere, WriteForm::Csv, &WriteOptions::default()),
        Err(Error::Io { action: "write", .. })
    ));
    assert_eq!(fs::read_to_string(&path).unwrap(), "user,item\n1,2\n");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn csv_without_formulas_changes_what_spreadsheets_would_calculate() {
    let folder = tempfile::tempdir().unwrap();
    let text = "user,item\n=1+1,+x\n-2,@y\nplain,a=b\n";
    let set = load_bytes("a.csv", text.as_bytes(), &LoadOptions::default()).unwrap();
    for (no_formulas, words) in [(false, ["=1+1,+x", "-2,@y"]), (true, ["'=1+1,'+x", "'-2,'@y"])] {
        let path = folder.path().join("out.csv");
        write(&set, &path, WriteForm::Csv, &WriteOptions { no_formulas, ..Default::default() }).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(words.iter().all(|line| lines.contains(line)) && lines.contains(&"plain,a=b"), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_ids_round_trip(pairs in prop::collection::btree_set(("[ -~é漢]{1,8}", "[ -~é漢]{1,8}"), 1..40)) {
        let pairs: BTreeSet<(String, String)> = pairs
            .into_iter()
            .map(|(user, item)| (user.trim().to_owned(), item.trim().to_owned()))
            .filter(|(user, item)| !user.is_empty() && !item.is_empty())
            .collect();
        prop_assume!(!pairs.is_empty());
        let lines = pairs.iter().map(|(user, item)| serde_json::json!({"user": user, "item": item}).to_string());
        // Words for nothing are ids like any others here.
        let options = LoadOptions { missing_ids: MissingIds::Kept, ..Default::default() };
        let text = lines.collect::<Vec<_>>().join("\n");
        let set = load_bytes("a.jsonl", text.as_bytes(), &options).unwrap();
        prop_assert_eq!(set.interactions.nnz(), pairs.len());
        let folder = tempfile::tempdir().unwrap();
        for form in TABLES {
            let path = folder.path().join(format!("set.{form}"));
            write(&set, &path, form, &WriteOptions::default()).unwrap();
            let back = load(&path, &options).unwrap();
            prop_assert_eq!((&back.users, &back.items), (&set.users, &set.items), "{}", form);
            prop_assert_eq!(&back.interactions, &set.interactions);
        }
    }
}
