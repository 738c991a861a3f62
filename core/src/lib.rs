//! Variational autoencoders for collaborative filtering, trained with a sampled softmax whose
//! negatives come from an inverted multi-index over the item vectors (FastVAE, WWW 2022).

#![cfg_attr(
    any(not(feature = "baselines"), target_arch = "wasm32"),
    allow(dead_code, reason = "parts that only baselines use, or only native programs")
)]

pub mod config;
pub mod data;
pub mod engine;
mod error;
pub mod evaluate;
pub mod event;
pub mod file;
mod memory;
pub mod metrics;
pub mod model;
#[cfg(feature = "onnx")]
pub mod onnx;
pub mod rank;
pub mod recommend;
pub mod rng;
pub mod run;
pub mod state;
pub mod train;
pub mod watch;

pub use error::{Error, Result};

// Recordings, kernels and proposals are public only with the feature `internals`, for this workspace's own
// packages (tests, measurements, the page). They are hidden otherwise, because the CPU engine relies on their
// invariants.
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod kernels;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod optimizer;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod proposal;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod simd;

#[cfg(not(feature = "internals"))]
#[allow(dead_code, unused_imports, reason = "some of it is for the workspace alone")]
mod kernels;
#[cfg(not(feature = "internals"))]
#[allow(dead_code, unused_imports, reason = "some of it is for the workspace alone")]
mod optimizer;
#[cfg(not(feature = "internals"))]
#[allow(dead_code, unused_imports, reason = "some of it is for the workspace alone")]
mod proposal;
#[cfg(not(feature = "internals"))]
#[allow(dead_code, unused_imports, reason = "some of it is for the workspace alone")]
mod simd;

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
