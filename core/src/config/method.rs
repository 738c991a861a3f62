//! One word for an objective and its proposal, for comparisons: `full`, `uniform`, `midx-popularity`.

use serde::{Deserialize, Serialize};

use super::{Config, Objective, ObjectiveConfig, ProposalConfig, ProposalKind};

/// An objective and, for the sampled softmax, its proposal.
///
/// Configuration files set the two separately; a command line, a figure or a link uses this single word for
/// both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Method {
    /// The softmax over all items.
    Full,
    /// The sampled softmax.
    Sampled(ProposalKind),
}

impl Method {
    /// The name of the full softmax; the sampled softmax has the name of its proposal.
    const FULL: &'static str = "full";

    /// Every method: the full softmax, then every proposal.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Full).chain(ProposalKind::NAMED.map(|(_, kind)| Self::Sampled(kind)))
    }

    /// The names of all methods.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::all().map(Self::name)
    }

    /// The method of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|method| method.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => Self::FULL,
            Self::Sampled(kind) => kind.name(),
        }
    }

    /// The objective.
    pub fn objective(self) -> Objective {
        match self {
            Self::Full => Objective::FullSoftmax,
            Self::Sampled(_) => Objective::SampledSoftmax,
        }
    }

    /// The proposal, for the sampled softmax.
    pub fn proposal(self) -> Option<ProposalKind> {
        match self {
            Self::Full => None,
            Self::Sampled(kind) => Some(kind),
        }
    }

    /// The method that these settings select.
    pub fn of(objective: &ObjectiveConfig, proposal: &ProposalConfig) -> Self {
        match objective.kind {
            Objective::FullSoftmax => Self::Full,
            Objective::SampledSoftmax => Self::Sampled(proposal.kind),
        }
    }

    /// Sets objective and proposal to this method.
    pub fn apply(self, config: &mut Config) {
        config.objective.kind = self.objective();
        if let Some(kind) = self.proposal() {
            config.proposal.kind = kind;
        }
    }
}

impl TryFrom<String> for Method {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::parse(&name).ok_or_else(|| format!("unknown method `{name}`"))
    }
}

impl From<Method> for String {
    fn from(method: Method) -> Self {
        method.name().into()
    }
}
