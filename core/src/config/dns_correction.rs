//! The correction of dynamic negative sampling.

use serde::{Deserialize, Serialize};

/// How log q of dynamic negative sampling is corrected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnsCorrection {
    /// The order statistic of each item's rank, which takes the logits of all items.
    #[default]
    Exact,
    /// Nothing, as published: the draws count as if they were uniform. Cheap, and no estimate of the softmax.
    None,
}
