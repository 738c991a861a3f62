//! A long campaign against runs and files:
//! `cargo run --release -p tests --bin soak -- [--minutes N] [--seed N] [--corpus FOLDER] [--each N] [--only NAME,..]
//! [PART..]`.
//!
//! Parts, all of them by default, in turn until the time is over:
//! - `faults`: at every file system event of a run, the process is killed, a write is cut short, or the disk is full or
//!   broken;
//! - `signals`: signals at random moments of runs with random settings;
//! - `settings`: every pair of settings, each configuration trained twice;
//! - `mutations`: damaged inputs of every form; those with a new kind of outcome join the corpus, a folder that later
//!   campaigns start from. `--each N` ends after N of every sample instead of after the time; `--only` chooses samples
//!   by their names.
//!
//! An attacked run must be resumable and end with the same bits as an undisturbed one, and no half-written file may
//! remain. A failure is printed with the seed and the settings that reproduce it, and ends the campaign.

#![forbid(unsafe_code)]

mod faults;
mod mutations;
mod pairs;
mod runs;
mod signals;

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use tests::mutation::Random;

/// What the parts share.
pub struct Soak {
    /// Every choice of the campaign.
    pub random: Random,
    /// The pairs of settings that are not tried yet, once there are any.
    pub pairs: Option<pairs::Pairs>,
    /// Inputs to mutate.
    pub corpus: PathBuf,
    /// How many mutations of each sample there are, if the time does not limit them.
    pub each: Option<u64>,
    /// The names of the samples to mutate, with commas between them; empty for all.
    pub only: String,
}

/// The result of a part.
#[derive(Default)]
pub struct Count {
    /// Number of faults, signals, configurations or inputs.
    pub attacks: u64,
    /// Descriptions of what went wrong.
    pub failures: Vec<String>,
}

type Part = fn(&mut Soak, Instant) -> Count;

const PARTS: [(&str, Part); 4] = [
    ("faults", faults::run),
    ("signals", signals::run),
    ("settings", runs::run),
    ("mutations", mutations::run),
];

/// Longer than any number of mutations takes.
const A_WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn main() -> ExitCode {
    let (mut minutes, mut seed, mut wanted) = (2.0f64, 1u64, Vec::new());
    let mut corpus = PathBuf::from("target/soak-corpus");
    let (mut each, mut only) = (None, String::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|value| value.parse::<f64>().ok());
        match (arg.as_str(), PARTS.iter().find(|part| part.0 == arg)) {
            (_, Some(part)) => wanted.push(*part),
            ("--minutes", _) => minutes = number().unwrap_or(minutes),
            ("--seed", _) => seed = number().map_or(seed, |number| number as u64),
            ("--each", _) => each = number().map(|number| number as u64),
            ("--only", _) => only = args.next().unwrap_or_default(),
            ("--corpus", _) => corpus = args.next().map_or(corpus, PathBuf::from),
            // Mutations run in a process of their own, which they may end.
            ("mutate", _) => return mutations::work(args),
            _ => {
                eprintln!(
                    "usage: soak [--minutes N] [--seed N] [--corpus FOLDER] [--each N] [--only NAME,..] [faults] [signals] [settings] [mutations]"
                );
                return ExitCode::from(2);
            }
        }
    }
    if wanted.is_empty() {
        wanted = PARTS.to_vec();
    }
    let end = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
    let mut soak = Soak { random: Random(seed), pairs: None, corpus, each, only };
    if each.is_some() {
        let Count { attacks, failures } = mutations::run(&mut soak, Instant::now() + A_WEEK);
        failures.iter().for_each(|failure| println!("FAILED mutations: {failure}"));
        println!("{attacks} mutations, the same number of each sample, seed {seed}");
        return ExitCode::from(u8::from(!failures.is_empty()));
    }
    let mut totals = vec![0; wanted.len()];
    let mut failed = false;
    while Instant::now() < end && !failed {
        for ((name, part), total) in wanted.iter().zip(&mut totals) {
            let rest = end.saturating_duration_since(Instant::now());
            let turn = Instant::now() + rest.min(Duration::from_secs(60).max(rest / 8));
            let Count { attacks, failures } = part(&mut soak, turn);
            *total += attacks;
            println!("{name}: {total} so far");
            failed |= !failures.is_empty();
            failures.iter().for_each(|failure| println!("FAILED {name}: {failure}"));
        }
    }
    let totals: Vec<String> =
        wanted.iter().zip(&totals).map(|((name, _), total)| format!("{total} {name}")).collect();
    println!("{}, seed {seed}", totals.join(", "));
    ExitCode::from(u8::from(failed))
}
