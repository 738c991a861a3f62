//! Ctrl-C asks a run to save and stop.

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on the first Ctrl-C (or a polite kill) is an answer to [`asked`]; the second ends the process.
pub fn listen() {
    let handler = || {
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(crate::INTERRUPTED));
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        crate::output::note(&format!("note: Ctrl-C will not save the run: {error}"));
    }
}

/// Whether somebody asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
