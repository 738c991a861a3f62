//! The proposal, and the index behind it.

use serde::{Deserialize, Serialize};

use super::{
    CodewordWeights, DnsCorrection, Initialisation, Kmeans, Mix, PopularityWeight, ProposalKind, Quantisation,
};
use crate::{Error, Result};

/// Where negatives come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProposalConfig {
    /// The distribution.
    pub kind: ProposalKind,
    /// Negatives that each user sees, C.
    pub negatives: usize,
    /// Users that share their negatives, G; each draws C / G of them. 1 is the paper.
    pub group_size: usize,
    /// Codewords of each codebook, K.
    pub codewords: usize,
    /// Codebooks, m. With two, a step costs K^2 a user; with more, the occupied cells.
    pub codebooks: usize,
    /// What codewords are made of.
    pub quantisation: Quantisation,
    /// What an item weighs when codewords are made.
    pub codeword_weights: CodewordWeights,
    /// Where k-means starts from.
    pub initialisation: Initialisation,
    /// Which codeword an item gets.
    pub kmeans: Kmeans,
    /// What an item's count means for its popularity.
    pub popularity: PopularityWeight,
    /// Epochs between refreshes of the index.
    pub refresh_every: u32,
    /// Steps between refreshes of the index, in place of epochs; 0 goes by epochs.
    pub refresh_steps: u32,
    /// Iterations of k-means for the first index.
    pub first_iterations: u32,
    /// Iterations of k-means at each later refresh, which starts from the codewords in use.
    pub refresh_iterations: u32,
    /// A second proposal, and the probability that a negative comes from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mix: Option<Mix>,
    /// Uniform draws that the hardest is taken of, B.
    pub dns_draws: usize,
    /// How log q of such draws is corrected.
    pub dns_correction: DnsCorrection,
    /// Weight of the square in the kernel alpha o^2 + 1.
    pub kernel_alpha: f32,
}

impl Default for ProposalConfig {
    fn default() -> Self {
        Self {
            kind: ProposalKind::default(),
            negatives: 200,
            group_size: 1,
            codewords: 16,
            codebooks: 2,
            quantisation: Quantisation::default(),
            codeword_weights: CodewordWeights::default(),
            initialisation: Initialisation::default(),
            kmeans: Kmeans::default(),
            popularity: PopularityWeight::Log,
            refresh_every: 1,
            refresh_steps: 0,
            first_iterations: 25,
            refresh_iterations: 3,
            mix: None,
            dns_draws: 5,
            dns_correction: DnsCorrection::Exact,
            kernel_alpha: 100.0,
        }
    }
}

impl ProposalConfig {
    /// The proposal and the one it is mixed with.
    pub fn parts(&self) -> impl Iterator<Item = ProposalKind> {
        std::iter::once(self.kind).chain(self.mix.map(|mix| mix.with))
    }

    pub(super) fn validate_mix(&self) -> Result<()> {
        let Some(mix) = self.mix else { return Ok(()) };
        let wrong = |problem: String| Err(Error::setting("mix", problem));
        if mix.with == self.kind {
            return wrong(format!("{} is mixed with itself; leave it out", self.kind.name()));
        }
        if self.parts().all(ProposalKind::indexed) {
            return wrong(format!(
                "{} and {} would need an index each; mix one of them with another kind, such as uniform=0.1",
                self.kind.name(),
                mix.with.name()
            ));
        }
        // Written so that NaN fails.
        if mix.probability > 0.0 && mix.probability < 1.0 {
            return Ok(());
        }
        wrong(format!("a probability of {} is outside of 0 to 1", mix.probability))
    }
}
