//! The correction of dynamic negative sampling.

use super::setting::words;

words! {
    /// How log q of dynamic negative sampling is corrected.
    pub enum DnsCorrection default Exact {
        /// The order statistic of each item's rank, which takes the logits of all items.
        Exact = "exact",
        /// Nothing, as published: the draws count as if they were uniform. Cheap, and no estimate of the softmax.
        None = "none",
    }
}
