//! `fastvae reproduce`.

use std::path::PathBuf;

use clap::Args;

use super::{EngineArgs, fidelity::OutputArgs, flags::FilterArgs};

/// Options of `fastvae reproduce`.
#[derive(Args)]
pub struct ReproduceArgs {
    /// The table or figure of the paper.
    #[arg(value_parser = ["table1", "table2", "table3", "fig2", "fig3", "fig4", "fig5a", "fig5b"])]
    pub experiment: String,
    /// Minutes instead of hours: few epochs, on the built-in set or a part of the sets that are given.
    #[arg(long, conflicts_with = "size")]
    pub quick: bool,
    /// How large: `tiny` takes seconds, `quick` minutes, `full` is the paper's.
    #[arg(long, value_name = "SIZE", value_parser = ["tiny", "quick", "full"], default_value = "full")]
    pub size: String,
    /// A data set: ml-10m, gowalla, netflix and amazon are those of the paper; several times for several. Without it,
    /// the built-in set.
    #[arg(long, value_name = "NAME=PATH", value_parser = named_path)]
    pub data: Vec<(String, PathBuf)>,
    /// Runs of each system, with seeds of training and split from 0 on [default: 5; quick 2, tiny 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub seeds: Option<u32>,
    /// Epochs of every training [default: those of the settings; quick at most 30, tiny 3].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub epochs: Option<u32>,
    /// A folder of `fastvae tune`: the best settings of each model that it has.
    #[arg(long, value_name = "FOLDER")]
    pub configs: Option<PathBuf>,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// `NAME=PATH`.
fn named_path(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            match name.chars().all(plain) {
                true => Ok((name.into(), path.into())),
                false => Err("a name has letters, digits, - _ and .".into()),
            }
        }
        _ => Err("write NAME=PATH, as in gowalla=gowalla.csv".into()),
    }
}
