//! Runs of the campaign: random or pairwise settings, at least two runs of each, compared to the bit.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    time::Instant,
};

use tempfile::TempDir;
use tests::{cli::program, mutation::Random};

use crate::{
    Count, Soak,
    pairs::{Pairs, Setting},
};

/// Each setting with values that work with most others.
const SETTINGS: &[Setting] = &[
    (
        "loss",
        &[
            "full",
            "uniform",
            "popularity",
            "midx-uniform",
            "midx-popularity",
            "midx",
            "softmax",
            "dns",
            "kernel",
            "adaptive",
        ],
    ),
    ("row-updates", &["dense", "replay", "lazy"]),
    ("decoder", &["dense", "direct"]),
    ("partition", &["paper", "exact-positives"]),
    ("quantisation", &["product", "query-aware", "residual"]),
    ("kmeans", &["plain", "balanced"]),
    ("initialisation", &["random", "plus-plus"]),
    ("codebooks", &["2", "3"]),
    ("codeword-weights", &["even", "root", "count"]),
    ("group-size", &["1", "3"]),
    ("schedule", &["constant", "cosine", "linear", "step"]),
    ("weight-decay", &["0", "0.01"]),
    ("refresh-steps", &["0", "7"]),
    ("dropout-on", &["input", "bag"]),
    ("latent-samples", &["1", "2"]),
    ("layers", &["", "12"]),
    ("hidden-layer", &["plain", "swish-norm", "gated"]),
    ("tied-items", &["false", "true"]),
    ("implicit-slim", &["0", "0.5"]),
    ("prior", &["normal", "composite"]),
    ("kl-weights", &["equal", "interactions"]),
    ("autoencoder", &["vae", "dae"]),
    ("average", &["0", "0.5"]),
    ("validation-users", &["0", "300"]),
    ("evaluate-every", &["1", "2"]),
    ("save-every", &["0", "1", "2"]),
    ("split", &["weak", "strong"]),
];
const SMALL: &str =
    "--engine cpu --quiet --hidden 12 --latent 6 --linear 8 --negatives 24 --codewords 4 --batch 100";

/// Models beside Mult-VAE, each with its flags.
const OTHER_MODELS: [&str; 13] = [
    "popularity",
    "item-knn --neighbours 7",
    "ease --lambda 50",
    "ials --factors 6 --epochs 3",
    "wrmf --factors 6 --epochs 3",
    "elsa --factors 6 --epochs 3",
    "bpr --factors 6 --epochs 3",
    "mf --factors 6 --epochs 3 --negatives 24 --codewords 4",
    "warp --factors 6 --epochs 3 --negatives 24",
    "aobpr --factors 6 --epochs 3 --negatives 24",
    "dns --factors 6 --epochs 3 --negatives 24",
    "pris --factors 6 --epochs 3 --negatives 24 --codewords 4",
    "self-adversarial --factors 6 --epochs 3 --negatives 24",
];

/// A quarter of the time another model; otherwise about half of the settings, each with one of its values.
pub fn settings(random: &mut Random) -> Vec<String> {
    if random.below(4) == 0 {
        let model = random.one(&OTHER_MODELS);
        let line = format!("--engine cpu --quiet --seed {} --model {model}", random.below(100));
        let mut chosen: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if random.below(2) == 0 {
            chosen.push("--split=strong".into());
        }
        if model.contains("epochs") && random.below(2) == 0 {
            chosen.push("--save-every=1".into());
        }
        return chosen;
    }
    let mut chosen = small(random);
    for (name, values) in SETTINGS {
        if random.below(2) == 0 {
            chosen.push(format!("--{name}={}", random.one(values)));
        }
    }
    chosen
}

fn small(random: &mut Random) -> Vec<String> {
    let mut chosen: Vec<String> = SMALL.split(' ').map(str::to_owned).collect();
    chosen.push(format!("--epochs={}", 2 + random.below(3)));
    chosen.push(format!("--seed={}", random.below(100)));
    chosen
}

/// `fastvae train` in a folder.
pub fn train(folder: &Path, args: &[String]) -> Command {
    let mut command = Command::new(program());
    command.current_dir(folder).arg("train").args(args).stdin(Stdio::null());
    // Any number of threads gives the same bits, and runs as small as these take longer on several.
    command.env("RAYON_NUM_THREADS", "1").stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Trains undisturbed, in `whole`. Returns false if the program refuses the combination of settings, and a description of
/// the failure if it ends in any other way.
pub fn whole(folder: &TempDir, settings: &[String]) -> Result<bool, String> {
    let mut command = train(folder.path(), settings);
    let output = command.args(["--out", "whole"]).output().map_err(|error| error.to_string())?;
    match output.status.code() {
        Some(0) => Ok(true),
        Some(2) => Ok(false),
        _ => Err(failure("an undisturbed run", settings, &output)),
    }
}

/// Resumes `run`, or starts it again if it ended before its first save, and compares the result with `whole`. `attacked`: whether
/// the process of `run` may have been unable to remove its lock.
pub fn complete(folder: &TempDir, settings: &[String], mut attacked: bool) -> Result<(), String> {
    let (run, whole) = (folder.path().join("run"), folder.path().join("whole"));
    if !run.join("metrics.json").exists() {
        let resume = run.join("last.safetensors").exists();
        let mut command = if resume {
            train(folder.path(), &["--engine=cpu".into(), "--quiet".into(), "--resume=run".into()])
        } else {
            train(folder.path(), settings)
        };
        if !resume {
            command.args(["--force", "--out", "run"]);
        }
        attacked = false;
        let output = command.output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(failure("resuming", settings, &output));
        }
    }
    for name in ["model.safetensors", "last.safetensors"] {
        // A model in closed form has nothing to resume.
        let read = |folder: &Path| match fs::read(folder.join(name)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            bytes => bytes.map(Some).map_err(|error| format!("{name}: {error}")),
        };
        let (bytes, expected) = (read(&run)?, read(&whole)?);
        if bytes != expected || (expected.is_none() && name == "model.safetensors") {
            return Err(format!("{name} differs from that of an uninterrupted run: {}", settings.join(" ")));
        }
    }
    // The file of a lock locks nothing once its process has ended; it stays if the process was killed before it could
    // remove it, or if it was not allowed to.
    let names = fs::read_dir(&run).map_err(|error| error.to_string())?;
    let names = names.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    match names.into_iter().find(|name| name.contains(".tmp") || (name == ".lock" && !attacked)) {
        Some(name) => Err(format!("{name} is left: {}", settings.join(" "))),
        None => Ok(()),
    }
}

/// A failure with the settings that reproduce it.
pub fn failure(what: &str, settings: &[String], output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    format!("{what} ended with {}: {}\n{text}", output.status, settings.join(" "))
}

/// Every pair of settings, then again with other seeds; each configuration is trained twice.
pub fn run(Soak { random, pairs, .. }: &mut Soak, end: Instant) -> Count {
    let mut count = Count::default();
    while Instant::now() < end && count.failures.is_empty() {
        let open = pairs.get_or_insert_with(|| Pairs::new(SETTINGS));
        let Some(row) = open.row(random) else {
            println!("settings: {} pairs met, {} refused: {:?}", open.met, open.refused.len(), open.refused);
            *pairs = None;
            continue;
        };
        let settings = [small(random), open.flags(&row)].concat();
        let Ok(folder) = tempfile::tempdir() else { return count };
        let compared = whole(&folder, &settings).and_then(|works| {
            open.settle(&row, works);
            if works { complete(&folder, &settings, false) } else { Ok(()) }
        });
        count.attacks += 1;
        count.failures.extend(compared.err());
    }
    count
}
