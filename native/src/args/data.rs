//! `fastvae data`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::flags::{FilterArgs, SplitArgs};

/// What to do with a data set.
#[derive(Subcommand)]
pub enum DataCommand {
    /// Users, items, interactions, sparsity, lengths of histories, and what each filter removed.
    Info(InfoArgs),
    /// Read a set in any of its forms, filter it, and write it as csv, RecBole .inter, LightGCN or Parquet.
    Convert(ConvertArgs),
    /// Download a MovieLens set from GroupLens, or check one that is on disk.
    Get(GetArgs),
}

/// Options of `fastvae data info`.
#[derive(Args)]
pub struct InfoArgs {
    /// A folder, a zip, or one file; without it, the built-in set.
    pub path: Option<PathBuf>,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Options of `fastvae data convert`.
#[derive(Args)]
pub struct ConvertArgs {
    /// A folder, a zip, or one file to read.
    pub from: PathBuf,
    /// What to write.
    pub to: PathBuf,
    /// The form to write; by the ending of the name where it is not given.
    #[arg(long, value_name = "FORM", value_parser = ["csv", "csv.gz", "inter", "lightgcn", "parquet"])]
    pub format: Option<String>,
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub split: SplitArgs,
    /// In csv, put ' before a text that a spreadsheet would take for a formula (= + - @, TAB or CR at its start). Ids
    /// that are changed so are other ids when the file is read again.
    #[arg(long)]
    pub no_formulas: bool,
    /// Replace what is there.
    #[arg(long)]
    pub force: bool,
    /// Print JSON: the statistics, and the files that were written.
    #[arg(long)]
    pub json: bool,
}

/// Options of `fastvae data get`.
#[derive(Args)]
pub struct GetArgs {
    /// ml-100k, ml-1m, ml-10m, ml-20m, ml-25m, ml-32m, ml-latest or ml-latest-small.
    pub name: String,
    /// The folder to put the zip into; a zip that is there already is checked and used.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub to: PathBuf,
    /// Fetch from here instead of GroupLens.
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
    /// Give up on a server that sends nothing for so long.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
    /// Print JSON: the path, the licence, and whether a published MD5 was checked.
    #[arg(long)]
    pub json: bool,
}
