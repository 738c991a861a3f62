//! What the browser tests share.

use std::{
    io::{Cursor, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use tests::browser::{Site, View, dist};

/// A page that loads, with its engine.
pub const LOAD: Duration = Duration::from_secs(60);
/// A run of a few epochs in wasm, or on a software GPU.
pub const RUN: Duration = Duration::from_secs(300);

/// The parts of the lesson.
pub const LESSONS: [&str; 8] =
    ["softmax", "importance", "midx", "fidelity", "race", "scale", "recommend", "teacher"];

/// The built page at the root.
pub fn site() -> Site {
    Site::new(&dist(), "/")
}

/// Presses a button by mouse.
#[track_caller]
pub fn press(view: &View<'_>, act: &str) {
    view.click(&format!("[data-act={act}]"));
}

/// Chooses an option of a select.
#[track_caller]
pub fn choose(view: &View<'_>, act: &str, value: &str) {
    view.choose(&format!("[data-act={act}]"), value);
}

/// Files for the browser to open, in a folder that goes away with this.
pub struct Files(tempfile::TempDir);

impl Files {
    pub fn new(files: &[(&str, Vec<u8>)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// `ml-latest-small` as GroupLens publishes it, from the folder in `FASTVAE_DATA`.
pub fn ml_latest_small() -> Option<Vec<u8>> {
    let Some(data) = std::env::var_os("FASTVAE_DATA") else {
        println!("not run: set FASTVAE_DATA to a folder with ml-latest-small");
        return None;
    };
    let folder = Path::new(&data).join("ml-latest-small");
    if !folder.join("ratings.csv").is_file() {
        println!("not run: {} is not there", folder.display());
        return None;
    }
    let files = ["ratings.csv", "movies.csv"];
    let read = |name: &&str| (format!("ml-latest-small/{name}"), std::fs::read(folder.join(name)).unwrap());
    Some(zip(&files.iter().map(read).collect::<Vec<_>>()))
}

/// A zip with these files.
pub fn zip(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
