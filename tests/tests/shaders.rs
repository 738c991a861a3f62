//! Every shader also passes the checks of Tint, the WGSL compiler of Chromium: unlike naga it proves that
//! barriers are reached by all invocations.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::{fs, process::Command};

#[test]
fn tint_accepts_every_shader() {
    if Command::new("tint").arg("--version").output().is_err() {
        println!("not run: put `tint` (of Dawn) on the PATH to check the shaders as Chromium does");
        return;
    }
    let folder = std::env::temp_dir().join(format!("fastvae-shaders-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut problems = String::new();
    for shader in fastvae_shaders::ALL {
        let path = folder.join(shader.name).with_extension("wgsl");
        fs::write(&path, shader.source).unwrap();
        let output =
            Command::new("tint").args(["--format", "wgsl", "-o", "/dev/null"]).arg(&path).output().unwrap();
        if !output.status.success() {
            problems += &String::from_utf8_lossy(&output.stderr);
        }
    }
    fs::remove_dir_all(&folder).unwrap();
    assert!(problems.is_empty(), "{problems}");
    println!("{} shaders accepted", fastvae_shaders::ALL.len());
}
