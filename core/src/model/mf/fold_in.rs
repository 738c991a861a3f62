//! The vector of a user who is not in the training set.

use super::Catalogue;
use crate::{
    Result,
    config::{OptimizerConfig, RowUpdates, Schedule},
    engine::{Buffer, Engine, Recording},
    kernels::{Adam, AdamStep, CopyValues, Parameter},
    model::Batch,
    optimizer::Optimizer,
    train::{Sweep, Sweeps},
};

/// Steps of Adam, the learning rate of the first one, which falls to nearly zero as half a cosine, and decoupled weight
/// decay, without which the vectors are several times as long as those of training users.
const STEPS: u64 = 25;
const RATE: f32 = 0.1;
const DECAY: f32 = 1.0;

/// Computes vectors from histories by steps of Adam on the full softmax, from zero and with the items fixed. It does so
/// whatever objective the items were trained by: the softmax has no random numbers, so a history always has the same
/// vector.
pub struct FoldIn {
    /// The vectors, B x d.
    pub queries: Buffer<f32>,
    moments: [Buffer<f32>; 2],
    gradient: Buffer<f32>,
    zeros: Buffer<f32>,
    nll: Buffer<f32>,
    sweeps: Sweeps,
    steps: Vec<AdamStep>,
}

impl FoldIn {
    /// For at most `users` histories.
    ///
    /// # Errors
    /// If the engine cannot hold the buffers.
    pub fn new(engine: &Engine, catalogue: &Catalogue, users: usize) -> Result<Self> {
        // Copies have multiples of four elements.
        let len = (users * catalogue.width).next_multiple_of(4);
        let config = OptimizerConfig {
            learning_rate: RATE,
            weight_decay: DECAY,
            schedule: Schedule::Cosine,
            row_updates: RowUpdates::Dense,
            ..OptimizerConfig::default()
        };
        let optimizer = Optimizer::new(&config, 1, STEPS as u32);
        Ok(Self {
            queries: engine.zeros("folded-in users", len)?,
            moments: [engine.zeros("first moments", len)?, engine.zeros("second moments", len)?],
            gradient: engine.zeros("gradients of folded-in users", len)?,
            zeros: engine.zeros("zeros", len)?,
            nll: engine.zeros("losses of folded-in users", users)?,
            sweeps: Sweeps::new(engine, users, catalogue.items)?,
            steps: (1..=STEPS).map(|step| optimizer.step(step)).collect(),
        })
    }

    /// Appends the kernels that compute the vectors of a batch.
    pub fn record(&self, recording: &mut Recording, catalogue: &Catalogue, batch: &Batch) {
        let Self { queries, moments, gradient, zeros, nll, sweeps, steps } = self;
        let len = batch.users * catalogue.width;
        for output in [queries, &moments[0], &moments[1]] {
            recording.push(CopyValues {
                input: zeros.clone(),
                output: output.clone(),
                len: len.next_multiple_of(4),
            });
        }
        let [first, second] = moments.clone();
        let parameter = Parameter { value: queries.clone(), first, second };
        let sweep =
            Sweep { batch, samples: 1, queries, query_gradients: gradient, catalogue, scale: 1.0, nll };
        for &step in steps {
            sweeps.record(recording, &sweep, |_, _, _, _| {});
            recording.push(Adam {
                gradient: gradient.clone(),
                parameter: parameter.clone(),
                offset: 0,
                len,
                step,
            });
        }
    }
}
