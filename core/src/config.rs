//! Every setting of a training run, as the configuration file and the command line name them.

mod codeword_weights;
mod dns_correction;
mod initialisation;
mod kmeans;
mod method;
mod mix;
mod objective;
mod popularity_weight;
mod proposal;
mod proposal_kind;
mod quantisation;

use serde::{Deserialize, Serialize};

pub use self::{
    codeword_weights::CodewordWeights,
    dns_correction::DnsCorrection,
    initialisation::Initialisation,
    kmeans::Kmeans,
    method::Method,
    mix::Mix,
    objective::{Objective, ObjectiveConfig},
    popularity_weight::PopularityWeight,
    proposal::ProposalConfig,
    proposal_kind::ProposalKind,
    quantisation::Quantisation,
};
pub use crate::kernels::{Activation, Partition};
use crate::{Error, Result};

/// The whole run. `RUN/config.toml` holds exactly this.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The network.
    pub model: ModelConfig,
    /// What is minimised.
    pub objective: ObjectiveConfig,
    /// Where negatives come from.
    pub proposal: ProposalConfig,
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

/// Which rows of the two item tables a step moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowUpdates {
    /// All of them, like PyTorch's Adam.
    Dense,
    /// The touched ones; the steps that a row missed are applied when it is next needed. The result is
    /// that of `dense` up to rounding, at a cost that does not grow with the catalogue, but for proposals that look
    /// at all items in every step (exact MIDX, softmax, dns).
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
    Constant,
    /// Half a cosine from the full rate to a hundredth of it at the last step.
    #[default]
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
            schedule: Schedule::Cosine,
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
    /// The objective and its proposal in one word.
    pub fn method(&self) -> Method {
        Method::of(&self.objective, &self.proposal)
    }

    /// Whether the settings can work together, and with a catalogue of `items`.
    ///
    /// # Errors
    /// [`Error::Setting`] names the field, what is wrong, and what would be right.
    pub fn validate(&self, items: usize) -> Result<()> {
        let (model, proposal, optimizer, training) =
            (&self.model, &self.proposal, &self.optimizer, &self.training);
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
        if self.objective.kind == Objective::FullSoftmax {
            return Ok(());
        }
        at_least_one("negatives", proposal.negatives)?;
        at_least_one("group-size", proposal.group_size)?;
        at_least_one("refresh-every", proposal.refresh_every as usize)?;
        if proposal.negatives > items.max(16) {
            return Err(Error::setting(
                "negatives",
                format!(
                    "{} negatives for a catalogue of {items} items cost more than the full softmax; \
                     take at most {items}, or take `objective.kind = full-softmax`",
                    proposal.negatives
                ),
            ));
        }
        if proposal.group_size > proposal.negatives {
            return Err(Error::setting(
                "group-size",
                format!(
                    "{} users cannot share {} negatives; each must draw at least one",
                    proposal.group_size, proposal.negatives
                ),
            ));
        }
        proposal.validate_mix()?;
        at_least_one("dns-draws", proposal.dns_draws)?;
        if proposal.dns_draws > 64 {
            return Err(Error::setting("dns-draws", format!("{} is outside of 1..=64", proposal.dns_draws)));
        }
        within("kernel-alpha", proposal.kernel_alpha, 1e-6..=1e6)?;
        if proposal.parts().any(ProposalKind::indexed) {
            if !(2..=256).contains(&proposal.codewords) {
                return Err(Error::setting(
                    "codewords",
                    format!("{} is outside of 2..=256", proposal.codewords),
                ));
            }
            if proposal.codewords > items {
                return Err(Error::setting(
                    "codewords",
                    format!("{} codewords for {items} items; take at most {items}", proposal.codewords),
                ));
            }
            if !(2..=8).contains(&proposal.codebooks) {
                return Err(Error::setting(
                    "codebooks",
                    format!("{} is outside of 2..=8", proposal.codebooks),
                ));
            }
            let (field, width) = match model.decoder {
                Decoder::Dense => ("hidden", model.hidden),
                Decoder::Direct => ("latent", model.latent),
            };
            if width < proposal.codebooks {
                return Err(Error::setting(
                    field,
                    format!(
                        "item vectors of {width} cannot be cut for {0} codebooks; take a width of at least {0}",
                        proposal.codebooks
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
            problem(|c| (c.model.hidden, c.proposal.codebooks) = (3, 4))
                .starts_with("hidden: item vectors of 3")
        );
        assert!(problem(|c| c.proposal.codebooks = 9).starts_with("codebooks"));
        assert!(problem(|c| c.proposal.negatives = 5000).contains("full-softmax"));
        assert!(problem(|c| c.proposal.codewords = 300).starts_with("codewords"));
        assert!(problem(|c| c.proposal.group_size = 300).starts_with("group-size"));
        assert!(problem(|c| c.optimizer.learning_rate = f32::NAN).starts_with("learning-rate"));
        assert!(problem(|c| c.training.batch = 0).starts_with("batch"));
    }
}
