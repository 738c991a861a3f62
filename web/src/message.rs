//! Messages between the page and its worker, as JSON text.

use fastvae::{Error, config::Method, event::Event, run::RunConfig};
use serde::{Deserialize, Serialize};

use crate::{EngineChoice, settings::Settings, theory::Estimate};

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
    /// Draw from a proposal over the small catalogue; answered by [`Report::Drawn`].
    Draw(Question),
    /// Look at a data set; answered by [`Report::Data`], after any number of [`Report::Reading`]. Files travel in an
    /// array beside this command.
    Data(Source),
    /// Take a model from a file that travels in an array beside this command; answered by [`Report::Data`] and
    /// [`Report::Started`].
    Import {
        /// What the file is called.
        name: String,
        /// As in [`Source::order`].
        order: u32,
    },
    /// The set that was asked for cannot be had, for this reason: every [`Command::Start`] fails with it until another
    /// set comes.
    Lack(Failure),
    /// Set up runs; answered by [`Report::Started`].
    Start(RunSettings),
    /// Go on with a group of runs; answered by [`Report::Progress`].
    Advance {
        /// Which group.
        group: String,
        /// No longer than this.
        milliseconds: u32,
        /// Whether to return after one step.
        single: bool,
    },
    /// How far the proposals are from the softmax of one user; answered by [`Report::Fidelity`].
    Fidelity(FidelityQuestion),
    /// What a kept model recommends; answered by [`Report::Recommended`].
    Recommend(RecommendQuestion),
    /// Time a step with so many items; answered by [`Report::Timed`].
    Time {
        /// What is minimised.
        sampler: Method,
        /// M.
        items: u32,
        /// C.
        negatives: u32,
        /// K.
        codewords: u32,
        /// Seed of the histories.
        seed: u32,
    },
    /// The trained model as a file; answered by [`Report::File`].
    Export {
        /// Which group.
        group: String,
        /// Which of its runs.
        run: usize,
    },
}

/// Draws from a proposal over the small catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Echoed.
    pub to: String,
    /// Films.
    pub items: u32,
    /// Width of their vectors.
    pub dim: u32,
    /// The catalogue's seed and that of the draws.
    pub seed: u32,
    /// Which proposal.
    pub sampler: Method,
    /// In its place, a fixed distribution with these weights, if there are any.
    pub weights: Vec<f32>,
    /// K.
    pub codewords: u32,
    /// The viewer.
    pub query: Vec<f32>,
    /// Sets of draws.
    pub rows: u32,
    /// Draws of a set.
    pub draws: u32,
    /// Tells these draws from others.
    pub step: u32,
}

/// Where interactions come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// An absolute address, or the names of the files beside the command; the built-in set without.
    pub name: Option<String>,
    /// Whether `name` is to be fetched.
    pub fetch: bool,
    /// Keep the most popular items only.
    pub items: Option<u32>,
    /// Seed of the built-in set and of the split.
    pub seed: u32,
    /// Number of the request; comes back as [`DataView::order`] or in [`Report::Unread`].
    pub order: u32,
}

impl Command {
    /// The number of a request for a data set.
    pub fn order(&self) -> Option<u32> {
        match self {
            Self::Data(Source { order, .. }) | Self::Import { order, .. } => Some(*order),
            _ => None,
        }
    }
}

/// Runs that start alike and see the same batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSettings {
    /// What to call them.
    pub group: String,
    /// One run for each.
    pub samplers: Vec<Method>,
    /// What all of them have in common.
    pub values: Settings,
}

/// Whose model recommends, and for which history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecommendQuestion {
    /// Echoed.
    pub to: String,
    /// Which group.
    pub group: String,
    /// Which of its runs.
    pub run: usize,
    /// The epoch that is kept; the last without.
    pub epoch: Option<u32>,
    /// Items of the history.
    pub liked: Vec<u32>,
    /// How many.
    pub count: u32,
}

/// Which proposals, and where they look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FidelityQuestion {
    /// Which group; its first run is looked at.
    pub group: String,
    /// The epoch whose model decides.
    pub epoch: u32,
    /// The epoch whose item vectors the index was made from.
    pub index_epoch: u32,
    /// Which user of the set.
    pub user: u32,
    /// Which proposals.
    pub samplers: Vec<Method>,
    /// K.
    pub codewords: u32,
    /// Seed of the index.
    pub seed: u32,
}

/// One proposal against the softmax.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Closeness {
    /// Which.
    pub sampler: Method,
    /// `KL(q || softmax)`, exact.
    pub divergence: f64,
    /// `KL(softmax || q)`, exact.
    pub reverse: f64,
    /// The bound of theorem 5.3 or 5.4 on `divergence`, for the proposals that have one.
    pub bound: Option<f64>,
    /// The part of `divergence` that items of each fifth contribute, smallest residual first; for those with an index.
    pub fifths: Vec<f64>,
    /// Cumulative probability at each place.
    pub curve: Vec<f64>,
}

