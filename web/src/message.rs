//! Messages from the worker to the page, as JSON text.

use serde::{Deserialize, Serialize};

/// What the worker tells the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "lowercase")]
pub enum Report {
    /// The engine module is loaded; commands may come. Nothing sent earlier arrives.
    Ready,
    /// The worker cannot go on.
    Failed {
        /// A word for programs.
        code: String,
        /// What went wrong.
        message: String,
        /// What to do about it.
        help: String,
    },
}
