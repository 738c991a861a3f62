//! Shared helpers of the tests: fixtures, tolerances, the engines under test, a browser.

pub mod browser;
mod close;
mod engines;
pub mod fixtures;

pub use close::assert_close;
pub use engines::engines;
pub use fixtures::{MultVae, Proposals, Tensor, csr, fixture};
