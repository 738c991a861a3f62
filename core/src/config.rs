//! Every setting of a training run, as the configuration file and the command line name them.

use serde::{Deserialize, Serialize};

pub use crate::kernels::{Activation, Partition};
use crate::{Error, Result};

/// The whole run. `RUN/config.toml` holds exactly this.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The network.
    pub model: ModelConfig,
    /// What is minimised, and where negatives come from.
    pub loss: LossConfig,
    /// How parameters move.
    pub optimizer: OptimizerConfig,
    /// The loop.
    pub training: TrainingConfig,
}

/// The network: M -> hidden -> latent (-> hidden) -> M.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ModelConfig {
    /// Width of the hidden layer, H.
    pub hidden: usize,
    /// Width of the latent code, D.
    pub latent: usize,
    /// After the encoder's bag of item rows.
    pub activation: Activation,
    /// How a code meets the items.
    pub decoder: Decoder,
    /// After the decoder's layer; the dense decoder alone has one.
    pub decoder_activation: Activation,
    /// Whether each item has a bias in its logit.
    pub item_bias: bool,
    /// Probability of dropping.
    pub dropout: f32,
    /// What is dropped.
    pub dropout_on: DropoutOn,
    /// Latent samples a user and step, L.
    pub latent_samples: usize,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            hidden: 200,
            latent: 32,
            activation: Activation::Tanh,
            decoder: Decoder::Dense,
            decoder_activation: Activation::None,
            item_bias: true,
            dropout: 0.5,
            dropout_on: DropoutOn::Input,
            latent_samples: 1,
        }
    }
}

/// How a latent code meets the items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    /// A layer from the code to the hidden width, item rows of the hidden width (the authors' code).
    #[default]
    Dense,
    /// Item rows of the latent width, met by the code itself (as the paper writes it).
    Direct,
}

/// Where dropout acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropoutOn {
    /// On the history (Mult-VAE).
    #[default]
    Input,
    /// On the summed item rows, before the activation (the authors' code).
    Bag,
}

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

    fn validate_mix(&self) -> Result<()> {
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

/// Which rows of the two item tables a step moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowUpdates {
    /// All of them, like PyTorch's Adam.
    Dense,
    /// The touched ones; the steps that a row missed are applied when it is next needed. The result is
    /// that of `dense` up to rounding, at a cost that does not grow with the catalogue.
    #[default]
    Replay,
    /// The touched ones, whose missed steps are forgotten (PyTorch's SparseAdam).
    Lazy,
}

/// How the learning rate moves over the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// It stays.
    #[default]
    Constant,
    /// Half a cosine from the full rate to a hundredth of it at the last step.
    Cosine,
    /// Falls in a straight line to a hundredth at the last step.
    Linear,
    /// Times 0.95 every five epochs (the authors' code).
    Step,
}

/// How parameters move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct OptimizerConfig {
    /// Adam's rate.
    pub learning_rate: f32,
    /// How it moves.
    pub schedule: Schedule,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Adam's epsilon.
    pub epsilon: f32,
    /// Decoupled weight decay (AdamW).
    pub weight_decay: f32,
    /// Coupled L2, added to gradients; the authors' settings have 0.01.
    pub l2: f32,
    /// Which rows of the item tables move.
    pub rows: RowUpdates,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            l2: 0.0,
            rows: RowUpdates::Replay,
        }
    }
}

/// The loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrainingConfig {
    /// Passes over the users.
    pub epochs: u32,
    /// Users a step, B.
    pub batch: usize,
    /// Weight of the divergence when annealing is over.
    pub beta: f32,
    /// Steps over which the weight grows from 0.
    pub anneal_steps: u32,
    /// Everything random follows from it.
    pub seed: u64,
    /// Stop when the validation metric has not improved for so many evaluations; 0 never stops early.
    pub patience: u32,
    /// Epochs between evaluations.
    pub evaluate_every: u32,
    /// The metric that decides which epoch was best.
    pub metric: String,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            epochs: 60,
            batch: 256,
            beta: 0.2,
            anneal_steps: 5000,
            seed: 0,
            patience: 0,
            evaluate_every: 1,
            metric: "ndcg@50".into(),
        }
    }
}

