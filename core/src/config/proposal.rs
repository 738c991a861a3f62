//! The proposal, and the index behind it.

use super::{
    CodewordWeights, DnsCorrection, Initialisation, Kind, Kmeans, Mix, PopularityWeight, ProposalKind,
    Quantisation, setting::settings,
};
use crate::{Error, Result};

/// Iterations of k-means beyond which nothing changes any more.
const MOST_ITERATIONS: u64 = 10_000;

settings! {
    /// Where negatives come from.
    pub struct ProposalConfig in "proposal" {
        /// The distribution.
        kind: ProposalKind = ProposalKind::default(), "PROPOSAL", Kind::Word(ProposalKind::WORDS), flag "";
        /// Negatives that each user sees.
        negatives: usize = 200, "C", Kind::Integer(1, u64::MAX);
        /// Users that share their negatives; each draws C / G of them. 1 is the paper.
        group_size: usize = 1, "G", Kind::Integer(1, u64::MAX), formerly "share";
        /// Codewords of each codebook of the index.
        codewords: usize = 16, "K", Kind::Integer(2, 256);
        /// Codebooks of the index. With two, a step sums over K x K cells for each user; with more, over the occupied
        /// ones.
        codebooks: usize = 2, "M", Kind::Integer(2, 8);
        /// What codewords are made of: parts of the item vectors as in the paper, the same in the geometry of the
        /// queries, or in that geometry what the other codebooks leave over.
        quantisation: Quantisation = Quantisation::default(), "QUANTISATION", Kind::Word(Quantisation::WORDS);
        /// Weight of an item with c interactions when codewords are made: 1, the root of c, c.
        codeword_weights: CodewordWeights = CodewordWeights::default(), "WEIGHT", Kind::Word(CodewordWeights::WORDS);
        /// Where k-means starts from: random items, or items far from one another.
        initialisation: Initialisation = Initialisation::default(), "START", Kind::Word(Initialisation::WORDS);
        /// Which codeword k-means assigns: the nearest, or one that does not have much more than its share yet.
        kmeans: Kmeans = Kmeans::default(), "KMEANS", Kind::Word(Kmeans::WORDS);
        /// Popularity of an item with c interactions: c, ln(1 + c), c^0.75.
        popularity: PopularityWeight = PopularityWeight::default(), "WEIGHT", Kind::Word(PopularityWeight::WORDS);
        /// Epochs between refreshes of the index.
        refresh_every: u32 = 1, "EPOCHS", Kind::Integer(1, u32::MAX as u64);
        /// Steps between refreshes of the index, instead of epochs; 0: by epochs.
        refresh_steps: u32 = 0, "STEPS", Kind::Integer(0, u32::MAX as u64);
        /// Iterations of k-means for the first index.
        first_iterations: u32 = 25, "N", Kind::Integer(0, MOST_ITERATIONS);
        /// Iterations of k-means at each later refresh, which starts from the codewords in use.
        refresh_iterations: u32 = 3, "N", Kind::Integer(0, MOST_ITERATIONS);
        /// A second proposal and the probability that a negative comes from it, such as uniform=0.1; log q is that of
        /// the mixture.
        #[serde(skip_serializing_if = "Option::is_none")]
        mix: Option<Mix> = None, "PROPOSAL=PROBABILITY", Kind::Text;
        /// Uniform draws of which `dns` takes the hardest.
        dns_draws: usize = 5, "B", Kind::Integer(1, 64);
        /// How `dns` corrects log q: by the item's rank, which needs the logits of all items; or not at all, as
        /// published.
        dns_correction: DnsCorrection = DnsCorrection::default(), "CORRECTION", Kind::Word(DnsCorrection::WORDS);
        /// Alpha of `kernel`, which draws an item with logit o by alpha o^2 + 1.
        kernel_alpha: f32 = 100.0, "ALPHA", Kind::Real(1e-6, 1e6);
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
