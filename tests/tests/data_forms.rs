//! Every form of interactions, read from bytes, folders and zip archives.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::{
    fs,
    io::{Cursor, Write},
};

use fastvae::data::{Dataset, LoadOptions, load, load_bytes, load_files};

fn read(name: &str, bytes: &[u8]) -> Dataset {
    load_bytes(name, bytes, &LoadOptions::default()).unwrap()
}

fn options(columns: &str) -> LoadOptions {
    LoadOptions { columns: Some(columns.parse().unwrap()), ..LoadOptions::default() }
}

/// Each user with their items, by ids.
fn shown(set: &Dataset) -> String {
    let rows = set.users.iter().zip(set.interactions.iter());
    let items =
        |row: &[u32]| row.iter().map(|&i| set.items[i as usize].clone()).collect::<Vec<_>>().join(" ");
    rows.map(|(user, row)| format!("{user}: {}", items(row))).collect::<Vec<_>>().join("; ")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        out.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        out.write_all(bytes).unwrap();
    }
    out.finish().unwrap().into_inner()
}

#[test]
fn tables_with_every_delimiter_mean_the_same() {
    let rows = ["7 100 4 881250949", "7 20 3.5 891717742", "12 100 1 878887116", "7 100 5 881250950"];
    for delimiter in ["\t", "::", ",", ";", "|", " ", ", "] {
        for ending in ["\n", "\r\n"] {
            let text = rows.map(|row| row.replace(' ', delimiter)).join(ending);
            let set = read("ratings.txt", text.as_bytes());
            assert_eq!(shown(&set), "7: 20 100; 12: 100", "{delimiter:?} {ending:?}");
            assert_eq!((set.report.rows, set.report.duplicates), (4, 1));
        }
    }
}

#[test]
fn headers_are_found_by_their_names() {
    for text in [
        "userId,movieId,rating,timestamp\nb,x,4.0,9\na,y,1,8\n",
        "rating,ITEM_ID,user id\n4.0,x,b\n1,y,a\n",
        "\u{feff}user_id,parent_asin,asin,rating,timestamp\r\nb,x,0,4.0,1588687728923\r\na,y,0,1.0,1588687728923\r\n",
        "user_id:token\titem_id:token\trating:float\nb\tx\t4.0\na\ty\t1",
        "\"user\";\"isbn\";\"Book-Rating\"\n\"b\";\"x\";\"4\"\n\"a\";\"y\";\"1\"\n",
        "\n# from somewhere\n% bip\nuid\tsid\trating\nb\tx\t4\n\na\ty\t1\n",
    ] {
        let set = read("data.csv", text.as_bytes());
        assert_eq!(shown(&set), "a: y; b: x", "{text}");
        let liked = LoadOptions { min_rating: Some(4.0), ..LoadOptions::default() };
        let liked = load_bytes("data.csv", text.as_bytes(), &liked).unwrap();
        assert_eq!(shown(&liked), "b: x", "{text}");
        assert_eq!(liked.report.below_min_rating, 1);
    }
}

#[test]
fn columns_can_be_named_and_numbered() {
    let text = b"who,what,when\nb,x,3\na,y,4\n";
    assert_eq!(
        shown(&load_bytes("t.csv", text, &options("user=who,item=what,time=when")).unwrap()),
        "a: y; b: x"
    );
    assert_eq!(shown(&load_bytes("t.csv", text, &options("user=0,item=1,rating=2")).unwrap()), "a: y; b: x");
    let bare = b"1,x,9,q,2\n2,y,8,q,1\n";
    assert_eq!(shown(&load_bytes("t.csv", bare, &options("user=4,item=1")).unwrap()), "1: y; 2: x");
}

