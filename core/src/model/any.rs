//! The tagged union of all models.

use serde::{Deserialize, Serialize};

use super::{
    Scorer, Scoring, Sizes, Start, Trainable,
    vae::{MultVae, MultVaeTraining},
};
use crate::{Result, config::ModelConfig, engine::Engine, proposal::Catalogue, state::State};

/// The kind of a model, by its name in files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// The variational autoencoder of Liang et al. (2018).
    #[default]
    MultVae,
}

impl ModelKind {
    /// All kinds, by their names in files.
    pub const NAMED: [(&'static str, Self); 1] = [("mult-vae", Self::MultVae)];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::MultVae => "mult-vae",
        }
    }
}

/// A trained model of any kind, ready to rank: what files and front ends hold.
#[derive(Clone)]
pub enum AnyModel {
    /// The variational autoencoder.
    MultVae(MultVae),
}

impl AnyModel {
    /// Uploads the parameters of a state.
    ///
    /// # Errors
    /// [`crate::Error::Data`] if a tensor is missing or has the wrong shape; [`crate::Error::Device`] if the
    /// engine cannot hold them.
    pub fn from_state(engine: &Engine, config: &ModelConfig, items: usize, state: &State) -> Result<Self> {
        Ok(match config.kind() {
            ModelKind::MultVae => Self::MultVae(MultVae::from_state(engine, config, items, state)?),
        })
    }

    /// A model for training.
    ///
    /// # Errors
    /// As [`AnyModel::from_state`].
    pub(crate) fn training(
        engine: &Engine,
        config: &ModelConfig,
        sizes: Sizes,
        start: Start<'_>,
    ) -> Result<Box<dyn Trainable>> {
        Ok(match config.kind() {
            ModelKind::MultVae => Box::new(MultVaeTraining::new(engine, config, sizes, start)?),
        })
    }

    /// The kind of the model.
    pub fn kind(&self) -> ModelKind {
        match self {
            Self::MultVae(_) => ModelKind::MultVae,
        }
    }

    /// The latent code of a history, for models that have one.
    ///
    /// # Errors
    /// If the engine cannot hold the buffers, or is lost.
    pub async fn code(&self, engine: &Engine, history: &[u32]) -> Result<Option<Vec<f32>>> {
        match self {
            Self::MultVae(model) => model.code(engine, history).await.map(Some),
        }
    }

    fn scorer(&self) -> &dyn Scorer {
        match self {
            Self::MultVae(model) => model,
        }
    }
}

impl Scorer for AnyModel {
    fn items(&self) -> usize {
        self.scorer().items()
    }

    fn scoring(&self, engine: &Engine, users: usize, entries: usize) -> Result<Box<dyn Scoring>> {
        self.scorer().scoring(engine, users, entries)
    }

    fn item_vectors(&self) -> Option<Catalogue> {
        self.scorer().item_vectors()
    }
}
