//! What happens in a run: the one stream that the terminal, the log file and the page draw from.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Something a run has just done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Everything is in place; the first step comes next.
    Started {
        /// Which engine trains.
        engine: String,
        /// Training users.
        users: usize,
        /// Items.
        items: usize,
        /// Training interactions.
        interactions: usize,
        /// Trained numbers.
        parameters: usize,
        /// Steps of an epoch.
        steps_per_epoch: u32,
        /// Steps already done, where the run was resumed.
        steps_done: u64,
    },
    /// The index was built anew.
    Indexed {
        /// The epoch it serves, counted from 1.
        epoch: u32,
        /// What it took.
        seconds: f64,
        /// Cells that hold at least one item.
        occupied_cells: usize,
        /// Items of the fullest cell.
        largest_cell: usize,
        /// Mean squared norm of item vector less codewords.
        distortion: f64,
        /// The largest norm of item vector less codewords, C of the paper's theorems 5.3 and 5.4.
        largest_residual: f64,
        /// Root mean square of what the index gets wrong of a logit, where it knows the queries.
        logit_error: Option<f64>,
    },
    /// A batch was trained on. Losses stay on the device; [`Event::Losses`] brings them.
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
        /// Step of the run, counted from 1, that the first values belong to.
        first_step: u64,
        /// The parts of the model's loss by name (`nll`, `kl`), each a mean over users, one a step.
        #[serde(flatten)]
        parts: BTreeMap<String, Vec<f32>>,
    },
    /// All users were seen once more.
    Epoch {
        /// Epoch, counted from 1.
        epoch: u32,
        /// What it took, index included, evaluation not.
        seconds: f64,
        /// Mean over steps of what is minimised.
        loss: f64,
        /// Means over steps of other parts of the loss by name: `kl`.
        #[serde(flatten, deserialize_with = "numbers")]
        parts: BTreeMap<String, f64>,
    },
    /// The validation part was ranked.
    Evaluated {
        /// Epoch, counted from 1.
        epoch: u32,
        /// Metrics by name: `ndcg@50`.
        metrics: BTreeMap<String, f64>,
        /// Whether this is the best epoch so far.
        best: bool,
        /// What it took.
        seconds: f64,
    },
    /// The run is over.
    Done {
        /// Epochs trained.
        epochs: u32,
        /// The best epoch, where there was a validation part.
        best_epoch: Option<u32>,
        /// Whether patience ran out.
        stopped_early: bool,
    },
}

/// The fields of an object that are numbers; others belong to a later version and are ignored.
pub(crate) fn numbers<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, f64>, D::Error> {
    let fields = BTreeMap::<String, Value>::deserialize(from)?;
    Ok(fields.into_iter().filter_map(|(name, value)| Some((name, value.as_f64()?))).collect())
}
