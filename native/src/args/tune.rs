//! `fastvae tune`.

use std::path::PathBuf;

use clap::Args;

use super::{EngineArgs, fidelity::OutputArgs, finite, flags::SettingArgs};

/// Options of `fastvae tune`.
#[derive(Args)]
pub struct TuneArgs {
    /// What to search: a configuration file in which a setting may have a list of values, or a range
    /// { from = 1e-4, to = 0.1, scale = "log" }.
    ///
    /// Several kinds of models are searched one beside another, each with the whole budget. A table with names of
    /// models or losses gives each of them values of its own. Flags of settings hold for all trials.
    #[arg(long, value_name = "FILE")]
    pub space: PathBuf,
    /// Trials of each model; with `--search halving`, those of the first round [default: 30, or no limit with
    /// --budget].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub trials: Option<u32>,
    /// Seconds of all trials of each model together; the last one ends at the next evaluation.
    #[arg(long, value_name = "SECONDS", value_parser = finite::<f64>)]
    pub budget: Option<f64>,
    /// How trials are chosen: `tpe` learns from the finished ones after ten at random; `halving` gives many a few
    /// epochs and the best more.
    #[arg(long, value_name = "HOW", value_parser = ["tpe", "random", "halving"], default_value = "tpe")]
    pub search: String,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub settings: SettingArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
}
