//! Computes queries from histories.

use super::Values;
#[cfg(feature = "baselines")]
use super::stack::Stack;
use crate::{
    Result,
    config::{DropoutOn, MultVaeConfig},
    engine::{Buffer, Engine, Recording},
    kernels::{Activation, DropoutDense, DropoutInput, EncodeRows, MatMul, Normal, Reparameterise, View},
    model::Batch,
    rng::{Rng, Stream},
};

/// All values between histories and queries, for up to B users and L samples.
pub struct Activations {
    /// Weight of each entry, E.
    pub weights: Buffer<f32>,
    /// The encoder's first hidden layer, B x H; with gates its product, B x 2H.
    pub hidden: Buffer<f32>,
    /// The encoder's other hidden layers.
    #[cfg(feature = "baselines")]
    pub stack: Option<Stack>,
    /// Mean and log variance of the posterior, B x 2D.
    pub posterior: Buffer<f32>,
    /// R x D.
    pub noise: Buffer<f32>,
    /// R x D.
    pub codes: Buffer<f32>,
    /// B.
    pub kl: Buffer<f32>,
    /// R x H, with a dense decoder.
    pub decoded: Option<Buffer<f32>>,
}

/// Whether noise is added: in training, but not in ranking, which uses the mean.
pub enum Mode {
    /// Dropout, and the settings' number of sampled codes a user.
    Train {
        /// The run's random numbers.
        rng: Rng,
        /// Step of the run.
        step: u32,
    },
    /// No dropout, and one code a user: the posterior's mean.
    Rank,
}

impl Mode {
    /// Latent codes of a user.
    fn samples(&self, config: &MultVaeConfig) -> usize {
        match self {
            Self::Train { .. } => config.latent_samples,
            Self::Rank => 1,
        }
    }
}

impl Activations {
    /// Allocates the buffers for batches of `users` users with `entries` entries.
    ///
    /// # Errors
    /// If the engine cannot hold them.
    pub fn new(
        engine: &Engine,
        config: &MultVaeConfig,
        users: usize,
        entries: usize,
        samples: usize,
    ) -> Result<Self> {
        let (rows, hidden, latent) = (users * samples, config.hidden, config.latent);
        let dense = config.item_width() == hidden && config.decoder == crate::config::Decoder::Dense;
        let first = engine.zeros("hidden", users * config.encoder_width())?;
        Ok(Self {
            #[cfg(feature = "baselines")]
            stack: Stack::new(engine, config, users, &first)?,
            weights: engine.zeros("input weights", entries.max(1))?,
            hidden: first,
            posterior: engine.zeros("posterior", users * 2 * latent)?,
            noise: engine.zeros("noise", rows * latent)?,
            codes: engine.zeros("codes", rows * latent)?,
            kl: engine.zeros("divergences", users)?,
            decoded: if dense { Some(engine.zeros("decoded", rows * hidden)?) } else { None },
        })
    }

    /// The output of the encoder's last hidden layer, B x its width.
    pub fn last_hidden(&self) -> &Buffer<f32> {
        #[cfg(feature = "baselines")]
        if let Some(stack) = &self.stack {
            return stack.output();
        }
        &self.hidden
    }

    /// The encoder's output: the posterior, or the code.
    pub fn encoded(&self, config: &MultVaeConfig) -> &Buffer<f32> {
        if config.is_variational() { &self.posterior } else { &self.codes }
    }

    /// The queries, which are multiplied with the item vectors.
    pub fn queries(&self) -> &Buffer<f32> {
        self.decoded.as_ref().unwrap_or(&self.codes)
    }

    /// Appends the kernels that compute queries from the batch's entries (paper, section 3.1).
    pub fn record(
        &self,
        recording: &mut Recording,
        config: &MultVaeConfig,
        values: &Values,
        batch: &Batch,
        mode: &Mode,
    ) {
        self.record_encoder(recording, config, values, batch, mode);
        if config.is_variational() {
            self.record_codes(recording, batch, config, mode);
        }
        let (hidden, latent) = (config.hidden, config.latent);
        let rows = batch.users * mode.samples(config);
        if let (Some(decoded), Some((weight, bias))) = (&self.decoded, &values.to_hidden) {
            let mut to_hidden = MatMul::new(
                rows,
                hidden,
                latent,
                View::rows(&self.codes, latent),
                View::rows(weight, hidden),
                View::rows(decoded, hidden),
            );
            to_hidden.bias = Some(bias.clone());
            to_hidden.activation = config.decoder_activation;
            recording.push(to_hidden);
        }
    }

    /// Appends the kernels of the encoder.
    pub fn record_encoder(
        &self,
        recording: &mut Recording,
        config: &MultVaeConfig,
        values: &Values,
        batch: &Batch,
        mode: &Mode,
    ) {
        let hidden = config.encoder_width();
        let (on_input, on_bag) = match (mode, config.dropout_on) {
            (Mode::Train { .. }, DropoutOn::Input) => (config.dropout, 0.0),
            (Mode::Train { .. }, DropoutOn::Bag) => (0.0, config.dropout),
            (Mode::Rank, _) => (0.0, 0.0),
        };
        let (rng, step) = match mode {
            Mode::Train { rng, step } => (*rng, *step),
            Mode::Rank => (Rng::new(0), 0),
        };
        let users = batch.users;
        recording.push(DropoutInput {
            batch_offsets: batch.offsets.clone(),
            batch: users,
            entries: batch.entries,
            probability: on_input,
            rng,
            step,
            weights: self.weights.clone(),
        });
        recording.push(EncodeRows {
            batch_offsets: batch.offsets.clone(),
            items: batch.items.clone(),
            weights: self.weights.clone(),
            table: values.encoder.clone(),
            bias: values.encoder_bias.clone(),
            batch: users,
            hidden,
            activation: if on_bag > 0.0 { Activation::None } else { config.hidden_activation() },
            output: self.hidden.clone(),
        });
        if on_bag > 0.0 {
            recording.push(DropoutDense {
                values: self.hidden.clone(),
                rows: users,
                width: hidden,
                probability: on_bag,
                activation: config.hidden_activation(),
                rng,
                step,
            });
        }
        #[cfg(feature = "baselines")]
        if let Some(stack) = &self.stack {
            stack.record(recording, config, values, users);
        }
        let (last, encoded) = (config.last_width(), config.encoded_width());
        let mut to_latent = MatMul::new(
            users,
            encoded,
            last,
            View::rows(self.last_hidden(), last),
            View::rows(&values.to_latent, encoded),
            View::rows(self.encoded(config), encoded),
        );
        to_latent.bias = Some(values.to_latent_bias.clone());
        recording.push(to_latent);
    }

    /// Appends codes drawn from the posterior, or its means, and its divergence.
    fn record_codes(&self, recording: &mut Recording, batch: &Batch, config: &MultVaeConfig, mode: &Mode) {
        let (users, latent, samples) = (batch.users, config.latent, mode.samples(config));
        if let Mode::Train { rng, step } = *mode {
            recording.push(Normal {
                output: self.noise.clone(),
                rows: users * samples,
                width: latent,
                scale: 1.0,
                rng,
                stream: Stream::Noise,
                step,
            });
        }
        recording.push(Reparameterise {
            posterior: self.posterior.clone(),
            noise: self.noise.clone(),
            batch: users,
            latent,
            samples,
            codes: self.codes.clone(),
            kl: self.kl.clone(),
        });
    }
}