impl Config {
    /// Whether the settings can work together, and with a catalogue of `items`.
    ///
    /// # Errors
    /// [`Error::Setting`] names the field, what is wrong, and what would be right.
    pub fn validate(&self, items: usize) -> Result<()> {
        let (model, loss, optimizer, training) = (&self.model, &self.loss, &self.optimizer, &self.training);
        let at_least_one = |field: &str, value: usize| {
            if value == 0 { Err(Error::setting(field, "is 0; give at least 1")) } else { Ok(()) }
        };
        at_least_one("hidden", model.hidden)?;
        at_least_one("latent", model.latent)?;
        at_least_one("latent-samples", model.latent_samples)?;
        at_least_one("batch", training.batch)?;
        at_least_one("epochs", training.epochs as usize)?;
        at_least_one("evaluate-every", training.evaluate_every as usize)?;
        crate::metrics::cutoff(&training.metric)?;
        within("dropout", model.dropout, 0.0..=0.95)?;
        within("learning-rate", optimizer.learning_rate, f32::MIN_POSITIVE..=10.0)?;
        within("beta1", optimizer.beta1, 0.0..=0.9999)?;
        within("beta2", optimizer.beta2, 0.5..=0.999_999)?;
        within("epsilon", optimizer.epsilon, 1e-30..=1.0)?;
        within("weight-decay", optimizer.weight_decay, 0.0..=10.0)?;
        within("l2", optimizer.l2, 0.0..=10.0)?;
        within("beta", training.beta, 0.0..=100.0)?;
        if loss.loss == Loss::Full {
            return Ok(());
        }
        at_least_one("negatives", loss.negatives)?;
        at_least_one("share", loss.share)?;
        at_least_one("refresh-every", loss.refresh_every as usize)?;
        if loss.negatives > items.max(16) {
            return Err(Error::setting(
                "negatives",
                format!(
                    "{} negatives for a catalogue of {items} items cost more than the full softmax; \
                     take at most {items}, or --loss full",
                    loss.negatives
                ),
            ));
        }
        if loss.share > loss.negatives {
            return Err(Error::setting(
                "share",
                format!(
                    "{} users cannot share {} negatives; each must draw at least one",
                    loss.share, loss.negatives
                ),
            ));
        }
        loss.validate_mix()?;
        at_least_one("dns-draws", loss.dns_draws)?;
        if loss.dns_draws > 64 {
            return Err(Error::setting("dns-draws", format!("{} is outside of 1..=64", loss.dns_draws)));
        }
        within("kernel-alpha", loss.kernel_alpha, 1e-6..=1e6)?;
        if loss.parts().any(Loss::indexed) {
            if !(2..=256).contains(&loss.codewords) {
                return Err(Error::setting("codewords", format!("{} is outside of 2..=256", loss.codewords)));
            }
            if loss.codewords > items {
                return Err(Error::setting(
                    "codewords",
                    format!("{} codewords for {items} items; take at most {items}", loss.codewords),
                ));
            }
            if !(2..=8).contains(&loss.codebooks) {
                return Err(Error::setting("codebooks", format!("{} is outside of 2..=8", loss.codebooks)));
            }
            let (field, width) = match model.decoder {
                Decoder::Dense => ("hidden", model.hidden),
                Decoder::Direct => ("latent", model.latent),
            };
            if width < loss.codebooks {
                return Err(Error::setting(
                    field,
                    format!(
                        "item vectors of {width} cannot be cut for {0} codebooks; take a width of at least {0}",
                        loss.codebooks
                    ),
                ));
            }
        }
        Ok(())
    }
}

fn within(field: &str, value: f32, range: std::ops::RangeInclusive<f32>) -> Result<()> {
    // Written so that NaN fails.
    if range.contains(&value) {
        return Ok(());
    }
    Err(Error::setting(field, format!("{value} is outside of {}..={}", range.start(), range.end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(change: impl Fn(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        config.validate(1000).expect_err("accepted").to_string()
    }

    #[test]
    fn names_the_field_and_the_way_out() {
        assert!(Config::default().validate(1000).is_ok());
        assert!(
            problem(|c| (c.model.hidden, c.loss.codebooks) = (3, 4)).starts_with("hidden: item vectors of 3")
        );
        assert!(problem(|c| c.loss.codebooks = 9).starts_with("codebooks"));
        assert!(problem(|c| c.loss.negatives = 5000).contains("--loss full"));
        assert!(problem(|c| c.loss.codewords = 300).starts_with("codewords"));
        assert!(problem(|c| c.loss.share = 300).starts_with("share"));
        assert!(problem(|c| c.optimizer.learning_rate = f32::NAN).starts_with("learning-rate"));
        assert!(problem(|c| c.training.batch = 0).starts_with("batch"));
    }
}
