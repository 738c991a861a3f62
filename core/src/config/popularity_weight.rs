//! What popularity means.

use super::setting::words;

words! {
    /// What an item's count means for popularity proposals.
    pub enum PopularityWeight default Log {
        /// c.
        Count = "count",
        /// ln(1 + c), the paper's choice.
        Log = "log",
        /// c^0.75.
        Power = "power",
    }
}
