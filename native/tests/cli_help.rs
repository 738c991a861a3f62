//! Help, usage errors and exit codes of the command line.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use tempfile::tempdir;
use tests::cli::{complaint, fastvae, stdout};

#[test]
fn every_command_has_help_that_says_what_it_is_for() {
    let folder = tempdir().unwrap();
    for (command, words) in [
        ("", vec!["Usage: fastvae", "train", "recommend", "built-in set"]),
        ("train", vec!["--data <PATH>", "--loss <LOSS>", "[default: 0.2]", "Optimiser:", "--resume <RUN>"]),
        ("evaluate", vec!["--at <K,K,..>", "--json"]),
        ("recommend", vec!["--history", "--user", "--include-seen", "parquet"]),
        ("similar", vec!["--item <ITEM>"]),
        ("data", vec!["info", "convert", "get"]),
        ("data info", vec!["--core <K>", "--min-rating <X>", "--columns"]),
        ("data convert", vec!["--format", "--force"]),
        ("data get", vec!["ml-latest-small", "--to"]),
        ("engines", vec!["--json"]),
        ("selftest", vec!["--engine <ENGINE>", "--adapter <GPU>", "--json"]),
        ("bench", vec!["step", "epoch", "quality", "samplers", "load", "eval"]),
        ("bench samplers", vec!["--samplers", "--items", "--out", "--codebooks", "--quantisation"]),
        ("bench epoch", vec!["--losses", "--repeats"]),
    ] {
        let mut line = fastvae(&folder);
        let help = stdout(line.args(command.split_whitespace()).arg("--help"));
        for word in words {
            assert!(help.contains(word), "`fastvae {command} --help` lacks {word:?}:\n{help}");
        }
    }
    assert!(stdout(fastvae(&folder).arg("--version")).starts_with("fastvae 0."));
}

#[test]
fn wrong_arguments_end_with_code_2_and_name_the_flag() {
    let folder = tempdir().unwrap();
    for (line, words) in [
        ("trian", "trian"),
        ("train --hiden 3", "--hiden"),
        ("train --loss hinge", "midx-popularity"),
        ("train --mix uniform", "names no probability"),
        ("train --mix uniform=2", "--mix: a probability of 2 is outside of 0 to 1"),
        ("train --mix full=0.5", "unknown proposal `full`"),
        ("train --loss midx --mix midx-uniform=0.5", "--mix: midx and midx-uniform would need an index each"),
        ("train --loss dns --dns-draws 0", "--dns-draws: is 0"),
        ("train --loss kernel --kernel-alpha 0", "--kernel-alpha: 0 is outside"),
        ("train --learning-rate nan", "not a finite number"),
        ("train --learning-rate -1", "--learning-rate: -1 is outside"),
        ("train --dropout 1", "--dropout: 1 is outside"),
        ("train --batch 0", "--batch: is 0"),
        ("train --hidden 3 --codebooks 4", "--hidden: item vectors of 3 cannot be cut for 4 codebooks"),
        ("train --codebooks 1", "--codebooks: 1 is outside of 2..=8"),
        ("train --codewords 900 --negatives 10", "--codewords: 900 is outside"),
        ("train --negatives 5000", "--negatives: 5000 negatives for a catalogue of 800 items"),
        ("train --share 101", "--group-size: 101 users cannot share 100 negatives"),
        ("train --core 5", "--core: the built-in set is taken as it is"),
        ("train --test-share 1.5", "--test-share: 1.5 is outside of"),
        ("train --metric ndgc@50 --epochs 1", "--metric"),
        ("train --metric ndcg@99999999999", "--metric: `ndcg@99999999999` is none"),
        ("train --split given", "given"),
        ("train --engine cpu --adapter llvmpipe", "--adapter: the CPU engine has no adapters"),
        ("train --resume nowhere", "--resume: nowhere holds no last.safetensors"),
        ("train --resume a --out b", "cannot be used with"),
        ("data info --columns user=0", "--columns: "),
        ("data convert a.csv b.csv --split strong", "--split: this form holds interactions without a split"),
        ("compare --csv --json", "cannot be used with"),
        ("recommend run", "--user"),
        ("data get ml-3m", "ml-latest-small"),
        ("evaluate run --at 0,x", "--at"),
    ] {
        let text = complaint(fastvae(&folder).args(line.split_whitespace()), 2);
        assert!(text.contains(words), "`fastvae {line}` lacks {words:?}:\n{text}");
        assert!(!folder.path().join("runs").exists(), "`fastvae {line}` left a folder");
    }
}

#[test]
fn a_configuration_file_is_checked_by_line() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("c.toml"), "[model]\nhidden = 64\n\n[training]\nepoch = 3\n").unwrap();
    let text = complaint(fastvae(&folder).args(["train", "--config", "c.toml"]), 2);
    assert!(text.contains("c.toml") && text.contains("line 5") && text.contains("epoch"), "{text}");
    let text = complaint(fastvae(&folder).args(["train", "--config", "none.toml"]), 1);
    assert!(text.contains("cannot read none.toml"), "{text}");
}

#[test]
fn engines_say_what_auto_takes() {
    let folder = tempdir().unwrap();
    let text = stdout(fastvae(&folder).arg("engines"));
    assert!(text.contains("--engine cpu") && text.contains("because: "), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&stdout(fastvae(&folder).args(["engines", "--json"]))).unwrap();
    for (number, adapter) in json["adapters"].as_array().unwrap().iter().enumerate() {
        assert_eq!(adapter["number"], number);
        assert!(text.contains(&format!("--adapter {number}")), "{text}");
        assert!(adapter["max_binding_bytes"].as_u64().unwrap() > 0, "{adapter}");
    }
    let hardware = json["adapters"].as_array().unwrap().iter().any(|adapter| adapter["software"] == false);
    assert_eq!(json["auto"]["engine"], if hardware { "gpu" } else { "cpu" });
}

#[test]
fn self_tests_pass_on_every_engine_and_adapters_are_chosen_by_number() {
    let folder = tempdir().unwrap();
    let read = |line: &[&str]| -> serde_json::Value {
        serde_json::from_str(&stdout(fastvae(&folder).args(line))).unwrap()
    };
    let adapters = read(&["engines", "--json"])["adapters"].as_array().unwrap().len();
    let json = read(&["selftest", "--engine", "all", "--json"]);
    let engines = json["engines"].as_array().unwrap();
    assert_eq!(engines.len(), 1 + adapters, "{json}");
    for engine in engines {
        let tests = engine["tests"].as_array().unwrap();
        assert!(tests.len() > 10 && tests.iter().all(|test| test["problem"].is_null()), "{engine}");
    }
    let text = stdout(fastvae(&folder).args(["selftest", "--engine", "cpu"]));
    assert!(text.contains("CPU") && text.contains("matmul") && text.contains("passed"), "{text}");
    let text = complaint(fastvae(&folder).args(["selftest", "--adapter", "99"]), 1);
    assert!(adapters == 0 || text.contains("there are 0: "), "{text}");
    let text = complaint(fastvae(&folder).args(["selftest", "--engine", "all", "--adapter", "0"]), 2);
    assert!(text.contains("--adapter"), "{text}");
}
