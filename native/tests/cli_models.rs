//! Systems beside Mult-VAE on the command line: train, evaluate, recommend, similar.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::fs;

use fastvae::{model::ModelKind, run::RunMetrics};
use tempfile::tempdir;
use tests::cli::{complaint, fastvae, stdout};

#[test]
fn every_model_is_trained_evaluated_and_recommends() {
    let folder = tempdir().unwrap();
    let better = RunMetrics::read(&{
        let line = "train --model popularity --out popularity --quiet";
        stdout(fastvae(&folder).args(line.split_whitespace()));
        folder.path().join("popularity/metrics.json")
    })
    .unwrap();
    for (name, kind) in ModelKind::NAMED.into_iter().filter(|(_, kind)| *kind != ModelKind::MultVae) {
        let has_negatives = kind.uses("proposal", "kind");
        let epochs = match (kind.uses("training", "epochs"), has_negatives) {
            (true, false) => " --epochs 6 --factors 16",
            (true, true) => " --epochs 15 --factors 16 --negatives 100 --learning-rate 0.02",
            (false, _) => "",
        };
        let text = stdout(
            fastvae(&folder)
                .args(format!("train --model {name} --out {name} --force{epochs}").split_whitespace()),
        );
        assert!(text.contains("NDCG") && text.contains(&format!("run: {name}")), "{text}");
        let metrics = RunMetrics::read(&folder.path().join(name).join("metrics.json")).unwrap();
        if kind != ModelKind::Popularity {
            assert!(metrics.test["ndcg@50"] > better.test["ndcg@50"], "{name} is worse than popularity");
        }
        let again = stdout(fastvae(&folder).args(["evaluate", name, "--at", "50", "--json"]));
        let again: serde_json::Value = serde_json::from_str(&again).unwrap();
        assert_eq!(again["metrics"]["ndcg@50"].as_f64(), Some(metrics.test["ndcg@50"]), "{name}");
        let config = fs::read_to_string(folder.path().join(name).join("config.toml")).unwrap();
        assert!(config.contains(&format!("kind = \"{name}\"")), "{config}");
        assert_eq!(config.contains("[proposal]"), has_negatives, "{config}");
        let line = format!("train --config {name}/config.toml --out again --force --quiet --json");
        let again = stdout(fastvae(&folder).args(line.split_whitespace()));
        let again: serde_json::Value = serde_json::from_str(&again).unwrap();
        assert_eq!(again["test"], serde_json::to_value(&metrics.test).unwrap(), "{name}");

        let known = stdout(fastvae(&folder).args(["recommend", name, "--user", "17", "-n", "3"]));
        let new = stdout(fastvae(&folder).args(["recommend", name, "--history", "5,9,77", "-n", "3"]));
        assert_eq!((known.lines().count() > 3, new.lines().count() > 3), (true, true), "{known}{new}");
        let similar = ["similar", name, "--item", "5", "-n", "3"];
        if kind == ModelKind::Popularity {
            let text = complaint(fastvae(&folder).args(similar), 1);
            assert!(text.contains("does not relate items"), "{text}");
        } else {
            assert!(stdout(fastvae(&folder).args(similar)).contains("score"));
        }
        let report = fs::read_to_string(folder.path().join(name).join("report.html")).unwrap();
        assert!(report.contains(&format!("Model {name}")) && !report.contains("Sampler"), "{name}");
        if !kind.uses("training", "epochs") {
            let text = complaint(fastvae(&folder).args(["train", "--resume", name]), 2);
            assert!(text.contains("holds no last.safetensors"), "{text}");
        }
    }
}

#[test]
fn what_a_model_cannot_do_is_refused() {
    let folder = tempdir().unwrap();
    stdout(fastvae(&folder).args("train --model item-knn --out knn --quiet".split_whitespace()));
    for (line, words) in [
        ("train --model easy", "possible values: mult-vae, popularity"),
        ("train --model ease --hidden 5", "`hidden` is a setting of mult-vae, and the model is ease"),
        ("train --lambda 5", "`lambda` is a setting of ease, and the model is mult-vae"),
        ("train --model ease --lambda 0", "--lambda: 0 is outside of 0 (excluded)"),
        ("train --model ease --loss full", "--loss: a model of kind ease has no such setting"),
        ("train --model ease --loss auto", "--loss: a model of kind ease has no losses to choose from"),
        ("train --model pris --loss auto", "--loss: a model of kind pris has no losses to choose from"),
        ("compare --loss auto", "invalid value 'auto'"),
        ("train --model ials --batch 3", "--batch: a model of kind ials has no such setting"),
        ("train --model elsa --weight-decay 0.1", "--weight-decay: a model of kind elsa has no such setting"),
        ("train --model elsa --block 3", "`block` is a setting of ials, and the model is elsa"),
        ("train --model item-knn --epochs 3", "--epochs: a model of kind item-knn has no such setting"),
        ("train --model ease --engine gpu", "--engine: a model of kind ease needs the CPU"),
        ("bench epoch --model ease", "--model: ease has no proposals and no gradient steps"),
        ("compare --model ease", "--model: ease has no proposals"),
        ("fidelity --model mf", "--model: mf is not a network"),
        ("train --model pris --loss full", "--loss: the model compares pairs of items"),
        ("train --model mf --beta 0.1", "--beta: a model of kind mf has no such setting"),
        ("train --model warp --partition exact-positives", "--partition: a model of kind warp has no such"),
        ("fidelity --model ease", "--model: ease has no proposals"),
    ] {
        let text = complaint(fastvae(&folder).args(line.split_whitespace()), 2);
        assert!(text.contains(words), "`fastvae {line}` lacks {words:?}:\n{text}");
    }
    // Without an adapter the error is that of the engine, with another exit code.
    fastvae(&folder).args("evaluate knn --engine gpu".split_whitespace()).assert().failure();
    assert!(!folder.path().join("runs").exists());
}
