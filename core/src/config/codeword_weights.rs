//! What items weigh in k-means.

use super::setting::words;

words! {
    /// What an item weighs when codewords are made. Where a model puts its probability, errors cost most.
    pub enum CodewordWeights default Count {
        /// As much as any other, as in the paper.
        Even = "even",
        /// The root of its training count.
        Root = "root",
        /// Its training count.
        Count = "count",
    }
}
