//! Exports in the hands of other programs: onnxruntime, faiss, hnswlib, usearch, where Python has them.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process,
};

use tempfile::{TempDir, tempdir};
use tests::cli::{complaint, fastvae, stdout};

/// The Python that `FASTVAE_PYTHON` names, which must have the modules; without it the system's, if it has them.
fn python(modules: &str) -> Option<PathBuf> {
    let named = env::var_os("FASTVAE_PYTHON").map(PathBuf::from);
    let python = named.clone().unwrap_or_else(|| "python3".into());
    let code = format!("import {modules}");
    let output = process::Command::new(&python).args(["-c", &code]).output();
    if output.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    assert!(named.is_none(), "{} cannot import {modules}", python.display());
    // Written past the capture of the tests, which hides what a test that passes prints.
    let text = format!(
        "NOT RUN: python3 cannot import {modules}; pip install -r tests/serving/requirements.txt, and name its Python \
         in FASTVAE_PYTHON\n"
    );
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    None
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/serving").join(name)
}

fn run(folder: &TempDir, python: &Path, name: &str, arguments: &[&str]) -> String {
    let mut command = process::Command::new(python);
    let output = command.current_dir(folder).arg(script(name)).args(arguments).output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

/// A folder with 1,000 users and 60 items.
fn set() -> TempDir {
    let folder = tempdir().unwrap();
    let pairs = (0..1000u32).flat_map(|user| {
        let length = 5 + user % 13;
        (0..length).map(move |n| (user, (user % 7 * 8 + n * n + user / 7 % 5) % 60))
    });
    let rows: String = pairs.map(|(user, item)| format!("u{user},i{item}\n")).collect();
    fs::write(folder.path().join("set.csv"), format!("user,item\n{rows}")).unwrap();
    folder
}

fn fast(folder: &TempDir, line: &str) -> String {
    let engine = if line.starts_with("train") { " --quiet --engine cpu" } else { " --engine cpu" };
    stdout(fastvae(folder).args(format!("{line}{engine}").split(' ')))
}

const VAE: &str = "--loss full --epochs 3 --hidden 24 --latent 8 --batch 64";

#[test]
fn graphs_score_as_the_models_do() {
    let Some(python) = python("numpy, onnxruntime") else { return };
    let folder = set();
    for (out, flags, has_vectors) in [
        ("dense", VAE.to_owned(), true),
        ("direct", format!("{VAE} --decoder direct --activation relu --item-bias=false"), true),
        ("decoder", format!("{VAE} --activation none --decoder-activation tanh"), true),
        ("layers", format!("{VAE} --layers 12,7 --autoencoder dae"), true),
        ("blocks", format!("{VAE} --layers 24,24 --hidden-layer swish-norm --average 0.5"), true),
        ("gates", format!("{VAE} --layers 12 --hidden-layer gated"), true),
        ("tied", format!("{VAE} --tied-items"), true),
        ("elsa", "--model elsa --factors 16 --epochs 3".into(), true),
        ("ease", "--model ease".into(), false),
        ("knn", "--model item-knn --neighbours 7".into(), false),
        ("popularity", "--model popularity".into(), false),
    ] {
        fast(&folder, &format!("train --data set.csv --out {out} {flags}"));
        fast(&folder, &format!("export {out} --onnx {out}.onnx"));
        let line = "--all-users -n 60 --include-seen --format csv --output";
        fast(&folder, &format!("recommend {out} {line} {out}.csv"));
        let (model, lists, items) = (format!("{out}.onnx"), format!("{out}.csv"), format!("{out}.npy"));
        let mut arguments = vec![model.as_str(), "set.csv", &lists];
        if has_vectors {
            fast(&folder, &format!("export {out} --items {items}"));
            arguments.push(&items);
        }
        let text = run(&folder, &python, "onnx_scores.py", &arguments);
        assert!(text.contains("1000 users x 60 items agree"), "{out}: {text}");
    }
}

#[test]
fn models_without_a_graph_say_what_to_take() {
    let folder = set();
    fast(&folder, "train --data set.csv --out ials --model ials --factors 8 --epochs 1");
    let text = complaint(fastvae(&folder).args("export ials --onnx ials.onnx".split(' ')), 1);
    assert!(text.contains("ials") && text.contains("vectors"), "{text}");
    assert!(!folder.path().join("ials.onnx").exists());
}

/// The Python of docs/serving.md.
#[test]
fn libraries_for_neighbours_find_the_lists_of_recommend() {
    let folder = set();
    fast(&folder, &format!("train --data set.csv --out run {VAE}"));
    fast(&folder, "export run --items items.npy --users users.npy --onnx model.onnx");
    fast(&folder, "recommend run --all-users -n 10 --include-seen --format csv --output lists.csv");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/serving.md");
    for library in ["faiss", "hnswlib", "usearch", "onnxruntime"] {
        let Some(python) = python(&format!("numpy, {library}")) else { continue };
        let text = run(&folder, &python, "guide.py", &[page.to_str().unwrap(), "lists.csv", library]);
        assert!(text.contains("1 blocks agree"), "{library}: {text}");
    }
}
