//! Weights of items in popularity proposals.

use super::setting::words;

words! {
    /// Weight of an item with c training interactions in popularity proposals.
    pub enum PopularityWeight default Log {
        /// c.
        Count = "count",
        /// ln(1 + c), the paper's choice.
        Log = "log",
        /// c^0.75.
        Power = "power",
    }
}
