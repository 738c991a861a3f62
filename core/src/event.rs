//! Events of a run: one stream that feeds the terminal, the log file and the page.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Something that a run has just done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The run is set up; the first step comes next.
    Started {
        /// The engine that trains.
        engine: String,
        /// Number of training users.
        users: usize,
        /// Number of items.
        items: usize,
        /// Number of training interactions.
        interactions: usize,
        /// Number of trained parameters.
        parameters: usize,
        /// Steps per epoch; 0 for a model in closed form.
        steps_per_epoch: u32,
        /// Steps already done if the run was resumed, else 0.
        steps_done: u64,
        /// What the linear path was fitted with when the run began, by name: `columns`, `regularisation`, `weight`.
        #[cfg(feature = "baselines")]
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        linear: BTreeMap<String, f64>,
    },
    /// The index was rebuilt.
    Indexed {
        /// The epoch that uses it, counted from 1.
        epoch: u32,
        /// Time taken, in seconds.
        seconds: f64,
        /// Cells that hold at least one item.
        occupied_cells: usize,
        /// Number of items in the fullest cell.
        largest_cell: usize,
        /// Mean over items of the squared norm of the residual (item vector minus codewords).
        distortion: f64,
        /// The largest norm of a residual: C of the paper's theorems 5.3 and 5.4.
        largest_residual: f64,
        /// Root mean square error of a logit computed from codewords, for indexes that are built from the
        /// queries.
        logit_error: Option<f64>,
    },
    /// A batch was trained on. Its losses stay on the device until [`Event::Losses`] reports them.
    Step {
        /// Epoch, counted from 1.
        epoch: u32,
        /// Step inside the epoch, counted from 1.
        step: u32,
        /// Users trained on so far in this epoch.
        users: usize,
    },
    /// Losses of recent steps, read from the device.
    Losses {
        /// Step of the run, counted from 1, of the first value.
        first_step: u64,
        /// Parts of the model's loss by name (`nll`, `kl`): one value per step, each a mean over users.
        #[serde(flatten)]
        parts: BTreeMap<String, Vec<f32>>,
    },
    /// An epoch ended: each training user was seen once.
    Epoch {
        /// Epoch, counted from 1.
        epoch: u32,
        /// Time taken, in seconds, with the index and without validation.
        seconds: f64,
        /// The minimised loss, averaged over the epoch's steps.
        loss: f64,
        /// Other parts of the loss by name (`kl`), averaged over the epoch's steps.
        #[serde(flatten, deserialize_with = "numbers")]
        parts: BTreeMap<String, f64>,
    },
    /// A model in closed form was computed.
    Fitted {
        /// Time taken, in seconds, without validation.
        seconds: f64,
    },
    /// The validation users are ranked better with another weight of the linear path, which it has from now on.
    #[cfg(feature = "baselines")]
    Weighed {
        /// Epoch, counted from 1.
        epoch: u32,
        /// The weight.
        linear: f64,
    },
    /// The model was evaluated on the validation users.
    Evaluated {
        /// Epoch, counted from 1; 0 for a model in closed form.
        epoch: u32,
        /// Metrics by name: `ndcg@50`.
        metrics: BTreeMap<String, f64>,
        /// Whether this is the best epoch so far.
        best: bool,
        /// Time taken, in seconds.
        seconds: f64,
    },
    /// The run is over.
    Done {
        /// Number of epochs trained; 0 for a model in closed form.
        epochs: u32,
        /// The best epoch, if there are epochs and validation users.
        best_epoch: Option<u32>,
        /// Whether the run ended early because patience ran out.
        stopped_early: bool,
    },
}

/// Reads the numeric fields of an object. Other fields come from a later version and are ignored.
pub(crate) fn numbers<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, f64>, D::Error> {
    let fields = BTreeMap::<String, Value>::deserialize(from)?;
    Ok(fields.into_iter().filter_map(|(name, value)| Some((name, value.as_f64()?))).collect())
}
