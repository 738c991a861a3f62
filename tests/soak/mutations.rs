//! Damaged inputs, in a process of their own: one that takes all memory or aborts ends that process, and is found.

use std::{
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use tests::mutation::{Campaign, Random, samples};

use crate::Count;

/// Mutations of one process. Its seed and number repeat the last of them.
const AT_ONCE: u64 = 100_000;

/// Reads damaged inputs until the time is over.
pub fn run(random: &mut Random, end: Instant) -> Count {
    let mut count = Count::default();
    while Instant::now() < end && count.failures.is_empty() {
        let seed = random.bits().to_string();
        let seconds = end.saturating_duration_since(Instant::now()).as_secs().max(1).to_string();
        let Ok(program) = std::env::current_exe() else { return count };
        // A gigabyte is more than any of them needs.
        let mut command = Command::new("bash");
        command.args(["-c", "ulimit -v 4000000; exec \"$0\" \"$@\""]).arg(program);
        command.args(["mutate", &seed, &seconds]).stdin(Stdio::null());
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

/// `soak mutate SEED SECONDS`: the process that may not survive. Prints how many are behind it.
pub fn work(args: impl Iterator<Item = String>) -> ExitCode {
    let numbers: Vec<u64> = args.filter_map(|arg| arg.parse().ok()).collect();
    let [seed, seconds] = numbers[..] else { return ExitCode::from(2) };
    let end = Instant::now() + Duration::from_secs(seconds);
    let samples = samples();
    let mut campaign = Campaign::new(seed, &samples);
    let mut done = 0;
    while done < AT_ONCE && Instant::now() < end {
        campaign.step();
        done += 1;
        if done % 100 == 0 {
            println!("{done}");
        }
    }
    println!("{done}");
    ExitCode::SUCCESS
}
