//! `fastvae fidelity` and `fastvae compare` on the built-in set: their files, and invalid arguments.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::{fs, path::Path};

use tempfile::tempdir;
use tests::cli::{complaint, fastvae, stdout};

const TINY: &str = "--engine cpu --hidden 16 --latent 8 --negatives 20 --codewords 4 --epochs 2 --seed 7";
const FEW: &str = "--users 20 --gradient-users 5 --replicates 4 --draws 500 --sampler-codewords 8 \
                   --sweep-codewords 4 --sweep-negatives 10 --staleness 1";

fn columns(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    (header, rows)
}

fn names(folder: &Path) -> Vec<String> {
    let entry = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(entry).collect();
    names.sort();
    names
}

#[test]
fn fidelity_of_a_model_that_it_trains() {
    let folder = tempdir().unwrap();
    let samplers = "--samplers uniform,midx-popularity,midx-uniform:codewords=16 --out measured";
    let text = stdout(
        fastvae(&folder)
            .arg("fidelity")
            .args(TINY.split_whitespace())
            .args(FEW.split_whitespace())
            .args(samplers.split_whitespace()),
    );
    assert!(text.contains("midx-uniform codewords=16") && text.contains("report: measured"), "{text}");
    assert_eq!(
        names(&folder.path().join("measured")),
        [
            "by-codebooks.svg",
            "by-codewords.svg",
            "by-negatives.svg",
            "by-staleness.svg",
            "cumulative-random.svg",
            "cumulative-trained.svg",
            "curves.csv",
            "divergence.svg",
            "fidelity.csv",
            "gradient-bias.svg",
            "report.html",
            "users.csv"
        ]
    );
    let (header, users) = columns(&folder.path().join("measured/users.csv"));
    assert_eq!(header[..4], ["model", "sampler", "user", "kl_q_p"]);
    assert_eq!(users.len(), 2 * 3 * 20);
    let (header, rows) = columns(&folder.path().join("measured/fidelity.csv"));
    assert_eq!(header[..5], ["model", "sampler", "sweep", "value", "kl_q_p"]);
    // Three samplers on two models; K, m (2, 3, 4) and age for the two with an index; S for all three.
    assert_eq!(rows.len(), 6 + 2 + 6 + 2 + 3);
    let kl: f64 =
        rows.iter().find(|row| row[0] == "trained" && row[1] == "uniform").unwrap()[4].parse().unwrap();
    assert!(kl > 0.0);
    let of_users = users.iter().filter(|row| row[0] == "trained" && row[1] == "uniform");
    let mean = of_users.map(|row| row[3].parse::<f64>().unwrap()).sum::<f64>() / 20.0;
    assert!((mean - kl).abs() < 1e-5, "{mean} {kl}");
    let page = fs::read_to_string(folder.path().join("measured/report.html")).unwrap();
    assert!(page.contains("Theorem") || page.contains("theorems 5.3"), "{page}");
}

#[test]
fn fidelity_of_a_run_and_one_of_its_users() {
    let folder = tempdir().unwrap();
    stdout(fastvae(&folder).args("train --quiet --out run".split_whitespace()).args(TINY.split_whitespace()));
    let text = stdout(
        fastvae(&folder)
            .args(
                "fidelity run --engine cpu --samplers dns,softmax --user 5 --csv --quiet".split_whitespace(),
            )
            .args(FEW.split_whitespace()),
    );
    assert!(text.starts_with("model,sampler,sweep") && text.contains("\ntrained,softmax,,,"), "{text}");
    assert!(folder.path().join("fidelity-synthetic/report.html").is_file(), "{:?}", names(folder.path()));
    for (line, words) in [
        ("fidelity run --user nobody", "--user: `nobody` is no user of"),
        ("fidelity run --hidden 32", "--hidden: it was 16 in the run"),
        ("fidelity run/model.safetensors", "it holds a model alone"),
        ("fidelity nowhere", "nowhere"),
    ] {
        let code = if line.contains("--") { 2 } else { 1 };
        let text = complaint(fastvae(&folder).args(line.split_whitespace()), code);
        assert!(text.contains(words), "{line}: {text}");
    }
}

#[test]
fn compare_draws_every_sampler() {
    let folder = tempdir().unwrap();
    let text = stdout(
        fastvae(&folder)
            .args("compare --samplers full,uniform --quiet --json --out j".split_whitespace())
            .args(TINY.split_whitespace()),
    );
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(json["lines"][1]["points"][1]["metrics"]["ndcg@50"].as_f64().unwrap() > 0.0, "{json}");
    let text = stdout(
        fastvae(&folder)
            .args(
                "compare --samplers full,uniform,midx-popularity:mix=uniform=0.1 --out c".split_whitespace(),
            )
            .args(TINY.split_whitespace()),
    );
    assert!(text.contains("midx-popularity mix=uniform=0.1") && text.contains("test part"), "{text}");
    assert_eq!(
        names(&folder.path().join("c")),
        ["by-epoch.svg", "by-seconds.svg", "compare.csv", "report.html"]
    );
    let (header, rows) = columns(&folder.path().join("c/compare.csv"));
    assert!(header.contains(&"ndcg@50".to_owned()) && rows.len() == 6, "{header:?} {rows:?}");
}

#[test]
fn bad_input_is_refused_before_anything_is_written() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("file"), "x").unwrap();
    for (line, words) in [
        ("fidelity --samplers hinge", "--samplers: `hinge`: unknown sampler `hinge`"),
        ("fidelity --samplers midx:codeword=3", "codeword"),
        ("fidelity --samplers dns,dns", "--samplers: `dns` is there twice"),
        ("fidelity --users 0 --out o --engine cpu", "--users: is 0"),
        ("fidelity --staleness x", "`x` is no number"),
        ("fidelity --sweep-codewords 0", "`0` is no number"),
        ("fidelity --sweep-codewords 1", "1 is outside of 2..=256"),
        ("fidelity --sweep-codebooks 9", "9 is outside of 2..=8"),
        ("bench samplers --samplers full", "invalid value 'full'"),
        ("fidelity --out file", "--out: file is a file"),
        ("fidelity --data nowhere.csv --core 0", "nowhere.csv"),
        (
            "compare --samplers uniform:negatives=9000 --engine cpu --out o",
            "--samplers: `uniform negatives=9000`",
        ),
        ("compare --out file", "--out: file is a file"),
        ("compare --epochs 0 --out o", "--"),
        ("compare --validation --validation-users 0", "--validation: "),
    ] {
        let code = if line.contains("nowhere") { 1 } else { 2 };
        let text = complaint(fastvae(&folder).args(line.split_whitespace()), code);
        assert!(text.contains(words), "{line}: {text}");
        let written = folder.path().join("o");
        assert!(!written.exists() || names(&written).is_empty(), "{line} left {:?}", names(&written));
    }
}
