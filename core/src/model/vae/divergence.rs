//! Divergences other than that of Mult-VAE, which is from a standard normal distribution and counts the same for all users.

use std::collections::BTreeMap;

use super::{Activations, Mode, Parameters, Values};
use crate::{
    Error, Result,
    config::{KlWeights, MultVaeConfig, Prior},
    data::Csr,
    engine::{Buffer, Engine, Recording},
    kernels::{
        Mixture, MixtureDivergence, MixtureDivergenceBackward, RunningMean, WeighDivergence,
        WeighDivergenceBackward,
    },
    model::{Batch, Sizes, Start},
    state::FrozenTensor,
};

/// What precedes the name of a parameter of the encoder in the name of its copy.
const PREVIOUS: &str = "previous.";

/// What the settings put in the place of Mult-VAE's divergence.
pub(super) struct Divergence {
    latent: usize,
    samples: usize,
    /// The weight of an interaction in the divergence of its user, if users do not count the same.
    share: Option<f32>,
    /// For the composite prior.
    previous: Option<Previous>,
}

/// The encoder as it was at the end of the epoch before.
struct Previous {
    config: MultVaeConfig,
    /// Its parameters, by the names of their tensors.
    copies: BTreeMap<&'static str, Buffer<f32>>,
    forward: Activations,
}

/// What the gradient of the divergence is taken of.
pub(super) struct Latent<'a> {
    pub batch: &'a Batch,
    pub forward: &'a Activations,
    /// Weight of the divergence: beta / users of the whole batch.
    pub weight: f32,
    /// In and out: B x 2D.
    pub gradient: &'a Buffer<f32>,
}

impl Divergence {
    /// `None` if it is that of Mult-VAE. `train` has the histories of all users.
    ///
    /// # Errors
    /// [`Error::Data`] if a state has no copy of the encoder; [`Error::Device`] if the engine cannot hold it.
    pub fn new(
        engine: &Engine,
        config: &MultVaeConfig,
        sizes: Sizes,
        (start, parameters): (Start<'_>, &Parameters),
        train: &Csr,
    ) -> Result<Option<Self>> {
        if (config.kl_weights, config.prior) == (KlWeights::Equal, Prior::Normal) {
            return Ok(None);
        }
        let users = train.iter().filter(|row| !row.is_empty()).count();
        let share = (users as f64 / train.nnz() as f64) as f32;
        let previous = match config.prior {
            Prior::Normal => None,
            Prior::Composite => Some(Previous::new(engine, config, sizes, start, parameters)?),
        };
        Ok(Some(Self {
            latent: config.latent,
            samples: config.latent_samples,
            share: (config.kl_weights == KlWeights::Interactions).then_some(share),
            previous,
        }))
    }

    /// Appends what follows the forward pass: the divergences of the users.
    pub fn record(
        &self,
        recording: &mut Recording,
        batch: &Batch,
        forward: &Activations,
        parameters: &Parameters,
    ) {
        if let Some(previous) = &self.previous {
            previous.record(recording, batch, parameters);
            let codes = self.mixture(previous, forward, batch.users);
            recording.push(MixtureDivergence { codes, kl: forward.kl.clone() });
        }
        if let Some(share) = self.share {
            let (batch_offsets, kl) = (batch.offsets.clone(), forward.kl.clone());
            recording.push(WeighDivergence { batch_offsets, batch: batch.users, share, kl });
        }
    }

    /// Adds the gradient of the divergences to that of the posterior.
    pub fn record_backward(&self, recording: &mut Recording, latent: &Latent<'_>) {
        let &Latent { batch, forward, weight, gradient } = latent;
        match (&self.previous, self.share) {
            (Some(previous), share) => recording.push(MixtureDivergenceBackward {
                codes: self.mixture(previous, forward, batch.users),
                batch_offsets: batch.offsets.clone(),
                each: if share.is_some() { 0.0 } else { 1.0 },
                share: share.unwrap_or(0.0),
                weight,
                posterior_gradient: gradient.clone(),
            }),
            (None, Some(share)) => recording.push(WeighDivergenceBackward {
                batch_offsets: batch.offsets.clone(),
                posterior: forward.posterior.clone(),
                batch: batch.users,
                latent: self.latent,
                share,
                weight,
                posterior_gradient: gradient.clone(),
            }),
            (None, None) => {}
        }
    }

    fn mixture(&self, previous: &Previous, forward: &Activations, batch: usize) -> Mixture {
        Mixture {
            posterior: forward.posterior.clone(),
            previous: previous.forward.posterior.clone(),
            noise: forward.noise.clone(),
            codes: forward.codes.clone(),
            batch,
            latent: self.latent,
            samples: self.samples,
        }
    }

    /// Appends what ends an epoch: the encoder is copied.
    pub fn record_epoch_end(&self, recording: &mut Recording, parameters: &Parameters) {
        if let Some(previous) = &self.previous {
            previous.copy(recording, parameters);
        }
    }

    /// The copy of the encoder, for a [`State`](crate::state::State).
    pub fn tensors(&self) -> BTreeMap<String, FrozenTensor<'static>> {
        let copies = self.previous.iter().flat_map(|previous| &previous.copies);
        let tensor = |(name, buffer): (&&str, &Buffer<f32>)| {
            (format!("{PREVIOUS}{name}"), FrozenTensor::on_engine(vec![buffer.len()], buffer))
        };
        copies.map(tensor).collect()
    }
}

impl Previous {
    fn new(
        engine: &Engine,
        config: &MultVaeConfig,
        sizes: Sizes,
        start: Start<'_>,
        parameters: &Parameters,
    ) -> Result<Self> {
        let copies = parameters
            .encoder_values(config)
            .into_iter()
            .map(|(name, value)| Ok((name, engine.zeros("previous encoder", value.len())?)));
        let previous = Self {
            config: config.clone(),
            copies: copies.collect::<Result<_>>()?,
            forward: Activations::new(engine, config, sizes.users, sizes.entries, 1)?,
        };
        match start {
            // A run that begins with the parameters of an earlier model has no copy of them yet.
            Start::State(state) if state.progress.step > 0 => {
                for (name, buffer) in &previous.copies {
                    let name = format!("{PREVIOUS}{name}");
                    match state.floats(&name)? {
                        Some(values) if values.len() == buffer.len() => engine.write(buffer, 0, values)?,
                        _ => {
                            let problem = format!("tensor `{name}` is missing or of another size");
                            return Err(Error::Data(problem));
                        }
                    }
                }
            }
            _ => {
                let mut recording = Recording::new();
                previous.copy(&mut recording, parameters);
                engine.run(&recording)?;
            }
        }
        Ok(previous)
    }

    fn copy(&self, recording: &mut Recording, parameters: &Parameters) {
        for (name, value) in parameters.encoder_values(&self.config) {
            let (mean, len) = (self.copies[name].clone(), value.len());
            recording.push(RunningMean { mean, value, len, weight: 1.0 });
        }
    }

    /// Appends the posteriors of a batch.
    fn record(&self, recording: &mut Recording, batch: &Batch, parameters: &Parameters) {
        let values = Values::of(&self.config, |name| {
            self.copies.get(name).unwrap_or(&parameters.named(name).value).clone()
        });
        self.forward.record_encoder(recording, &self.config, &values, batch, &Mode::Rank);
    }
}
