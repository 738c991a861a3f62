//! What codewords approximate.

use super::setting::words;

words! {
    /// What the codewords of the index approximate.
    pub enum Quantisation default Residual {
        /// A part of the item vector for each codebook, as in the paper.
        Product = "product",
        /// A part of the item vector in the geometry of the queries, in which an error counts by its effect
        /// on logits.
        QueryAware = "query-aware",
        /// In that geometry, each codebook approximates the residuals of the others.
        Residual = "residual",
    }
}
