//! What codewords are made of.

use serde::{Deserialize, Serialize};

/// What the codewords of the index are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantisation {
    /// A part of the item vector for each codebook, as in the paper.
    Product,
    /// The same in the geometry of the queries: error counts as far as queries see it.
    QueryAware,
    /// In that geometry, each codebook over what the others leave.
    #[default]
    Residual,
}
