//! The proposal and its index.

use super::{
    CodewordWeights, Control, DnsCorrection, Initialisation, Kind, Kmeans, Mix, PopularityWeight,
    ProposalKind, Quantisation, setting::settings,
};
use crate::{Error, Result};

/// The most iterations of k-means; more would not change the result.
const MOST_ITERATIONS: u64 = 10_000;

settings! {
    /// The source of negatives.
    pub struct ProposalConfig in "proposal" {
        /// The distribution.
        kind: ProposalKind = ProposalKind::default(), "PROPOSAL", Kind::Word(ProposalKind::WORDS), flag "";
        /// Negatives per user.
        negatives: usize = 200, "C", Kind::Integer(1, u64::MAX), page Control::new("Negatives", "100").at_most(10_000);
        /// G, the number of users that share their negatives; each draws C / G of them. The paper uses 1.
        group_size: usize = 1, "G", Kind::Integer(1, u64::MAX), formerly "share";
        /// Codewords in each codebook of the index.
        codewords: usize = 16, "K", Kind::Integer(2, 256), page Control::new("Codewords", "8").named("k");
        /// Codebooks of the index. With two, a step sums over K x K cells for each user; with more, over the
        /// occupied cells.
        codebooks: usize = 2, "M", Kind::Integer(2, 8);
        /// What codewords approximate: parts of the item vectors as in the paper, parts of the item vectors
        /// in the geometry of the queries, or in that geometry the residuals of the other codebooks.
        quantisation: Quantisation = Quantisation::default(), "QUANTISATION", Kind::Word(Quantisation::WORDS);
        /// Weight of an item with c interactions in k-means: 1, the square root of c, c.
        codeword_weights: CodewordWeights = CodewordWeights::default(), "WEIGHT", Kind::Word(CodewordWeights::WORDS);
        /// Initial codewords of k-means: random items, or items far apart from each other.
        initialisation: Initialisation = Initialisation::default(), "START", Kind::Word(Initialisation::WORDS);
        /// Which codeword k-means assigns to an item: the nearest, or the nearest with a penalty on codewords
        /// above their share.
        kmeans: Kmeans = Kmeans::default(), "KMEANS", Kind::Word(Kmeans::WORDS);
        /// Weight of an item with c interactions in popularity proposals: c, ln(1 + c), c^0.75.
        popularity: PopularityWeight = PopularityWeight::default(), "WEIGHT", Kind::Word(PopularityWeight::WORDS);
        /// Epochs between refreshes of the index.
        refresh_every: u32 = 1, "EPOCHS", Kind::Integer(1, u32::MAX as u64);
        /// Steps between refreshes of the index, instead of epochs; 0: by epochs.
        refresh_steps: u32 = 0, "STEPS", Kind::Integer(0, u32::MAX as u64);
        /// Iterations of k-means for the first index.
        first_iterations: u32 = 25, "N", Kind::Integer(0, MOST_ITERATIONS);
        /// Iterations of k-means at each later refresh, which starts from the current codewords.
        refresh_iterations: u32 = 3, "N", Kind::Integer(0, MOST_ITERATIONS);
        /// A second proposal and the probability that a negative comes from it, such as uniform=0.1; log q is
        /// that of the mixture.
        #[serde(skip_serializing_if = "Option::is_none")]
        mix: Option<Mix> = None, "PROPOSAL=PROBABILITY", Kind::Text;
        /// Number of uniform draws of which `dns` uses the one with the largest logit.
        dns_draws: usize = 5, "B", Kind::Integer(1, 64);
        /// How `dns` corrects log q: by the item's rank, which needs the logits of all items; or not at all,
        /// as published.
        dns_correction: DnsCorrection = DnsCorrection::default(), "CORRECTION", Kind::Word(DnsCorrection::WORDS);
        /// Alpha of `kernel`, which draws an item with logit o in proportion to alpha o^2 + 1.
        kernel_alpha: f32 = 100.0, "ALPHA", Kind::Real(1e-6, 1e6);
        /// Lambda of `adaptive`, which draws the item of rank r by a factor in proportion to exp(-r / lambda).
        #[cfg(feature = "baselines")]
        adaptive_lambda: AdaptiveLambda = AdaptiveLambda::default(), "LAMBDA", Kind::Real(1.0, 1e9);
    }
}

/// The scale of the ranks of adaptive oversampling; 500 by default.
#[cfg(feature = "baselines")]
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct AdaptiveLambda(pub f32);

#[cfg(feature = "baselines")]
impl Default for AdaptiveLambda {
    fn default() -> Self {
        Self(500.0)
    }
}

impl ProposalConfig {
    /// The proposal and the one that it is mixed with.
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
        // The comparison is written such that NaN fails.
        if mix.probability > 0.0 && mix.probability < 1.0 {
            return Ok(());
        }
        wrong(format!("a probability of {} is outside of 0 to 1", mix.probability))
    }
}
