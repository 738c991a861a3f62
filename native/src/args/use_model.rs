//! The commands that use a trained model.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, ValueEnum};

use super::{EngineArgs, flags::FilterArgs};

/// Options of `fastvae evaluate`.
#[derive(Args)]
pub struct EvaluateArgs {
    /// The folder of a run, or a checkpoint.
    pub run: PathBuf,
    /// A second run, to compare with the first on the same users.
    pub other: Option<PathBuf>,
    /// Measure on this set: its interactions are what is to be found for the users whose histories the run has.
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Split the set of --data as the data of the run was split, instead of taking all of it as held out; its users
    /// may be others than those of the run.
    #[arg(long, requires = "data")]
    pub split_again: bool,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Write the ranked lists that the metrics are made of, with the hits, to this file: .csv, .jsonl or .parquet.
    #[arg(long, value_name = "FILE")]
    pub lists: Option<PathBuf>,
    /// Show also what the lists recommend: popularity, novelty, differences, classes of users and items.
    #[arg(long)]
    pub more: bool,
    /// Show also 95% intervals, by the bootstrap over users.
    #[arg(long)]
    pub intervals: bool,
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
    #[value(alias = "jsonl")]
    Json,
    /// The same columns; needs --output.
    Parquet,
}

impl Format {
    /// The format that the ending of a file stands for.
    pub fn of_file(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "json" | "jsonl" | "ndjson" => Some(Self::Json),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The format that is asked for, that of a file, or the one for people.
    pub fn chosen(asked: Option<Self>, output: Option<&Path>) -> Self {
        asked.or_else(|| output.and_then(Self::of_file)).unwrap_or(Self::Table)
    }
}

/// Options of `fastvae recommend`.
#[derive(Args)]
#[command(group = ArgGroup::new("whom").args(["user", "history", "histories", "all_users"]).required(true))]
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
    /// The histories of people, in any form that train reads; - reads standard input. The options under Data say how.
    ///
    /// Items that the model does not know are left out and counted.
    #[arg(long, value_name = "FILE")]
    pub histories: Option<PathBuf>,
    #[command(flatten)]
    pub filter: FilterArgs,
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
    /// Never recommend the items that this file has for a user: rows of user and item, in any form that train reads.
    #[arg(long, value_name = "FILE")]
    pub exclude: Option<PathBuf>,
    /// Recommend to a user none but the items that this file has for the user: rows of user and item.
    #[arg(long, value_name = "FILE")]
    pub only: Option<PathBuf>,
    /// Never recommend items with fewer interactions in the data of the run.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub min_popularity: u32,
    /// Take items that differ from one another (maximal marginal relevance): 0 is the order of the scores, 1 looks
    /// at nothing but how much items differ.
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = super::finite::<f32>)]
    pub diversity: f32,
    /// End at an id or title that the model does not know, instead of leaving it out with a note.
    #[arg(long)]
    pub strict: bool,
    /// How to print them; if it is not given, as the ending of --output says, or else for people.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Write to this file instead of the terminal.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// In csv, put ' before an id or title that a spreadsheet would take for a formula (= + - @, TAB or CR at its start).
    #[arg(long)]
    pub no_formulas: bool,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Options of `fastvae export`.
#[derive(Args)]
#[command(group = ArgGroup::new("what").args(["users", "items", "onnx"]).required(true).multiple(true))]
pub struct ExportArgs {
    /// The folder of a run, or a checkpoint.
    pub run: PathBuf,
    /// Write a row for each user to this file: .npy, .csv or .parquet. The inner product of a user's row and an item's row
    /// is the score.
    #[arg(long, value_name = "FILE")]
    pub users: Option<PathBuf>,
    /// Write a row for each item, the bias as its last number, to this file: .npy, .csv or .parquet.
    #[arg(long, value_name = "FILE")]
    pub items: Option<PathBuf>,
    /// Write the model to this file as a graph of ONNX: `history` in (numbers of items, -1 where it ends), `scores` of all
    /// items out.
    #[arg(long, value_name = "FILE")]
    pub onnx: Option<PathBuf>,
    /// Rows for the histories of these people instead of the run's users, in any form that train reads.
    #[arg(long, value_name = "FILE", requires = "users")]
    pub histories: Option<PathBuf>,
    #[command(flatten)]
    pub filter: FilterArgs,
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
    /// How to print them; if it is not given, as the ending of --output says, or else for people.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Write to this file instead of the terminal.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// In csv, put ' before an id or title that a spreadsheet would take for a formula (= + - @, TAB or CR at its start).
    #[arg(long)]
    pub no_formulas: bool,
}
