//! The loss.

use super::{
    Kind,
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

words! {
    /// How the negatives estimate the sum over all items.
    pub enum Partition default Paper {
        /// One denominator per positive, over the positive itself and the negatives, all corrected by their
        /// proposal probabilities (paper, section 6): `nll = - sum_i (o'_i - ln(exp o'_i + sum_j exp o'_j))`.
        Paper = "paper",
        /// A single denominator, to which the positives contribute exactly, while the negatives estimate the
        /// rest: `Z = sum_{i in I} exp o_i + 1/C sum_{j not in I} exp(o_j - log q_j)`.
        ExactPositives = "exact-positives",
    }
}
