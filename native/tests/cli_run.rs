//! A run from data to recommendations: train, evaluate, recommend, similar.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::{fs, path::Path, sync::OnceLock};

use fastvae::{
    run::{RunMetrics, checkpoint},
    state::TensorData,
};
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tests::cli::{complaint, fastvae, stdout};

/// Settings for a run that takes a second even in an unoptimised build.
const TINY: &str = "--hidden 16 --latent 8 --negatives 20 --codewords 4 --epochs 3 --seed 7";

/// A finished run on the built-in set in the folder `run`, trained once for all tests.
fn finished() -> &'static TempDir {
    static RUN: OnceLock<TempDir> = OnceLock::new();
    RUN.get_or_init(|| {
        let folder = tempdir().unwrap();
        let text =
            stdout(fastvae(&folder).args("train --out run".split_whitespace()).args(TINY.split_whitespace()));
        assert!(text.contains("NDCG") && text.contains("Recall, hits / min(k, |test|)"), "{text}");
        assert!(text.contains("run: run"), "{text}");
        folder
    })
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_run_leaves_settings_log_metrics_models_and_report() {
    let run = finished().path().join("run");
    let mut names: Vec<String> =
        fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(
        names,
        ["config.toml", "last.safetensors", "log.jsonl", "metrics.json", "model.safetensors", "report.html"]
    );
    let metrics = RunMetrics::read(&run.join("metrics.json")).unwrap();
    assert_eq!((metrics.users, metrics.items, metrics.seed), (2000, 800, 7));
    assert_eq!(metrics.epochs.len(), 3);
    assert!(metrics.epochs.iter().all(|epoch| epoch.validation.as_ref().unwrap()["ndcg@50"] > 0.0));
    assert!(metrics.epochs[2].loss < metrics.epochs[0].loss, "{:?}", metrics.epochs);
    for name in ["ndcg@50", "recall@50", "recall_min_k@50", "ndcg@10"] {
        assert!(metrics.test[name] > 0.0 && metrics.test[name] < 1.0, "{name}: {:?}", metrics.test);
    }
    assert!(metrics.test["recall_min_k@10"] >= metrics.test["recall@10"]);
    assert!(metrics.best_epoch.is_some());
    assert!(!cfg!(target_os = "linux") || metrics.peak_memory_bytes.unwrap() > 1_000_000);
    let log = fs::read_to_string(run.join("log.jsonl")).unwrap();
    let events: Vec<Value> = log.lines().map(json).collect();
    assert_eq!(events.first().unwrap()["event"], "started");
    assert_eq!(events.last().unwrap()["event"], "done");
    assert!(events.iter().any(|event| event["event"] == "losses"));
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(config.contains("hidden = 16") && config.contains("dropout = 0.5\n"), "{config}");
    assert!(fs::read_to_string(run.join("report.html")).unwrap().contains("<svg"));
}

#[test]
fn the_configuration_of_a_run_makes_the_same_run() {
    let folder = tempdir().unwrap();
    let config = finished().path().join("run/config.toml");
    let line = ["train", "--quiet", "--json", "--out", "again", "--config"];
    let again = json(&stdout(fastvae(&folder).args(line).arg(config)));
    let first = RunMetrics::read(&finished().path().join("run/metrics.json")).unwrap();
    assert_eq!(again["test"], serde_json::to_value(first.test).unwrap());
}

#[test]
fn evaluate_repeats_the_test_of_the_run() {
    let folder = finished();
    let metrics = RunMetrics::read(&folder.path().join("run/metrics.json")).unwrap();
    let line = "evaluate run --at 10,50 --json";
    let again = json(&stdout(fastvae(folder).args(line.split_whitespace())));
    for name in ["ndcg@10", "ndcg@50", "recall@50", "coverage@50"] {
        assert_eq!(again["metrics"][name].as_f64(), metrics.test.get(name).copied(), "{name}");
    }
    let line = "evaluate run --at 50 --json --validation";
    let validation = json(&stdout(fastvae(folder).args(line.split_whitespace())));
    let best = metrics.best_epoch.unwrap() as usize;
    let best = &metrics.epochs[best - 1].validation.as_ref().unwrap()["ndcg@50"];
    assert_eq!(validation["metrics"]["ndcg@50"].as_f64(), Some(*best));
    assert!(stdout(fastvae(folder).args(["evaluate", "run"])).contains("@20"));
}

