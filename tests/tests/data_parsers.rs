//! Sets that are written by other programs in the forms of text and archives come back as they were, whatever their ids
//! are, and no bytes are more than these forms can take.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::{collections::BTreeSet, io::Write};

use fastvae::data::{Columns, Dataset, LoadOptions, load_bytes};
use proptest::prelude::*;
use serde_json::{Value, json};

type Pairs = BTreeSet<(String, String)>;

fn pairs_of(set: &Dataset) -> Pairs {
    let rows = set.users.iter().zip(set.interactions.iter());
    rows.flat_map(|(user, row)| row.iter().map(move |&item| (user.clone(), set.items[item as usize].clone())))
        .collect()
}

fn read(name: &str, bytes: &[u8]) -> Pairs {
    let shown = || String::from_utf8_lossy(bytes).into_owned();
    pairs_of(
        &load_bytes(name, bytes, &LoadOptions::default())
            .unwrap_or_else(|error| panic!("{error}\n{}", shown())),
    )
}

/// Ids that are no words for missing values, and no numbers, which could be times or fractions.
fn id() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{3}[0-9]{1,3}", "x[ -~]{0,6}x", "ü[\\PC&&[^\u{85}\u{2028}\u{2029}]]{0,4}z"]
        .prop_map(|id| id.trim().to_owned())
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec((id(), id()), 1..30)
}

fn set(pairs: &[(String, String)]) -> Pairs {
    pairs.iter().cloned().collect()
}