#[test]
fn amazon_puts_the_item_first_in_2018_alone() {
    let user_first = b"AH2L9G3DQHHAJ,0000000116,4.0,1019865600\nA2IIIDRK3PRRZY,B000000116,1.0,1395619200\n";
    let item_first = b"0000000116,AH2L9G3DQHHAJ,4.0,1019865600\nB000000116,A2IIIDRK3PRRZY,1.0,1395619200\n";
    let expected = "A2IIIDRK3PRRZY: B000000116; AH2L9G3DQHHAJ: 0000000116";
    assert_eq!(shown(&read("ratings_Books.csv", user_first)), expected);
    assert_eq!(shown(&read("Books.csv", item_first)), expected);
}

#[test]
fn json_lines_keep_ids_as_they_are() {
    let text =
        br#"{"reviewerID": "A\u00e9", "asin": "x", "helpful": [2, 3], "overall": 5.0, "unixReviewTime": 1}
{"style": {"Size:": "S"}, "overall": 2, "asin": 123456789012345678901234567890, "reviewerID": "B"}
"#;
    let expected = "A\u{e9}: x; B: 123456789012345678901234567890";
    assert_eq!(shown(&read("reviews_Books_5.json.gz", &gzip(text))), expected);
    let liked = LoadOptions { min_rating: Some(3.0), ..LoadOptions::default() };
    assert_eq!(shown(&load_bytes("r.json", text, &liked).unwrap()), "A\u{e9}: x");
    let set = load_bytes("r.jsonl", br#"{"who":"a","what":7}"#, &options("user=who,item=what")).unwrap();
    assert_eq!(shown(&set), "a: 7");
}

#[test]
fn gowalla_repeats_collapse() {
    let text =
        b"0\t2010-10-19T23:55:27Z\t30.23\t-97.79\t22847\n0\t2010-10-18T22:17:43Z\t30.26\t-97.76\t420315\n\
                 0\t2010-10-17T23:42:03Z\t30.23\t-97.79\t22847\n";
    let set = read("loc-gowalla_totalCheckins.txt.gz", &gzip(text));
    assert_eq!((shown(&set).as_str(), set.report.duplicates), ("0: 22847 420315", 1));
}

#[test]
fn netflix_in_one_file_or_many() {
    let combined = b"1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n2:\n822109,1,2005-05-13\n";
    assert_eq!(shown(&read("combined_data_1.txt", combined)), "822109: 1 2; 1488844: 1");
    let set = read(
        "nf_prize.zip",
        &zip(&[
            ("download/training_set/mv_0000001.txt", b"1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n"),
            ("download/training_set/mv_0000002.txt", b"2:\n822109,1,2005-05-13\n"),
            ("download/movie_titles.txt", b"1,2003,Dinosaur Planet\n2,NULL,Am\xe9lie, Again\n"),
            ("download/README", b"words"),
        ]),
    );
    assert_eq!(shown(&set), "822109: 1 2; 1488844: 1");
    assert_eq!(set.titles.unwrap(), ["Dinosaur Planet (2003)", "Am\u{e9}lie, Again"]);
}

#[test]
fn lightgcn_keeps_its_split_and_its_ids() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train.txt"), "0 0 1\n1 2\n2 0\n").unwrap();
    fs::write(folder.path().join("test.txt"), "0 2 1\n1 0\n2\n").unwrap();
    let set = load(folder.path(), &LoadOptions::default()).unwrap();
    assert_eq!(shown(&set), "0: 0 1 2; 1: 0 2; 2: 0");
    let given = set.given.unwrap();
    assert_eq!(given.train.iter().collect::<Vec<_>>(), [&[0, 1][..], &[2], &[0]]);
    assert_eq!(given.test.users, [0, 1]);
    // Item 1 of user 0 is in both parts; an item of the history cannot be held out.
    assert_eq!(given.test.held_out.iter().collect::<Vec<_>>(), [&[2][..], &[0]]);
    assert_eq!(given.test.fold_in.iter().collect::<Vec<_>>(), [&[0, 1][..], &[2]]);
    assert_eq!((given.test.skipped, given.validation), (1, None));
    fs::write(folder.path().join("item_list.txt"), "org_id remap_id\nB00X 0\nB00Y 1\nB00Z 2\n").unwrap();
    let set = load(folder.path(), &LoadOptions::default()).unwrap();
    assert_eq!(shown(&set), "0: B00X B00Y B00Z; 1: B00X B00Z; 2: B00X");
}

