//! Subcommands, one per file.

pub mod bench;
pub mod compare;
pub mod data;
pub mod engines;
pub mod evaluate;
pub mod export;
pub mod fidelity;
pub mod people;
pub mod recommend;
pub mod reproduce;
pub mod results;
pub mod selftest;
pub mod similar;
pub mod train;
pub mod tune;
