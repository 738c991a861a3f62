//! What popularity means.

use serde::{Deserialize, Serialize};

/// What an item's count means for popularity proposals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PopularityWeight {
    /// c.
    Count,
    /// ln(1 + c), the paper's choice.
    #[default]
    Log,
    /// c^0.75.
    Power,
}
