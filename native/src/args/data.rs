//! `fastvae data`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::FilterArgs;

/// What to do with a data set.
#[derive(Subcommand)]
pub enum DataCommand {
    /// Users, items, interactions, sparsity, lengths of histories, and what each filter removed.
    Info(InfoArgs),
    /// Read a set in any of its forms, filter it, and write it as csv, tsv or parquet.
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
    /// What to write: .csv, .tsv or .parquet, the first two also with .gz.
    pub to: PathBuf,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
}

/// Options of `fastvae data get`.
#[derive(Args)]
pub struct GetArgs {
    /// Which set.
    #[arg(value_parser = crate::grouplens::NAMES)]
    pub name: String,
    /// The folder to put the zip into.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub to: PathBuf,
    /// Fetch from here instead of files.grouplens.org.
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
}

