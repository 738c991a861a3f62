//! Measures how close proposals are to the softmax and what the difference costs: divergences (paper,
//! theorems 5.3 and 5.4), bias and variance of the sampled gradient, and cumulative curves (figure 2).
//!
//! Everything goes through [`Proposal`](fastvae::proposal::Proposal), as in training, so every proposal
//! that can be used in training can be measured: log q of all items is looked up as if all of them were in
//! the history.

mod curve;
mod divergence;
mod gradient;
mod measure;
mod page;
mod sampler;
mod study;
mod subject;

pub use curve::{Curve, curve};
pub use divergence::{Divergence, divergences, mean};
pub use gradient::{GradientError, gradient};
pub use measure::{Options, study};
pub use page::{figures, html};
pub use sampler::Sampler;
pub use study::{Model, Row, Study, Sweep};
pub use subject::{Ready, Subject};
