//! `fastvae tune`: its files, a search that is killed and goes on, and invalid spaces.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use tempfile::{TempDir, tempdir};
use tests::cli::{complaint, fastvae, program, stdout};

const SPACE: &str = r#"
[model]
kind = ["ease", "mult-vae"]
lambda = { from = 1, to = 1000, scale = "log" }
hidden = [8, 16]
latent = 4

[objective]
kind = ["full-softmax", "sampled-softmax"]

[proposal]
kind = ["uniform", "midx-popularity"]
negatives = { from = 10, to = 50 }
codewords = { midx-popularity = [4, 8] }

[training]
epochs = 2
"#;

fn prepare() -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("space.toml"), SPACE).unwrap();
    folder
}

/// The rows of trials.csv without the seconds, which are the last column.
fn trials(folder: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(folder.join("trials.csv")).unwrap();
    let row = |row: csv::StringRecord| row.iter().take(row.len() - 1).map(str::to_owned).collect();
    reader.records().map(|record| row(record.unwrap())).collect()
}

#[test]
fn the_best_is_a_config_that_train_takes() {
    let folder = prepare();
    let line = "tune --space space.toml --trials 6 --seed 3 --engine cpu --quiet --out t";
    let text = stdout(fastvae(&folder).args(line.split_whitespace()));
    assert!(text.contains("lambda=") && text.contains("[model]") && text.contains("best:   t"), "{text}");
    let out = folder.path().join("t");
    let rows = trials(&out);
    assert_eq!(rows.len(), 12);
    assert!(rows[..6].iter().all(|row| row[0] == "ease" && row[5] == "done"), "{rows:?}");
    let best: f64 = rows.iter().map(|row| row[2].parse::<f64>().unwrap()).fold(0.0, f64::max);
    for name in ["best.toml", "best-ease.toml", "best-mult-vae.toml", "parallel-mult-vae.svg", "report.html"]
    {
        assert!(out.join(name).is_file(), "{name}");
    }
    let report = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("Settings of ease") && !report.contains("<script"), "{report}");
    // The run has the validation metric of the trial.
    let text =
        stdout(fastvae(&folder).args("train --config t/best.toml --out run --json --quiet".split(' ')));
    let metrics: serde_json::Value = serde_json::from_str(&text).unwrap();
    let closed = metrics["closed_form"]["validation"]["ndcg@50"].as_f64();
    let epochs = metrics["epochs"].as_array().unwrap().iter();
    let found = epochs.filter_map(|epoch| epoch["validation"]["ndcg@50"].as_f64()).chain(closed);
    assert!((found.fold(0.0, f64::max) - best).abs() < 1e-6, "{text}");
    // More trials go on from those that are there.
    let line = line.replace("--trials 6", "--trials 8");
    stdout(fastvae(&folder).args(line.split_whitespace()));
    let more = trials(&out);
    assert_eq!((&more[..6], more.len()), (&rows[..6], 16));
    let other = line.replace("--seed 3", "--seed 4");
    let text = complaint(fastvae(&folder).args(other.split_whitespace()), 2);
    assert!(text.contains("is of other work") && text.contains("choose another folder"), "{text}");
}

#[test]
fn halving_gives_the_best_more_epochs() {
    let folder = tempdir().unwrap();
    let space = "[model]\nkind = \"elsa\"\nfactors = { from = 4, to = 32 }\n[optimizer]\nlearning-rate = [0.01, 0.03]\n";
    fs::write(folder.path().join("space.toml"), space).unwrap();
    let line = "tune --space space.toml --search halving --trials 9 --epochs 4 --quiet --csv --out t";
    let text = stdout(fastvae(&folder).args(line.split_whitespace()));
    assert!(text.starts_with("system,trial,ndcg@50,best_epoch,epochs,ended,model.factors"), "{text}");
    let epochs: Vec<String> =
        trials(&folder.path().join("t")).into_iter().map(|row| row[4].clone()).collect();
    assert_eq!(epochs.concat(), "111111111444");
    let config = fs::read_to_string(folder.path().join("t/best.toml")).unwrap();
    assert!(
        config.contains("epochs = 4") && config.starts_with("# The best of 12 trials of elsa"),
        "{config}"
    );
}

#[test]
fn a_budget_of_seconds_ends_a_search() {
    let folder = prepare();
    let line = "tune --space space.toml --budget 0.4 --search random --engine cpu --quiet --json --out t";
    let text = stdout(fastvae(&folder).args(line.split_whitespace()));
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    let spent = |system: &str| {
        let own = found["trials"].as_array().unwrap().iter().filter(|trial| trial["system"] == system);
        own.map(|trial| trial["seconds"].as_f64().unwrap()).sum::<f64>()
    };
    assert!(spent("ease") >= 0.4 && spent("mult-vae") >= 0.4, "{text}");
    assert!(found["best"]["score"].as_f64().unwrap() > 0.0, "{text}");
}

