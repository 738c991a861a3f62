//! The correction of dynamic negative sampling.

use super::setting::words;

words! {
    /// How log q of dynamic negative sampling is corrected.
    pub enum DnsCorrection default Exact {
        /// The order statistic of each item's rank, which takes the logits of all items.
        Exact = "exact",
        /// None, as published: draws count as if they were uniform. Cheap, but the result does not estimate
        /// the softmax.
        None = "none",
    }
}
