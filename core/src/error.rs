//! The one error type of the library.
//!
//! A message says what was wrong, where (file, line, field), and what to do about it.

use std::{io, path::PathBuf};

/// Everything that can go wrong, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting that cannot work, or does not fit another one. Exit code 2.
    #[error("{field}: {problem}")]
    Setting {
        /// Its key in the configuration file, with the section where another has the same key.
        field: String,
        /// What is wrong with it and what would be right.
        problem: String,
    },
    /// The operating system refused to read or write.
    #[error("cannot {action} {path}: {source}", path = .path.display())]
    Io {
        /// What was attempted: `read`, `write`, `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// A file that is not what its name or header promises.
    #[error("{place}: {problem}")]
    Format {
        /// File and line: `ratings.csv:17`.
        place: String,
        /// What was found, what was expected, what to do.
        problem: String,
    },
    /// Data that was read well but cannot be used: nothing left after filters, no test users.
    #[error("{0}")]
    Data(String),
    /// No adapter, a lost device, work larger than the device allows, or memory of another engine.
    #[error("{0}")]
    Device(String),
    /// A checkpoint that is damaged, foreign, or of another data set.
    #[error("{path}: {problem}", path = .path.display())]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The loss is no longer a finite number.
    #[error(
        "training diverged in epoch {epoch}, step {step}: the loss is {loss} at learning rate {learning_rate}; \
         lower `learning-rate` (a tenth is a good start) or check the data for extreme histories"
    )]
    Diverged {
        /// Epoch, counted from 1.
        epoch: u32,
        /// Step, counted from 1 over the whole run.
        step: u64,
        /// The offending value.
        loss: f32,
        /// The rate in force at that step.
        learning_rate: f32,
    },
    /// Somebody asked for an end: [`crate::watch::stop`].
    #[error("stopped before it was done")]
    Interrupted,
    /// A kernel was given buffers whose shapes do not fit: a bug of the caller inside the library.
    #[error("kernel {kernel}: {problem}")]
    Shape {
        /// The kernel.
        kernel: &'static str,
        /// The two shapes that disagree.
        problem: String,
    },
}

impl Error {
    /// A setting that cannot work.
    pub fn setting(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Setting { field: field.into(), problem: problem.into() }
    }

    /// A file that is not what it should be.
    pub fn format(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Format { place: place.into(), problem: problem.into() }
    }

    /// The operating system refused.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }

    /// Whether the caller's arguments are at fault (exit code 2) rather than the world (exit code 1).
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Setting { .. })
    }
}

/// Shorthand for the library's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;
