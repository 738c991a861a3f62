//! Where experiments are done: the data, the sizes, and the log of finished cells.

use std::{cell::RefCell, collections::BTreeMap, path::PathBuf};

use fastvae::{
    Error, Result,
    config::Method,
    engine::Engine,
    model::{ModelConfig, ModelKind},
    run::RunConfig,
    watch,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use web_time::Instant;

use super::sets::Set;
use crate::journal::Journal;

/// How large an experiment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Seconds: whether it works at all.
    Tiny,
    /// Minutes, on a small set or a part of a larger one.
    Quick,
    /// As in the paper.
    Full,
}

impl Size {
    /// Every size by its name.
    pub const NAMED: [(&'static str, Self); 3] =
        [("tiny", Self::Tiny), ("quick", Self::Quick), ("full", Self::Full)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(_, size)| *size == self).map_or("", |(name, _)| name)
    }

    /// The size of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(known, _)| *known == name).map(|(_, size)| *size)
    }

    /// The one of three values that belongs to this size.
    pub fn of<T>(self, tiny: T, quick: T, full: T) -> T {
        match self {
            Self::Tiny => tiny,
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// What an experiment is done with.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How large.
    pub size: Size,
    /// Runs with different seeds and splits.
    pub seeds: u32,
    /// Epochs of every training; without it, those of the size.
    pub epochs: Option<u32>,
    /// Settings by kind of model, such as `fastvae tune` finds.
    pub configs: BTreeMap<&'static str, RunConfig>,
    /// The folder of results, for models that are trained on the way.
    pub folder: PathBuf,
}

/// A finished cell: a line of the log.
#[derive(Serialize, Deserialize)]
pub struct Cell {
    /// What it is: `table3/gowalla/BPR/0`.
    pub key: String,
    /// Seconds that it took.
    pub seconds: f64,
    /// What was measured.
    pub result: Value,
}

/// Gets the progress of an experiment.
pub trait Watch {
    /// What is going on in a cell.
    fn at(&mut self, text: &str);
    /// A cell is finished; of `total`, `done` are. `left` are the seconds that the others may take.
    fn finished(&mut self, key: &str, seconds: f64, done: usize, total: usize, left: Option<f64>);
}

/// An experiment under way.
pub struct Lab<'a> {
    /// The engine of models that run on any.
    pub engine: Engine,
    /// What it is done with.
    pub plan: Plan,
    /// The data sets; at least one.
    pub sets: Vec<Set>,
    /// The log of finished cells.
    pub journal: Journal<Cell>,
    /// Gets the progress.
    watch: RefCell<&'a mut dyn Watch>,
    /// Keys of all cells.
    keys: Vec<String>,
}

impl<'a> Lab<'a> {
    /// A lab with these sets and this log.
    pub fn new(
        engine: Engine,
        plan: Plan,
        sets: Vec<Set>,
        journal: Journal<Cell>,
        watch: &'a mut dyn Watch,
    ) -> Self {
        Self { engine, plan, sets, journal, watch: RefCell::new(watch), keys: Vec::new() }
    }

    /// Names all cells of the experiment, so that the progress is known.
    pub(super) fn announce(&mut self, keys: impl IntoIterator<Item = String>) {
        self.keys = keys.into_iter().collect();
    }

    /// The result of a cell: from the log, or by doing its work now.
    ///
    /// # Errors
    /// [`Error::Interrupted`] after Ctrl-C, the errors of the work, and if the log cannot be written.
    pub(super) fn cell<T: Serialize + DeserializeOwned>(
        &mut self,
        key: &str,
        work: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        let known = self.journal.entries().iter().find(|cell| cell.key == key);
        if let Some(result) = known.and_then(|cell| T::deserialize(&cell.result).ok()) {
            return Ok(result);
        }
        watch::check()?;
        let start = Instant::now();
        self.at(key);
        let result = work(self)?;
        let seconds = start.elapsed().as_secs_f64();
        let value = serde_json::to_value(&result).map_err(|error| Error::Data(error.to_string()))?;
        self.journal.push(Cell { key: key.into(), seconds, result: value })?;
        let done = |key: &&String| self.journal.entries().iter().find(|cell| cell.key == **key);
        let finished: Vec<&Cell> = self.keys.iter().filter_map(|key| done(&key)).collect();
        let mean = finished.iter().map(|cell| cell.seconds).sum::<f64>() / finished.len().max(1) as f64;
        let (count, total) = (finished.len(), self.keys.len());
        let left = (count > 0).then(|| mean * (total - count) as f64);
        self.watch.borrow_mut().finished(key, seconds, count, total, left);
        Ok(result)
    }

    /// Shows what is going on.
    pub(super) fn at(&self, text: &str) {
        self.watch.borrow_mut().at(text);
    }

    /// The settings of a system on a set: those of the plan, or the defaults at the size of the experiment.
    pub(super) fn config(&self, kind: ModelKind, method: Option<Method>, set: &Set, seed: u32) -> RunConfig {
        let given = self.plan.configs.get(kind.name());
        let mut config = given.cloned().unwrap_or_else(|| self.defaults(kind, set));
        (config.data, config.split) = Default::default();
        (config.training.seed, config.split.seed) = (seed.into(), seed.into());
        if let Some(method) = method {
            config.set_method(method);
        }
        if let Some(epochs) = self.plan.epochs {
            config.training.epochs = epochs;
        }
        let (items, proposal) = (set.dataset.items.len(), &mut config.proposal);
        proposal.negatives = proposal.negatives.min((items / 2).max(1));
        proposal.group_size = proposal.group_size.min(proposal.negatives);
        proposal.codewords = proposal.codewords.min(((items as f64).sqrt() as usize).max(2));
        config
    }

    fn defaults(&self, kind: ModelKind, set: &Set) -> RunConfig {
        let mut config = RunConfig::of(kind);
        config.proposal.negatives = set.negatives(self.plan.size);
        if let ModelConfig::MultVae(network) = &mut config.model {
            // The paper's network has no linear path.
            network.linear = 0;
        }
        if self.plan.size == Size::Full {
            return config;
        }
        config.training.epochs = config.training.epochs.min(self.plan.size.of(3, 30, u32::MAX));
        if let ModelConfig::MultVae(model) = &mut config.model {
            // A small set has few steps an epoch.
            config.optimizer.learning_rate = 3e-3;
            (config.training.batch, config.training.anneal_steps) = (128, 300);
            if self.plan.size == Size::Tiny {
                (model.hidden, model.latent) = (16, 8);
            }
        }
        config
    }

    /// Sets, size and engine, for the head of the page.
    pub(super) fn line(&self) -> String {
        let sets: Vec<String> = self.sets.iter().map(Set::describe).collect();
        format!("{} · size {} · engine {}", sets.join("; "), self.plan.size.name(), self.engine.describe())
    }
}