#[test]
fn adjacency_is_known_by_its_name_or_by_its_ragged_lines() {
    assert_eq!(shown(&read("lists.txt", b"0 0 1 2\n1 2\n2 0 1\n")), "0: 0 1 2; 1: 2; 2: 0 1");
    assert_eq!(shown(&read("train.txt", b"0 0 1\n1 2 0\n")), "0: 0 1; 1: 0 2");
    // Truncated ratings are not taken for lists of items.
    let error = load_bytes("ratings.txt", b"7 10 5\n7 11 4\n8 10 3\n8 12", &LoadOptions::default());
    let error = error.expect_err("a column is missing").to_string();
    assert!(error.contains("ratings.txt:4"), "{error}");
}

#[test]
fn vae_cf_keeps_its_parts() {
    let files: [(&str, &[u8]); 6] = [
        ("pro_sg/train.csv", b"uid,sid\n0,0\n0,1\n0,2\n"),
        ("pro_sg/validation_tr.csv", b"uid,sid\n1,0\n"),
        ("pro_sg/validation_te.csv", b"uid,sid\n1,2\n"),
        ("pro_sg/test_tr.csv", b"uid,sid\n2,1\n"),
        ("pro_sg/test_te.csv", b"uid,sid\n2,0\n2,2\n"),
        ("pro_sg/unique_sid.txt", b"5\n6\n7\n"),
    ];
    let given = read("pro_sg.zip", &zip(&files)).given.unwrap();
    assert_eq!(given.train.iter().map(<[u32]>::len).collect::<Vec<_>>(), [3, 0, 0]);
    let validation = given.validation.unwrap();
    assert_eq!((validation.users, validation.fold_in.items()), (vec![1], &[0][..]));
    assert_eq!((given.test.users, given.test.held_out.items()), (vec![2], &[0, 2][..]));
}

#[test]
fn recbole_parts_and_titles() {
    let files: [(&str, &[u8]); 4] = [
        ("shop.train.inter", b"user_id:token\titem_id:token\na\tx\na\ty\n"),
        ("shop.valid.inter", b"user_id:token\titem_id:token\na\tz\n"),
        ("shop.test.inter", b"user_id:token\titem_id:token\na\tw\n"),
        ("shop.item", b"item_id:token\tmovie_title:token_seq\tclass:token_seq\nx\tThe X\tDrama War\n"),
    ];
    let set = read("shop.zip", &zip(&files));
    assert_eq!(set.items, ["w", "x", "y", "z"]);
    assert_eq!(set.titles.unwrap(), ["w", "The X", "y", "z"]);
    assert_eq!(set.genres.unwrap()[1], ["Drama", "War"]);
    let given = set.given.unwrap();
    // Validation items belong to the history in the test.
    assert_eq!(given.test.fold_in.items(), [1, 2, 3]);
    assert_eq!(
        (given.validation.unwrap().held_out.items(), given.test.held_out.items()),
        (&[3][..], &[0][..])
    );
}

