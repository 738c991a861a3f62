//! Every error in a file has a message that says what is wrong, where, and what to do.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::{fs, io::Write, path::Path};

use fastvae::{
    Error,
    data::{Columns, LoadOptions, load, load_bytes},
};
use proptest::prelude::*;

fn message(name: &str, bytes: &[u8]) -> String {
    load_bytes(name, bytes, &LoadOptions::default()).unwrap_err().to_string()
}

/// Asserts that the message contains all of these texts.
#[track_caller]
fn says(message: &str, pieces: &[&str]) {
    for piece in pieces {
        assert!(message.contains(piece), "{piece:?} is missing in: {message}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn missing_and_unrecognised_paths() {
    let folder = tempfile::tempdir().unwrap();
    let fail = |path: &Path| load(path, &LoadOptions::default()).unwrap_err();
    let missing = fail(&folder.path().join("none.csv"));
    assert!(matches!(missing, Error::Io { action: "read", .. }));
    says(&missing.to_string(), &["none.csv"]);
    says(&fail(folder.path()).to_string(), &["there are no files in it"]);
    fs::write(folder.path().join("notes.md"), "words").unwrap();
    says(&fail(folder.path()).to_string(), &["no set is recognised", "notes.md", "ratings.csv"]);
    fs::write(folder.path().join("a.csv"), "user,item\n1,2\n").unwrap();
    fs::write(folder.path().join("b.csv"), "user,item\n1,2\n").unwrap();
    says(&fail(folder.path()).to_string(), &["several files", "a.csv, b.csv", "give the path of one"]);
}

#[test]
fn empty_binary_and_foreign_files() {
    says(&message("a.csv", b""), &["a.csv", "empty"]);
    says(&message("a.csv", b"\n\n \n"), &["a.csv", "nothing in it but blank lines"]);
    says(&message("a.csv", b"userId,movieId,rating\n"), &["a", "no interactions", "header"]);
    says(&message("a.csv.gz", &gzip(b"")), &["empty"]);
    says(&message("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), &["binary, not text"]);
    says(&message("a.csv.bz2", b"BZh91AY&SY"), &["bzip2", "unpack it first"]);
    says(&message("a.zst", b"\x28\xb5\x2f\xfd\0\0\0\0"), &["zstd", "unpack it first"]);
    says(&message("a.json", b"[{\"user\": 1}]"), &["a.json:1", "names no item", "`columns = user=user"]);
    says(&message("a.json", b"[1, 2]"), &["a.json:1", "JSON objects are expected"]);
    says(&message("a.h5", b"\x89HDF\r\n\x1a\n\0"), &["HDF5", "read_hdf('a.h5')"]);
    says(&message("a.pkl", b"\x80\x04\x95"), &["pickle", "read_pickle('a.pkl')"]);
    says(&message("a.zip", b"PK\x03\x04 and no more"), &["a.zip", "not a whole zip", "fetch it again"]);
}

#[test]
fn truncated_and_damaged_archives() {
    let text: String = (0..5000).map(|row| format!("{row},{}\n", row * 7919 % 1009)).collect();
    let whole = gzip(text.as_bytes());
    let cut = &whole[..whole.len() / 2];
    let error = load_bytes("a.csv.gz", cut, &LoadOptions::default()).unwrap_err();
    assert!(matches!(error, Error::Format { .. }));
    says(&error.to_string(), &["a.csv.gz", "cut short", "fetch or pack it again"]);
    // The checksum at the end is verified too.
    let mut flipped = whole.clone();
    let at = flipped.len() - 6;
    flipped[at] ^= 1;
    says(&message("a.csv.gz", &flipped), &["a.csv.gz", "damaged"]);
}

#[test]
fn wrong_lines_are_named() {
    says(
        &message("a.csv", b"user,item\n1,2\n3\n"),
        &["a.csv:3", "1 comma-separated field where the first line has 2", "`skip-bad-rows`"],
    );
    says(&message("a.csv", b"user,item\n1,2\n\n3,4,5\n"), &["a.csv:4", "3 comma-separated fields"]);
    says(&message("a.csv", b"user,item\n1,\n"), &["no interactions", "rows 1 without a user or item"]);
    says(&message("a.csv", b"user,item\n1,\"x\ny"), &["a.csv:2", "quote"]);
    let rated = |text: &[u8]| {
        let options = LoadOptions { min_rating: Some(1.0), ..LoadOptions::default() };
        load_bytes("a.csv", text, &options).unwrap_err().to_string()
    };
    says(&rated(b"user,item,rating\n1,2,inf\n"), &["a.csv:2", "no finite number"]);
    says(&rated(b"user,item,rating\n1,2,4\n1,3,good\n"), &["a.csv:3", "good", "`columns`"]);
    says(&message("a.csv", b"alpha\nbeta\n"), &["a.csv", "one column", "alpha"]);
    says(
        &message("a.csv", b"alpha,beta,gamma,delta,epsilon\n1,2,3,4,5\n"),
        &["a.csv:1", "names no user", "[0: alpha | 1: beta", "`columns = user=alpha,item=beta`"],
    );
    says(
        &message("a.csv", b"1,2,3,4,5,6\n1,2,3,4,5,6\n"),
        &["a.csv:1", "6 columns", "[0: 1 | 1: 2", "`columns = user=0,item=1`"],
    );
    says(
        &message("a.json", b"{\"user\": \"a\", \"item\": \"b\"}\n{\"user\": \"a\"\n"),
        &["a.json:2", "not a JSON object"],
    );
    says(&message("a.json", b"{'user': 'a'}\n"), &["a.json:1", "single quotes"]);
    says(
        &message("a.json", b"{\"user\": 1, \"item\": 1}\n{\"user\": {\"a\": 1}, \"item\": 1}\n"),
        &["a.json:2", "neither text nor a number"],
    );
    says(&message("a.json", b"{\"x\": 1}\n"), &["a.json:1", "names no user", "`columns = "]);
    says(&message("mv_1.txt", b"1:\n12,3\n"), &["mv_1.txt:2", "CustomerID,Rating,Date"]);
    let truncated: &[u8] = b"1::1::5::978300760\n1::2::3";
    says(
        &message("ratings.dat", truncated),
        &["ratings.dat:2", "3 ::-separated fields where the first line has 4"],
    );
}

#[test]
fn quotes_left_open_are_named_and_swallow_nothing() {
    let rows = |from: u32| (from..from + 300).map(|row| format!("u{row},i{row},note\n")).collect::<String>();
    for (open, line) in [
        // A quote that is never closed: in the last field, in an id, in the header.
        (format!("user,item,note\n{}9,8,\"open\n{}", rows(0), rows(500)), 302),
        (format!("user,item,note\n{}9,\"8,open\n{}", rows(0), rows(500)), 302),
        (format!("user,item,\"note\n{}", rows(0)), 1),
        // A quote that the opening quote of a later field closes.
        (format!("user,item,note\n{}9,8,\"open\n{}7,6,\"x\"\n{}", rows(0), rows(500), rows(900)), 302),
    ] {
        says(&message("a.csv", open.as_bytes()), &[&format!("a.csv:{line}:"), "a quote (\") opens here"]);
    }
    // The same in the file of titles in the same folder.
    let folder = tempfile::tempdir().unwrap();
    let movies = "movieId,title,genres\n1,\"One,Drama\n2,Two,Drama\n";
    fs::write(folder.path().join("movies.csv"), movies).unwrap();
    fs::write(folder.path().join("ratings.csv"), "userId,movieId,rating,timestamp\n1,1,4,9\n1,2,3,9\n")
        .unwrap();
    let error = load(folder.path(), &LoadOptions::default()).unwrap_err().to_string();
    says(&error, &["movies.csv:2:", "opens here"]);
}

#[test]
fn lines_that_end_in_carriage_returns_alone_are_not_one_line() {
    for text in [&b"1 2\r3 4\r5 6\r"[..], b"1,2\r3,4\r5,6\r"] {
        let set = load_bytes("train.txt", text, &LoadOptions::default()).unwrap();
        assert_eq!((set.users.join(" "), set.interactions.nnz()), ("1 3 5".into(), 3));
    }
    for text in [&b"user,item\n1,2\r3,4\n"[..], b"user,item\n\"1\",2\r3,4\n"] {
        says(&message("train.txt", text), &["carriage return", "save the file with line feeds"]);
    }
}

#[test]
fn what_grows_or_never_ends_is_refused_in_words() {
    // A line longer than the limit, compressed to a few kilobytes.
    let many = |start: &str, piece: &[u8], times: usize| {
        [gzip(start.as_bytes()), gzip(piece).repeat(times)].concat()
    };
    let long = |start: &str, byte: u8| many(start, &[byte; 1 << 20], 130);
    says(&message("a.csv.gz", &long("user,item\n1,2\n3,", b'a')), &["a.csv.gz:3:", "longer than 64 MiB"]);
    says(&message("a.csv.gz", &long("user,item\n1,2\n3,\"", b'a')), &["a.csv.gz:3:", "longer than 64 MiB"]);
    says(&message("a.csv.gz", &long("", b'a')), &["a.csv.gz:1:", "longer than 64 MiB"]);
    // Expands by more than any table does.
    let breaks = many("", &[b'\n'; 1 << 20], 300);
    says(
        &message("a.csv.gz", &breaks),
        &["a.csv.gz", "grows to more than 100 times its size", "unpack it first"],
    );
    let bomb = many("user,item\n", &b"1,2\n\n\n\n\n\n\n\n\n\n\n\n\n".repeat(1 << 16), 300);
    says(&message("a.csv.gz", &bomb), &["grows to more than 100 times"]);
}

#[test]
fn bytes_after_a_compressed_file_are_called_so() {
    let whole = gzip(b"user,item\n1,2\n");
    says(
        &message("a.csv.gz", &[&whole[..], b"and more"].concat()),
        &["other bytes follow the compressed data"],
    );
    let padded = [&whole[..], &[0; 512]].concat();
    assert_eq!(load_bytes("a.csv.gz", &padded, &LoadOptions::default()).unwrap().users, ["1"]);
}

#[test]
#[cfg(unix)]
fn names_that_are_not_utf_8_are_names() {
    use std::os::unix::ffi::OsStringExt;
    let name = |bytes: &[u8]| std::ffi::OsString::from_vec(bytes.to_vec());
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join(name(b"caf\xe9.csv"));
    fs::write(&table, "user,item\n1,2\n").unwrap();
    assert_eq!(load(&table, &LoadOptions::default()).unwrap().interactions.nnz(), 1);
    // Alone in a folder, and in a folder with such a name.
    assert_eq!(load(folder.path(), &LoadOptions::default()).unwrap().interactions.nnz(), 1);
    let inner = folder.path().join(name(b"d\xff"));
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("ratings.csv"), "userId,movieId,rating,timestamp\n1,7,4,9\n").unwrap();
    fs::write(inner.join("movies.csv"), "movieId,title,genres\n7,Seven,Drama\n").unwrap();
    assert_eq!(load(&inner, &LoadOptions::default()).unwrap().titles.unwrap(), ["Seven"]);
    assert!(load(&inner.join("ratings.csv"), &LoadOptions::default()).unwrap().titles.is_some());
}

/// A valid Parquet file with single bytes changed gives an error or a data set, never a panic.
#[test]
fn damaged_parquet_ends_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let rows = (0..200).map(|row| format!("u{},i{}\n", row % 23, row % 31)).collect::<String>();
    let text = format!("user,item\n{rows}");
    let set = load_bytes("a.csv", text.as_bytes(), &LoadOptions::default()).unwrap();
    let path = folder.path().join("a.parquet");
    fastvae::data::write(&set, &path, fastvae::data::WriteForm::Parquet, &Default::default()).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut refused = 0;
    for at in 4..whole.len() - 4 {
        for bit in [0, 7] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            if let Err(error) = load_bytes("a.parquet", &damaged, &LoadOptions::default()) {
                assert!(error.to_string().contains("a.parquet"), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "{refused}");
    for length in (0..whole.len()).step_by(7) {
        let cut = [&whole[..length], b"PAR1"].concat();
        assert!(load_bytes("a.parquet", &cut, &LoadOptions::default()).is_err());
    }
}

#[test]
fn huge_integers_are_ids_like_others() {
    let text = b"user,item\n99999999999999999999999999,18446744073709551616\n18446744073709551615,007\n3,7\n";
    let set = load_bytes("a.csv", text, &LoadOptions::default()).unwrap();
    assert_eq!(set.users, ["3", "18446744073709551615", "99999999999999999999999999"]);
    assert_eq!(set.items, ["007", "7", "18446744073709551616"]);
}

#[test]
fn filters_that_leave_nothing_say_so() {
    let text = b"user,item,rating\n1,2,3\n1,2,2\n1,4,1\n";
    let fail = |options: &LoadOptions| load_bytes("a.csv", text, options).unwrap_err();
    let rated = fail(&LoadOptions { min_rating: Some(5.0), ..LoadOptions::default() });
    assert!(matches!(rated, Error::Data(_)));
    says(&rated.to_string(), &["all 3 rows", "`min-rating` 5", "lower it"]);
    let core = fail(&LoadOptions { core: 10, ..LoadOptions::default() });
    assert!(matches!(core, Error::Data(_)));
    says(&core.to_string(), &["10-core is empty", "1 users, 2 items, 2 interactions", "lower `core`"]);
    assert!(fail(&LoadOptions { min_rating: Some(f32::NAN), ..LoadOptions::default() }).is_usage());
}

#[test]
fn settings_that_do_not_fit_the_file() {
    let fail = |text: &[u8], options: &LoadOptions| {
        let error = load_bytes("a.csv", text, options).unwrap_err();
        assert!(error.is_usage(), "{error}");
        error.to_string()
    };
    let rated = LoadOptions { min_rating: Some(3.0), ..LoadOptions::default() };
    says(&fail(b"user,item\n1,2\n", &rated), &["min-rating", "no ratings"]);
    says(&fail(b"0 1 2\n1 2\n", &rated), &["min-rating", "no ratings"]);
    let columns = |text: &str| LoadOptions { columns: Some(text.parse().unwrap()), ..LoadOptions::default() };
    says(&fail(b"user,item\n1,2\n", &columns("user=0,item=5")), &["no column 5", "user, item"]);
    says(&fail(b"user,item\n1,2\n", &columns("user=who,item=item")), &["no column \"who\""]);
    says(&fail(b"user,item\n1,2\n", &columns("user=1,item=1")), &["same column"]);
    for wrong in ["", "user", "user=0", "user=0,item=", "user=0,item=1,item=2", "user=0,item=1,colour=2"] {
        assert!(wrong.parse::<Columns>().unwrap_err().is_usage(), "{wrong}");
    }
    assert_eq!("item=1, user=name".parse::<Columns>().unwrap().to_string(), "user=name,item=1");
}

/// Text that resembles data more often than arbitrary bytes do.
fn almost_data() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "user",
        "item",
        "rating",
        "1",
        "42",
        "99999999999999999999",
        "a",
        "4.5",
        "nan",
        ",",
        ",",
        "\t",
        "::",
        " ",
        "|",
        "\n",
        "\n",
        "\r\n",
        "\"",
        "{",
        "}",
        "\"user\":",
        "\"item\":",
        ":",
        "[",
        "é",
        "\u{feff}",
        "#",
        "1:\n",
        "PAR1",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), core in 0u32..3) {
        let options = LoadOptions { core, ..LoadOptions::default() };
        for name in ["a.csv", "train.txt", "a.inter", "a.zip", "a.parquet", "u.data"] {
            let _ = load_bytes(name, &bytes, &options);
        }
        for magic in [&b"PK\x03\x04"[..], b"PAR1", b"\x1f\x8b\x08\0", b"{", b"1:\n", b"user,item\n"] {
            let _ = load_bytes("a", &[magic, &bytes].concat(), &options);
        }
    }

    #[test]
    fn what_loads_is_sound(bytes in almost_data(), min_rating in prop::option::of(Just(4.0f32))) {
        let Ok(set) = load_bytes("a.csv", &bytes, &LoadOptions { min_rating, ..LoadOptions::default() }) else {
            return Ok(());
        };
        prop_assert_eq!(set.users.len(), set.interactions.rows());
        prop_assert_eq!(set.items.len(), set.interactions.columns());
        prop_assert!(set.interactions.iter().all(|row| !row.is_empty() && row.is_sorted_by(|a, b| a < b)));
        prop_assert!(set.interactions.column_counts().iter().all(|&count| count > 0));
        let kept = set.report.below_min_rating + set.report.duplicates + set.interactions.nnz() as u64;
        prop_assert_eq!(set.report.rows, kept);
    }
}
