//! Checkpoints: safetensors files that any tool can read, with everything needed to recommend, evaluate and
//! resume.
//!
//! The parameters are plain tensors under the names of [`State`]. Their context is in the file too: ids,
//! titles and genres of the items, ids and histories of the users as `context.*` tensors (strings as their
//! bytes and the offset at which each ends), and every setting as JSON under the metadata key `fastvae`.

mod read;
mod strings;
mod write;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use read::{from_bytes, is_one, read, summary};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

pub use write::to_bytes;
#[cfg(not(target_arch = "wasm32"))]
pub use write::{write, write_frozen};

use super::{
    RunConfig,
    fingerprint::{fingerprint, names_fingerprint},
    migrate,
};
use crate::{
    Result,
    data::{Csr, Dataset, KnownItems},
    model::ModelKind,
    state::{Progress, State},
};

/// The metadata key of the settings.
const KEY: &str = "fastvae";
/// Prefix of the tensors that are not parameters.
const CONTEXT: &str = "context.";

/// What a model was trained on. Clones share names and histories.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// Every setting of the run.
    pub config: RunConfig,
    /// The name of the data set.
    pub data: String,
    /// [`fingerprint()`] of the interactions and their ids after all filters.
    pub fingerprint: String,
    /// Fingerprint of titles and genres; `None` in checkpoints from before there was one.
    pub names: Option<String>,
    /// Item ids; item `i` of the model is `items[i]`.
    pub items: Arc<Vec<String>>,
    /// A title for each item, if the set has titles.
    pub titles: Option<Arc<Vec<String>>>,
    /// Genres of each item, if the set has genres.
    pub genres: Option<Arc<Vec<Vec<String>>>>,
    /// User ids; row `u` of `histories` is `users[u]`.
    pub users: Arc<Vec<String>>,
    /// All interactions of each user, from every part of the split.
    pub histories: Csr,
    /// Validation metrics of the model by name: `ndcg@50`.
    pub metrics: BTreeMap<String, f64>,
}

/// A checkpoint in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// What the model was trained on.
    pub context: Context,
    /// The parameters, and for a run that may be resumed, the rest of its state.
    pub state: State,
}

impl Checkpoint {
    /// What ranking needs, see [`State::into_model`].
    #[must_use]
    pub fn into_model(self) -> Self {
        Self { state: self.state.into_model(), ..self }
    }
}

impl Summary {
    /// Whether this is the best model of a run: the same settings and data, and the run's best epoch and
    /// metric.
    ///
    /// # Errors
    /// The difference, in words.
    pub fn check_best(&self, run: &Context, best: (u32, f64)) -> Result<(), String> {
        if self.fingerprint != run.fingerprint {
            return Err("it is the model of another data set".into());
        }
        if let Err(error) = self.config.check_resume(&run.config) {
            return Err(format!("it is the model of another run ({error})"));
        }
        let value = self.metrics.get(&run.config.training.metric).copied();
        if (self.progress.epoch, value) != (best.0, Some(best.1)) {
            return Err(format!(
                "it is the model of epoch {}, and the best of the run is that of epoch {}",
                self.progress.epoch, best.0
            ));
        }
        Ok(())
    }
}

/// The checkpoint of the model of a run, given by its folder; a file is taken for the checkpoint itself.
pub fn model_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("model.safetensors") } else { path.to_owned() }
}

/// The JSON under the metadata key [`KEY`].
#[derive(Serialize, Deserialize)]
struct Header {
    version: u64,
    kind: ModelKind,
    config: RunConfig,
    data: String,
    fingerprint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    names: Option<String>,
    metrics: BTreeMap<String, f64>,
    progress: Progress,
}

impl Header {
    fn of(context: &Context, progress: Progress) -> Self {
        Self {
            version: migrate::VERSION,
            kind: context.config.model.kind(),
            config: context.config.clone(),
            data: context.data.clone(),
            fingerprint: context.fingerprint.clone(),
            names: context.names.clone(),
            metrics: context.metrics.clone(),
            progress,
        }
    }

    fn summary(self) -> Summary {
        let Self { config, fingerprint, metrics, progress, .. } = self;
        Summary { config, fingerprint, metrics, progress }
    }
}

/// The header of a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Every setting of the run.
    pub config: RunConfig,
    /// [`fingerprint()`] of the data.
    pub fingerprint: String,
    /// Validation metrics of the model.
    pub metrics: BTreeMap<String, f64>,
    /// Progress of the run.
    pub progress: Progress,
}

impl Context {
    /// The items, for [`Dataset::keep_items`].
    pub fn known_items(&self) -> KnownItems<'_> {
        KnownItems {
            ids: &self.items,
            titles: self.titles.as_deref().map(Vec::as_slice),
            genres: self.genres.as_deref().map(Vec::as_slice),
        }
    }

    /// Adds the users of an earlier run whom this one does not have, after its own and with their histories there, as far
    /// as this one has the items; returns their number.
    ///
    /// # Errors
    /// [`crate::Error::Data`] if the histories are more than can be addressed.
    pub fn keep_users(&mut self, earlier: &Self) -> Result<usize> {
        let here: FxHashSet<&str> = self.users.iter().map(String::as_str).collect();
        let numbers: FxHashMap<&str, u32> = self.items.iter().map(String::as_str).zip(0..).collect();
        let columns: Vec<Option<u32>> =
            earlier.items.iter().map(|id| numbers.get(id.as_str()).copied()).collect();
        let (mut users, mut rows) = (Vec::new(), Vec::new());
        for (user, row) in earlier.users.iter().zip(earlier.histories.iter()) {
            let row: Vec<u32> = row.iter().filter_map(|&item| columns[item as usize]).collect();
            if !here.contains(user.as_str()) && !row.is_empty() {
                users.push(user.clone());
                rows.push(row);
            }
        }
        let count = users.len();
        if count > 0 {
            self.histories = self.histories.followed_by(&Csr::from_rows(&rows, self.items.len() as u32)?)?;
            self.users = Arc::new(self.users.iter().cloned().chain(users).collect());
        }
        Ok(count)
    }

    /// Whether another run was trained on the same data.
    ///
    /// # Errors
    /// The difference, in words.
    pub fn check_data(&self, now: &Self) -> Result<(), String> {
        if self.fingerprint != now.fingerprint {
            return Err(format!(
                "it was trained on {} ({} users, {} items, {} interactions), and {} is another set ({} users, {} items, \
                 {} interactions)",
                self.data,
                self.users.len(),
                self.items.len(),
                self.histories.nnz(),
                now.data,
                now.users.len(),
                now.items.len(),
                now.histories.nnz()
            ));
        }
        if self.names.is_some() && self.names != now.names {
            return Err(format!("the titles or genres of {} are not those of the run", now.data));
        }
        Ok(())
    }

    /// The context of a run on `dataset`.
    pub fn new(config: RunConfig, dataset: &Dataset) -> Self {
        Self {
            config,
            data: dataset.name.clone(),
            fingerprint: fingerprint(dataset),
            names: Some(names_fingerprint(dataset)),
            items: Arc::new(dataset.items.clone()),
            titles: dataset.titles.clone().map(Arc::new),
            genres: dataset.genres.clone().map(Arc::new),
            users: Arc::new(dataset.users.clone()),
            histories: dataset.interactions.clone(),
            metrics: BTreeMap::new(),
        }
    }
}
