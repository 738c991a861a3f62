//! Signals: Ctrl-C asks a run to save and stop, SIGUSR1 asks how far it is.

use fastvae::watch;

use crate::output::note;

/// From now on the first Ctrl-C (or a polite kill) is an answer to [`watch::is_stopping`]; the second ends the process
/// at once. A hang-up is such a kill too, unless whoever started the program (`nohup`) wanted it ignored.
pub fn listen() {
    if let Err(error) = imp::listen() {
        note(&format!("note: Ctrl-C will not save the run: {error}"));
    }
}

/// What holds for every command: a file beyond the limit of `ulimit -f` is an error like a full disk, and SIGUSR1
/// prints what is being done.
pub fn prepare() {
    imp::prepare();
}

/// What the first signal does, and the second.
fn stop() {
    if watch::stop() {
        // Not `exit`: that would wait for drivers and destructors.
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
        // SAFETY: no handler is involved, only the wish to ignore.
        unsafe { libc::signal(SIGXFSZ, SIG_IGN) };
        let answered = on(&[SIGUSR1], || {
            note(&watch::describe().unwrap_or_else(|| "starting".into()));
        });
        // Progress is a comfort; whatever the command does works without.
        drop(answered);
    }

    pub fn listen() -> io::Result<()> {
        let wanted = [SIGINT, SIGTERM, SIGHUP];
        on(if is_ignored(SIGHUP) { &wanted[..2] } else { &wanted }, stop)
    }

    /// Calls `answer` on a thread of its own for each of these signals.
    fn on(signals: &[i32], answer: fn()) -> io::Result<()> {
        let mut signals = Signals::new(signals)?;
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || signals.forever().for_each(|_| answer()))?;
        Ok(())
    }

    fn is_ignored(signal: i32) -> bool {
        // SAFETY: a null action asks for the one in force, which is written to `before`; all zeros is a valid value.
        unsafe {
            let mut before: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &mut before) == 0 && before.sa_sigaction == SIG_IGN
        }
    }

    pub fn end(code: i32) -> ! {
        // SAFETY: ends the process without looking back.
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
