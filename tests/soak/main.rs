//! A long campaign against runs and files: `cargo run --release -p tests --bin soak -- [--minutes N] [--seed N] [PART..]`.
//!
//! Parts, all of them by default, in turn until the time is over:
//! - `faults`: every file system event of a run, as a kill, a half-done write, a full disk, a broken one;
//! - `signals`: signals at random moments of runs with random settings;
//! - `settings`: random settings, each trained twice;
//! - `mutations`: damaged inputs of every form.
//!
//! Whatever happens, a run that goes on ends with the same bits as one that nothing happened to, and nothing
//! half-written is left. What fails is printed with the seed and the settings that repeat it; then the campaign ends.

mod faults;
mod mutations;
mod runs;
mod signals;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use tests::mutation::Random;

/// What a part has done.
#[derive(Default)]
pub struct Count {
    /// Things that were done to a run or a file.
    pub attacks: u64,
    /// What went wrong.
    pub failures: Vec<String>,
}

type Part = fn(&mut Random, Instant) -> Count;

const PARTS: [(&str, Part); 4] = [
    ("faults", faults::run),
    ("signals", signals::run),
    ("settings", runs::run),
    ("mutations", mutations::run),
];

fn main() -> ExitCode {
    let (mut minutes, mut seed, mut wanted) = (2.0f64, 1u64, Vec::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|value| value.parse::<f64>().ok());
        match (arg.as_str(), PARTS.iter().find(|part| part.0 == arg)) {
            (_, Some(part)) => wanted.push(*part),
            ("--minutes", _) => minutes = number().unwrap_or(minutes),
            ("--seed", _) => seed = number().map_or(seed, |number| number as u64),
            // The part that may not survive runs in a process of its own.
            ("mutate", _) => return mutations::work(args),
            _ => {
                eprintln!("usage: soak [--minutes N] [--seed N] [faults] [signals] [settings] [mutations]");
                return ExitCode::from(2);
            }
        }
    }
    if wanted.is_empty() {
        wanted = PARTS.to_vec();
    }
    let end = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
    let mut random = Random(seed);
    let mut totals = vec![0; wanted.len()];
    let mut failed = false;
    while Instant::now() < end && !failed {
        for ((name, part), total) in wanted.iter().zip(&mut totals) {
            let rest = end.saturating_duration_since(Instant::now());
            let turn = Instant::now() + rest.min(Duration::from_secs(60).max(rest / 8));
            let Count { attacks, failures } = part(&mut random, turn);
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
