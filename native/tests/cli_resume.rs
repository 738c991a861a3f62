//! Repeated and interrupted runs end in the same bits.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]
#![cfg(unix)]

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use fastvae::run::checkpoint;
use tempfile::{TempDir, tempdir};
use tests::cli::{complaint, fastvae, program, stdout};

const SETTINGS: &str = "--hidden 16 --latent 8 --negatives 20 --codewords 4 --batch 32 --quiet";

fn args(loss: &str, out: &str, epochs: u32) -> Vec<String> {
    format!("train {SETTINGS} --loss {loss} --out {out} --epochs {epochs}")
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

/// Asserts that two checkpoints are equal bit for bit, except for times.
#[track_caller]
fn assert_same(folder: &TempDir, a: &str, b: &str) {
    for name in ["model.safetensors", "last.safetensors"] {
        let read = |run: &str| checkpoint::read(&folder.path().join(run).join(name)).unwrap();
        let (a, b) = (read(a), read(b));
        assert_eq!(a.context.metrics, b.context.metrics, "{name}");
        assert!(!a.state.tensors.is_empty());
        assert_eq!(a.state.tensors.keys().collect::<Vec<_>>(), b.state.tensors.keys().collect::<Vec<_>>());
        for (tensor, values) in &a.state.tensors {
            assert!(*values == b.state.tensors[tensor], "{name}: tensor {tensor} differs");
        }
        assert_eq!(
            (a.state.progress.step, a.state.progress.best),
            (b.state.progress.step, b.state.progress.best)
        );
    }
}

fn start(folder: &TempDir, args: &[String]) -> Child {
    let mut command = Command::new(program());
    command.current_dir(folder.path()).args(args).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits until the log contains this number of epochs.
fn wait_for_epochs(log: &Path, epochs: usize, child: &mut Child) {
    let start = Instant::now();
    while fs::read_to_string(log).unwrap_or_default().matches("\"event\":\"epoch\"").count() < epochs {
        assert!(start.elapsed() < Duration::from_secs(300), "no {epochs} epochs in five minutes");
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was interrupted");
        sleep(Duration::from_millis(5));
    }
}

fn signal(name: &str, child: &Child) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn the_same_seed_gives_the_same_bits_twice() {
    let folder = tempdir().unwrap();
    for loss in ["midx-popularity", "full"] {
        for run in ["a", "b"] {
            stdout(fastvae(&folder).args(args(loss, run, 2)).arg("--force"));
        }
        assert_same(&folder, "a", "b");
    }
}

#[test]
fn a_run_stopped_by_ctrl_c_goes_on_with_the_same_bits() {
    let folder = tempdir().unwrap();
    stdout(fastvae(&folder).args(args("midx-popularity", "whole", 8)));
    // At some point within an epoch; which one depends on timing.
    for (number, delay) in [3, 11, 23].into_iter().enumerate() {
        let run = format!("stopped{number}");
        let mut child = start(&folder, &args("midx-popularity", &run, 8));
        wait_for_epochs(&folder.path().join(&run).join("log.jsonl"), 2, &mut child);
        sleep(Duration::from_millis(delay));
        signal("INT", &child);
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{text}");
        assert!(text.contains(&format!("fastvae train --resume {run}")), "{text}");
        assert!(!folder.path().join(&run).join("metrics.json").exists());
        let text = complaint(fastvae(&folder).args(args("midx-popularity", &run, 8)), 2);
        assert!(text.contains("was stopped; `resume") && text.contains("--resume"), "{text}");
        stdout(fastvae(&folder).args(["train", "--quiet", "--resume", &run]));
        assert_same(&folder, "whole", &run);
        let epochs = |run: &str| {
            let path = folder.path().join(run).join("metrics.json");
            let metrics = fastvae::run::RunMetrics::read(&path).unwrap();
            let epochs: Vec<_> = metrics
                .epochs
                .into_iter()
                .map(|epoch| (epoch.epoch, epoch.loss, epoch.parts, epoch.validation))
                .collect();
            (epochs, metrics.test)
        };
        assert_eq!(epochs("whole"), epochs(&run));
    }
}

#[test]
fn a_run_that_was_killed_goes_on_from_its_last_save() {
    let folder = tempdir().unwrap();
    for loss in ["full", "midx-uniform"] {
        let whole = format!("whole-{loss}");
        let killed = format!("killed-{loss}");
        stdout(fastvae(&folder).args(args(loss, &whole, 8)));
        let mut child = start(&folder, &args(loss, &killed, 8));
        wait_for_epochs(&folder.path().join(&killed).join("log.jsonl"), 3, &mut child);
        signal("KILL", &child);
        child.wait().unwrap();
        stdout(fastvae(&folder).args(["train", "--quiet", "--resume", &killed]));
        assert_same(&folder, &whole, &killed);
    }
}

#[test]
fn a_finished_run_goes_on_only_if_asked_for_more_epochs() {
    let folder = tempdir().unwrap();
    // A cosine schedule depends on the number of epochs of a run; a constant rate does not.
    let constant =
        |out, epochs| [args("midx-popularity", out, epochs), vec!["--schedule=constant".into()]].concat();
    stdout(fastvae(&folder).args(constant("run", 2)));
    let text = complaint(fastvae(&folder).args(["train", "--resume", "run"]), 2);
    assert!(text.contains("is finished after 2 epochs"), "{text}");
    let text = complaint(fastvae(&folder).args(["train", "--resume", "run", "--epochs", "1"]), 2);
    assert!(text.contains("is finished after 2 epochs"), "{text}");
    stdout(fastvae(&folder).args(["train", "--quiet", "--resume", "run", "--epochs", "8"]));
    stdout(fastvae(&folder).args(constant("whole", 8)));
    assert_same(&folder, "whole", "run");
}

#[test]
fn a_run_keeps_its_settings_and_its_data() {
    let folder = tempdir().unwrap();
    let set = |rows: usize| -> String {
        let rows = (0..rows).map(|row| format!("u{},i{}\n", row % 60, (row * 7 + row / 60) % 50));
        format!("user,item\n{}", rows.collect::<String>())
    };
    fs::write(folder.path().join("set.csv"), set(1200)).unwrap();
    stdout(fastvae(&folder).args(args("uniform", "run", 1)).args(["--data", "set.csv"]));
    let again = ["train", "--quiet", "--resume", "run", "--epochs", "2"];
    let text = complaint(fastvae(&folder).args(again).args(["--hidden", "8"]), 2);
    assert!(text.contains("--hidden: it was 16 in the run"), "{text}");
    fs::write(folder.path().join("other.csv"), set(1100)).unwrap();
    let text = complaint(fastvae(&folder).args(again).args(["--data", "other.csv"]), 1);
    assert!(text.contains("is another set"), "{text}");
    fs::rename(folder.path().join("set.csv"), folder.path().join("moved.csv")).unwrap();
    stdout(fastvae(&folder).args(again).args(["--data", "moved.csv"]));
    fs::write(folder.path().join("run/last.safetensors"), b"not this").unwrap();
    let text = complaint(fastvae(&folder).args(["train", "--resume", "run", "--epochs", "9"]), 1);
    assert!(text.contains("last.safetensors") && text.contains("not a safetensors file"), "{text}");
}

#[test]
fn a_full_disk_is_an_error_and_the_previous_save_stays() {
    let folder = tempdir().unwrap();
    stdout(fastvae(&folder).args(args("midx-popularity", "run", 1)));
    let last = folder.path().join("run/last.safetensors");
    let before = fs::read(&last).unwrap();
    // Files are limited to 64 KiB here; writing more fails as on a full disk.
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\"";
    let output = Command::new("bash")
        .current_dir(folder.path())
        .args(["-c", script])
        .arg(program())
        .args(["train", "--resume", "run", "--epochs", "3", "--quiet"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("error: cannot write run/"), "{text}");
    assert!(fs::read(&last).unwrap() == before, "the previous save is damaged");
    let left: Vec<_> = fs::read_dir(folder.path().join("run"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().ends_with(".tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    stdout(fastvae(&folder).args(["train", "--resume", "run", "--epochs", "3", "--quiet"]));
}
