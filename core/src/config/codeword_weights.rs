//! What items weigh in k-means.

use serde::{Deserialize, Serialize};

/// What an item weighs when codewords are made. Where a model puts its probability, errors cost most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodewordWeights {
    /// As much as any other, as in the paper.
    Even,
    /// The root of its training count.
    Root,
    /// Its training count.
    #[default]
    Count,
}
