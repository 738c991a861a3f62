//! Signals: Ctrl-C stops a run after saving, SIGUSR1 prints progress.

use fastvae::watch;

use crate::output::note;

/// Installs handlers: the first SIGINT, SIGTERM or SIGHUP sets the flag that [`watch::is_stopping`]
/// returns; the second ends the process at once. SIGHUP stays ignored if it was ignored at the start
/// (`nohup`).
pub fn listen() {
    if let Err(error) = imp::listen() {
        note(&format!("note: Ctrl-C will not save the run: {error}"));
    }
}

/// Signal settings for all commands: exceeding `ulimit -f` is a write error instead of a fatal signal, and
/// SIGUSR1 prints progress.
pub fn prepare() {
    imp::prepare();
}

/// Handles a stop signal: the first sets the stop flag, the second ends the process.
fn stop() {
    if watch::stop() {
        // `std::process::exit` would run destructors and wait for drivers.
        imp::end(i32::from(crate::INTERRUPTED));
    }
    note("\nstopping; once more ends at once");
}

#[cfg(unix)]
#[allow(unsafe_code, reason = "signals are the system's")]
mod imp {
    use std::{io, thread};

    use libc::{SIG_IGN, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};
    use signal_hook::iterator::Signals;

    use super::{note, stop, watch};

    pub fn prepare() {
        // SAFETY: SIG_IGN installs no handler.
        unsafe { libc::signal(SIGXFSZ, SIG_IGN) };
        let answered = on(&[SIGUSR1], || {
            note(&watch::describe().unwrap_or_else(|| "starting".into()));
        });
        // Commands work without progress output, so an error here is ignored.
        drop(answered);
    }

    pub fn listen() -> io::Result<()> {
        let wanted = [SIGINT, SIGTERM, SIGHUP];
        on(if is_ignored(SIGHUP) { &wanted[..2] } else { &wanted }, stop)
    }

    /// Calls `answer` for each of these signals, on a separate thread.
    fn on(signals: &[i32], answer: fn()) -> io::Result<()> {
        let mut signals = Signals::new(signals)?;
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || signals.forever().for_each(|_| answer()))?;
        Ok(())
    }

    fn is_ignored(signal: i32) -> bool {
        // SAFETY: with a null action, `sigaction` only writes the current one to `before`; all zeros is a
        // valid value.
        unsafe {
            let mut before: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &mut before) == 0 && before.sa_sigaction == SIG_IGN
        }
    }

    pub fn end(code: i32) -> ! {
        // SAFETY: `_exit` has no preconditions.
        unsafe { libc::_exit(code) }
    }
}

#[cfg(not(unix))]
mod imp {
    pub fn prepare() {}

    pub fn listen() -> std::io::Result<()> {
        ctrlc::set_handler(super::stop).map_err(std::io::Error::other)
    }

    pub fn end(code: i32) -> ! {
        std::process::exit(code)
    }
}
