//! Sends signals to runs at random moments.

use std::{
    fs,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use tests::mutation::Random;

use crate::{
    Count, Soak,
    runs::{complete, failure, settings, train, whole},
};

/// Sends signals to runs until the time is over.
pub fn run(soak: &mut Soak, end: Instant) -> Count {
    let random = &mut soak.random;
    let mut count = Count::default();
    while Instant::now() < end && count.failures.is_empty() {
        let settings = settings(random);
        let Ok(folder) = tempfile::tempdir() else { return count };
        let start = Instant::now();
        match whole(&folder, &settings) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(failure) => {
                count.failures.push(failure);
                return count;
            }
        }
        let length = start.elapsed();
        for _ in 0..4 {
            let ended = interrupted(random, &folder, &settings, length, &mut count)
                .and_then(|killed| complete(&folder, &settings, killed));
            if let Err(failure) = ended {
                count.failures.push(failure);
                return count;
            }
            let _ = fs::remove_dir_all(folder.path().join("run"));
        }
    }
    count
}

/// Starts a run and sends it signals; up to three times, resuming it in between. Returns whether
/// the last process may have been unable to remove its lock.
fn interrupted(
    random: &mut Random,
    folder: &tempfile::TempDir,
    settings: &[String],
    length: Duration,
    count: &mut Count,
) -> Result<bool, String> {
    let mut killed = false;
    for attempt in 0..=random.below(3) {
        let resume = folder.path().join("run/last.safetensors").exists();
        if attempt > 0 && (!resume || folder.path().join("run/metrics.json").exists()) {
            break;
        }
        let mut command = if resume {
            train(folder.path(), &["--engine=cpu".into(), "--quiet".into(), "--resume=run".into()])
        } else {
            train(folder.path(), settings)
        };
        if !resume {
            command.args(["--out", "run"]);
        }
        let child = command.spawn().map_err(|error| error.to_string())?;
        sleep(length.mul_f64(random.below(1200) as f64 / 1000.0));
        let signals = *random.one(&[
            &["INT"][..],
            &["TERM"],
            &["HUP"],
            &["KILL"],
            &["STOP", "CONT"],
            &["USR1", "INT"],
            &["INT", "INT"],
        ]);
        for signal in signals {
            // It may have ended already.
            let _ = Command::new("kill").args(["-s", signal, &child.id().to_string()]).output();
            count.attacks += 1;
        }
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        // Finished; stopped; or killed by the signal, which arrived before its handler or has none.
        if !matches!(output.status.code(), Some(0 | 130) | None) {
            return Err(failure("a run that got a signal", settings, &output));
        }
        // The second Ctrl-C ends a run at once, as a kill does.
        killed = output.status.code().is_none()
            || (signals == ["INT", "INT"] && output.status.code() == Some(130));
    }
    Ok(killed)
}
