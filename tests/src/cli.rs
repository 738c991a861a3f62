//! The command line as its users start it.

use std::path::PathBuf;

pub use assert_cmd::Command;

/// `fastvae` with an empty folder of its own to run in; the folder goes when the guard is dropped.
pub fn fastvae(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(program());
    command.current_dir(folder.path());
    command
}

/// The program itself, for tests that need the running process. Cargo builds it before it runs the integration tests
/// of its package, native/tests.
pub fn program() -> PathBuf {
    // target/PROFILE/deps/this-test, or target/PROFILE/soak.
    let this = std::env::current_exe().expect("a program has a path");
    let folder = this.parent().expect("it lies under target/PROFILE");
    let profile = if folder.ends_with("deps") { folder.parent().expect("PROFILE") } else { folder };
    let program = profile.join(format!("fastvae{}", std::env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "{} is missing: cargo build", program.display());
    program
}

/// What a command that must succeed prints.
#[track_caller]
pub fn stdout(command: &mut Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).expect("UTF-8")
}

/// What a command that must fail with this code complains about.
#[track_caller]
pub fn complaint(command: &mut Command, code: i32) -> String {
    let assert = command.assert().code(code);
    let text = String::from_utf8(assert.get_output().stderr.clone()).expect("UTF-8");
    assert!(text.contains("error: "), "no error is named:\n{text}");
    assert!(!text.contains("panicked"), "it panicked:\n{text}");
    text
}
