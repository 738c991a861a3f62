//! One file a command.

pub mod bench;
pub mod data;
pub mod engines;
pub mod evaluate;
pub mod recommend;
pub mod similar;
pub mod train;
