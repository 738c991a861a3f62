//! Where negatives come from.

use serde::{Deserialize, Serialize};

/// A distribution over items that negatives are drawn from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProposalKind {
    /// Uniform over the items.
    Uniform,
    /// By popularity.
    Popularity,
    /// Each negative the hardest of a few uniform draws (Zhang et al., 2013).
    Dns,
    /// By a quadratic kernel of the logit (Blanc and Rendle, 2018).
    #[serde(rename = "kernel")]
    Quadratic,
    /// The softmax itself: exact, at the cost of the full softmax.
    Softmax,
    /// The softmax itself by way of the index (theorem 4.1): exact, at the cost of the full softmax.
    Midx,
    /// Through the index, uniform inside a cell (theorem 5.1).
    MidxUniform,
    /// Through the index, by popularity inside a cell (theorem 5.2).
    #[default]
    MidxPopularity,
}

impl ProposalKind {
    /// Every proposal by the name that configuration files and the command line use.
    pub const NAMED: [(&'static str, Self); 8] = [
        ("uniform", Self::Uniform),
        ("popularity", Self::Popularity),
        ("dns", Self::Dns),
        ("kernel", Self::Quadratic),
        ("softmax", Self::Softmax),
        ("midx", Self::Midx),
        ("midx-uniform", Self::MidxUniform),
        ("midx-popularity", Self::MidxPopularity),
    ];

    /// The names alone.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMED.iter().map(|(name, _)| *name)
    }

    /// The proposal of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether it draws from an inverted multi-index.
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
