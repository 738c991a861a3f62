//! Models: compute scores of all items from a user's history, and are trained.
//!
//! Ranking, recommending and evaluating use a [`Scorer`]; the trainer uses a `Trainable`. Files and front
//! ends hold an [`AnyModel`]. A new model is a file or a folder here and a line in `any.rs`.

mod any;
mod scorer;
mod trainable;
mod vae;

pub use any::{AnyModel, ModelKind};
pub use scorer::{Batch, Scorer, Scoring, record_products};
pub(crate) use trainable::{Sizes, Start, TrainStep, Trainable};
pub use vae::MultVae;
