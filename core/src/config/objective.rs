//! What is minimised.

use serde::{Deserialize, Serialize};

use super::Partition;

/// The loss of a user, beside the KL divergence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// The softmax over all items, streamed (Mult-VAE).
    FullSoftmax,
    /// The sampled softmax, whose negatives come from the proposal.
    #[default]
    SampledSoftmax,
}

/// What is minimised.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ObjectiveConfig {
    /// The loss of a user.
    pub kind: Objective,
    /// The denominator of the sampled softmax.
    pub partition: Partition,
}
