//! Models: compute scores of all items from a user's history, and are trained.
//!
//! Ranking, recommending and evaluating use a [`Scorer`]. A model is learnt in one of two ways: a
//! [`Trainer`](crate::train::Trainer) trains a `Trainable` by the gradient of an objective, and a `Fit` is an
//! algorithm of the model's own. Files and front ends hold an [`AnyModel`]. A new model is a file or a folder
//! here and a line in `any.rs`.

mod any;
#[cfg(feature = "baselines")]
mod bpr;
#[cfg(feature = "baselines")]
mod ease;
#[cfg(feature = "baselines")]
mod elsa;
mod fit;
mod host;
#[cfg(feature = "baselines")]
mod ials;
#[cfg(feature = "baselines")]
mod item_knn;
mod popularity;
mod scorer;
mod trainable;
mod vae;

pub use any::{AnyModel, ModelConfig, ModelKind};
#[cfg(feature = "baselines")]
pub use bpr::{Bpr, BprConfig};
#[cfg(feature = "baselines")]
pub use ease::{Ease, EaseConfig};
#[cfg(feature = "baselines")]
pub use elsa::{Elsa, ElsaConfig};
pub(crate) use fit::{Fit, FitInputs};
#[cfg(feature = "baselines")]
pub use ials::{Ials, IalsConfig, WrmfConfig};
#[cfg(feature = "baselines")]
pub use item_knn::{ItemKnn, ItemKnnConfig};
pub use popularity::{Popularity, PopularityConfig};
pub(crate) use scorer::queries;
pub use scorer::{Batch, Scorer, Scoring, record_products};
pub(crate) use trainable::{Sizes, Start, TrainStep, Trainable};
pub use vae::MultVae;
