//! Every setting of a training run, as the configuration file and the command line name them.

mod loss;

use serde::{Deserialize, Serialize};

pub use self::loss::{
    CodewordWeights, DnsCorrection, Initialisation, Kmeans, Loss, LossConfig, Mix, PopularityWeight,
    Quantisation,
};
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
