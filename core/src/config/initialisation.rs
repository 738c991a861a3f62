//! Where k-means starts.

use super::setting::words;

words! {
    /// Where k-means starts from.
    pub enum Initialisation default PlusPlus {
        /// Random items.
        Random = "random",
        /// Items far from one another (k-means++).
        PlusPlus = "plus-plus",
    }
}
