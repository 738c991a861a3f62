//! All settings of a training run, by their names in the configuration file and on the command line.

pub(crate) mod setting;

mod codeword_weights;
mod dns_correction;
mod initialisation;
mod kmeans;
#[cfg(feature = "baselines")]
mod layers;
mod method;
mod mix;
mod mult_vae;
mod objective;
mod optimizer;
mod popularity_weight;
mod proposal;
mod proposal_kind;
mod quantisation;
mod steps;
mod training;

use serde::{Deserialize, Serialize};

pub use self::{
    codeword_weights::CodewordWeights,
    dns_correction::DnsCorrection,
    initialisation::Initialisation,
    kmeans::Kmeans,
    method::Method,
    mix::Mix,
    mult_vae::{Activation, Decoder, DropoutOn, MultVaeConfig},
    objective::{Objective, ObjectiveConfig, Partition},
    optimizer::{OptimizerConfig, RowUpdates, Schedule},
    popularity_weight::PopularityWeight,
    proposal::ProposalConfig,
    proposal_kind::ProposalKind,
    quantisation::Quantisation,
    setting::{Control, Kind, Section, Setting},
    training::TrainingConfig,
};
#[cfg(feature = "baselines")]
pub use self::{
    layers::Layers,
    mult_vae::{Autoencoder, HiddenLayer, ImplicitSlimEvery, ImplicitSlimLambda, KlWeights, Prior},
    proposal::AdaptiveLambda,
};
use crate::{Error, Result};
pub(crate) use steps::Steps;

/// All settings of training by steps of the gradient, with an objective and proposals: the sections of
/// `RUN/config.toml` that a [`Trainer`](crate::train::Trainer) needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The network.
    pub model: MultVaeConfig,
    /// The loss.
    pub objective: ObjectiveConfig,
    /// The source of negatives.
    pub proposal: ProposalConfig,
    /// How parameters are updated.
    pub optimizer: OptimizerConfig,
    /// The training loop.
    pub training: TrainingConfig,
}

impl Config {
    /// Every setting that the page has a control for, section by section.
    pub fn controls() -> impl Iterator<Item = &'static (Setting, Control)> {
        [
            MultVaeConfig::CONTROLS,
            ObjectiveConfig::CONTROLS,
            ProposalConfig::CONTROLS,
            OptimizerConfig::CONTROLS,
            TrainingConfig::CONTROLS,
        ]
        .into_iter()
        .flatten()
    }

    /// The objective and its proposal as one word.
    pub fn method(&self) -> Method {
        Method::of(&self.objective, &self.proposal)
    }

    /// The sections without the model.
    pub(crate) fn steps(&self) -> Steps {
        Steps {
            objective: self.objective.clone(),
            proposal: self.proposal.clone(),
            optimizer: self.optimizer.clone(),
            training: self.training.clone(),
            #[cfg(feature = "baselines")]
            pairs: None,
        }
    }

    /// Checks that the settings are compatible with each other and with a catalogue of `items` items.
    ///
    /// # Errors
    /// [`Error::Setting`] with the field, the problem, and valid values.
    pub fn validate(&self, items: usize) -> Result<()> {
        let model = &self.model;
        model.check_bounds()?;
        #[cfg(feature = "baselines")]
        model.check_options()?;
        self.steps().validate(items, model.width())
    }
}

