//! What happens in a run: the one stream that the terminal, the log file and the page draw from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
        /// Mean reconstruction loss a user, one a step.
        nll: Vec<f32>,
        /// Mean divergence a user, one a step.
        kl: Vec<f32>,
    },
    /// All users were seen once more.
    Epoch {
        /// Epoch, counted from 1.
        epoch: u32,
        /// What it took, index included, evaluation not.
        seconds: f64,
        /// Mean over steps of `nll + beta kl`.
        loss: f64,
        /// Mean divergence.
        kl: f64,
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
