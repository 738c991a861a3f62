//! Signals: their effects at different times, and the files afterwards.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]
#![cfg(unix)]

use std::{
    fs,
    io::Write,
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::Duration,
};

use tempfile::{TempDir, tempdir};
use tests::cli::{complaint, fastvae, program};

fn start(folder: &TempDir, program_and_args: &[&str]) -> Child {
    let mut command = Command::new(program_and_args[0]);
    command.current_dir(folder.path()).args(&program_and_args[1..]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(name: &str, child: &Child) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Waits until the process has started the thread that handles signals.
fn wait_until_it_listens(child: &Child) {
    let status = format!("/proc/{}/status", child.id());
    loop {
        let text = fs::read_to_string(&status).unwrap();
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        // Bit 14 is SIGTERM.
        if u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << 14) != 0 {
            return;
        }
        sleep(Duration::from_millis(5));
    }
}

fn ended(child: Child, code: i32) -> String {
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(code), "{text}");
    text
}

#[test]
#[cfg(target_os = "linux")]
fn a_run_is_stopped_while_it_reads() {
    let folder = tempdir().unwrap();
    let mut child =
        start(&folder, &[program().to_str().unwrap(), "train", "--data", "/dev/stdin", "--out", "run"]);
    wait_until_it_listens(&child);
    // Input that arrives slowly and never ends.
    let mut data = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        let rows = (0..100_000).map(|row| format!("{},{}\n", row % 1000, row % 777)).collect::<String>();
        while data.write_all(rows.as_bytes()).is_ok() {}
    });
    sleep(Duration::from_millis(300));
    signal("TERM", &child);
    let text = ended(child, 130);
    assert!(text.contains("stopping") && text.contains("nothing was written"), "{text}");
    assert!(!folder.path().join("run").exists());
    writer.join().unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_run_is_stopped_while_it_builds_its_first_index() {
    let folder = tempdir().unwrap();
    let line =
        "train --quiet --engine cpu --first-iterations 10000 --codewords 250 --negatives 300 --out run";
    let mut args = vec![program().to_str().unwrap().to_owned()];
    args.extend(line.split(' ').map(str::to_owned));
    let child = start(&folder, &args.iter().map(String::as_str).collect::<Vec<_>>());
    while !folder.path().join("run/config.toml").exists() {
        sleep(Duration::from_millis(5));
    }
    signal("INT", &child);
    ended(child, 130);
    assert!(!folder.path().join("run").exists());
    let text = complaint(fastvae(&folder).args("train --first-iterations 4294967295".split(' ')), 2);
    assert!(text.contains("--first-iterations: 4294967295 is outside of 0..=10000"), "{text}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_hang_up_ends_a_run_unless_it_is_to_be_ignored() {
    let folder = tempdir().unwrap();
    let line =
        "train --quiet --engine cpu --hidden 8 --latent 4 --negatives 20 --codewords 4 --epochs 100000 --out";
    for (ignored, out) in [(false, "heard"), (true, "ignored")] {
        let program = program();
        let disposition = if ignored { "--ignore-signal=HUP" } else { "--default-signal=HUP" };
        let mut args = vec!["env", disposition, program.to_str().unwrap()];
        args.extend(line.split(' '));
        args.push(out);
        let mut child = start(&folder, &args);
        while !folder.path().join(out).join("last.safetensors").exists() {
            sleep(Duration::from_millis(5));
        }
        signal("HUP", &child);
        if !ignored {
            assert!(ended(child, 130).contains("train --resume heard"));
            continue;
        }
        // The next signal is handled, so the previous one was ignored.
        signal("USR1", &child);
        sleep(Duration::from_millis(200));
        assert!(child.try_wait().unwrap().is_none());
        signal("TERM", &child);
        assert!(ended(child, 130).contains("train --resume ignored"));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn progress_is_printed_when_asked_for() {
    let folder = tempdir().unwrap();
    let line = "train --quiet --engine cpu --hidden 8 --latent 4 --negatives 20 --codewords 4 --epochs 100000 --out run";
    let mut args = vec![program().to_str().unwrap().to_owned()];
    args.extend(line.split(' ').map(str::to_owned));
    let child = start(&folder, &args.iter().map(String::as_str).collect::<Vec<_>>());
    while !folder.path().join("run/last.safetensors").exists() {
        sleep(Duration::from_millis(5));
    }
    signal("USR1", &child);
    sleep(Duration::from_millis(200));
    signal("TERM", &child);
    let text = ended(child, 130);
    assert!(text.lines().any(|line| line.contains(": ") && line.contains(" of ")), "{text}");
}

#[test]
fn a_file_size_limit_is_an_error_in_words() {
    let folder = tempdir().unwrap();
    let script = "ulimit -f 40; exec \"$0\" train --engine cpu --quiet --epochs 1 --out run";
    let output =
        Command::new("bash").current_dir(folder.path()).args(["-c", script]).arg(program()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("error: cannot write run/"), "{text}");
    let left = fs::read_dir(folder.path().join("run")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| !name.contains("tmp") && !name.contains("lock")), "{left:?}");
}
