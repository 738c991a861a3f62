//! A search over settings on the validation part: random, by TPE, or by successive halving.
//!
//! A [`Space`] says which settings are searched and over which values. A [`Search`] proposes trials: each proposal is a
//! function of the seed and of the finished trials alone, so a search that was stopped and goes on proposes what an
//! uninterrupted one would. [`trial`] trains one proposal by the run's own driver. Every kind of model of the space is a
//! system with a budget of its own, the same for all.

mod domain;
mod draws;
mod halving;
mod page;
mod parse;
mod search;
mod space;
mod tpe;
mod trial;

pub use domain::Domain;
pub use page::{Tuning, best};
pub use parse::Misplaced;
pub use search::{Budget, Proposal, Search, Strategy};
pub use space::{Dimension, Space, Values};
pub use trial::{Ended, Limits, Trial, trial};
