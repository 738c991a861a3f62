//! Weights of items in k-means.

use super::setting::words;

words! {
    /// Weight of an item in k-means. Quantisation errors matter most for items to which the model gives a
    /// high probability.
    pub enum CodewordWeights default Count {
        /// 1 for every item, as in the paper.
        Even = "even",
        /// The square root of its training count.
        Root = "root",
        /// Its training count.
        Count = "count",
    }
}
