//! How close proposals come to the softmax, and what their distance costs: divergences (paper, theorems 5.3
//! and 5.4), bias and variance of the sampled gradient, and cumulative curves (figure 2).
//!
//! Everything goes through [`Proposal`](fastvae::proposal::Proposal), the way training takes, so whatever can be
//! trained with can be measured: log q of every item is looked up as if all of them were in the history.

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
