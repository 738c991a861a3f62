//! What the library is doing, and whether it should stop: for programs that hear Ctrl-C or are asked how far they are.
//!
//! Both are one for the whole process. Long pieces of work (reading, splitting, building an index, ranking) call
//! [`check`] several times a second and end with [`Error::Interrupted`] after [`stop`]; they leave nothing half-done
//! behind. Training steps do not: whoever drives a [`Trainer`](crate::train::Trainer) stops between two of them.

use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use crate::{Error, Result};

static STOPPING: AtomicBool = AtomicBool::new(false);
static STAGE: Mutex<Option<(&'static str, &'static str, u64)>> = Mutex::new(None);
static DONE: AtomicU64 = AtomicU64::new(0);

/// Asks all work of this process to end; true if it was asked before.
pub fn stop() -> bool {
    STOPPING.swap(true, Ordering::SeqCst)
}

/// Whether [`stop`] was called.
pub fn is_stopping() -> bool {
    STOPPING.load(Ordering::Relaxed)
}

/// Whether to go on.
///
/// # Errors
/// [`Error::Interrupted`] after [`stop`].
pub fn check() -> Result<()> {
    if is_stopping() { Err(Error::Interrupted) } else { Ok(()) }
}

/// Says what is being done and how much of it there is: `begin("measuring", "users", 50_000)`.
pub fn begin(what: &'static str, units: &'static str, total: u64) {
    at(what, units, 0, total);
}

/// Says how far it is.
pub fn at(what: &'static str, units: &'static str, done: u64, total: u64) {
    *stage() = Some((what, units, total));
    DONE.store(done, Ordering::Relaxed);
}

/// Adds to what is done of it.
pub fn advance(count: u64) {
    DONE.fetch_add(count, Ordering::Relaxed);
}

/// `measuring: 12000 of 50000 users`; nothing before the first [`begin`].
pub fn describe() -> Option<String> {
    let (what, units, total) = (*stage())?;
    let done = DONE.load(Ordering::Relaxed);
    Some(match total {
        0 => format!("{what}: {done} {units}"),
        total => format!("{what}: {done} of {total} {units}"),
    })
}

fn stage() -> MutexGuard<'static, Option<(&'static str, &'static str, u64)>> {
    STAGE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
