//! What codewords are made of.

use super::setting::words;

words! {
    /// What the codewords of the index are made of.
    pub enum Quantisation default Residual {
        /// A part of the item vector for each codebook, as in the paper.
        Product = "product",
        /// The same in the geometry of the queries: error counts as far as queries see it.
        QueryAware = "query-aware",
        /// In that geometry, each codebook over what the others leave.
        Residual = "residual",
    }
}
