//! Progress and cancellation of long operations, for programs that handle Ctrl-C or show a progress line.
//!
//! Both are global to the process. Long operations (reading, splitting, building an index, ranking) call
//! [`check`] several times a second and return [`Error::Interrupted`] after [`stop`], without partial
//! results. Training steps do not: the caller of a [`Trainer`](crate::train::Trainer) stops between two
//! steps.

use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use crate::{Error, Result};

static STOPPING: AtomicBool = AtomicBool::new(false);
static STAGE: Mutex<Option<(&'static str, &'static str, u64)>> = Mutex::new(None);
static DONE: AtomicU64 = AtomicU64::new(0);

/// Asks all long operations of this process to stop; returns whether it had been called before.
pub fn stop() -> bool {
    STOPPING.swap(true, Ordering::SeqCst)
}

/// Whether [`stop`] was called.
pub fn is_stopping() -> bool {
    STOPPING.load(Ordering::Relaxed)
}

/// Succeeds unless [`stop`] was called.
///
/// # Errors
/// [`Error::Interrupted`] after [`stop`].
pub fn check() -> Result<()> {
    if is_stopping() { Err(Error::Interrupted) } else { Ok(()) }
}

/// Starts a new operation and sets its total: `begin("measuring", "users", 50_000)`.
pub fn begin(what: &'static str, units: &'static str, total: u64) {
    at(what, units, 0, total);
}

/// Sets how much of the operation is done.
pub fn at(what: &'static str, units: &'static str, done: u64, total: u64) {
    *stage() = Some((what, units, total));
    DONE.store(done, Ordering::Relaxed);
}

/// Adds to how much of the operation is done.
pub fn advance(count: u64) {
    DONE.fetch_add(count, Ordering::Relaxed);
}

/// `measuring: 12000 of 50000 users`; `None` before the first [`begin`].
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
