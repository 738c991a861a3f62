//! What the workers share: the messages of the page in their order, and the data set.

pub mod data;
mod queue;
pub mod scope;

pub use data::Data;
pub use queue::Queue;
