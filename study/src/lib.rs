//! Measurements of FastVAE and how they are shown.
//!
//! [`fidelity`] measures how close proposals come to the softmax, [`compare`] follows methods side by side through
//! training, [`scaling`] what proposals cost as the catalogue grows, and [`selftest`] checks the kernels of an engine on
//! the machine at hand. [`chart`] draws their figures and [`report`] the page of a run.
//!
//! It is built on `internals` of the library: it records kernels and asks proposals what training asks them.

#![forbid(unsafe_code)]

pub mod chart;
pub mod compare;
pub mod fidelity;
pub mod report;
pub mod scaling;
pub mod selftest;
