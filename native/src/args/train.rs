//! `fastvae train`.

use std::path::PathBuf;

use clap::Args;

use super::{EngineArgs, flags::TrainingArgs};

/// Options of `fastvae train`.
#[derive(Args, Clone, Debug, Default)]
pub struct TrainArgs {
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub settings: TrainingArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// The files of a run.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Run")]
pub struct RunArgs {
    /// Settings to start from, as in the config.toml of a run; flags win.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder for model, metrics and report: a new or an empty one [default: runs/DATA-LOSS-SEED-N].
    #[arg(long, value_name = "RUN")]
    pub out: Option<PathBuf>,
    /// Go on with a run that was stopped; its settings hold, --epochs may be raised.
    ///
    /// A run that was stopped ends with the same bits as one that was not. A finished run goes on at the rate that
    /// --schedule gives for the new number of epochs: a cosine that had come to its end rises again.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["out", "config", "force"])]
    pub resume: Option<PathBuf>,
    /// Start from the parameters of an earlier run, matched by the ids of items; for next week's data.
    ///
    /// The network must have the same sizes. New items start at the mean of the items that they are seen with. Items and
    /// users that the new data does not have stay: items can be recommended, users with the histories that the earlier
    /// run has.
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    pub warm_start: Option<PathBuf>,
    /// With --warm-start, items and users that the new data does not have leave.
    #[arg(long, requires = "warm_start")]
    pub drop_missing: bool,
    /// Go on though the best model so far is lost or damaged: what last.safetensors holds counts as the first.
    #[arg(long, requires = "resume")]
    pub from_last: bool,
    /// Replace the run that is in the folder. Files that are not of a run stay, and so does a run that is going on.
    #[arg(long)]
    pub force: bool,
    /// Epochs between saves of all that is needed to go on; 0: only at the end and on Ctrl-C.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub save_every: u32,
    /// Print metrics.json in the end instead of a table.
    #[arg(long)]
    pub json: bool,
    /// No progress on the terminal.
    #[arg(long, short)]
    pub quiet: bool,
}
