//! The one error type of the library.
//!
//! A message says what was wrong, where (file, line, field), and what to do about it.

use std::{io, path::PathBuf};

/// All errors, grouped by what the caller can do about them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting has an invalid value or conflicts with another one. Exit code 2.
    #[error("{field}: {problem}")]
    Setting {
        /// Its key in the configuration file, with the section if the key occurs in several.
        field: String,
        /// What is wrong with it and which values are valid.
        problem: String,
    },
    /// The operating system failed to read or write.
    #[error("cannot {action} {path}: {source}", path = .path.display())]
    Io {
        /// The operation: `read`, `write`, `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A file does not have the format that its name or header promises.
    #[error("{place}: {problem}")]
    Format {
        /// File and line: `ratings.csv:17`.
        place: String,
        /// What was found, what was expected, what to do.
        problem: String,
    },
    /// The data was read but cannot be used: for example, filters left nothing, or there are no test users.
    #[error("{0}")]
    Data(String),
    /// No adapter, a lost device, work that exceeds the device's limits, or a buffer of another engine.
    #[error("{0}")]
    Device(String),
    /// A checkpoint is damaged, was written by another program, or belongs to another data set.
    #[error("{path}: {problem}", path = .path.display())]
    Checkpoint {
        /// The file of the checkpoint.
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
        /// The value of the loss.
        loss: f32,
        /// The learning rate at that step.
        learning_rate: f32,
    },
    /// The operation was cancelled by [`crate::watch::stop`].
    #[error("stopped before it was done")]
    Interrupted,
    /// A kernel was given buffers whose shapes do not fit: a bug in the calling code inside the library.
    #[error("kernel {kernel}: {problem}")]
    Shape {
        /// The name of the kernel.
        kernel: &'static str,
        /// The two shapes that disagree.
        problem: String,
    },
}

impl Error {
    /// A setting error, from the setting's key and the problem.
    pub fn setting(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Setting { field: field.into(), problem: problem.into() }
    }

    /// A format error, from the file and line and the problem.
    pub fn format(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Format { place: place.into(), problem: problem.into() }
    }

    /// An input or output error, from the action, the file and the system's error.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }

    /// Whether the caller's arguments are wrong (exit code 2), rather than something outside of them (exit
    /// code 1).
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Setting { .. })
    }
}

/// Shorthand for the library's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;
