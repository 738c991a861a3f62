//! `fastvae bench samplers` and `fastvae bench quality`, and the files that they write.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::fs;

use tempfile::tempdir;
use tests::cli::{complaint, fastvae, stdout};

const SMALL: [&str; 12] = [
    "bench",
    "samplers",
    "--users",
    "4",
    "--negatives",
    "20",
    "--width",
    "8",
    "--codewords",
    "8",
    "--repeats",
    "1",
];

#[test]
fn samplers_are_measured_and_what_cannot_be_is_named() {
    let folder = tempdir().unwrap();
    let line = ["--items", "6,300,900", "--samplers", "uniform,midx-popularity", "--codebooks", "3"];
    let json = stdout(
        fastvae(&folder).args(SMALL).args(line).args(["--engine", "cpu", "--out", "report", "--json"]),
    );
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let costs = json["costs"].as_array().unwrap();
    // With six items, only the uniform sampler can draw 20 negatives.
    let of = |sampler: &str| costs.iter().filter(|cost| cost["sampler"] == sampler).collect::<Vec<_>>();
    assert_eq!(of("midx-popularity").len(), 2, "{json}");
    assert!(json["refused"].to_string().contains("6 items"), "{json}");
    for cost in of("midx-popularity") {
        assert!(
            cost["setup_seconds"].as_f64().unwrap() > 0.0 && cost["draw_seconds"].as_f64().unwrap() > 0.0
        );
        assert!(cost["refresh_seconds"].as_f64().unwrap() > 0.0);
    }
    let bytes: Vec<u64> = of("midx-popularity").iter().map(|cost| cost["bytes"].as_u64().unwrap()).collect();
    // Three codes, a position, a weight, a norm, and two words of an alias table: more than 32 bytes per item.
    assert!(bytes[1] > bytes[0] + 600 * 32, "{bytes:?}");
    let csv = fs::read_to_string(folder.path().join("report/samplers.csv")).unwrap();
    assert_eq!(csv.lines().count(), costs.len() + 1);
    let html = fs::read_to_string(folder.path().join("report/samplers.html")).unwrap();
    assert!(html.contains("midx-popularity") && html.contains("<svg") && html.contains("6 items"));
    let svg = fs::read_to_string(folder.path().join("report/samplers-draws.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("uniform"));
}

#[test]
fn samplers_show_how_costs_grow() {
    let folder = tempdir().unwrap();
    let text = stdout(fastvae(&folder).args(SMALL).args(["--items", "200,800", "--engine", "cpu"]));
    for words in ["as a power of the items", "midx-uniform", "1,000 draws", "engine: CPU"] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    let text = complaint(fastvae(&folder).args(SMALL).args(["--items", "0"]), 2);
    assert!(text.contains("at least 1"), "{text}");
    let text = complaint(fastvae(&folder).args(SMALL).args(["--samplers", "fastest"]), 2);
    assert!(text.contains("midx-uniform"), "{text}");
}

#[test]
fn the_way_to_a_quality_is_measured_by_size_and_goes_on_where_it_was_stopped() {
    let folder = tempdir().unwrap();
    let bench = |line: &str| {
        let mut command = fastvae(&folder);
        let settings =
            "bench quality --engine cpu --hidden 16 --latent 8 --negatives 20 --codewords 4 --epochs 3";
        command.args(settings.split_whitespace()).args(line.split_whitespace());
        command
    };
    let line = "--items 100,300,9000 --samplers full,uniform --target 0.9 --out out";
    let text = stdout(&mut bench(line));
    assert!(text.contains("90 % of the best ndcg@50") && text.contains("report: out"), "{text}");
    let read = |name: &str| fs::read_to_string(folder.path().join("out").join(name)).unwrap();
    let csv = read("quality.csv");
    // The built-in set has 800 items.
    let places: Vec<&str> =
        csv.lines().skip(1).map(|row| &row[..row.match_indices(',').nth(1).unwrap().0]).collect();
    let expected = ["100,full", "100,uniform", "300,full", "300,uniform", "800,full", "800,uniform"];
    assert_eq!(places, expected, "{csv}");
    let first: Vec<&str> = csv.lines().nth(1).unwrap().split(',').collect();
    assert_eq!(first[7..], ["1.0000", "1.0000"], "{csv}");
    assert!(
        read("report.html").contains("Full or sampled") && read("seconds-to-quality.svg").starts_with("<svg")
    );

    // Of an interrupted work, the sizes that were finished stay.
    let log = folder.path().join("out/sizes.jsonl");
    let lines: Vec<String> = read("sizes.jsonl").lines().map(str::to_owned).collect();
    fs::write(&log, lines[..3].join("\n") + "\n").unwrap();
    stdout(&mut bench(line));
    let again: Vec<String> = read("sizes.jsonl").lines().map(str::to_owned).collect();
    assert_eq!((again.len(), &again[..3]), (4, &lines[..3]));

    for (line, words) in [
        ("--target 1.5", "--target: is above 0 and at most 1"),
        ("--items 1", "--items"),
        ("--samplers hinge", "unknown sampler `hinge`"),
        ("--validation-users 0 --out other", "--validation-users: "),
        ("--out out --items 100 --seed 9", "is of other work"),
    ] {
        let text = complaint(&mut bench(line), 2);
        assert!(text.contains(words), "{line} lacks {words:?}:\n{text}");
    }
}
