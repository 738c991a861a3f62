//! Divergences other than that of Mult-VAE, to which all users contribute with the same weight.

use super::Activations;
use crate::{
    config::{KlWeights, MultVaeConfig},
    data::Csr,
    engine::{Buffer, Recording},
    kernels::{WeighDivergence, WeighDivergenceBackward},
    model::Batch,
};

/// What the settings put in the place of Mult-VAE's divergence.
pub(super) struct Divergence {
    /// The weight of an interaction in the divergence of its user.
    share: f32,
}

impl Divergence {
    /// `None` if it is that of Mult-VAE. `train` has the histories of all users.
    pub fn new(config: &MultVaeConfig, train: &Csr) -> Option<Self> {
        let users = train.iter().filter(|row| !row.is_empty()).count();
        match config.kl_weights {
            KlWeights::Equal => None,
            KlWeights::Interactions => Some(Self { share: (users as f64 / train.nnz() as f64) as f32 }),
        }
    }

    /// Appends what follows the forward pass: the divergences of the users.
    pub fn record(&self, recording: &mut Recording, batch: &Batch, forward: &Activations) {
        recording.push(WeighDivergence {
            batch_offsets: batch.offsets.clone(),
            batch: batch.users,
            share: self.share,
            kl: forward.kl.clone(),
        });
    }

    /// Adds the gradient of `weight` times the sum of the divergences to that of the posterior, B x 2D.
    pub fn record_backward(
        &self,
        recording: &mut Recording,
        batch: &Batch,
        forward: &Activations,
        weight: f32,
        posterior_gradient: &Buffer<f32>,
    ) {
        recording.push(WeighDivergenceBackward {
            batch_offsets: batch.offsets.clone(),
            posterior: forward.posterior.clone(),
            batch: batch.users,
            latent: forward.latent,
            share: self.share,
            weight,
            posterior_gradient: posterior_gradient.clone(),
        });
    }
}
