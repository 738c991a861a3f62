//! How k-means assigns items.

use super::setting::words;

words! {
    /// Which codeword k-means gives an item.
    pub enum Kmeans default Plain {
        /// The nearest.
        Plain = "plain",
        /// The nearest by a distance that grows with what the codeword has already, so that all get about the same share
        /// (Ahalt et al., 1990: frequency-sensitive learning).
        Balanced = "balanced",
    }
}
