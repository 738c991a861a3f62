//! A run from its first step to its metrics; only the display is left to the front ends.
//!
//! [`Run`] drives a [`Trainer`](crate::train::Trainer), or for other models the algorithm that fits them, logs
//! its events, saves in the right order, and evaluates the trained model. It saves to a [`Storage`]: a [`Folder`] for the command line, memory for a
//! page. The terminal and the page both loop over [`Run::next`].

pub mod checkpoint;
mod config;
mod driver;
mod fingerprint;
mod fitting;
#[cfg(not(target_arch = "wasm32"))]
mod folder;
mod history;
#[cfg(not(target_arch = "wasm32"))]
mod lock;
#[cfg(not(target_arch = "wasm32"))]
mod log;
mod metrics;
mod migrate;
mod peak_memory;
mod resume;
mod storage;
mod training;
mod warm_start;

pub use config::{DataConfig, RunConfig, path};
pub use driver::{Run, Saves, Setup};
pub use fingerprint::fingerprint;
#[cfg(not(target_arch = "wasm32"))]
pub use folder::Folder;
#[cfg(not(target_arch = "wasm32"))]
pub use lock::Lock;
pub use metrics::{ClosedFormMetrics, EpochMetrics, RunMetrics};
pub use migrate::migrate;
pub use peak_memory::peak_memory_bytes;
pub use resume::Saved;
pub use storage::{Memory, Storage};
pub use warm_start::Matched;
