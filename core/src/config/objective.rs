//! The loss.

use super::{
    Kind, Partition,
    setting::{settings, words},
};

settings! {
    /// The loss of a run.
    pub struct ObjectiveConfig in "objective" {
        /// Loss of a user.
        kind: Objective = Objective::default(), "OBJECTIVE", Kind::Word(Objective::WORDS), flag "";
        /// Denominator of the sampled softmax: one for each positive as in the paper, or a single one to
        /// which positives contribute exactly.
        partition: Partition = Partition::default(), "DENOMINATOR", Kind::Word(Partition::WORDS);
    }
}

words! {
    /// The loss of a user, without the KL divergence.
    pub enum Objective default SampledSoftmax {
        /// The softmax over all items, streamed (Mult-VAE).
        FullSoftmax = "full-softmax",
        /// The sampled softmax, whose negatives come from the proposal.
        SampledSoftmax = "sampled-softmax",
    }
}
