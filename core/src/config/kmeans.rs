//! How k-means assigns items.

use super::setting::words;

words! {
    /// Which codeword k-means assigns to an item.
    pub enum Kmeans default Plain {
        /// The nearest one.
        Plain = "plain",
        /// The nearest by a distance that grows with the weight already assigned to the codeword, so that all
        /// codewords get about equal shares (Ahalt et al., 1990: frequency-sensitive learning).
        Balanced = "balanced",
    }
}
