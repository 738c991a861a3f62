//! Damaged inputs, read in a separate process, so that an input that takes all memory or aborts is found.

use std::{
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use tests::mutation::{Campaign, Sample, samples};

use crate::{Count, Soak};

/// Mutations per process. The seed and the number of a mutation reproduce it from the same corpus.
const AT_ONCE: u64 = 100_000;

/// The samples with these names, or all of them.
fn chosen(only: &str) -> Vec<Sample> {
    let names: Vec<&str> = only.split(',').filter(|name| !name.is_empty()).collect();
    let mut all = samples();
    all.retain(|sample| names.is_empty() || names.contains(&sample.reader.name()));
    all
}

/// Reads damaged inputs until the time is over, or until there were as many of each sample as asked.
pub fn run(soak: &mut Soak, end: Instant) -> Count {
    let mut count = Count::default();
    let most = soak.each.map_or(u64::MAX, |each| each.saturating_mul(chosen(&soak.only).len() as u64));
    while Instant::now() < end && count.failures.is_empty() && count.attacks < most {
        let seed = soak.random.bits().to_string();
        let seconds = end.saturating_duration_since(Instant::now()).as_secs().max(1).to_string();
        let Ok(program) = std::env::current_exe() else { return count };
        // 4 GB of address space is more than any input needs.
        let mut command = Command::new("bash");
        command.args(["-c", "ulimit -v 4000000; exec \"$0\" \"$@\""]).arg(program);
        command.args(["mutate", &seed, &seconds]).arg(&soak.corpus).arg(&soak.only).stdin(Stdio::null());
        let Ok(output) = command.output() else { return count };
        let done = String::from_utf8_lossy(&output.stdout);
        let done = done.lines().last().and_then(|line| line.parse::<u64>().ok()).unwrap_or(0);
        count.attacks += done;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            count.failures.push(format!("seed {seed}, after {done} mutations, {}\n{text}", output.status));
        }
    }
    count
}

/// `soak mutate SEED SECONDS CORPUS ONLY`: the separate process. Prints the number of inputs read so far.
pub fn work(mut args: impl Iterator<Item = String>) -> ExitCode {
    let mut number = || args.next().and_then(|arg| arg.parse::<u64>().ok());
    let (Some(seed), Some(seconds)) = (number(), number()) else { return ExitCode::from(2) };
    let corpus = args.next().map(PathBuf::from);
    let end = Instant::now() + Duration::from_secs(seconds);
    let samples = chosen(&args.next().unwrap_or_default());
    if samples.is_empty() {
        eprintln!("no sample has one of these names");
        return ExitCode::from(2);
    }
    let mut campaign = Campaign::new(seed, &samples, corpus);
    let mut done = 0;
    // As many of each sample.
    let most = AT_ONCE / samples.len() as u64 * samples.len() as u64;
    while done < most && Instant::now() < end {
        campaign.step();
        done += 1;
        if done % 100 == 0 {
            println!("{done}");
        }
    }
    println!("{done}");
    ExitCode::SUCCESS
}