#[cfg(unix)]
fn start(folder: &TempDir, line: &str) -> Child {
    let mut command = Command::new(program());
    command.current_dir(folder.path()).args(line.split_whitespace());
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until the log has this many lines.
#[cfg(unix)]
fn wait_for_lines(log: &Path, lines: usize) {
    while fs::read_to_string(log).unwrap_or_default().lines().count() < lines {
        sleep(Duration::from_millis(2));
    }
}

#[test]
#[cfg(unix)]
fn a_search_that_was_killed_ends_like_one_that_was_not() {
    let folder = prepare();
    let line = "tune --space space.toml --trials 14 --seed 1 --engine cpu --quiet --out ";
    stdout(fastvae(&folder).args(format!("{line} whole").split_whitespace()));
    let log = folder.path().join("killed/trials.jsonl");
    for lines in [1, 4, 9, 20] {
        let mut child = start(&folder, &format!("{line} killed"));
        wait_for_lines(&log, lines);
        child.kill().unwrap();
        child.wait().unwrap();
        // What the kernel may have written of the next line.
        let mut text = fs::read(&log).unwrap();
        text.extend_from_slice(b"{\"system\":\"ea");
        fs::write(&log, text).unwrap();
    }
    let mut child = start(&folder, &format!("{line} killed"));
    wait_for_lines(&log, 22);
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    let ended = child.wait().unwrap();
    // It may have finished before the signal came.
    assert!(matches!(ended.code(), Some(130 | 0)), "{ended:?}");
    stdout(fastvae(&folder).args(format!("{line} killed").split_whitespace()));
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    assert_eq!(trials(&killed), trials(&whole));
    for name in ["best.toml", "best-ease.toml", "best-mult-vae.toml"] {
        assert_eq!(
            fs::read_to_string(killed.join(name)).unwrap(),
            fs::read_to_string(whole.join(name)).unwrap()
        );
    }
    let rows = trials(&whole);
    assert_eq!(rows.len(), 28);
    assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 29);
}

#[test]
fn invalid_spaces_and_flags_are_refused() {
    let folder = prepare();
    for (space, words) in [
        ("[model]\nhiden = [1]", "bad.toml: line 2: model.hiden is not a setting of [model]; there are"),
        ("[model]\nhidden = [8, 0]", "line 2: model.hidden is 0; give at least 1"),
        ("\n[proposal]\n\nnegatives = { from = 5, too = 9 }", "line 4: proposal.negatives a range has"),
        ("[model]\nkind = \"easy\"", "line 2: model.kind \"easy\" is not a model"),
        ("[model]\nlambda = [1, 2]", "model.lambda is a setting of ease, and the space has mult-vae"),
        ("[network]\nlambda = [1, 2]", "`network` is not a section"),
        ("[model\n", "bad.toml: TOML parse error at line 1"),
        ("", "nothing is searched"),
        ("[split]\nseed = [1, 2]", "line 2: split.seed is the same for all trials"),
    ] {
        fs::write(folder.path().join("bad.toml"), space).unwrap();
        let text = complaint(fastvae(&folder).args("tune --space bad.toml --out o".split(' ')), 2);
        assert!(text.contains("--space: ") && text.contains(words), "{space}\n{text}");
    }
    for (line, words) in [
        ("tune --space space.toml --hidden 5", "model.hidden is searched and given as a flag too"),
        ("tune --space space.toml --factors 5", "--factors: the space has ease, mult-vae, without such"),
        ("tune --space space.toml --validation-users 0", "--validation-users: this split has no validation"),
        ("tune --space space.toml --budget 0", "--budget: no time is left"),
        ("tune --space space.toml --trials 0", "--trials"),
        ("tune --space space.toml --search halving", "--search: ease has no epochs to halve"),
        ("tune --space space.toml --engine gpu", "--engine: a model of kind ease needs the CPU"),
        ("tune --space space.toml --metric ndcg", "--metric"),
        ("tune", "--space"),
    ] {
        let text = complaint(fastvae(&folder).args(line.split_whitespace()), 2);
        assert!(text.contains(words), "`fastvae {line}` lacks {words:?}:\n{text}");
    }
    let text = complaint(fastvae(&folder).args("tune --space nowhere.toml".split(' ')), 1);
    assert!(text.contains("cannot read nowhere.toml"), "{text}");
    // Settings that do not go together fail as trials, and if all do, the command does.
    let space = "[proposal]\nkind = \"midx-uniform\"\nnegatives = [900, 950]\n";
    fs::write(folder.path().join("bad.toml"), space).unwrap();
    let line = "tune --space bad.toml --engine cpu --quiet --out failed";
    let text = complaint(fastvae(&folder).args(line.split_whitespace()), 1);
    assert!(
        text.contains("none of 2 trials succeeded: negatives: 900") || text.contains("negatives: 950"),
        "{text}"
    );
    assert_eq!(trials(&folder.path().join("failed")).len(), 2);
}
