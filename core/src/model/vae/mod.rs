//! Mult-VAE: the variational autoencoder of Liang et al. (WWW 2018), forward and backward, as kernels.

mod backward;
mod forward;
#[cfg(feature = "onnx")]
mod graph;
mod parameters;
mod training;

use backward::{Gradients, Pass};
use forward::{Activations, Mode};
use parameters::{Layer, Parameters};
pub(crate) use training::MultVaeTraining;

use super::{Batch, Scorer, Scoring, fit::ModelSettings, record_products};
use crate::{
    Error, Result,
    config::{Decoder, MultVaeConfig},
    engine::{Buffer, Engine, Recording},
    proposal::Catalogue,
    state::State,
};

/// A trained network: parameters without an optimiser, ready to rank.
#[derive(Clone)]
pub struct MultVae {
    config: MultVaeConfig,
    /// M.
    items: usize,
    values: Values,
}

/// The value buffers of a network.
#[derive(Clone, Debug)]
struct Values {
    /// Encoder rows, M x H.
    encoder: Buffer<f32>,
    /// H.
    encoder_bias: Buffer<f32>,
    /// H x 2D.
    to_latent: Buffer<f32>,
    /// 2D.
    to_latent_bias: Buffer<f32>,
    /// D x H and H; the dense decoder's layer.
    to_hidden: Option<(Buffer<f32>, Buffer<f32>)>,
    /// Item rows, M x H or M x D.
    items: Buffer<f32>,
    /// M.
    item_bias: Option<Buffer<f32>>,
}

impl ModelSettings for MultVaeConfig {
    type Model = MultVae;

    const NEEDS_CPU: bool = false;

    fn uses(_: &str, _: &str) -> bool {
        true
    }

    fn load(&self, engine: &Engine, items: usize, state: &State) -> Result<MultVae> {
        MultVae::from_state(engine, self, items, state)
    }

    #[cfg(feature = "onnx")]
    fn graph<'a>(&self, items: usize, state: &'a State) -> Result<Option<crate::onnx::Builder<'a>>> {
        graph::graph(self, items, state).map(Some)
    }
}

impl MultVaeConfig {
    /// Width of item rows and queries.
    pub fn item_width(&self) -> usize {
        match self.decoder {
            Decoder::Dense => self.hidden,
            Decoder::Direct => self.latent,
        }
    }

    /// Number of trained parameters of a network over `items` items.
    pub fn parameter_count(&self, items: usize) -> usize {
        parameters::shapes(self, items).iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }
}

impl MultVae {
    /// Uploads the parameters of a state.
    ///
    /// # Errors
    /// [`Error::Data`] if a tensor is missing or has the wrong shape; [`Error::Device`] if the engine cannot
    /// hold them.
    pub fn from_state(engine: &Engine, config: &MultVaeConfig, items: usize, state: &State) -> Result<Self> {
        config.check_sizes(items, 1)?;
        let tensor = |name: &'static str| -> Result<Buffer<f32>> {
            let shape = parameters::shapes(config, items)
                .into_iter()
                .find(|(known, _)| *known == name)
                .map(|(_, shape)| shape)
                .ok_or_else(|| Error::Data(format!("no tensor `{name}` in this network")))?;
            engine.upload(name, state.values(name, &shape)?)
        };
        let values = Values {
            encoder: tensor("encoder")?,
            encoder_bias: tensor("encoder_bias")?,
            to_latent: tensor("to_latent")?,
            to_latent_bias: tensor("to_latent_bias")?,
            to_hidden: match config.decoder {
                Decoder::Dense => Some((tensor("to_hidden")?, tensor("to_hidden_bias")?)),
                Decoder::Direct => None,
            },
            items: tensor("items")?,
            item_bias: if config.item_bias { Some(tensor("item_bias")?) } else { None },
        };
        Ok(Self { config: config.clone(), items, values })
    }

    /// The mean of the latent code of a history, D.
    ///
    /// # Errors
    /// If the engine cannot hold the buffers, or is lost.
    pub async fn code(&self, engine: &Engine, history: &[u32]) -> Result<Vec<f32>> {
        let forward = Activations::new(engine, &self.config, 1, history.len(), 1)?;
        let batch = Batch::of_one(engine, history)?;
        let mut recording = Recording::new();
        forward.record(&mut recording, &self.config, &self.values, &batch, &Mode::Rank);
        engine.run(&recording)?;
        engine.read_range(&forward.posterior, 0..self.config.latent).await
    }

    fn catalogue(&self) -> Catalogue {
        Catalogue {
            table: self.values.items.clone(),
            bias: self.values.item_bias.clone(),
            items: self.items,
            width: self.config.item_width(),
        }
    }
}

impl Scorer for MultVae {
    fn items(&self) -> usize {
        self.items
    }

    fn scoring(&self, engine: &Engine, users: usize, entries: usize) -> Result<Box<dyn Scoring>> {
        let forward = Activations::new(engine, &self.config, users, entries, 1)?;
        Ok(Box::new(MultVaeScoring { model: self.clone(), forward }))
    }

    fn item_vectors(&self) -> Option<Catalogue> {
        Some(self.catalogue())
    }
}

/// Scores histories with the network, without dropout or noise.
struct MultVaeScoring {
    model: MultVae,
    forward: Activations,
}

impl Scoring for MultVaeScoring {
    fn record_scores(&self, recording: &mut Recording, batch: &Batch, scores: &Buffer<f32>) {
        self.record_queries(recording, batch);
        record_products(recording, batch.users, self.forward.queries(), &self.model.catalogue(), scores);
    }

    fn record_queries(&self, recording: &mut Recording, batch: &Batch) -> Option<Buffer<f32>> {
        let MultVae { config, values, .. } = &self.model;
        self.forward.record(recording, config, values, batch, &Mode::Rank);
        Some(self.forward.queries().clone())
    }
}
