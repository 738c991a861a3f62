//! Variational autoencoders for collaborative filtering, trained with a sampled softmax whose
//! negatives come from an inverted multi-index over the item vectors (FastVAE, WWW 2022).

pub mod config;
pub mod data;
pub mod engine;
mod error;
pub mod evaluate;
pub mod event;
pub mod file;
pub mod kernels;
pub mod metrics;
pub mod model;
pub mod optimizer;
pub mod proposal;
pub mod recommend;
pub mod rng;
pub mod run;
pub mod simd;
pub mod state;
pub mod train;

pub use error::{Error, Result};

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
