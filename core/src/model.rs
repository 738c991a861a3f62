//! Mult-VAE's parameters, its forward pass and the way back, as kernels.

mod backward;
mod forward;
mod parameters;

#[cfg(not(feature = "internals"))]
pub(crate) use self::{
    backward::{Gradients, Step},
    forward::{Activations, Batch, Mode},
    parameters::Parameters,
};
#[cfg(feature = "internals")]
#[doc(hidden)]
pub use self::{
    backward::{Gradients, Step},
    forward::{Activations, Batch, Mode},
    parameters::{Layer, Parameters},
};

use crate::{
    Error, Result,
    config::{Decoder, ModelConfig},
    engine::{Buffer, Engine},
    state::State,
};

/// A trained network: parameters without an optimiser, ready to rank.
pub struct Model {
    /// Its shape.
    pub config: ModelConfig,
    /// M.
    pub items: usize,
    /// The numbers.
    pub(crate) values: Values,
}

/// The value buffers of a network.
#[derive(Clone, Debug)]
pub struct Values {
    /// Encoder rows, M x H.
    pub encoder: Buffer<f32>,
    /// H.
    pub encoder_bias: Buffer<f32>,
    /// H x 2D.
    pub to_latent: Buffer<f32>,
    /// 2D.
    pub to_latent_bias: Buffer<f32>,
    /// D x H and H; the dense decoder's layer.
    pub to_hidden: Option<(Buffer<f32>, Buffer<f32>)>,
    /// Item rows, M x H or M x D.
    pub items: Buffer<f32>,
    /// M.
    pub item_bias: Option<Buffer<f32>>,
}

impl ModelConfig {
    /// Width of item rows and queries.
    pub fn item_width(&self) -> usize {
        match self.decoder {
            Decoder::Dense => self.hidden,
            Decoder::Direct => self.latent,
        }
    }

    /// Trained numbers of a network over `items` items.
    pub fn parameter_count(&self, items: usize) -> usize {
        parameters::shapes(self, items).iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }
}

impl Model {
    /// Uploads the parameters of a state.
    ///
    /// # Errors
    /// [`Error::Data`] names a tensor that is missing or has another shape; [`Error::Device`] if the engine
    /// cannot hold them.
    pub fn from_state(engine: &Engine, config: &ModelConfig, items: usize, state: &State) -> Result<Self> {
        let tensor = |name: &'static str| -> Result<Buffer<f32>> {
            let shape = parameters::shapes(config, items)
                .into_iter()
                .find(|(known, _)| *known == name)
                .map(|(_, shape)| shape)
                .ok_or_else(|| Error::Data(format!("no tensor `{name}` in this network")))?;
            engine.upload(name, parameters::values(state, name, &shape)?)
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

    /// Item rows, M x [`ModelConfig::item_width`].
    pub fn item_rows(&self) -> &Buffer<f32> {
        &self.values.items
    }

    /// The value buffers.
    pub fn values(&self) -> &Values {
        &self.values
    }
}
