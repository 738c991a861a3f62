//! What a run measured: the content of `RUN/metrics.json`, and the input of the report.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::migrate;
use crate::{Error, Result, event::numbers, file};

/// The numbers of one training run. Field names are those of `metrics.json`; files of later versions may
/// have more fields, which are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunMetrics {
    /// Of FastVAE.
    pub version: String,
    /// Of all random choices.
    pub seed: u64,
    /// Engine and device, as a person would name them: `cpu, 2 threads`.
    pub engine: String,
    /// Users after the filters.
    pub users: u64,
    /// Items after the filters.
    pub items: u64,
    /// Distinct (user, item) pairs after the filters, all parts of the split together.
    pub interactions: u64,
    /// Every setting of the run, as the configuration file nests them.
    pub config: Value,
    /// By epoch, in order.
    pub epochs: Vec<EpochMetrics>,
    /// The epoch whose model the test set saw, from 1; `None` without validation.
    pub best_epoch: Option<u32>,
    /// Means over test users by flat key (see [`crate::metrics`]); empty if the test set was not evaluated.
    pub test: BTreeMap<String, f64>,
    /// Test users left out because nothing of theirs was held out.
    pub test_users_skipped: u64,
    /// Wall clock of training and validation.
    pub total_seconds: f64,
    /// Largest resident set of the process; `None` where the system does not say.
    pub peak_memory_bytes: Option<u64>,
}

/// One epoch of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// From 1.
    pub epoch: u32,
    /// Wall clock of the training steps and the index, without validation.
    pub seconds: f64,
    /// Of these, seconds spent on refreshing the index.
    #[serde(default)]
    pub index_seconds: f64,
    /// Mean over the epoch's users of what is minimised: for Mult-VAE, the negative log-likelihood and the
    /// weighted KL divergence.
    pub loss: f64,
    /// Means over the epoch's users of other parts of the loss, by name: `kl`, the KL divergence without its
    /// weight.
    #[serde(flatten, deserialize_with = "numbers")]
    pub parts: BTreeMap<String, f64>,
    /// Means over validation users by flat key, in the epochs that were validated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<BTreeMap<String, f64>>,
}

impl RunMetrics {
    /// Reads a `metrics.json`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is not the metrics of a run, [`Error::Setting`] if
    /// its settings are not those of any version.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
        let mut metrics: Self = serde_json::from_slice(&text).map_err(|error| {
            Error::format(path.display().to_string(), format!("not the metrics of a run: {error}"))
        })?;
        migrate(&mut metrics.config)?;
        Ok(metrics)
    }

    /// Writes a `metrics.json`, whole or not at all.
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
