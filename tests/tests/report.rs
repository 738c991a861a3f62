//! The report page and `metrics.json`.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::{collections::BTreeMap, path::PathBuf};

use fastvae::{
    Error,
    run::{ClosedFormMetrics, EpochMetrics, RunMetrics},
};
use fastvae_study::report;
use serde_json::json;

fn metrics(ndcg: f64) -> BTreeMap<String, f64> {
    [10, 20, 50]
        .into_iter()
        .flat_map(|k| {
            let share = f64::from(k) / 50.0;
            [
                ("ndcg", ndcg * (0.8 + 0.2 * share)),
                ("recall", ndcg * 1.54 * share),
                ("recall_min_k", ndcg * 1.72),
                ("precision", 0.14),
                ("map", 0.19),
                ("mrr", 0.52),
                ("hit_rate", 0.91),
                ("coverage", 0.44 * share),
            ]
            .map(|(name, value)| (format!("{name}@{k}"), value))
        })
        .collect()
}

fn run() -> RunMetrics {
    let epochs = (1..=24)
        .map(|epoch| {
            let rest = (-f64::from(epoch) / 5.0).exp();
            let validation = (epoch % 2 == 0).then(|| metrics(0.335 * (1.0 - rest)));
            EpochMetrics {
                epoch,
                seconds: 1.9 + 0.2 * rest,
                index_seconds: 0.04,
                loss: 190.0 + 60.0 * rest,
                parts: BTreeMap::from([("kl".to_owned(), 22.0 * (1.0 - rest))]),
                validation,
            }
        })
        .collect();
    RunMetrics {
        version: "0.1.0".into(),
        seed: 7,
        engine: "cpu, 2 threads".into(),
        users: 47_292,
        items: 5_942,
        interactions: 2_001_164,
        data: None,
        beyond: Default::default(),
        config: json!({
            "data": { "path": "ratings <old> & \"new\".csv", "core": 10, "min-rating": null, "split": "weak" },
            "model": { "hidden": 200, "latent": 32, "decoder": "dense", "activation": "tanh", "item-bias": true },
            "objective": { "kind": "sampled-softmax" },
            "proposal": { "kind": "midx-popularity", "negatives": 200, "codewords": 16, "group-size": 1 },
            "training": { "epochs": 60, "batch": 256, "beta": 0.2, "metric": "ndcg@50" },
        }),
        epochs,
        closed_form: None,
        best_epoch: Some(22),
        test: metrics(0.3341),
        test_users_skipped: 3,
        total_seconds: 71.6,
        peak_memory_bytes: Some(381_400_000),
    }
}

#[test]
fn the_report_of_a_run() {
    let page = report::html(&run());
    if let Some(folder) = std::env::var_os("FASTVAE_FIGURES") {
        std::fs::write(PathBuf::from(folder).join("report.html"), &page).unwrap();
    }
    insta::assert_snapshot!(page);
}

#[test]
fn the_report_stands_alone_and_escapes_what_users_name() {
    let page = report::html(&run());
    assert!(page.contains("ratings &lt;old&gt; &amp; &quot;new&quot;.csv") && !page.contains("<old>"));
    let elsewhere = page.replace("http://www.w3.org/2000/svg", "");
    for fetched in ["http", "src=", "url(", "@import", "<script", "<link"] {
        assert!(!elsewhere.contains(fetched), "{fetched}");
    }
}

#[test]
fn a_run_cut_short_has_a_report() {
    let bare = RunMetrics {
        epochs: vec![],
        best_epoch: None,
        test: BTreeMap::new(),
        peak_memory_bytes: None,
        data: None,
        beyond: Default::default(),
        config: json!({}),
        ..run()
    };
    let page = report::html(&bare);
    assert!(page.contains("The test set was not evaluated.") && page.contains("no data"));
    assert!(!page.contains("NaN") && !page.contains("NDCG@"));
}

#[test]
fn a_closed_form_is_reported_without_epochs() {
    let fit = ClosedFormMetrics { seconds: 12.34, validation: Some(metrics(0.3131)) };
    let config = json!({ "model": { "kind": "ease", "lambda": 300.0 } });
    let run = RunMetrics { epochs: vec![], closed_form: Some(fit), best_epoch: None, config, ..run() };
    let page = report::html(&run);
    for words in ["Model ease", "closed form in 12.3 s", "Validation set", "0.3131", "model.lambda"] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("<svg") && !page.contains("Every epoch") && !page.contains("Best epoch"));
}

#[test]
fn metrics_come_back_as_written_and_a_failed_write_leaves_nothing() {
    let folder = std::env::temp_dir().join(format!("fastvae-report-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("metrics.json");
    run().write(&path).unwrap();
    assert!(RunMetrics::read(&path).unwrap() == run(), "a number lost bits on its way through the file");
    report::write(&folder.join("report.html"), &run()).unwrap();
    assert_eq!(std::fs::read_to_string(folder.join("report.html")).unwrap(), report::html(&run()));

    let value: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(
        value["epochs"][1]["validation"]["ndcg@50"],
        json!(metrics(0.335 * (1.0 - (-0.4f64).exp()))["ndcg@50"])
    );
    for key in ["users", "items", "interactions", "engine", "test", "peak_memory_bytes", "epochs"] {
        assert!(!value[key].is_null(), "{key}");
    }

    std::fs::write(&path, "{\"users\": 3").unwrap();
    assert!(matches!(RunMetrics::read(&path), Err(Error::Format { .. })));
    assert!(matches!(RunMetrics::read(&folder.join("absent.json")), Err(Error::Io { .. })));
    std::fs::create_dir(folder.join("taken")).unwrap();
    assert!(matches!(run().write(&folder.join("taken")), Err(Error::Io { .. })));
    let mut left: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["metrics.json", "report.html", "taken"]);
    std::fs::remove_dir_all(&folder).unwrap();
}
