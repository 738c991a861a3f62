//! Histories that are grouped in bounded memory are those of the set in memory, in any form and order.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::{fs, path::Path, sync::Arc};

use fastvae::data::{Grouping, ItemNumbers, LoadOptions, MissingIds, grouped, load};
use proptest::prelude::*;
use tempfile::tempdir;

/// Numbers of some of the items, as a model has them.
fn numbers(items: impl IntoIterator<Item = &'static str>) -> Arc<ItemNumbers> {
    Arc::new(items.into_iter().map(str::to_owned).zip(10..).collect())
}

/// Users and their known items by the set in memory.
fn in_memory(path: &Path, options: &LoadOptions, items: &ItemNumbers) -> Vec<(String, Vec<u32>)> {
    let set = load(path, options).unwrap();
    let history = |row: &[u32]| {
        let mut row: Vec<u32> =
            row.iter().filter_map(|&item| items.get(&set.items[item as usize]).copied()).collect();
        row.sort_unstable();
        row
    };
    set.users.iter().cloned().zip(set.interactions.iter().map(history)).collect()
}

#[track_caller]
fn same(path: &Path, options: &LoadOptions, items: &Arc<ItemNumbers>, rows: usize) {
    let folder = path.parent().unwrap().to_owned();
    let files = || fs::read_dir(&folder).unwrap().count();
    let before = files();
    let grouping = Grouping { items: Arc::clone(items), folder: folder.clone(), rows };
    let found: Vec<_> = grouped(path, options, &grouping).unwrap().map(Result::unwrap).collect();
    assert_eq!(found, in_memory(path, options, items), "{} {rows}", path.display());
    assert_eq!(files(), before, "temporary files stayed");
}

#[test]
fn every_form_gives_the_histories_of_the_set() {
    let folder = tempdir().unwrap();
    let items = numbers(["a", "b", "c", "7", "10"]);
    let csv = "user,item,rating\nann,a,5\nbob,b,1\nann,c,3\n12,a,4\nann,a,2\n9,NA,4\nNA,a,4\nbob,unheard,5\n,a,3\n12,7,5\n";
    let json = "{\"user\":\"ann\",\"item\":\"a\"}\n{\"user\":\"bob\",\"item\":\"b\"}\n{\"user\":\"ann\",\"item\":\"zz\"}\n";
    let lists = "1 7 10\n2 7\n0 10 7 3\n";
    let quoted = "user,item\n\"a,b\",a\n\"a,b\",\"c\"\nx,\"b\"\n";
    for (name, text) in [("set.csv", csv), ("set.jsonl", json), ("train.txt", lists), ("quoted.csv", quoted)]
    {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        for rows in [1, 2, 3, 1000] {
            same(&path, &LoadOptions::default(), &items, rows);
        }
    }
    let path = folder.path().join("set.csv");
    for options in [
        LoadOptions { min_rating: Some(4.0), ..LoadOptions::default() },
        LoadOptions { missing_ids: MissingIds::Kept, ..LoadOptions::default() },
    ] {
        same(&path, &options, &items, 2);
    }
    let path = folder.path().join("core.csv");
    fs::write(&path, "user,item\nann,a\nann,b\nbob,b\nbob,a\ncid,a\ncid,zz\n").unwrap();
    same(&path, &LoadOptions { core: 2, ..LoadOptions::default() }, &items, 2);
}

#[test]
fn what_is_left_out_is_counted_across_runs() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("set.csv");
    let rows: String = (0..500).map(|n| format!("u{},i{}\nNA,i1\n", n % 7, n % 20)).collect();
    fs::write(&path, format!("user,item\n{rows}")).unwrap();
    let grouping = Grouping { items: numbers(["i1", "i2"]), folder: folder.path().into(), rows: 16 };
    let found = grouped(&path, &LoadOptions::default(), &grouping).unwrap();
    assert_eq!((found.report.rows, found.report.missing_ids), (500, 500));
    assert_eq!((found.items, found.unknown.len(), found.unknown[0].as_str()), (20, 18, "i0"));
    assert!(found.report.notes.iter().any(|note| note.contains("NA")), "{:?}", found.report.notes);
    assert_eq!(found.count(), 7);
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("set.csv");
    let rows: String = (0..500).map(|n| format!("u{n},i1\n")).collect();
    fs::write(&path, format!("user,item\n{rows}")).unwrap();
    let grouping = Grouping { items: numbers(["i1"]), folder: folder.path().join("none"), rows: 16 };
    let error =
        grouped(&path, &LoadOptions { skip_bad_rows: true, ..LoadOptions::default() }, &grouping).err();
    let text = error.unwrap().to_string();
    assert!(text.contains("temporary file") && text.contains("none"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn rows_in_any_order_are_grouped(
        pairs in prop::collection::vec((0u32..40, 0u32..30), 1..400),
        rows in 1usize..200,
        words in any::<bool>(),
    ) {
        let folder = tempdir().unwrap();
        let path = folder.path().join("set.csv");
        let prefix = if words { "x" } else { "" };
        let text: String = pairs.iter().map(|(user, item)| format!("{prefix}{},{item}\n", user * 7)).collect();
        fs::write(&path, format!("user,item\n{text}")).unwrap();
        let items = Arc::new((0..20u32).map(|item| (item.to_string(), 19 - item)).collect());
        same(&path, &LoadOptions::default(), &items, rows);
    }
}
