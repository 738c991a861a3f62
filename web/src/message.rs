//! Messages between the page and its worker, as JSON text.

use fastvae::Error;
use serde::{Deserialize, Serialize};

use crate::EngineChoice;

/// What the page asks of the worker. Commands are obeyed in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub enum Command {
    /// Get the engine ready; answered by [`Report::Engine`].
    Engine {
        /// Which.
        choice: EngineChoice,
    },
    /// Run the kernels' self-tests; answered by [`Report::Tested`].
    Test {
        /// On which engine.
        choice: EngineChoice,
    },
}

/// What the worker tells the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "lowercase")]
pub enum Report {
    /// The engine module is loaded; commands may come. Nothing sent earlier arrives.
    Ready,
    /// There is a worker again after the page did without; it knows nothing yet. Never sent: the page says it to
    /// itself.
    Revived,
    /// An engine is in place.
    Engine {
        /// The adapter's name; the CPU engine has none.
        adapter: Option<String>,
        /// Why this engine.
        reason: String,
    },
    /// The self-tests are over.
    Tested {
        /// How many passed.
        passed: usize,
        /// What went wrong in the others.
        failures: Vec<String>,
    },
    /// The device was lost, and the run goes on from the last point kept.
    Lost {
        /// What the browser says.
        message: String,
        /// What it goes on with: `gpu` or `cpu`.
        engine: String,
    },
    /// Something did not work.
    Failed(Failure),
}

impl Report {
    /// Whether something did not work.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// An error, for programs and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A word for programs: `parameter`, `setting`, `data`, `device`, `diverged`, `worker`, `bug`.
    pub code: String,
    /// What went wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Failure {
    /// An error with advice.
    pub fn new(code: &str, message: impl Into<String>, help: &str) -> Self {
        Self { code: code.into(), message: message.into(), help: help.into() }
    }

    /// Whether the worker that reported it can no longer be trusted.
    pub fn is_fatal(&self) -> bool {
        matches!(self.code.as_str(), "worker" | "device" | "bug")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (code, help) = match &error {
            Error::Setting { .. } => ("setting", "Change the setting and start again."),
            Error::Device(_) => ("device", "Start again, or choose the CPU engine."),
            Error::Diverged { .. } => ("diverged", "Start again with another seed."),
            Error::Shape { .. } => ("bug", "Reload the page, and please report this."),
            _ => ("data", "Choose another file; the set that was there stays."),
        };
        Self::new(code, error.to_string(), help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_way() {
        let command = Command::Engine { choice: EngineChoice::Cpu };
        let text = serde_json::to_string(&command).unwrap();
        assert_eq!(serde_json::from_str::<Command>(&text).unwrap(), command);
        for report in [
            Report::Ready,
            Report::Engine { adapter: None, reason: "a \"reason\"".into() },
            Report::Failed(Error::setting("epochs", "is 0").into()),
        ] {
            let text = serde_json::to_string(&report).unwrap();
            assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
        }
    }
}
