//! `fastvae data`, and its messages about invalid files.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::fs;

use tempfile::{TempDir, tempdir};
use tests::cli::{complaint, fastvae, stdout};

fn with_file(name: &str, content: impl AsRef<[u8]>) -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join(name), content).unwrap();
    folder
}

#[test]
fn info_shows_the_numbers_and_what_filters_removed() {
    let folder = with_file("set.csv", "userId,movieId,rating\na,x,5\na,y,4\na,y,4\nb,x,2\nb,y,5\nc,z,5\n");
    let text = stdout(fastvae(&folder).args(["data", "info", "set.csv", "--min-rating", "3", "--core", "1"]));
    for words in ["users                 3", "- below min rating    1", "- duplicates          1", "sparsity"]
    {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    let json = stdout(fastvae(&folder).args(["data", "info", "set.csv", "--core", "2", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (json["statistics"]["users"].as_u64(), json["statistics"]["items"].as_u64()),
        (Some(2), Some(2)),
        "{json}"
    );
    assert_eq!(json["report"]["core"], 2);
    let built_in = stdout(fastvae(&folder).args(["data", "info"]));
    assert!(built_in.contains("2,000") && built_in.contains("titles                yes"), "{built_in}");
}

#[test]
fn convert_writes_what_info_reads_again() {
    let folder = with_file("set.csv", "user,item\na,x\na,y\nb,x\n");
    stdout(fastvae(&folder).args(["data", "convert", "set.csv", "out.parquet"]));
    let json = stdout(fastvae(&folder).args(["data", "info", "out.parquet", "--json"]));
    assert!(json.contains("\"interactions\": 3"), "{json}");
    let text = complaint(fastvae(&folder).args(["data", "convert", "set.csv", "out.parquet"]), 2);
    assert!(text.contains("--force"), "{text}");
    let json =
        stdout(fastvae(&folder).args(["data", "convert", "set.csv", "out.parquet", "--force", "--json"]));
    assert!(json.contains("\"written\": [") && json.contains("out.parquet"), "{json}");
    let text = complaint(fastvae(&folder).args(["data", "convert", "set.csv", "out.xyz"]), 2);
    assert!(text.contains("parquet"), "{text}");
}

#[test]
#[cfg(unix)]
fn a_pipe_is_read_like_a_file() {
    let folder = tempdir().unwrap();
    let plain = b"user,item\na,x\na,y\nb,x\n".as_slice();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, plain).unwrap();
    for bytes in [plain.to_vec(), gzip.finish().unwrap()] {
        let json = stdout(fastvae(&folder).args(["data", "info", "/dev/stdin", "--json"]).write_stdin(bytes));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["name"], &json["report"]["rows"]), (&"stdin".into(), &3.into()), "{json}");
    }
}

#[test]
fn more_than_the_machine_and_the_set_have_is_refused() {
    let rows = (0..40).map(|at| format!("{},{}\n", at / 5, (at * 7 + at / 5) % 11)).collect::<String>();
    let folder = with_file("small.csv", format!("user,item\n{rows}"));
    for (line, code, words) in [
        ("--hidden 1000000000000 --loss full", 1, "no memory for that"),
        ("--codewords 12 --negatives 2", 2, "--codewords: "),
    ] {
        let line = format!("train --engine cpu --data small.csv --validation-users 0 {line}");
        let text = complaint(fastvae(&folder).args(line.split_whitespace()), code);
        assert!(text.contains(words), "{line}: no {words:?} in\n{text}");
        assert!(!folder.path().join("runs").exists(), "{line} left a folder");
    }
}

#[test]
fn conditions_add_up() {
    let rows = (0..40)
        .map(|n| format!("u{},i{},{n},{}\n", n % 8, n / 3, ["view", "buy"][n % 2]))
        .collect::<String>();
    let folder = with_file("log.csv", format!("user,item,price,event\n{rows}"));
    let line = ["data", "info", "log.csv", "--where", "event=buy", "--where", "price>=10;price<30", "--json"];
    let json: serde_json::Value = serde_json::from_str(&stdout(fastvae(&folder).args(line))).unwrap();
    assert_eq!(
        (json["report"]["rows"].as_u64(), json["report"]["unmet_conditions"].as_u64()),
        (Some(10), Some(30))
    );
}

#[test]
fn a_set_that_cannot_be_fetched_says_where_to_put_it() {
    let folder = tempdir().unwrap();
    // No server listens on port 9.
    let line = ["data", "get", "ml-latest-small", "--to", "sets", "--mirror", "http://127.0.0.1:9/x"];
    let text = complaint(fastvae(&folder).args(line), 1);
    assert!(
        text.contains("ml-latest-small.zip") && text.contains("put it at") && text.contains("licence"),
        "{text}"
    );
}

#[test]
fn bad_files_end_with_code_1_and_leave_no_run() {
    for (name, content, words) in [
        ("empty.csv", b"".as_slice(), "empty.csv"),
        ("header.csv", b"user,item,rating\n", "header.csv"),
        ("words.csv", b"user,item,rating\na,x,good\na,y,4\n", "words.csv:2"),
        ("short.csv", b"user,item,rating\na,x,3\nb\n", "short.csv:3"),
        ("cut.csv.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b", "cut.csv"),
        ("words.txt", b"there is nothing here that looks like a table", "words.txt"),
    ] {
        let folder = with_file(name, content);
        let text = complaint(fastvae(&folder).args(["train", "--data", name, "--min-rating", "1"]), 1);
        assert!(text.contains(words), "{name}: no {words:?} in\n{text}");
        assert!(!folder.path().join("runs").exists(), "{name} left a folder");
    }
    let folder = with_file("small.csv", "user,item\na,x\na,y\nb,x\n");
    let text = complaint(fastvae(&folder).args(["train", "--data", "small.csv", "--core", "10"]), 1);
    assert!(text.contains("10-core is empty") && text.contains("lower `core` (--core)"), "{text}");
    let text = complaint(fastvae(&folder).args(["train", "--data", "missing.csv"]), 1);
    assert!(text.contains("missing.csv"), "{text}");
}

#[test]
fn the_paper_s_set_comes_out_as_in_the_paper() {
    let Some(data) = std::env::var_os("FASTVAE_DATA") else {
        println!("not run: set FASTVAE_DATA to the folder with ml-10m-positive.csv.gz");
        return;
    };
    let folder = tempdir().unwrap();
    let path = std::path::Path::new(&data).join("ml-10m-positive.csv.gz");
    let text = stdout(fastvae(&folder).args(["data", "info", "--core", "10"]).arg(path));
    for number in ["47,292", "5,942", "2,001,164"] {
        assert!(text.contains(number), "no {number} in\n{text}");
    }
}
