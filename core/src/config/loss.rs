//! The loss, its proposal, and the index behind that.

use serde::{Deserialize, Serialize};

use super::Partition;
use crate::{Error, Result};

/// What is minimised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// The softmax over all items.
    Full,
    /// Sampled, negatives uniform over the items.
    Uniform,
    /// Sampled, negatives by popularity.
    Popularity,
    /// Sampled, each negative the hardest of a few uniform draws (Zhang et al., 2013).
    Dns,
    /// Sampled, negatives by a quadratic kernel of the logit (Blanc and Rendle, 2018).
    Kernel,
    /// Sampled, negatives from the softmax itself: exact, and as dear as the full softmax.
    Softmax,
    /// Sampled, negatives from the softmax itself by way of the index (theorem 4.1): exact, and as dear as
    /// the full softmax.
    Midx,
    /// Sampled through the index, uniform inside a cell (theorem 5.1).
    MidxUniform,
    /// Sampled through the index, by popularity inside a cell (theorem 5.2).
    #[default]
    MidxPopularity,
}

impl Loss {
    /// Every loss by the name that configuration files and the command line use.
    pub const NAMED: [(&'static str, Self); 9] = [
        ("full", Self::Full),
        ("uniform", Self::Uniform),
        ("popularity", Self::Popularity),
        ("dns", Self::Dns),
        ("kernel", Self::Kernel),
        ("softmax", Self::Softmax),
        ("midx", Self::Midx),
        ("midx-uniform", Self::MidxUniform),
        ("midx-popularity", Self::MidxPopularity),
    ];

    /// The names alone.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMED.iter().map(|(name, _)| *name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(_, loss)| *loss == self).map_or("full", |(name, _)| name)
    }

    /// Whether negatives come from an inverted multi-index.
    pub fn indexed(self) -> bool {
        matches!(self, Self::Midx | Self::MidxUniform | Self::MidxPopularity)
    }
}

/// What an item's count means for popularity proposals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PopularityWeight {
    /// c.
    Count,
    /// ln(1 + c), the paper's choice.
    #[default]
    Log,
    /// c^0.75.
    Power,
}

/// What the codewords of the index are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantisation {
    /// A part of the item vector for each codebook, as in the paper.
    Product,
    /// The same in the geometry of the queries: error counts as far as queries see it.
    QueryAware,
    /// In that geometry, each codebook over what the others leave.
    #[default]
    Residual,
}

/// What an item weighs when codewords are made. Where a model puts its probability, errors cost most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodewordWeights {
    /// As much as any other, as in the paper.
    Even,
    /// The root of its training count.
    Root,
    /// Its training count.
    #[default]
    Count,
}

/// Where k-means starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initialisation {
    /// Random items.
    Random,
    /// Items far from one another (k-means++).
    #[default]
    PlusPlus,
}

/// Which codeword k-means gives an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kmeans {
    /// The nearest.
    #[default]
    Plain,
    /// The nearest by a distance that grows with what the codeword has already, so that all get about the same share
    /// (Ahalt et al., 1990: frequency-sensitive learning).
    Balanced,
}

/// What is known of the probabilities of dynamic negative sampling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnsCorrection {
    /// The order statistic of each item's rank, which takes the logits of all items.
    #[default]
    Exact,
    /// Nothing, as published: the draws count as if they were uniform. Cheap, and no estimate of the softmax.
    None,
}

/// A second proposal: `uniform=0.1` draws a tenth of the negatives uniformly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mix {
    /// The second proposal.
    pub with: Loss,
    /// The probability that a negative comes from it.
    pub share: f32,
}

impl std::str::FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let example = "give LOSS=SHARE, such as uniform=0.1";
        let (name, share) =
            text.split_once('=').ok_or_else(|| format!("`{text}` names no share; {example}"))?;
        let (_, with) = Loss::NAMED
            .into_iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| format!("`{name}` is no loss; {example}"))?;
        let share = share.parse().map_err(|_| format!("`{share}` is no number; {example}"))?;
        Ok(Self { with, share })
    }
}

impl TryFrom<String> for Mix {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<Mix> for String {
    fn from(mix: Mix) -> Self {
        format!("{}={}", mix.with.name(), mix.share)
    }
}

/// The loss and its proposal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LossConfig {
    /// What is minimised.
    pub loss: Loss,
    /// Negatives that each user sees, C.
    pub negatives: usize,
    /// Users that share their negatives, G; each draws C / G of them. 1 is the paper.
    pub share: usize,
    /// The denominator.
    pub partition: Partition,
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
    /// What popularity means.
    pub popularity: PopularityWeight,
    /// Epochs between refreshes of the index.
    pub refresh_every: u32,
    /// Steps between refreshes of the index, in place of epochs; 0 goes by epochs.
    pub refresh_steps: u32,
    /// Iterations of k-means for the first index.
    pub first_iterations: u32,
    /// Iterations of k-means at each later refresh, which starts from the codewords in use.
    pub refresh_iterations: u32,
    /// A second proposal that a share of the negatives comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mix: Option<Mix>,
    /// Uniform draws that the hardest is taken of, B.
    pub dns_draws: usize,
    /// What is known of the probabilities of such draws.
    pub dns_correction: DnsCorrection,
    /// Weight of the square in the kernel alpha o^2 + 1.
    pub kernel_alpha: f32,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            loss: Loss::MidxPopularity,
            negatives: 200,
            share: 1,
            partition: Partition::Paper,
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

impl LossConfig {
    /// The loss and the one it is mixed with.
    pub fn parts(&self) -> impl Iterator<Item = Loss> {
        std::iter::once(self.loss).chain(self.mix.map(|mix| mix.with))
    }

    pub(super) fn validate_mix(&self) -> Result<()> {
        let Some(mix) = self.mix else { return Ok(()) };
        let wrong = |problem: String| Err(Error::setting("mix", problem));
        if mix.with == Loss::Full {
            return wrong(
                "the full softmax draws nothing; mix with a sampled loss, such as uniform=0.1".into(),
            );
        }
        if mix.with == self.loss {
            return wrong(format!("{} is mixed with itself; leave it out", self.loss.name()));
        }
        if self.parts().all(Loss::indexed) {
            return wrong(format!(
                "{} and {} would need an index each; mix one of them with another kind, such as uniform=0.1",
                self.loss.name(),
                mix.with.name()
            ));
        }
        // Written so that NaN fails.
        if mix.share > 0.0 && mix.share < 1.0 {
            return Ok(());
        }
        wrong(format!("a share of {} is outside of 0 to 1", mix.share))
    }
}
