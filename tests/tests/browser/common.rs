//! What the browser tests share.

use std::time::Duration;

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
