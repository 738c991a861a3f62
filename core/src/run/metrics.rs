//! The metrics of a run: the content of `RUN/metrics.json`, and the input of the report.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::migrate;
use crate::{Error, Result, data::LoadReport, event::numbers, file};

/// The metrics of a training run. Field names are those of `metrics.json`; additional fields from later
/// versions are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunMetrics {
    /// Version of FastVAE.
    pub version: String,
    /// Seed of all random choices.
    pub seed: u64,
    /// Engine and device, in words: `cpu, 2 threads`.
    pub engine: String,
    /// Users after the filters.
    pub users: u64,
    /// Items after the filters.
    pub items: u64,
    /// Distinct (user, item) pairs after the filters, all parts of the split together.
    pub interactions: u64,
    /// What was read of the data and what was left out; `None` in files from before it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<LoadReport>,
    /// Every setting of the run, nested as in the configuration file.
    pub config: Value,
    /// One entry per epoch, in order; empty for a model in closed form.
    pub epochs: Vec<EpochMetrics>,
    /// The fit of a model in closed form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_form: Option<ClosedFormMetrics>,
    /// The epoch, counted from 1, whose model was tested; `None` without epochs or validation.
    pub best_epoch: Option<u32>,
    /// Means over test users by metric name (see [`crate::metrics`]); empty if the model was not tested.
    pub test: BTreeMap<String, f64>,
    /// What the lists recommend beside whether it is right, by name (see [`crate::evaluate`]): popularity, novelty,
    /// differences between the items of a list, NDCG by class of users and items.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub beyond: BTreeMap<String, f64>,
    /// Test users left out because they have no held-out items.
    pub test_users_skipped: u64,
    /// Wall-clock seconds of training and validation.
    pub total_seconds: f64,
    /// Largest resident set of the process; `None` if the system does not report it.
    pub peak_memory_bytes: Option<u64>,
}

/// The fit of a model in closed form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClosedFormMetrics {
    /// Wall-clock seconds of the computation, without validation.
    pub seconds: f64,
    /// Means over validation users by metric name, if there are validation users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<BTreeMap<String, f64>>,
}

/// One epoch of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// Epoch, counted from 1.
    pub epoch: u32,
    /// Wall-clock seconds of the training steps and the index, without validation.
    pub seconds: f64,
    /// Part of these seconds that index refreshes took.
    #[serde(default)]
    pub index_seconds: f64,
    /// The minimised loss, averaged over the epoch's users: for Mult-VAE, the negative log-likelihood plus
    /// the weighted KL divergence.
    pub loss: f64,
    /// Other parts of the loss by name, averaged over the epoch's users: `kl`, the KL divergence without its
    /// weight.
    #[serde(flatten, deserialize_with = "numbers")]
    pub parts: BTreeMap<String, f64>,
    /// Means over validation users by metric name, for epochs that were validated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<BTreeMap<String, f64>>,
}

impl RunMetrics {
    /// Reads a `metrics.json`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] if it does not hold the metrics of a run,
    /// [`Error::Setting`] if its settings belong to no known version.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
        let mut metrics: Self = serde_json::from_slice(&text).map_err(|error| {
            Error::format(path.display().to_string(), format!("not the metrics of a run: {error}"))
        })?;
        migrate(&mut metrics.config)?;
        Ok(metrics)
    }

    /// Writes a `metrics.json` atomically.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::format(path.display().to_string(), error.to_string()))?;
        text.push('\n');
        file::write(path, text.as_bytes())
    }
}