/// A tar archive by the POSIX layout.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, bytes) in files {
        let mut header = [0u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", bytes.len()).as_bytes());
        header[148..156].fill(b' ');
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.extend_from_slice(&header);
        archive.extend_from_slice(bytes);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn csv_of(pairs: &[(String, String)]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["user_id", "item_id"]).unwrap();
    pairs.iter().for_each(|(user, item)| writer.write_record([user, item]).unwrap());
    writer.into_inner().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn json_in_every_layout(pairs in pairs()) {
        let flat: Vec<Value> =
            pairs.iter().map(|(user, item)| json!({"n": [1, {"a": null}], "user_id": user, "item_id": item})).collect();
        let expected = set(&pairs);
        let lines: String = flat.iter().map(|object| format!("{object}\n")).collect();
        prop_assert_eq!(&read("set.jsonl", lines.as_bytes()), &expected);
        let array = Value::Array(flat.clone());
        prop_assert_eq!(&read("set.json", array.to_string().as_bytes()), &expected);
        prop_assert_eq!(&read("set.json", serde_json::to_string_pretty(&array).unwrap().as_bytes()), &expected);
        let streamed: Vec<String> = flat.iter().map(|object| serde_json::to_string_pretty(object).unwrap()).collect();
        prop_assert_eq!(&read("set.json", streamed.join("\n").as_bytes()), &expected);
        // Objects within objects, and several items a row.
        let nested: String =
            pairs.iter().map(|(user, item)| format!("{}\n", json!({"who": {"id": user}, "what": [item, item]}))).collect();
        let columns: Columns = "user=who.id,items=what".parse().unwrap();
        let options = LoadOptions { columns: Some(columns), ..LoadOptions::default() };
        prop_assert_eq!(&pairs_of(&load_bytes("set.jsonl", nested.as_bytes(), &options).unwrap()), &expected);
    }

    #[test]
    fn archives_of_parts(pairs in pairs(), cut in 0usize..30) {
        let cut = cut.min(pairs.len() - 1);
        let parts: Vec<Vec<u8>> =
            [&pairs[..cut], &pairs[cut..]].into_iter().filter(|part| !part.is_empty()).map(csv_of).collect();
        let names = ["set/part-00000.csv", "set/part-00001.csv"];
        let files: Vec<(&str, &[u8])> = names.into_iter().zip(parts.iter().map(Vec::as_slice)).collect();
        let archive = tar(&files);
        prop_assert_eq!(&read("set.tar", &archive), &set(&pairs));
        prop_assert_eq!(&read("set.tar.gz", &gzip(&archive)), &set(&pairs));
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in files {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        prop_assert_eq!(&read("set.zip", &zip.finish().unwrap().into_inner()), &set(&pairs));
    }

    #[test]
    fn lists_and_matrices_of_numbers(rows in prop::collection::vec(prop::collection::btree_set(0u32..40, 1..9), 3..20)) {
        let expected: Pairs = rows.iter().enumerate().flat_map(|(user, row)| row.iter().map(move |item| (user.to_string(), item.to_string()))).collect();
        let entries: usize = rows.iter().map(BTreeSet::len).sum();
        let words = |row: &BTreeSet<u32>| row.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        let counted: String = rows.iter().map(|row| format!("{} {}\n", row.len(), words(row))).collect();
        prop_assume!(rows.iter().any(|row| row.len() != rows[0].len()));
        prop_assert_eq!(&read("users.dat", counted.as_bytes()), &expected);
        let of_users: String = rows.iter().enumerate().map(|(user, row)| format!("{user} {}\n", words(row))).collect();
        prop_assert_eq!(&read("train.txt", of_users.as_bytes()), &expected);
        let market: String = rows.iter().enumerate().flat_map(|(user, row)| row.iter().map(move |item| format!("{} {}\n", user + 1, item + 1))).collect();
        let market = format!("%%MatrixMarket matrix coordinate pattern general\n{} 40 {entries}\n{market}", rows.len());
        let ones: Pairs = expected
            .iter()
            .map(|(user, item)| ((user.parse::<u32>().unwrap() + 1).to_string(), (item.parse::<u32>().unwrap() + 1).to_string()))
            .collect();
        prop_assert_eq!(&read("set.mtx", market.as_bytes()), &ones);
        let netflix: String = (0..40u32).filter_map(|item| {
            let users: Vec<String> = rows.iter().enumerate().filter(|(_, row)| row.contains(&item)).map(|(user, _)| format!("{user},3,2005-09-06\n")).collect();
            (!users.is_empty()).then(|| format!("{item}:\n{}", users.concat()))
        }).collect();
        prop_assert_eq!(&read("combined_data_1.txt", netflix.as_bytes()), &expected);
    }

    #[test]
    fn encodings_of_the_same_text(pairs in pairs()) {
        let text = String::from_utf8(csv_of(&pairs)).unwrap();
        let wide = |bytes: fn(u16) -> [u8; 2], mark: &[u8]| -> Vec<u8> {
            mark.iter().copied().chain(text.encode_utf16().flat_map(bytes)).collect()
        };
        prop_assert_eq!(&read("set.csv", &[b"\xef\xbb\xbf", text.as_bytes()].concat()), &set(&pairs));
        prop_assert_eq!(&read("set.csv", &wide(u16::to_le_bytes, b"\xff\xfe")), &set(&pairs));
        prop_assert_eq!(&read("set.csv", &wide(u16::to_be_bytes, b"\xfe\xff")), &set(&pairs));
    }

    #[test]
    fn tables_as_psql_prints_them(pairs in pairs(), aligned: bool) {
        let pairs: Vec<_> = pairs.iter().filter(|(user, item)| !user.contains('|') && !item.contains('|')).cloned().collect();
        prop_assume!(!pairs.is_empty());
        let width = |column: fn(&(String, String)) -> &String, name: &str| {
            pairs.iter().map(|pair| column(pair).chars().count()).max().unwrap_or(0).max(name.len())
        };
        let (first, second) = (width(|pair| &pair.0, "user_id"), width(|pair| &pair.1, "item_id"));
        let line = |user: &str, item: &str| {
            if aligned { format!(" {user:first$} | {item:second$} \n") } else { format!("{user}|{item}\n") }
        };
        let rule = if aligned { format!("-{0:-<first$}-+-{0:-<second$}-\n", "") } else { String::new() };
        let rows: String = pairs.iter().map(|(user, item)| line(user, item)).collect();
        let count = if pairs.len() == 1 { "(1 row)".to_owned() } else { format!("({} rows)", pairs.len()) };
        let text = format!("{}{rule}{rows}{count}\n\n", line("user_id", "item_id"));
        prop_assert_eq!(&read("set.txt", text.as_bytes()), &set(&pairs));
        // A row that is lost is missed.
        let cut = text.replacen(&line(&pairs[0].0, &pairs[0].1), "", 1);
        if pairs.len() > 1 {
            prop_assert!(load_bytes("set.txt", cut.as_bytes(), &LoadOptions::default()).is_err());
        }
    }

    #[test]
    fn titles_in_every_form(titles in prop::collection::vec("[a-zé][ -~é]{0,20}[a-z)]", 1..12)) {
        let zip = |files: &[(&str, Vec<u8>)]| {
            let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
            for (name, bytes) in files {
                zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
                zip.write_all(bytes).unwrap();
            }
            zip.finish().unwrap().into_inner()
        };
        // Numbers of rows would be no ids.
        let id = |at: usize| (at * 3 + 5).to_string();
        let rated = |between: &str| {
            let row = |at: usize| ["7", &id(at), "4", "978300760\n"].join(between);
            (0..titles.len()).map(row).collect::<String>().into_bytes()
        };
        let lines = |line: &dyn Fn(usize, &str) -> String| {
            titles.iter().enumerate().map(|(at, title)| line(at, title)).collect::<String>()
        };
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["movieId", "title", "genres"]).unwrap();
        for (at, title) in titles.iter().enumerate() {
            csv.write_record([&id(at), title, "Drama|War"]).unwrap();
        }
        let plain = !titles.iter().any(|title| title.contains("::") || title.contains('|') || title.ends_with(':'));
        let dat = lines(&|at, title| format!("{}::{title}::Drama|War\n", id(at)));
        let flags = [["0"; 8].join("|"), ["1"; 1].join("|"), ["0"; 10].join("|")].join("|");
        let item = lines(&|at, title| format!("{}|{title}|01-Jan-1995||http://x|{flags}\n", id(at)));
        let latin = |text: &str| text.chars().map(|c| c as u8).collect::<Vec<u8>>();
        let header = b"userId,movieId,rating,timestamp\n".to_vec();
        let mut sets = vec![zip(&[("ratings.csv", [header, rated(",")].concat()), ("movies.csv", csv.into_inner().unwrap())])];
        if plain {
            sets.push(zip(&[("ratings.dat", rated("::")), ("movies.dat", dat.clone().into_bytes())]));
            sets.push(zip(&[("ratings.dat", rated("::")), ("movies.dat", latin(&dat))]));
            sets.push(zip(&[("u.data", rated("\t")), ("u.item", latin(&item))]));
        }
        for bytes in sets {
            let set = load_bytes("set.zip", &bytes, &LoadOptions::default()).unwrap();
            let expected: Vec<String> = set.items.iter().map(|item| titles[(item.parse::<usize>().unwrap() - 5) / 3].clone()).collect();
            prop_assert_eq!(set.titles.unwrap(), expected);
            prop_assert!(set.genres.unwrap().iter().all(|genres| genres.iter().any(|genre| genre == "Drama")));
        }
    }

    #[test]
    fn columns_that_are_read_are_printed_and_read_again(text in prop_oneof!["[a-z=,0-3]{0,30}", "user=\\PC{1,6},item=\\PC{1,6}"]) {
        if let Ok(columns) = text.parse::<Columns>() {
            prop_assert_eq!(columns.to_string().parse::<Columns>().unwrap(), columns);
        }
    }

    #[test]
    fn no_bytes_panic(
        name in prop::sample::select(vec!["a.csv", "a.json", "a.jsonl", "a.tar", "a.mtx", "a.inter", "train.txt", "a.npy", "a.mat", "a.parquet"]),
        text in prop_oneof!["[ab01,;:{}\\[\\]\"' \\t\\n%|=.-]{0,80}", "(\\{\"user\":[0-9\",:{} a-c\\[\\]]{0,20}\\}\n?){0,6}", "\\PC{0,60}"],
    ) {
        let _ = load_bytes(name, text.as_bytes(), &LoadOptions::default());
    }
}
