//! The folder of a run: one process at a time, and files of others are not touched.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]
#![cfg(unix)]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use fastvae::run::checkpoint;
use tempfile::{TempDir, tempdir};
use tests::cli::{complaint, fastvae, program, stdout};

const TINY: &str = "train --quiet --engine cpu --hidden 8 --latent 4 --negatives 20 --codewords 4 --batch 64";

fn train(folder: &TempDir, rest: &str) -> tests::cli::Command {
    let mut command = fastvae(folder);
    command.args(TINY.split_whitespace()).args(rest.split_whitespace());
    command
}

/// The files of a folder, with their contents.
fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.map(|path| (path.file_name().unwrap().to_str().unwrap().into(), fs::read(path).unwrap())).collect()
}

/// An endless run, after it has saved its first model.
fn going_on(folder: &TempDir, out: &str) -> Child {
    let mut command = Command::new(program());
    command.current_dir(folder.path()).args(TINY.split_whitespace());
    command.args(["--epochs", "100000", "--out", out]).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    while !folder.path().join(out).join("last.safetensors").exists() {
        sleep(Duration::from_millis(10));
    }
    child
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_folder_in_use_is_refused_until_its_owner_is_gone() {
    let folder = tempdir().unwrap();
    let owner = going_on(&folder, "run");
    let process = format!("process {}", owner.id());
    for line in ["--epochs 1 --out run", "--epochs 1 --out run --force"] {
        let text = complaint(&mut train(&folder, line), 2);
        assert!(text.contains("--out: run is in use by another run") && text.contains(&process), "{text}");
    }
    let text = complaint(fastvae(&folder).args(["train", "--resume", "run"]), 2);
    assert!(text.contains("--resume: run is in use by another run"), "{text}");
    kill(owner);
    // The lock ended with its process, although its file still exists.
    assert!(folder.path().join("run/.lock").exists());
    fs::write(folder.path().join("run/model.safetensors.tmp.99.7"), "half").unwrap();
    let text = complaint(&mut train(&folder, "--epochs 1 --out run"), 2);
    assert!(text.contains("was stopped; `resume = run` goes on"), "{text}");
    stdout(&mut train(&folder, "--epochs 1 --out run --force"));
    let names: Vec<String> = content(&folder.path().join("run")).into_keys().collect();
    let expected =
        ["config.toml", "last.safetensors", "log.jsonl", "metrics.json", "model.safetensors", "report.html"];
    assert_eq!(names, expected);
}

#[test]
fn files_of_others_stay_what_they_are() {
    let folder = tempdir().unwrap();
    let own = folder.path().join("own");
    fs::create_dir(&own).unwrap();
    for names in
        [vec!["notes.txt"], vec!["config.toml", "report.html"], vec!["model.safetensors", "metrics.json"]]
    {
        for name in &names {
            fs::write(own.join(name), format!("my {name}")).unwrap();
        }
        let before = content(&own);
        for line in ["--epochs 1 --out own", "--epochs 1 --out own --force"] {
            let text = complaint(&mut train(&folder, line), 2);
            assert!(text.contains("and no run; choose a new or an empty folder"), "{text}");
            assert_eq!(content(&own), before);
        }
        names.iter().for_each(|name| fs::remove_file(own.join(name)).unwrap());
    }
    // The files of runs that were killed before their settings were written, and during their first event.
    fs::write(own.join("log.jsonl"), "").unwrap();
    stdout(&mut train(&folder, "--epochs 1 --out own"));
    for name in ["last.safetensors", "metrics.json", "model.safetensors", "report.html"] {
        fs::remove_file(own.join(name)).unwrap();
    }
    fs::write(own.join("log.jsonl"), "{\"time\":1785").unwrap();
    // An empty folder is treated like a new one, and other files in the folder of a run are not removed.
    stdout(&mut train(&folder, "--epochs 1 --out own"));
    fs::write(own.join("notes.txt"), "mine").unwrap();
    stdout(&mut train(&folder, "--epochs 1 --out own --force"));
    assert_eq!(fs::read_to_string(own.join("notes.txt")).unwrap(), "mine");
    // A file may have the name of a file of a run without being one.
    fs::write(own.join("report.html"), "<p>mine</p>").unwrap();
    let before = content(&own);
    let text = complaint(&mut train(&folder, "--epochs 1 --out own --force"), 2);
    assert!(text.contains("report.html that is not of it"), "{text}");
    assert_eq!(content(&own), before);
}

#[test]
fn a_model_alone_is_a_run_too() {
    let folder = tempdir().unwrap();
    stdout(&mut train(&folder, "--epochs 1 --out run"));
    let run = folder.path().join("run");
    for gone in ["metrics.json", "last.safetensors", "config.toml", "log.jsonl", "report.html"] {
        fs::remove_file(run.join(gone)).unwrap();
    }
    let before = content(&run);
    let text = complaint(&mut train(&folder, "--epochs 1 --out run"), 2);
    assert!(text.contains("holds the model of a run that was killed") && text.contains("--force"), "{text}");
    assert_eq!(content(&run), before);
    stdout(&mut train(&folder, "--epochs 1 --out run --force"));
}

#[test]
fn a_model_of_another_run_is_refused_and_a_lost_one_has_a_way_on() {
    let folder = tempdir().unwrap();
    stdout(&mut train(&folder, "--epochs 3 --out run"));
    stdout(&mut train(&folder, "--epochs 1 --seed 9 --out other"));
    let run = folder.path().join("run");
    let model = fs::read(run.join("model.safetensors")).unwrap();
    fs::remove_file(run.join("metrics.json")).unwrap();
    let other = fs::read(folder.path().join("other/model.safetensors")).unwrap();
    // From the same run, but not from its best epoch.
    let mut early = checkpoint::read(&run.join("model.safetensors")).unwrap();
    early.state.progress.epoch = 1;
    early.context.metrics.values_mut().for_each(|value| *value /= 2.0);
    let path = folder.path().join("early.safetensors");
    checkpoint::write(&path, &early.context, &early.state).unwrap();
    for (bytes, words) in [
        (other, "the model of another run (seed: it was 9"),
        (fs::read(&path).unwrap(), "the best of the run is that of epoch"),
        (model[..model.len() / 2].to_vec(), "damaged or cut short"),
    ] {
        fs::write(run.join("model.safetensors"), bytes).unwrap();
        let text = complaint(fastvae(&folder).args("train --quiet --resume run".split(' ')), 1);
        assert!(text.contains(words) && text.contains("--from-last"), "no {words:?} in\n{text}");
        assert!(!run.join("metrics.json").exists());
    }
    stdout(fastvae(&folder).args("train --quiet --resume run --from-last".split(' ')));
    let metrics = fastvae::run::RunMetrics::read(&run.join("metrics.json")).unwrap();
    assert_eq!(metrics.best_epoch, None);
}

#[test]
fn nonsense_in_a_checkpoint_is_named() {
    let folder = tempdir().unwrap();
    stdout(&mut train(&folder, "--epochs 1 --linear 0 --out run"));
    let last = folder.path().join("run/last.safetensors");
    let whole = checkpoint::read(&last).unwrap();
    let mut twice = whole.clone();
    let items = std::sync::Arc::make_mut(&mut twice.context.items);
    items[7] = items[3].clone();
    let mut index = whole.clone();
    let codewords = index.state.tensors.get_mut("index.codewords").unwrap();
    let fastvae::state::TensorData::F32(values) = &mut codewords.data else { panic!("codewords are floats") };
    values[0] = f32::NAN;
    for (damaged, words) in
        [(twice, "two of its items have the id"), (index, "`index.codewords` holds numbers")]
    {
        checkpoint::write(&last, &damaged.context, &damaged.state).unwrap();
        let text = complaint(fastvae(&folder).args("train --resume run --epochs 2".split(' ')), 1);
        assert!(text.contains(words) && text.contains("last.safetensors"), "{text}");
    }
    // Finite weights whose squares overflow; cosines are still correct.
    let mut large = whole;
    for tensor in large.state.tensors.values_mut() {
        if let fastvae::state::TensorData::F32(values) = &mut tensor.data {
            values.iter_mut().for_each(|value| *value *= 1e30);
        }
    }
    let model = folder.path().join("large.safetensors");
    checkpoint::write(&model, &large.context, &large.state.into_model()).unwrap();
    let text =
        stdout(fastvae(&folder).args("similar large.safetensors --item 5 -n 3 --format csv".split(' ')));
    let scores: Vec<f32> =
        text.lines().skip(1).map(|row| row.rsplit(',').next().unwrap().parse().unwrap()).collect();
    assert!(scores.len() == 3 && scores.iter().all(|score| score.abs() <= 1.001), "{text}");
    let text = complaint(fastvae(&folder).args("recommend large.safetensors --user 1".split(' ')), 1);
    assert!(text.contains("scores are not finite"), "{text}");
}

#[test]
fn titles_are_part_of_a_run() {
    let folder = tempdir().unwrap();
    let rows =
        (0..900).map(|row| format!("u{},i{}\n", row % 60, (row * 7 + row / 60) % 40)).collect::<String>();
    fs::write(folder.path().join("set.csv"), format!("user,item\n{rows}")).unwrap();
    let titles = |word: &str| {
        let rows = (0..40).map(|item| format!("i{item},{word} {item},\n")).collect::<String>();
        fs::write(folder.path().join("set.items.csv"), format!("item,title,genres\n{rows}")).unwrap();
    };
    titles("Film");
    stdout(&mut train(&folder, "--data set.csv --epochs 1 --out run"));
    titles("Song");
    let again = "train --quiet --resume run --epochs 2".split(' ');
    let text = complaint(fastvae(&folder).args(again.clone()), 1);
    assert!(text.contains("titles or genres of set are not those of the run"), "{text}");
    titles("Film");
    stdout(fastvae(&folder).args(again));
}

#[test]
fn settings_and_data_may_have_any_path() {
    use std::os::unix::ffi::OsStringExt;
    let folder = tempdir().unwrap();
    let name = std::ffi::OsString::from_vec(b"d\xe9j\xe0.csv".to_vec());
    let rows =
        (0..900).map(|row| format!("u{},i{}\n", row % 60, (row * 7 + row / 60) % 40)).collect::<String>();
    fs::write(folder.path().join(&name), format!("user,item\n{rows}")).unwrap();
    stdout(train(&folder, "--epochs 1 --out run --data").arg(&name));
    stdout(fastvae(&folder).args("train --quiet --resume run --epochs 2".split(' ')));
    stdout(&mut train(&folder, "--epochs 1 --out again --config run/config.toml"));
    stdout(fastvae(&folder).args(["evaluate", "run"]));
    stdout(fastvae(&folder).args(["data", "info"]).arg(&name));
}
