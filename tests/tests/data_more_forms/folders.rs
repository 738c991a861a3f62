//! Parts of a set, partitions, splits, and which file of a folder is meant.

use super::*;

#[test]
fn parts_partitions_and_splits_of_a_folder() {
    let folder = |files: &[(&str, &str)]| {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    };
    let (first, second) = ("user,item\na,x\na,y\n", "user,item\nb,y\nc,x\nc,z\n");
    for files in [
        [("part-00000-3f2a.csv", first), ("part-00001-3f2a.csv", second), ("_SUCCESS", "")],
        [("day=1/part-0.csv", first), ("day=2/part-0.csv", second), ("day=2/.part-0.csv.crc", "x")],
        [("shop.part1.inter", first), ("shop.part2.inter", second), ("notes.md", "")],
        [("2021-Oct.csv", first), ("2021-Nov.csv", second), ("notes.md", "")],
        [("part-r-00000", first), ("part-r-00001", second), ("_SUCCESS", "")],
    ] {
        let set = load(folder(&files).path(), &LoadOptions::default()).unwrap();
        assert_eq!((shown(&set).as_str(), set.report.files.len()), (SET, 2), "{files:?}");
    }
    // A key of the partition is a column.
    let days = folder(&[("day=2024-01-01/p.csv", first), ("day=2024-01-02/p.csv", second)]);
    let options = LoadOptions { conditions: "day=2024-01-02".parse().unwrap(), ..LoadOptions::default() };
    assert_eq!(shown(&load(days.path(), &options).unwrap()), "b: y; c: x z");
    let options = LoadOptions { since: Some("2024-01-02".parse().unwrap()), ..LoadOptions::default() };
    assert_eq!(shown(&load(days.path(), &options).unwrap()), "b: y; c: x z");
    // Rows of Hive have no header, and the keys of their folders no names above them.
    let rows = |csv: &str| {
        csv.lines().skip(1).map(|line| format!("{}\n", line.replace(',', "\u{1}"))).collect::<String>()
    };
    let hive =
        folder(&[("day=2024-01-01/000000_0", &rows(first)), ("day=2024-01-02/000000_0", &rows(second))]);
    assert_eq!(shown(&load(hive.path(), &LoadOptions::default()).unwrap()), SET);
    let options = LoadOptions { conditions: "day=2024-01-02".parse().unwrap(), ..LoadOptions::default() };
    assert_eq!(shown(&load(hive.path(), &options).unwrap()), "b: y; c: x z");
    let differing = folder(&[("p1.csv", first), ("p2.csv", "customer,product\nb,y\n")]);
    let error = load(differing.path(), &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("p2.csv") && error.contains("user=customer,item=product"), "{error}");
    for files in [
        [("train.csv", first), ("test.csv", "user,item\na,z\n"), ("users.csv", "user,age\na,1\n")],
        [("shop_training.csv", first), ("shop_heldout.csv", "user,item\na,z\n"), ("notes.md", "")],
        [("trainset.csv", first), ("testset.csv", "user,item\na,z\n"), ("notes.md", "")],
        [("u1.base", first), ("u1.test", "user,item\na,z\n"), ("notes.md", "")],
        [("ml-1m.train.rating", first), ("ml-1m.test.rating", "user,item\na,z\n"), ("notes.md", "")],
    ] {
        let set = load(folder(&files).path(), &LoadOptions::default()).unwrap();
        let given = set.given.as_ref().unwrap();
        assert_eq!((given.train.nnz(), given.test.held_out.nnz()), (2, 1), "{files:?}");
        assert_eq!(set.report.notes.iter().any(|note| note.contains("users.csv")), files[2].0 == "users.csv");
    }
}

#[test]
fn the_table_of_a_folder_that_names_both_is_the_set() {
    let folder = |files: &[(&str, &str)]| {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        folder
    };
    let log = format!(
        "timestamp,visitorid,event,itemid\n{}\n",
        rows(|u, i| format!("1433221332117,{u},view,{i}"), "\n")
    );
    let properties = "timestamp,itemid,property,value\n1435460400000,x,790,n1\n1435460400000,y,790,n2\n";
    let tree = "categoryid,parentid\n1,2\n3,4\n";
    let files = [("events.csv", log.as_str()), ("properties_part1.csv", properties), ("tree.csv", tree)];
    let set = load(folder(&files).path(), &LoadOptions::default()).unwrap();
    assert_eq!((shown(&set).as_str(), set.report.files.as_slice()), (SET, &["events.csv".to_owned()][..]));
    assert!(
        set.report.notes.iter().any(|note| note.contains("properties_part1.csv, tree.csv")),
        "{:?}",
        set.report.notes
    );
    // Not if two name both, or one may be rows without a header.
    for other in [log.as_str(), "1,2\n1,3\n2,2\n"] {
        let error =
            load(folder(&[files[0], ("other.csv", other)]).path(), &LoadOptions::default()).unwrap_err();
        assert!(error.to_string().contains("several files may be meant"), "{error}");
    }
    // Splits for cross-validation are not one split.
    let folds = ["train1.csv", "test1.csv", "train2.csv", "test2.csv"].map(|name| (name, "user,item\na,x\n"));
    let error = load(folder(&folds).path(), &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("cross-validation"), "{error}");
}
