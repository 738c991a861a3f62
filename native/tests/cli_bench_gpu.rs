//! `fastvae bench gpu` on whatever adapter there is, also one in software.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::fs;

use tempfile::tempdir;
use tests::cli::{complaint, fastvae, stdout};

/// The adapter under test, as `tests::engines` chooses it; nothing if there is none and none is required.
fn adapter() -> Option<String> {
    std::env::var("FASTVAE_TEST_ADAPTER").ok().or_else(|| {
        let folder = tempdir().unwrap();
        let json = stdout(fastvae(&folder).args(["engines", "--json"]));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        (!json["adapters"].as_array().unwrap().is_empty()).then(|| "0".to_owned())
    })
}

#[test]
fn a_gpu_is_measured_and_what_there_is_no_time_for_is_named() {
    let Some(adapter) = adapter() else {
        println!("not run: no adapter");
        return;
    };
    for seconds in ["20", "0.001"] {
        let folder = tempdir().unwrap();
        let files = ["--out", "report.json", "--html", "report.html", "--adapter", &adapter];
        let sizes = ["--items", "300", "--seconds", seconds];
        let text = stdout(fastvae(&folder).args(["bench", "gpu"]).args(sizes).args(files));
        let json = fs::read_to_string(folder.path().join("report.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(!json["adapter"]["name"].as_str().unwrap().is_empty());
        assert!(json["adapter"]["limits"]["maxBufferSize"].as_u64().unwrap() > 0);
        let tested = &json["selftest"];
        assert!(tested["passed"].as_u64().unwrap() > 10 && tested["failed"].as_array().unwrap().is_empty());
        assert_eq!(tested["same_integers"], true);
        // Each way is measured or named.
        let (runs, left_out) = (json["runs"].as_array().unwrap(), json["left_out"].to_string());
        for way in ["full", "plain", "shared", "direct"] {
            let measured = runs.iter().any(|run| run["way"] == way);
            assert!(measured != left_out.contains(&format!("{way}, 300 items: ")), "{way}: {json}");
        }
        for run in runs {
            assert!(run["epoch_seconds"].as_f64().unwrap() > run["step_seconds"].as_f64().unwrap(), "{run}");
            for shader in run["shaders"].as_array().unwrap() {
                assert!(shader["calls"].as_f64().unwrap() > 0.0, "{shader}");
                assert!(
                    shader["workgroups"].as_f64().unwrap() >= shader["calls"].as_f64().unwrap(),
                    "{shader}"
                );
                if shader["shader"].as_str().unwrap() == "encode_rows" {
                    assert!(shader["cost"]["flops"].as_f64().unwrap() > 1e6, "{shader}");
                }
            }
        }
        if seconds == "0.001" {
            assert!(runs.is_empty() && json["peaks"].is_null(), "{json}");
        }
        assert!(text.contains("in all"), "{text}");
        let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
        assert!(html.contains("Left out") == (left_out != "[]") && html.ends_with("</html>\n"));
        assert_eq!(
            html.contains("Roofline"),
            json["adapter"]["times_dispatches"] == true && !runs.is_empty()
        );
    }
}

#[test]
fn wrong_sizes_and_adapters_are_refused() {
    let folder = tempdir().unwrap();
    let bench = |line: &str, code| {
        complaint(
            fastvae(&folder).args(["bench", "gpu", "--out", "r.json"]).args(line.split_whitespace()),
            code,
        )
    };
    assert!(bench("--items 5", 2).contains("--items: 5 is outside"));
    assert!(bench("--seconds 0", 2).contains("--seconds: 0 is not above 0"));
    assert!(bench("--adapter none-of-this-name", 1).contains("adapter"));
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
}