#[test]
fn movielens_zips_of_all_generations() {
    let old = zip(&[
        ("ml-1m/movies.dat", b"1::Mis\xe9rables, Les (1995)::Drama|Musical\n"),
        ("ml-1m/ratings.dat", b"1::1::5::978300760\n2::1::3::978300760\n"),
        ("ml-1m/users.dat", b"1::F::1::10::48067\n"),
        ("ml-1m/README", b"words"),
    ]);
    let new = zip(&[
        ("ml-25m/tags.csv", b"userId,movieId,tag,timestamp\n1,1,x,1\n"),
        ("ml-25m/ratings.csv", b"userId,movieId,rating,timestamp\n1,1,5.0,978300760\n2,1,3.0,978300760\n"),
        (
            "ml-25m/movies.csv",
            "movieId,title,genres\n1,\"Misérables, Les (1995)\",Drama|Musical\n".as_bytes(),
        ),
        ("__MACOSX/ml-25m/._ratings.csv", b"\0\0"),
    ]);
    for (name, bytes) in [("ml-1m.zip", old), ("ml-25m.zip", new)] {
        let set = read(name, &bytes);
        assert_eq!(
            (shown(&set).as_str(), set.name.as_str()),
            ("1: 1; 2: 1", name.strip_suffix(".zip").unwrap())
        );
        assert_eq!(set.titles.unwrap(), ["Mis\u{e9}rables, Les (1995)"]);
        assert_eq!(set.genres.unwrap(), [["Drama", "Musical"]]);
    }
}

#[test]
fn quotes_may_begin_anywhere_and_hold_anything() {
    let mut text = "user,item,review\n".to_owned();
    (0..1000).for_each(|row| text += &format!("{row},p,plain\n"));
    text += "1000,\"p, q\",\"two\nlines and a \"\"quote\"\"\"\n";
    let set = read("reviews.csv", text.as_bytes());
    assert_eq!((set.interactions.rows(), set.items), (1001, vec!["p".to_owned(), "p, q".to_owned()]));
}

#[test]
fn blocks_and_threads_do_not_show() {
    // Several blocks of 8 MiB, with unsorted users and items.
    let rows: Vec<(u32, u32)> =
        (0..1_500_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 16, n % 1_999)).collect();
    let text: String = rows.iter().map(|(user, item)| format!("u{user},{item}\n")).collect();
    assert!(text.len() > 2 << 23);
    let set = read("big.csv", text.as_bytes());
    assert_eq!(set.report.rows, 1_500_000);
    let mut pairs: Vec<_> = rows.clone();
    pairs.sort_unstable();
    pairs.dedup();
    assert_eq!(set.interactions.nnz(), pairs.len());
    for &(user, item) in rows.iter().step_by(10_007) {
        let user =
            set.users.binary_search_by(|id| fastvae::data::compare_ids(id, &format!("u{user}"))).unwrap();
        let item = set.items.iter().position(|id| *id == item.to_string()).unwrap() as u32;
        assert!(set.interactions.row(user).binary_search(&item).is_ok());
    }
    // An error far inside the file is reported with its line.
    let broken = text.replacen(&format!("u{},{}\n", rows[1_400_000].0, rows[1_400_000].1), "oops\n", 1);
    let line = broken.lines().position(|line| line == "oops").unwrap() + 1;
    let error = load_bytes("big.csv", broken.as_bytes(), &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("big.csv:{line}: 1 comma-separated field where")), "{error}");
}

#[test]
fn files_that_belong_together_are_one_set() {
    let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let ratings = file("ratings.csv", "userId,movieId,rating,timestamp\n1,10,4,1\n1,20,5,2\n2,10,3,3\n");
    let titles = file("movies.csv", "movieId,title,genres\n10,Alien,Horror|Sci-Fi\n20,Big,Comedy\n");
    for files in [[ratings.clone(), titles.clone()], [titles, ratings.clone()]] {
        let set = load_files(&files, &LoadOptions::default()).unwrap();
        assert_eq!(set.name, "ratings");
        assert_eq!(set.items, ["10", "20"]);
        assert_eq!(set.titles.unwrap(), ["Alien", "Big"]);
    }
    let alone = load_files(std::slice::from_ref(&ratings), &LoadOptions::default()).unwrap();
    assert_eq!((alone.titles, alone.items.len()), (None, 2));
    let zip = ("set.zip".to_owned(), b"PK\x03\x04".to_vec());
    let error = load_files(&[ratings, zip], &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("set.zip"), "{error}");
    assert!(load_files(&[], &LoadOptions::default()).is_err());
}
