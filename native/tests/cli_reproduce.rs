//! `fastvae reproduce` in its smallest form: files, rows, going on after a kill, and invalid arguments.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use fastvae::model::ModelKind;
use fastvae_study::reproduce::Experiment;
use tempfile::{TempDir, tempdir};
use tests::cli::{complaint, fastvae, program, stdout};

fn columns(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// The rows of a result without their notes, which are the last column and hold seconds.
fn rows(folder: &Path, name: &str) -> Vec<Vec<String>> {
    let rows = columns(&folder.join(format!("{name}.csv"))).into_iter();
    rows.map(|row| row[..row.len() - 1].to_vec()).collect()
}

fn reproduce(folder: &TempDir, line: &str) -> String {
    stdout(fastvae(folder).arg("reproduce").args(line.split_whitespace()))
}

#[test]
fn every_experiment_has_rows_claims_figures_and_a_report() {
    let folder = tempdir().unwrap();
    for (name, experiment) in Experiment::NAMED {
        let line = format!("{name} --size tiny --engine cpu --quiet --out {name}");
        let text = reproduce(&folder, &line);
        assert!(text.contains(&format!("report: {name}")), "{text}");
        let out = folder.path().join(name);
        let found = rows(&out, name);
        assert!(found.iter().any(|row| !row[4].is_empty()), "{name}: {found:?}");
        let claims = columns(&out.join("claims.csv"));
        assert_eq!(claims.is_empty(), experiment == Experiment::Table2, "{name}");
        for claim in &claims {
            assert!(
                ["holds", "holds in part", "does not hold", "–"].contains(&claim[2].as_str()),
                "{claim:?}"
            );
            assert!(!claim[1].contains("NaN"), "{claim:?}");
        }
        let names =
            fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(names.filter(|name| name.ends_with(".svg")).count() > 0, "{name}");
        let report = fs::read_to_string(out.join("report.html")).unwrap();
        assert!(report.contains("<svg") && !report.contains("<script") && !report.contains("NaN"), "{name}");
        // Nothing is measured twice.
        let log = fs::read_to_string(out.join("cells.jsonl")).unwrap();
        reproduce(&folder, &line);
        assert_eq!(fs::read_to_string(out.join("cells.jsonl")).unwrap(), log, "{name}");
        assert_eq!(rows(&out, name), found, "{name}");
    }
    // Systems that the program does not have are rows that say so, and appear with their model.
    let found = columns(&folder.path().join("table3/table3.csv"));
    for (title, model) in
        [("WRMF", "wrmf"), ("WARP-MF", "warp"), ("SA", "self-adversarial"), ("EASE", "ease")]
    {
        let row = found.iter().find(|row| row[0] == "built-in" && row[1] == title).unwrap();
        let is_here = ModelKind::parse(model).is_some();
        assert_eq!((row[4].is_empty(), row[9].contains("has no model")), (!is_here, !is_here), "{row:?}");
    }
    let missing = found.iter().find(|row| row[0] == "Netflix" && row[1] == "FastVAE").unwrap();
    assert!(missing[3].starts_with("0.3238") && missing[9].contains("--data netflix="), "{missing:?}");
}

#[test]
fn sets_that_are_given_stand_beside_the_paper() {
    let folder = tempdir().unwrap();
    let pairs =
        (0..120).flat_map(|user| (0..12).map(move |n| format!("u{user},i{}\n", (user * 7 + n * n) % 60)));
    fs::write(folder.path().join("g.csv"), format!("user,item\n{}", pairs.collect::<String>())).unwrap();
    let line = "table2 --data gowalla=g.csv --data other=g.csv --core 2 --size full --engine cpu --quiet --csv --out t";
    let text = reproduce(&folder, line);
    assert!(
        text.contains("Gowalla,users,count,29858.000000,120.000000,,1,-29738.000000,does not hold"),
        "{text}"
    );
    assert!(text.contains("other,users,count,,120.000000"), "{text}");
    fs::write(folder.path().join("space.toml"), "[model]\nkind = \"ease\"\nlambda = [5, 50]\n").unwrap();
    let tune = "tune --space space.toml --data g.csv --quiet --out tuned";
    stdout(fastvae(&folder).args(tune.split_whitespace()));
    let line = "table3 --data gowalla=g.csv --core 2 --size tiny --configs tuned --engine cpu --quiet --json --out u";
    let found: serde_json::Value = serde_json::from_str(&reproduce(&folder, line)).unwrap();
    assert!(found["notes"].to_string().contains("Settings of ease were given"), "{found}");
    let rows = found["rows"].as_array().unwrap();
    let ease = rows.iter().find(|row| row["what"] == "EASE" && row["set"] == "Gowalla").unwrap();
    assert!(ease["ours"]["mean"].as_f64().unwrap() > 0.0, "{ease}");
}

#[test]
#[cfg(unix)]
fn an_experiment_that_was_killed_ends_like_one_that_was_not() {
    let folder = tempdir().unwrap();
    let line = "table3 --size tiny --seeds 2 --epochs 12 --engine cpu --quiet --out";
    reproduce(&folder, &format!("{line} whole"));
    let log = folder.path().join("killed/cells.jsonl");
    for (lines, signal) in [(2, "-KILL"), (6, "-KILL"), (9, "-INT")] {
        let mut command = Command::new(program());
        command.current_dir(folder.path()).arg("reproduce").args(format!("{line} killed").split_whitespace());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while fs::read_to_string(&log).unwrap_or_default().lines().count() < lines {
            sleep(Duration::from_millis(2));
        }
        let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(status.success());
        let code = child.wait().unwrap().code();
        // It may have finished before the signal came.
        assert!(matches!(code, None | Some(0 | 130)), "{code:?}");
    }
    reproduce(&folder, &format!("{line} killed"));
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    assert_eq!(rows(&killed, "table3"), rows(&whole, "table3"));
    assert_eq!(
        fs::read_to_string(killed.join("claims.csv")).unwrap(),
        fs::read_to_string(whole.join("claims.csv")).unwrap()
    );
    let keys = fs::read_to_string(&log).unwrap().lines().count();
    assert_eq!(keys, fs::read_to_string(whole.join("cells.jsonl")).unwrap().lines().count());
}

#[test]
fn invalid_arguments_are_refused() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::write(folder.path().join("g.csv"), "user,item\na,b\n").unwrap();
    for (line, words) in [
        ("table4", "invalid value 'table4'"),
        ("table3 --data gowalla", "write NAME=PATH"),
        ("table3 --data =g.csv", "write NAME=PATH"),
        ("table3 --data a/b=g.csv", "a name has letters"),
        ("table3 --data a=g.csv --data a=g.csv --core 0", "--data: `a` is there twice"),
        ("table3 --core 5", "--data: a filter is for sets that are given"),
        ("table3 --quick --size tiny", "cannot be used with"),
        ("table3 --seeds 0", "--seeds"),
        ("table3 --configs empty", "--configs: empty has no best-MODEL.toml"),
        ("table3 --out g.csv --size tiny", "--out: g.csv is a file"),
    ] {
        let text = complaint(fastvae(&folder).arg("reproduce").args(line.split_whitespace()), 2);
        assert!(text.contains(words), "`reproduce {line}` lacks {words:?}:\n{text}");
    }
    reproduce(&folder, "table2 --size tiny --engine cpu --quiet --out t");
    let line = "table3 --size tiny --engine cpu --quiet --out t";
    let text = complaint(fastvae(&folder).arg("reproduce").args(line.split_whitespace()), 2);
    assert!(text.contains("experiment was \"table2\" and is \"table3\""), "{text}");
}
