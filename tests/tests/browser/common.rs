//! What the browser tests share.

use std::{
    io::{Cursor, Write},
    path::Path,
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

/// Presses a button of the bar.
#[track_caller]
pub fn press(view: &View<'_>, act: &str) {
    view.run(&format!("root.querySelector('[data-act={act}]').click()"));
}

/// Sets a control of the bar as a user would.
#[track_caller]
pub fn choose(view: &View<'_>, act: &str, value: &str) {
    view.run(&format!(
        "const control = root.querySelector('[data-act={act}]');
         control.value = '{value}';
         control.dispatchEvent(new Event('change', {{ bubbles: true }}))"
    ));
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
