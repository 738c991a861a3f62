//! The command line as its users start it.

use std::{path::PathBuf, process, sync::OnceLock};

use assert_cmd::Command;

/// `fastvae` with an empty folder of its own to run in; the folder goes when the guard is dropped.
pub fn fastvae(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(program());
    command.current_dir(folder.path());
    command
}

/// The program itself, for tests that need the running process. Cargo builds no programs of other packages
/// for a test, so this does, with the packages and profile of the tests, for which all is compiled already.
pub fn program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM
        .get_or_init(|| {
            // target/PROFILE/deps/this-test
            let test = std::env::current_exe().expect("a test has a path");
            let profile = test.ancestors().nth(2).expect("a test lies under target/PROFILE/deps");
            let mut build = process::Command::new(env!("CARGO"));
            build.args(["build", "--quiet", "--bin", "fastvae"]);
            if profile.ends_with("release") {
                build.arg("--release");
            }
            build.arg("--target-dir").arg(profile.parent().expect("target"));
            build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
            assert!(build.status().expect("cargo runs").success(), "fastvae does not build");
            profile.join(format!("fastvae{}", std::env::consts::EXE_SUFFIX))
        })
        .clone()
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
