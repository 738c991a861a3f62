//! How k-means assigns items.

use serde::{Deserialize, Serialize};

/// Which codeword k-means gives an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kmeans {
    /// The nearest.
    #[default]
    Plain,
    /// The nearest by a distance that grows with what the codeword has already, so that all get about the same share
    /// (Ahalt et al., 1990: frequency-sensitive learning).
    Balanced,
}
