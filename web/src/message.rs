//! Messages between the page and its worker, as JSON text.

use fastvae::{Error, event::Event};
use serde::{Deserialize, Serialize};

use crate::{EngineChoice, Settings};

/// What the page asks of the worker. Commands are obeyed in order; while a run goes on, [`Command::Pause`]
/// and [`Command::Resume`] alone are heeded.
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
    /// Train on the built-in set; answered by [`Report::Events`].
    Train {
        /// How.
        settings: Settings,
    },
    /// Hold the run.
    Pause,
    /// Go on with it.
    Resume,
}

/// What the worker tells the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "lowercase")]
pub enum Report {
    /// The engine module is loaded; commands may come. Nothing sent earlier arrives.
    Ready,
    /// An engine is in place.
    Engine {
        /// The adapter's name; the CPU engine has none.
        adapter: Option<String>,
        /// Why this engine.
        reason: String,
    },
    /// What has happened in the run since the last report; of several steps the last alone.
    Events {
        /// In order.
        events: Vec<Event>,
    },
    /// The self-tests are over.
    Tested {
        /// How many passed.
        passed: usize,
        /// What went wrong in the others.
        failures: Vec<String>,
    },
    /// The worker cannot go on.
    Failed(Failure),
}

/// An error, for programs and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A word for programs: `setting`, `device`, `diverged`, `data`, `bug`.
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
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (code, help) = match &error {
            Error::Setting { .. } => ("setting", "Change the setting and start again."),
            Error::Device(_) => ("device", "Start again, or choose the CPU engine."),
            Error::Diverged { .. } => ("diverged", "Start again with another seed."),
            Error::Shape { .. } => ("bug", "Reload the page, and please report this."),
            _ => ("data", "Reload the page."),
        };
        Self::new(code, error.to_string(), help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_way() {
        let command = Command::Train { settings: Settings::default() };
        let text = serde_json::to_string(&command).unwrap();
        assert_eq!(serde_json::from_str::<Command>(&text).unwrap(), command);

        let metrics = [("ndcg@50".to_owned(), 0.1 + 0.2)].into();
        let events = vec![
            Event::Losses { first_step: 1, nll: vec![0.1], kl: vec![1e-30] },
            Event::Evaluated { epoch: 1, metrics, best: true, seconds: 0.5 },
        ];
        for report in [
            Report::Ready,
            Report::Engine { adapter: None, reason: "a \"reason\"".into() },
            Report::Events { events },
            Report::Failed(Error::setting("epochs", "is 0").into()),
        ] {
            let text = serde_json::to_string(&report).unwrap();
            assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
        }
    }
}
