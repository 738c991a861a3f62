//! Where k-means starts.

use serde::{Deserialize, Serialize};

/// Where k-means starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initialisation {
    /// Random items.
    Random,
    /// Items far from one another (k-means++).
    #[default]
    PlusPlus,
}