impl MultVaeConfig {
    /// Checks that options are not combined with others that they leave without an effect.
    ///
    /// # Errors
    /// [`Error::Setting`] with the option.
    #[cfg(feature = "baselines")]
    pub(crate) fn check_options(&self) -> Result<()> {
        if self.has_blocks() && self.layers.widths().iter().any(|width| *width != self.hidden) {
            return Err(Error::setting(
                "layers",
                format!(
                    "each layer of `hidden-layer = swish-norm` adds to the sum of those before it; give the width {} to all",
                    self.hidden
                ),
            ));
        }
        if self.hidden_layer != HiddenLayer::Plain && self.activation != Activation::Tanh {
            return Err(Error::setting(
                "activation",
                format!(
                    "a layer of `hidden-layer = {}` has an activation of its own; leave it out",
                    self.hidden_layer.name()
                ),
            ));
        }
        let (rows, items) = (self.encoder_width(), self.width().1);
        if self.tied_items && rows != items {
            let (layer, direct) = match self.is_gated() {
                true => ("gated hidden layer", format!("`decoder = direct` with `latent = {rows}`")),
                false => ("hidden layer", format!("`latent = {rows}` or `decoder = dense`")),
            };
            let problem = format!(
                "rows of {rows} numbers for the encoder's {layer} and of {items} for the decoder cannot be one table; take {direct}"
            );
            return Err(Error::setting("tied-items", problem));
        }
        if self.is_variational() {
            return Ok(());
        }
        if self.latent_samples > 1 {
            return Err(Error::setting(
                "latent-samples",
                format!(
                    "{} codes of a user are the same with `autoencoder = dae`; take 1",
                    self.latent_samples
                ),
            ));
        }
        let own =
            [("kl-weights", self.kl_weights != KlWeights::Equal), ("prior", self.prior != Prior::Normal)];
        if let Some((field, _)) = own.into_iter().find(|(_, given)| *given) {
            let problem = "there is no KL divergence with `autoencoder = dae`; leave it out";
            return Err(Error::setting(field, problem));
        }
        Ok(())
    }

    /// The width of item vectors, and the setting that it is.
    pub(crate) fn width(&self) -> (&'static str, usize) {
        match self.decoder {
            Decoder::Dense => ("hidden", self.hidden),
            Decoder::Direct => ("latent", self.latent),
        }
    }

    /// Checks that the size of every table of a network over `items` items, with `rows` rows per batch, fits
    /// the index types. Whether there is enough memory is only known when it is allocated.
    ///
    /// # Errors
    /// [`Error::Setting`] with the product that is too large.
    pub fn check_sizes(&self, items: usize, rows: usize) -> Result<()> {
        // The encoder outputs a mean and a variance, so twice the latent width. Kernels index tables by
        // 32-bit numbers.
        let hidden = self.hidden.saturating_mul(self.product_width(1));
        let width = hidden.max(self.latent.saturating_mul(2));
        for (field, what, factors) in [
            ("hidden", "items x width", [items, hidden]),
            ("latent", "items x width", [items, self.latent]),
            ("latent", "hidden x 2 latent", [self.hidden, self.latent.saturating_mul(2)]),
            ("batch", "rows x width", [rows, width]),
        ] {
            let bytes =
                factors.iter().try_fold(size_of::<f32>(), |product, &factor| product.checked_mul(factor));
            if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
                let [a, b] = factors;
                let problem = format!("{a} x {b} numbers ({what}) are more than this machine can address");
                return Err(Error::setting(field, problem));
            }
        }
        Ok(())
    }
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
        assert!(problem(|c| c.proposal.first_iterations = u32::MAX).starts_with("first-iterations"));
        for rows in [RowUpdates::Dense, RowUpdates::Replay] {
            let decayed = |c: &mut Config| {
                (c.optimizer.weight_decay, c.optimizer.learning_rate, c.optimizer.row_updates) =
                    (1.0, 1.0, rows);
            };
            assert!(problem(decayed).starts_with("weight-decay: 1 at `learning-rate = 1` keeps"));
        }
    }

    #[test]
    fn sizes_are_checked_before_they_are_multiplied() {
        let sizes = |hidden, latent, rows| {
            let config = MultVaeConfig { hidden, latent, ..MultVaeConfig::default() };
            config.check_sizes(1000, rows).map_err(|error| error.to_string())
        };
        assert!(sizes(200, 32, 256).is_ok());
        assert!(sizes(usize::MAX, 32, 256).unwrap_err().starts_with("hidden: "));
        assert!(sizes(200, usize::MAX / 2 + 1, 256).unwrap_err().starts_with("latent: "));
        assert!(sizes(200, usize::MAX, 256).unwrap_err().starts_with("latent: "));
        assert!(sizes(200, 32, usize::MAX).unwrap_err().starts_with("batch: "));
    }
}
