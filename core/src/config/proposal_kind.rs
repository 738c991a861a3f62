//! Kinds of proposals, by the table of proposals.

use super::setting::words;
use crate::proposal::proposals;

macro_rules! kinds {
    ({ $($always:tt)+ } baselines { $($more:tt)+ }) => {
        #[cfg(not(feature = "baselines"))]
        kinds! { $($always)+ }
        #[cfg(feature = "baselines")]
        kinds! { $($always)+ $($more)+ }
    };
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $new:expr;)+) => {
        words! {
            /// A distribution over items that negatives are drawn from.
            pub enum ProposalKind default MidxPopularity {
                $($(#[$doc])* $kind = $name,)+
            }
        }
    };
}

proposals!(kinds);

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
