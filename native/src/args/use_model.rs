//! The commands that use a trained model.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use super::{EngineArgs, flags::FilterArgs};

/// Options of `fastvae evaluate`.
#[derive(Args)]
pub struct EvaluateArgs {
    /// The folder of a run, or a checkpoint.
    pub run: PathBuf,
    /// Measure on this set instead of the one that the run was trained on; it must have the same item ids.
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Cut-offs of the lists.
    #[arg(long, value_name = "K,K,..", value_delimiter = ',', default_value = "10,20,50")]
    pub at: Vec<usize>,
    /// Measure on the validation part instead of the test part.
    #[arg(long)]
    pub validation: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// How lists are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// With a header: user (or like, the item that others are like),rank,item,title,score.
    Csv,
    /// One object a line.
    Json,
    /// The same columns; needs --output.
    Parquet,
}

/// Options of `fastvae recommend`.
#[derive(Args)]
#[command(group = ArgGroup::new("whom").args(["user", "history", "all_users"]).required(true))]
pub struct RecommendArgs {
    /// The folder of a run, or a checkpoint.
    pub run: PathBuf,
    /// A user of the run's data, by id; may be given several times.
    #[arg(long, value_name = "ID")]
    pub user: Vec<String>,
    /// Items that somebody likes, by id or title, separated by commas or by repeating the flag.
    ///
    /// A title may be cut short where its beginning is unique; upper and lower case are the same. An item
    /// whose title has a comma needs a --history of its own.
    #[arg(long, value_name = "ITEM,..")]
    pub history: Vec<String>,
    /// Every user of the run's data.
    #[arg(long)]
    pub all_users: bool,
    /// How many items a user.
    #[arg(short, long = "count", value_name = "N", default_value_t = 20)]
    pub n: usize,
    /// Recommend items of the history as well.
    #[arg(long)]
    pub include_seen: bool,
    /// Recommend none but the items in this file, one id or title a line.
    #[arg(long, value_name = "FILE")]
    pub allow: Option<PathBuf>,
    /// Never recommend the items in this file, one id or title a line.
    #[arg(long, value_name = "FILE")]
    pub deny: Option<PathBuf>,
    /// How to print them.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Write to this file instead of the terminal.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// In csv, put ' before an id or title that a spreadsheet would take for a formula (= + - @, TAB or CR at its start).
    #[arg(long)]
    pub no_formulas: bool,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Options of `fastvae similar`.
#[derive(Args)]
pub struct SimilarArgs {
    /// The folder of a run, or a checkpoint.
    pub run: PathBuf,
    /// The item, by id or title; a title may be cut short where its beginning is unique.
    #[arg(long, value_name = "ITEM")]
    pub item: String,
    /// How many.
    #[arg(short, long = "count", value_name = "N", default_value_t = 10)]
    pub n: usize,
    /// How to print them.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Write to this file instead of the terminal.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// In csv, put ' before an id or title that a spreadsheet would take for a formula (= + - @, TAB or CR at its start).
    #[arg(long)]
    pub no_formulas: bool,
}
