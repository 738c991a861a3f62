//! Shared test helpers: fixtures, tolerances, statistics, engines under test, a browser.

#![forbid(unsafe_code)]

pub mod browser;
pub mod cli;
mod close;
pub mod device;
mod engines;
pub mod fixtures;
pub mod index;
pub mod midx;
pub mod mutation;
pub mod proposal;
pub mod ranks;
pub mod rows;
pub mod static_draw;
pub mod statistics;
pub mod step;

pub use close::{assert_close, assert_equal};
pub use engines::{engines, engines_and_divisions};
pub use fixtures::{MultVae, Proposals, Tensor, csr, fixture};
