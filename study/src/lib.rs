//! Measurements of FastVAE, and their figures and reports.
//!
//! [`fidelity`] measures how close proposals are to the softmax, [`compare`] trains methods side by side,
//! [`scaling`] measures the cost of proposals as the catalogue grows, and [`selftest`] checks the kernels
//! of an engine on the machine it runs on. [`chart`] draws their figures and [`report`] the page of a run, with
//! the [`labels`] of metrics. With the feature `experiments`, `crossover` finds the size of the
//! catalogue from which sampling is the faster way to a quality, `device` measures a GPU, `tune` searches over settings,
//! `reproduce` measures the experiments of the paper again, and `journal` is the log from which such work goes on.
//!
//! The crate uses the library's feature `internals`: it records kernels and calls proposals as training
//! does.

#![forbid(unsafe_code)]

pub mod chart;
pub mod compare;
#[cfg(feature = "experiments")]
pub mod crossover;
#[cfg(feature = "experiments")]
pub mod device;
pub mod fidelity;
#[cfg(feature = "experiments")]
pub mod journal;
pub mod labels;
pub mod report;
#[cfg(feature = "experiments")]
pub mod reproduce;
pub mod scaling;
pub mod selftest;
#[cfg(feature = "experiments")]
pub mod tune;