impl RunSettings {
    /// The settings of one run.
    ///
    /// # Errors
    /// As [`Settings::config`].
    pub fn config(&self, sampler: Method) -> fastvae::Result<RunConfig> {
        let mut config = self.values.config()?;
        config.set_method(sampler);
        Ok(config)
    }

    /// The seed of start values and draws.
    pub fn seed(&self) -> u32 {
        self.values.whole("training", "seed") as u32
    }
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
    /// The set of before has been read again. Never sent: the page says it to itself.
    Reread,
    /// The set that was asked for cannot be had, and nothing is trained without it. Never sent: the page says it to
    /// itself.
    Missing,
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
        /// What [`fastvae_study::selftest::draws`] says of the integers drawn.
        draws: Option<u32>,
    },
    /// Draws from a proposal.
    Drawn {
        /// From the question.
        to: String,
        /// From the question.
        step: u32,
        /// One set after the other.
        draws: Vec<u32>,
        /// ln q of every item; very small where it is never drawn.
        log_q: Vec<f32>,
        /// What each set says; see [`crate::theory::estimate`]. First with, then without the correction.
        estimates: [Vec<Estimate>; 2],
        /// Cell `k1 K + k2` of each item, for proposals with an index.
        cells: Vec<u32>,
        /// The codewords, 2 x K x half.
        codewords: Vec<f32>,
    },
    /// Bytes read of a file.
    Reading {
        /// So far.
        done: f64,
        /// Of all; 0 where that is not known.
        total: f64,
    },
    /// The set that runs will learn from.
    Data(Box<DataView>),
    /// Runs are set up.
    Started {
        /// Which group.
        group: String,
        /// How.
        settings: RunSettings,
    },
    /// What has happened in a group since the last report.
    Progress {
        /// Which group.
        group: String,
        /// Run and event, in order; of several steps the last alone.
        events: Vec<(usize, Event)>,
        /// Epochs whose models are kept, of each run.
        kept: Vec<Vec<u32>>,
        /// Whether all runs are over.
        finished: bool,
    },
    /// How close proposals are.
    Fidelity {
        /// The question's epochs: the model's and the index's.
        epochs: (u32, u32),
        /// From the question.
        user: u32,
        /// From the question.
        codewords: u32,
        /// Items counted at each place of the curves, most popular first.
        places: Vec<u32>,
        /// The softmax's cumulative probability at each place.
        truth: Vec<f64>,
        /// Each proposal.
        proposals: Vec<Closeness>,
    },
    /// A list of recommendations.
    Recommended {
        /// From the question.
        to: String,
        /// From the question.
        run: usize,
        /// The epoch of the model.
        epoch: u32,
        /// Item and logit, best first.
        items: Vec<(u32, f32)>,
        /// The mean of the latent code.
        code: Vec<f32>,
    },
    /// What a step costs.
    Timed {
        /// What is minimised.
        sampler: Method,
        /// M.
        items: u32,
        /// Of one step; none where it cannot be run.
        seconds: Option<f64>,
        /// Why not.
        problem: Option<String>,
    },
    /// A file to save; its content travels beside the report.
    File {
        /// What to call it.
        name: String,
    },
    /// The device was lost, and the run goes on from the last point kept.
    Lost {
        /// What the browser says.
        message: String,
        /// What it goes on with: `gpu` or `cpu`.
        engine: String,
    },
    /// A data set that was asked for cannot be used. Where it was to be fetched, nothing is trained until another set
    /// comes; otherwise the set of before stays.
    Unread {
        /// From the request.
        order: u32,
        /// Why.
        failure: Failure,
    },
    /// Something did not work.
    Failed(Failure),
}

/// A data set as the page shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataView {
    /// The request that it answers; none where a run made the set itself.
    pub order: Option<u32>,
    /// Its name.
    pub name: String,
    /// How it was read.
    pub form: String,
    /// Whether it came from files of the reader.
    pub own: bool,
    /// Whether its items have titles.
    pub titled: bool,
    /// Users.
    pub users: usize,
    /// Items.
    pub items: usize,
    /// Items before the subset was taken.
    pub all_items: usize,
    /// Interactions.
    pub interactions: usize,
    /// Title of each item, or its id.
    pub titles: Vec<String>,
    /// Genres of each item, where there are any.
    pub genres: Vec<String>,
    /// How often each item occurs.
    pub counts: Vec<u32>,
}

impl DataView {
    /// Whether both show the same set: the same subset of the same interactions.
    pub fn is_same_set(&self, other: &Self) -> bool {
        let key = |view: &Self| (view.own, view.users, view.items, view.all_items, view.interactions);
        self.name == other.name && key(self) == key(other) && self.counts == other.counts
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
            Error::Device(_) => ("device", "Press play to go on, or choose the CPU engine."),
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
