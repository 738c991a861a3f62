//! Models: how the history of a user becomes scores of items, and how a model is trained.
//!
//! Ranking, recommending and measuring ask for a [`Scorer`]; the trainer asks for a `Trainable`. Files and
//! fronts hold an [`AnyModel`]. A new model is a file or a folder here and a line in `any.rs`.

mod any;
mod scorer;
mod trainable;
mod vae;

pub use any::{AnyModel, ModelKind};
pub use scorer::{Batch, Scorer, Scoring, record_products};
pub(crate) use trainable::{Sizes, Start, TrainStep, Trainable};
pub use vae::MultVae;
