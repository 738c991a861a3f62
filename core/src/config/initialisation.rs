//! Initial codewords of k-means.

use super::setting::words;

words! {
    /// Initial codewords of k-means.
    pub enum Initialisation default PlusPlus {
        /// Random items.
        Random = "random",
        /// Items far apart from each other (k-means++).
        PlusPlus = "plus-plus",
    }
}
