//! The network of Mult-VAE.

#[cfg(feature = "baselines")]
use super::Layers;
use super::{
    Kind,
    setting::{settings, words},
};
#[cfg(feature = "baselines")]
use crate::model::ImplicitSlim;

/// Only a library that can fit a linear path adds one unasked.
const LINEAR: usize = if cfg!(feature = "baselines") { 2048 } else { 0 };

settings! {
    /// The network: M -> hidden -> latent (-> hidden) -> M.
    pub struct MultVaeConfig in "model" {
        /// Width of the hidden layer.
        hidden: usize = 200, "H", Kind::Integer(1, u64::MAX);
        /// Width of the latent code.
        latent: usize = 32, "D", Kind::Integer(1, u64::MAX);
        /// What the encoder returns: `vae`, a distribution of codes, to which noise and a KL divergence belong, or `dae`,
        /// one code, without either (Mult-DAE).
        #[cfg(feature = "baselines")]
        autoencoder: Autoencoder = Autoencoder::default(), "KIND", Kind::Word(Autoencoder::WORDS);
        /// Decoder: a dense layer to the hidden width, or the latent code directly.
        decoder: Decoder = Decoder::default(), "DECODER", Kind::Word(Decoder::WORDS);
        /// Widths of further hidden layers of the encoder, in order, between the first and the latent code: `200`, or
        /// `400,200`; at most seven.
        #[cfg(feature = "baselines")]
        layers: Layers = Layers::default(), "H,...", Kind::Text;
        /// What a hidden layer of the encoder computes: `plain`, the activation of a product; `swish-norm`, a
        /// normalised swish of a product plus the outputs of all layers before it (RecVAE); or `gated`, a product times
        /// the sigmoid of another product (Kim and Suh, 2019), which doubles the width of the encoder's rows.
        #[cfg(feature = "baselines")]
        hidden_layer: HiddenLayer = HiddenLayer::default(), "KIND", Kind::Word(HiddenLayer::WORDS);
        /// Whether the encoder and the decoder share one table of item rows (tied weights), as wide as the encoder's first
        /// hidden layer.
        #[cfg(feature = "baselines")]
        tied_items: bool = false, "BOOL", Kind::Switch;
        /// Activation after the encoder's plain hidden layers.
        activation: Activation = Activation::Tanh, "FUNCTION", Kind::Word(Activation::WORDS);
        /// Activation of the dense decoder's layer.
        decoder_activation: Activation = Activation::None, "FUNCTION", Kind::Word(Activation::WORDS);
        /// Whether each item has a bias that is added to its logit.
        item_bias: bool = true, "BOOL", Kind::Switch;
        /// Dropout probability.
        dropout: f32 = 0.5, "P", Kind::Real(0.0, 0.95);
        /// What dropout acts on: items of the history, or hidden units before the activation.
        dropout_on: DropoutOn = DropoutOn::default(), "WHERE", Kind::Word(DropoutOn::WORDS);
        /// Latent samples per user and step.
        latent_samples: usize = 1, "L", Kind::Integer(1, u64::MAX);
        /// Weights of the users' KL divergences, beside that of all of them: `equal`, or in proportion to the
        /// `interactions` of the history, 1 on average over the users (RecVAE).
        #[cfg(feature = "baselines")]
        kl_weights: KlWeights = KlWeights::default(), "WEIGHTS", Kind::Word(KlWeights::WORDS);
        /// Prior of the latent code: `normal`, the standard normal distribution, or `composite`, its mixture with a wide
        /// one and with what the encoder of the epoch before returns for the same history (RecVAE). The latter takes a
        /// second copy of the encoder.
        #[cfg(feature = "baselines")]
        prior: Prior = Prior::default(), "PRIOR", Kind::Word(Prior::WORDS);
        /// Share of the way by which item rows move to those that EASE's weights reconstruct (ImplicitSLIM), in encoder and
        /// decoder, before the first epoch and after every `implicit-slim-every`: 1 replaces them, 0 leaves them.
        #[cfg(feature = "baselines")]
        implicit_slim: f32 = 0.0, "W", Kind::Real(0.0, 1.0);
        /// Weight of the squared norm of EASE's weights for ImplicitSLIM, in units of the mean count of an item.
        #[cfg(feature = "baselines")]
        implicit_slim_lambda: ImplicitSlimLambda = ImplicitSlimLambda::default(), "LAMBDA", Kind::Real(1e-3, 1e6);
        /// Epochs between two steps of ImplicitSLIM.
        #[cfg(feature = "baselines")]
        implicit_slim_every: ImplicitSlimEvery = ImplicitSlimEvery::default(), "EPOCHS", Kind::Integer(1, u32::MAX as u64);
        /// Columns of the linear path beside the network, at most: its scores, in closed form, are added to those of
        /// the network. It has 512 where these have 90 % of the data's variance. 0 leaves it out.
        linear: usize = LINEAR, "L", Kind::Integer(0, 1 << 16);
        /// Weight of the linear path's scores beside the logits of the network. 0 begins with the one with which a training
        /// item scores 4 on average, predicted from the user's others, and doubles or halves it after an epoch if the
        /// validation users are ranked better for it.
        linear_weight: f32 = 0.0, "X", Kind::Real(0.0, 1e6);
        /// Weight of the squared norm of the linear path's weights, in units of the mean squared norm of an item's
        /// column. 0 takes the best of a few for training items that are held out from a path of its own.
        linear_regularisation: f32 = 0.0, "X", Kind::Real(0.0, 1e9);
        /// Power of an item's count by which its column is divided before the linear path is fitted.
        linear_popularity: f32 = 0.25, "P", Kind::Real(0.0, 1.0);
    }
}