#[test]
fn evaluate_takes_another_set_with_the_same_ids() {
    let folder = finished();
    let rows: String = (1..40)
        .map(|user| {
            (1..30).fold(String::new(), |rows, item| rows + &format!("new{user},{}\n", item * 7 + user % 5))
        })
        .collect();
    fs::write(folder.path().join("other.csv"), format!("user,item\n{rows}nobody,unheard-of\n")).unwrap();
    let mut line = fastvae(folder);
    line.args(["evaluate", "run", "--data", "other.csv", "--split-again", "--json"]);
    let measured = json(&stdout(&mut line));
    assert!(measured["users"].as_u64().unwrap() > 30, "{measured}");
    fs::write(
        folder.path().join("foreign.csv"),
        "user,item\na,x\na,y\na,z\na,w\na,v\nb,x\nb,y\nb,z\nb,w\nb,v\n",
    )
    .unwrap();
    let text = complaint(fastvae(folder).args(["evaluate", "run", "--data", "foreign.csv"]), 1);
    assert!(text.contains("no item id in common"), "{text}");
    let text = complaint(fastvae(folder).args(["evaluate", "run", "--core", "3"]), 2);
    assert!(text.contains("--data"), "{text}");
}

/// The rows of `recommend --format csv`.
fn csv(text: &str) -> Vec<Vec<String>> {
    let rows = csv::Reader::from_reader(text.as_bytes()).into_records();
    rows.map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn recommend(line: &str) -> String {
    stdout(fastvae(finished()).args(["recommend", "run"]).args(line.split_whitespace()))
}

#[test]
fn recommend_for_a_user_leaves_out_what_was_seen() {
    let best = csv(&recommend("--user 17 -n 20 --format csv"));
    assert_eq!(best.len(), 20);
    assert!(best.iter().all(|row| row[0] == "17" && row[3] != row[2]), "titles are missing: {best:?}");
    let score = |row: &Vec<String>| row[4].parse::<f32>().unwrap();
    assert!(best.is_sorted_by(|a, b| score(a) >= score(b)));
    let all = csv(&recommend("--user 17 -n 800 --format csv --include-seen"));
    let unseen = csv(&recommend("--user 17 -n 800 --format csv"));
    assert_eq!(all.len(), 800);
    assert!(unseen.len() < 800 - 11 && unseen.len() > 600, "{}", unseen.len());
    let json: Vec<Value> = recommend("--user 17 -n 3 --format json").lines().map(json).collect();
    assert_eq!(
        (json.len(), &json[0]["item"], &json[0]["rank"]),
        (3, &Value::from(best[0][2].as_str()), &Value::from(1))
    );
}

#[test]
fn recommend_folds_in_ids_and_titles_alike() {
    let by_id = csv(&recommend("--history 5,9,77 --format csv"));
    assert!(by_id.iter().all(|row| !["5", "9", "77"].contains(&row[2].as_str())));
    let all = csv(&recommend("--user 1 -n 800 --include-seen --format csv"));
    let title = |id: &str| all.iter().find(|row| row[2] == id).unwrap()[3].clone();
    let mut line = fastvae(finished());
    line.args(["recommend", "run", "--format", "csv"]);
    for id in ["5", "9", "77"] {
        line.args(["--history", &title(id).to_uppercase()]);
    }
    assert_eq!(csv(&stdout(&mut line)), by_id);
    let text = complaint(fastvae(finished()).args(["recommend", "run", "--history", "the"]), 2);
    assert!(text.contains("may be") && text.contains("(id "), "{text}");
    let text = complaint(fastvae(finished()).args(["recommend", "run", "--history", "5,zzz", "--strict"]), 2);
    assert!(text.contains("no item has the id or title \"zzz\""), "{text}");
    let text = complaint(fastvae(finished()).args(["recommend", "run", "--user", "x"]), 2);
    assert!(text.contains("no user \"x\" among the 2000"), "{text}");
}

#[test]
fn recommend_obeys_allow_and_deny_lists() {
    let folder = finished();
    fs::write(folder.path().join("allow.txt"), "10\n20\n\n30\n40\n").unwrap();
    fs::write(folder.path().join("deny.txt"), "20\n").unwrap();
    let rows = csv(&recommend("--history 5,9 --allow allow.txt --deny deny.txt --format csv"));
    let mut items: Vec<&str> = rows.iter().map(|row| row[2].as_str()).collect();
    items.sort_unstable();
    assert_eq!(items, ["10", "30", "40"]);
    fs::write(folder.path().join("bad.txt"), "10\nzzz\n").unwrap();
    let text =
        complaint(fastvae(folder).args("recommend run --history 5 --deny bad.txt --strict".split(' ')), 2);
    assert!(text.contains("--deny: bad.txt:2: no item"), "{text}");
}

#[test]
fn recommend_for_everybody_goes_into_parquet_too() {
    let folder = finished();
    let table = recommend("--all-users -n 2 --format csv");
    assert_eq!(csv(&table).len(), 4000);
    recommend("--all-users -n 2 --format parquet --output all.parquet");
    let json =
        stdout(fastvae(folder).args("data info all.parquet --columns user=user,item=item --json".split(' ')));
    assert!(json.contains("\"rows\": 4000") && json.contains("\"users\": 2000"), "{json}");
    let text = complaint(fastvae(folder).args("recommend run --all-users --format parquet".split(' ')), 2);
    assert!(text.contains("--output: "), "{text}");
}

#[test]
fn similar_items_are_other_items_best_first() {
    let text = stdout(fastvae(finished()).args("similar run --item 5 -n 4 --format csv".split(' ')));
    let rows = csv(&text);
    assert_eq!(rows.len(), 4);
    assert!(text.starts_with("like,rank,item,title,score"), "{text}");
    assert!(rows.iter().all(|row| row[0] == "5" && row[2] != "5"));
    let cosine: Vec<f32> = rows.iter().map(|row| row[4].parse().unwrap()).collect();
    assert!(
        cosine.is_sorted_by(|a, b| a >= b) && cosine.iter().all(|c| (-1.001..=1.001).contains(c)),
        "{cosine:?}"
    );
    assert!(stdout(fastvae(finished()).args("similar run --item 5".split(' '))).contains("score"));
}

#[test]
fn damaged_and_foreign_checkpoints_say_so() {
    let folder = tempdir().unwrap();
    let model = fs::read(finished().path().join("run/model.safetensors")).unwrap();
    let header = br#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let mut foreign = (header.len() as u64).to_le_bytes().to_vec();
    foreign.extend_from_slice(header);
    foreign.extend_from_slice(&[0; 4]);
    for (name, bytes, words) in [
        ("empty.safetensors", Vec::new(), "the file is empty"),
        ("cut.safetensors", model[..model.len() - 100].to_vec(), "damaged or cut short"),
        ("head.safetensors", model[..500].to_vec(), "damaged or cut short"),
        ("foreign.safetensors", foreign, "of another program"),
        ("text.safetensors", b"user,item\n1,2\n3,4\n".to_vec(), "not a safetensors file"),
    ] {
        fs::write(folder.path().join(name), bytes).unwrap();
        let text = complaint(fastvae(&folder).args(["recommend", name, "--user", "1"]), 1);
        assert!(text.contains(words) && text.contains(name), "{name}: no {words:?} in\n{text}");
    }
    let text = complaint(fastvae(&folder).args(["recommend", "nowhere", "--user", "1"]), 1);
    assert!(text.contains("cannot read nowhere"), "{text}");

    // Complete files with invalid contents.
    let run = folder.path().join("run");
    copy(&finished().path().join("run"), &run);
    let last = checkpoint::read(&run.join("last.safetensors")).unwrap();
    let mut strange = checkpoint::read(&run.join("model.safetensors")).unwrap();
    if let Some(TensorData::F32(values)) = strange.state.tensors.get_mut("items").map(|t| &mut t.data) {
        values[3] = f32::NAN;
    }
    checkpoint::write(&run.join("model.safetensors"), &strange.context, &strange.state).unwrap();
    let text = complaint(fastvae(&folder).args("recommend run --user 1".split(' ')), 1);
    assert!(text.contains("`items` holds numbers that are not finite"), "{text}");
    let mut strange = last;
    strange.state.progress.step_in_epoch = 1000;
    checkpoint::write(&run.join("last.safetensors"), &strange.context, &strange.state).unwrap();
    let text = complaint(fastvae(&folder).args("train --resume run --epochs 9".split(' ')), 1);
    assert!(text.contains("last.safetensors") && text.contains("the file is damaged"), "{text}");
}

#[test]
fn a_finished_run_is_replaced_by_force_alone() {
    let folder = tempdir().unwrap();
    copy(&finished().path().join("run"), &folder.path().join("run"));
    let before = fs::read(folder.path().join("run/model.safetensors")).unwrap();
    let line = format!("train --out run {TINY} --quiet").replace("--epochs 3", "--epochs 1");
    let text = complaint(fastvae(&folder).args(line.split_whitespace()), 2);
    assert!(text.contains("holds a finished run") && text.contains("--force"), "{text}");
    assert_eq!(fs::read(folder.path().join("run/model.safetensors")).unwrap(), before);
    stdout(fastvae(&folder).args(line.split_whitespace()).arg("--force"));
    assert_ne!(fs::read(folder.path().join("run/model.safetensors")).unwrap(), before);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_noticed_before_training() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let text = complaint(fastvae(&folder).args(["train", "--out", "file"]), 2);
    assert!(text.contains("--out: file is a file"), "{text}");
    let text = complaint(fastvae(&folder).args(["train", "--out", "file/run"]), 1);
    assert!(text.contains("cannot create file/run"), "{text}");
    // Root can write regardless of permissions, but not here.
    if cfg!(target_os = "linux") {
        let text = complaint(fastvae(&folder).args(["train", "--out", "/proc/run"]), 1);
        assert!(text.contains("cannot create /proc/run") && !text.contains("epoch"), "{text}");
    }
}

#[test]
fn nan_in_training_names_the_step_and_keeps_the_last_save() {
    let folder = tempdir().unwrap();
    let settings = "--learning-rate 10 --schedule constant --loss full --hidden 16 --latent 8 --activation relu \
                    --decoder-activation relu --beta 100 --anneal-steps 0";
    let line = format!("train --out run --epochs 50 {settings}");
    let text = complaint(fastvae(&folder).args(line.split_whitespace()), 1);
    assert!(text.contains("training diverged in epoch") && text.contains("--learning-rate"), "{text}");
    assert!(!folder.path().join("run/metrics.json").exists());

    // A run that succeeded, and diverges after it is resumed: its files do not change. Weights this large give losses
    // that
    // are not finite.
    stdout(fastvae(&folder).args(format!("train --quiet --out good {TINY}").split_whitespace()));
    let kept = ["good/model.safetensors", "good/last.safetensors"].map(|name| folder.path().join(name));
    let mut checkpoint = checkpoint::read(&kept[1]).unwrap();
    if let Some(TensorData::F32(values)) = checkpoint.state.tensors.get_mut("to_latent").map(|t| &mut t.data)
    {
        values.fill(1e30);
    }
    checkpoint::write(&kept[1], &checkpoint.context, &checkpoint.state).unwrap();
    let before = kept.clone().map(|path| fs::read(path).unwrap());
    let text = complaint(fastvae(&folder).args("train --resume good --epochs 9".split_whitespace()), 1);
    assert!(text.contains("training diverged in epoch 4") && text.contains("saved: "), "{text}");
    assert_eq!(kept.map(|path| fs::read(path).unwrap()), before);
}

/// The presets of the command line are valid settings of this version.
#[test]
fn presets_can_be_used() {
    let presets = concat!(env!("CARGO_MANIFEST_DIR"), "/presets");
    let folder = tempdir().unwrap();
    let mut used = 0;
    for preset in fs::read_dir(presets).unwrap() {
        let preset = preset.unwrap().path();
        // On the built-in set, which needs no filters and may have fewer items than a preset has negatives.
        let line = "train --quiet --json --epochs 1 --core 0 --batch 500 --negatives 96 --config";
        let result = json(&stdout(fastvae(&folder).args(line.split_whitespace()).arg(&preset)));
        assert!(result["test"]["ndcg@50"].as_f64().unwrap() > 0.0, "{}", preset.display());
        used += 1;
    }
    assert!(used >= 2, "{used}");
}

#[test]
fn the_fastest_loss_is_measured_and_the_run_names_it() {
    let folder = tempdir().unwrap();
    let line = "train --loss auto --engine cpu --out run";
    let output =
        fastvae(&folder).args(line.split_whitespace()).args(TINY.split_whitespace()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let (_, loss) = said.split_once("loss:     ").unwrap();
    let loss = loss.lines().next().unwrap();
    for candidate in ["full: ", "midx-popularity: ", "midx-popularity, shared by 8 users: "] {
        assert!(said.contains(candidate), "{said}");
    }
    let config = fs::read_to_string(folder.path().join("run/config.toml")).unwrap();
    let config: toml::Table = toml::from_str(&config).unwrap();
    let kind = if loss == "full" { "full-softmax" } else { "sampled-softmax" };
    assert_eq!(config["objective"]["kind"].as_str(), Some(kind), "{said}");
    let shared = loss.ends_with("shared by 8 users");
    assert_eq!(config["proposal"]["group-size"].as_integer() == Some(8), shared, "{said}");

    let text = complaint(fastvae(&folder).args("train --resume run --loss auto".split_whitespace()), 2);
    assert!(text.contains("--loss: a run goes on with the loss that it began with"), "{text}");
    // What was asked for stays, and a loss that does not fit is left out.
    let line = "train --loss auto --group-size 4 --negatives 9000 --engine cpu --out other --epochs 1";
    let output = fastvae(&folder).args(line.split_whitespace()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("loss:     full\n") && said.contains("shared by 4 users: "), "{said}");
}
