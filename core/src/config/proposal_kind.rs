//! Kinds of proposals.

use super::setting::words;

words! {
    /// A distribution over items that negatives are drawn from.
    pub enum ProposalKind default MidxPopularity {
        /// Uniform over the items.
        Uniform = "uniform",
        /// In proportion to popularity.
        Popularity = "popularity",
        /// Each negative is the one with the largest logit of a few uniform draws (Zhang et al., 2013).
        Dns = "dns",
        /// In proportion to a quadratic kernel of the logit (Blanc and Rendle, 2018).
        Quadratic = "kernel",
        /// The softmax itself: exact, at the cost of the full softmax.
        Softmax = "softmax",
        /// The softmax itself, drawn through the index (theorem 4.1): exact, at the cost of the full softmax.
        Midx = "midx",
        /// Through the index, uniform inside a cell (theorem 5.1).
        MidxUniform = "midx-uniform",
        /// Through the index, by popularity inside a cell (theorem 5.2).
        MidxPopularity = "midx-popularity",
    }
}

impl ProposalKind {
    /// Whether it uses an inverted multi-index.
    pub fn indexed(self) -> bool {
        matches!(self, Self::Midx | Self::MidxUniform | Self::MidxPopularity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_files() {
        for (name, kind) in ProposalKind::NAMED {
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
            assert_eq!((ProposalKind::parse(name), kind.name()), (Some(kind), name));
        }
        assert_eq!(ProposalKind::parse("full"), None);
    }
}
