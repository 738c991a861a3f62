//! Runs the command line program.

use std::path::PathBuf;

pub use assert_cmd::Command;

/// `fastvae` with `folder` as its working directory; the folder is removed when the guard is dropped.
pub fn fastvae(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(program());
    command.current_dir(folder.path());
    command
}

/// Path of the program, for tests that start it themselves. Cargo builds it before the integration tests of
/// its package, which are in native/tests.
pub fn program() -> PathBuf {
    // The test is at target/PROFILE/deps/NAME or, for soak, at target/PROFILE/soak.
    let this = std::env::current_exe().expect("a program has a path");
    let folder = this.parent().expect("it lies under target/PROFILE");
    let profile = if folder.ends_with("deps") { folder.parent().expect("PROFILE") } else { folder };
    let program = profile.join(format!("fastvae{}", std::env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "{} is missing: cargo build", program.display());
    program
}

/// Runs a command that must succeed; returns its standard output.
#[track_caller]
pub fn stdout(command: &mut Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).expect("UTF-8")
}

/// Runs a command that must fail with this exit code; returns its standard error.
#[track_caller]
pub fn complaint(command: &mut Command, code: i32) -> String {
    let assert = command.assert().code(code);
    let text = String::from_utf8(assert.get_output().stderr.clone()).expect("UTF-8");
    assert!(text.contains("error: "), "no error is named:\n{text}");
    assert!(!text.contains("panicked"), "it panicked:\n{text}");
    text
}
