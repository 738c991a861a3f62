//! The built page and its widgets in headless Chromium and Firefox.
//!
//! `tests/run.sh` builds `dist/` and runs these; by hand:
//! `trunk build --release && cargo test -p tests --test browser -- --ignored`.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

mod common;
mod data;
mod embed;
mod engines;
mod figures;
mod hands;
mod links;
mod look;
mod page;
mod safety;
mod slides;
mod systems;
