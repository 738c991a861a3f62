//! Injects each fault at every file system event of a run.

use std::{fs, path::Path, process::Command, time::Instant};

use crate::{
    Count, Soak,
    runs::{complete, failure, settings, train, whole},
};

const FAULTS: [&str; 5] = ["kill", "after", "half", "enospc", "eio"];

/// Injects faults until the time is over; events are taken in a random order.
pub fn run(soak: &mut Soak, end: Instant) -> Count {
    let random = &mut soak.random;
    let mut count = Count::default();
    let Ok(tools) = tempfile::tempdir() else { return count };
    let library = tools.path().join("faults.so");
    if let Err(problem) = build(&library) {
        println!("faults are not injected: {problem}");
        return count;
    }
    while Instant::now() < end && count.failures.is_empty() {
        let settings = settings(random);
        let Ok(folder) = tempfile::tempdir() else { return count };
        match whole(&folder, &settings) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(failure) => {
                count.failures.push(failure);
                return count;
            }
        }
        let (run, log) = (folder.path().join("run"), tools.path().join("log"));
        let _ = fs::remove_file(&log);
        let under = |at: usize, fault: &str| {
            let mut command = train(folder.path(), &settings);
            command.args(["--out", "run"]).env("LD_PRELOAD", &library).env("FAULT_DIR", "run");
            command.env("FAULT_AT", at.to_string()).env("FAULT_DO", fault);
            command
        };
        if under(0, "kill").env("FAULT_LOG", &log).output().is_err() {
            return count;
        }
        let events = fs::read_to_string(&log).unwrap_or_default().lines().count();
        let mut tries: Vec<(usize, &str)> =
            (1..=events).flat_map(|at| FAULTS.map(|fault| (at, fault))).collect();
        for last in (1..tries.len()).rev() {
            tries.swap(last, random.below(last + 1));
        }
        for (at, fault) in tries {
            if Instant::now() > end || !count.failures.is_empty() {
                break;
            }
            let _ = fs::remove_dir_all(&run);
            let Ok(output) = under(at, fault).output() else { return count };
            count.attacks += 1;
            let what = format!("{fault} at event {at} of {events}");
            let failed = match output.status.code() {
                // The run succeeded all the same, ended with an error message, or was killed.
                Some(0..=2) | None => {
                    complete(&folder, &settings, true).err().map(|failure| format!("{what}: {failure}"))
                }
                Some(_) => Some(failure(&what, &settings, &output)),
            };
            count.failures.extend(failed);
        }
    }
    count
}

fn build(library: &Path) -> Result<(), String> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/soak/faults.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(library).args([source, "-ldl"]);
    let output = compiler.output().map_err(|error| format!("no C compiler ({error})"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