/// [`MultVaeConfig::implicit_slim_lambda`]; 1 by default.
#[cfg(feature = "baselines")]
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ImplicitSlimLambda(pub f32);

#[cfg(feature = "baselines")]
impl Default for ImplicitSlimLambda {
    fn default() -> Self {
        Self(1.0)
    }
}

/// [`MultVaeConfig::implicit_slim_every`]; 10 by default.
#[cfg(feature = "baselines")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ImplicitSlimEvery(pub u32);

#[cfg(feature = "baselines")]
impl Default for ImplicitSlimEvery {
    fn default() -> Self {
        Self(10)
    }
}

impl MultVaeConfig {
    /// The steps of ImplicitSLIM, if there are any.
    #[cfg(feature = "baselines")]
    pub(crate) fn implicit_slim(&self) -> Option<ImplicitSlim> {
        (self.implicit_slim > 0.0).then_some(ImplicitSlim {
            weight: self.implicit_slim,
            lambda: self.implicit_slim_lambda.0,
            every: self.implicit_slim_every.0,
        })
    }

    /// Whether the latent code of training is drawn from a distribution.
    pub fn is_variational(&self) -> bool {
        #[cfg(feature = "baselines")]
        return self.autoencoder == Autoencoder::Variational;
        #[cfg(not(feature = "baselines"))]
        true
    }

    /// Widths of all hidden layers of the encoder.
    #[cfg(feature = "baselines")]
    pub fn encoder_widths(&self) -> Vec<usize> {
        [&[self.hidden], self.layers.widths()].concat()
    }

    /// Width of the last hidden layer of the encoder.
    pub fn last_width(&self) -> usize {
        #[cfg(feature = "baselines")]
        if let Some(last) = self.layers.widths().last() {
            return *last;
        }
        self.hidden
    }

    /// Whether hidden layers are blocks of swish and normalisation.
    pub fn has_blocks(&self) -> bool {
        #[cfg(feature = "baselines")]
        return self.hidden_layer == HiddenLayer::SwishNorm;
        #[cfg(not(feature = "baselines"))]
        false
    }

    /// Whether hidden layers are gated.
    pub fn is_gated(&self) -> bool {
        #[cfg(feature = "baselines")]
        return self.hidden_layer == HiddenLayer::Gated;
        #[cfg(not(feature = "baselines"))]
        false
    }

    /// Width of the products that a hidden layer of the width `width` is computed from: gates have columns of their own.
    pub fn product_width(&self, width: usize) -> usize {
        if self.is_gated() { 2 * width } else { width }
    }

    /// Width of the encoder's rows.
    pub fn encoder_width(&self) -> usize {
        self.product_width(self.hidden)
    }

    /// Whether encoder and decoder share the item rows.
    pub fn is_tied(&self) -> bool {
        #[cfg(feature = "baselines")]
        return self.tied_items;
        #[cfg(not(feature = "baselines"))]
        false
    }

    /// The tensor that holds the encoder's rows.
    pub(crate) fn encoder_table(&self) -> &'static str {
        if self.is_tied() { "items" } else { "encoder" }
    }

    /// What the kernels that add up a hidden layer apply.
    pub fn hidden_activation(&self) -> Activation {
        if self.has_blocks() || self.is_gated() { Activation::None } else { self.activation }
    }

    /// Width of the encoder's output: mean and log variance, 2D, or the code, D.
    pub fn encoded_width(&self) -> usize {
        if self.is_variational() { 2 * self.latent } else { self.latent }
    }
}

#[cfg(feature = "baselines")]
words! {
    /// What the encoder returns.
    pub enum Autoencoder default Variational {
        /// The mean and the log variance of a normal distribution (Mult-VAE).
        Variational = "vae",
        /// A latent code (Mult-DAE).
        Denoising = "dae",
    }
}

#[cfg(feature = "baselines")]
words! {
    /// What a hidden layer of the encoder computes.
    pub enum HiddenLayer default Plain {
        /// f(W h + b) of the layer before (Mult-VAE).
        Plain = "plain",
        /// norm(swish(W h + b + s)), where s is the sum of the outputs of all layers before (RecVAE).
        SwishNorm = "swish-norm",
        /// (W h + b) * sigmoid(V h + c), element by element (Kim and Suh, 2019).
        Gated = "gated",
    }
}

#[cfg(feature = "baselines")]
words! {
    /// The prior of the latent code.
    pub enum Prior default Normal {
        /// The standard normal distribution (Mult-VAE).
        Normal = "normal",
        /// A mixture of it, of the posterior by the encoder of the epoch before, and of a wide normal distribution
        /// (RecVAE).
        Composite = "composite",
    }
}

#[cfg(feature = "baselines")]
words! {
    /// How much the KL divergence of each user counts.
    pub enum KlWeights default Equal {
        /// The same for all (Mult-VAE).
        Equal = "equal",
        /// In proportion to the length of the history (RecVAE).
        Interactions = "interactions",
    }
}

words! {
    /// How a latent code is compared with the items.
    pub enum Decoder default Dense {
        /// A layer from the code to the hidden width, item rows of the hidden width (the authors' code).
        Dense = "dense",
        /// Item rows of the latent width, multiplied directly with the code (as in the paper).
        Direct = "direct",
    }
}

words! {
    /// What dropout acts on.
    pub enum DropoutOn default Input {
        /// On the history (Mult-VAE).
        Input = "input",
        /// On the summed item rows, before the activation (the authors' code).
        Bag = "bag",
    }
}

words! {
    /// An activation function. Shaders identify it by its number, from 0 in this order.
    pub enum Activation default None {
        /// The identity.
        None = "none",
        /// Hyperbolic tangent.
        Tanh = "tanh",
        /// max(0, x).
        Relu = "relu",
    }
}
