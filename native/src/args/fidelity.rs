//! `fastvae fidelity` and `fastvae compare`.

use std::path::PathBuf;

use clap::Args;

use super::{EngineArgs, flags::SettingArgs};

/// Options of `fastvae fidelity`.
#[derive(Args)]
pub struct FidelityArgs {
    /// The folder of a run, whose model is measured; without it, one is trained as the settings say.
    pub run: Option<PathBuf>,
    /// The samplers: methods, each with settings of `[proposal]` of its own, such as midx-uniform:codewords=16 or
    /// midx-popularity:mix=uniform=0.1.
    #[arg(
        long,
        value_name = "SAMPLER,..",
        value_delimiter = ',',
        default_value = "uniform,popularity,popularity:popularity=count,dns,kernel,\
        midx-uniform:quantisation=product,midx-popularity:quantisation=product,\
        midx-uniform:quantisation=residual,midx-popularity:quantisation=residual,midx,softmax"
    )]
    pub samplers: Vec<String>,
    /// Codewords of samplers that do not name their own.
    #[arg(long, value_name = "K", default_value_t = 64)]
    pub sampler_codewords: usize,
    /// Users that divergences are averaged over.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub users: usize,
    /// The user, by id, whose cumulative curves are drawn; without it, the first.
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,
    /// Draws of a cumulative curve; 0: no curves.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub draws: usize,
    /// Users that gradients are averaged over.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub gradient_users: usize,
    /// Sampled gradients of each user.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub replicates: u32,
    /// Numbers of codewords to try; an empty list tries none.
    #[arg(long, value_name = "K,..", value_parser = list::<usize>, default_value = "4,8,16,32,64,128,256")]
    pub sweep_codewords: List<usize>,
    /// Numbers of codebooks to try.
    #[arg(long, value_name = "M,..", value_parser = list::<usize>, default_value = "2,3,4")]
    pub sweep_codebooks: List<usize>,
    /// Numbers of negatives to try, for the bias of the gradient.
    #[arg(long, value_name = "C,..", value_parser = list::<usize>, default_value = "20,50,100,200,500")]
    pub sweep_negatives: List<usize>,
    /// Epochs of training on after which indexes built before them are measured.
    #[arg(long, value_name = "EPOCHS,..", value_parser = list::<u32>, default_value = "1,2,4,8")]
    pub staleness: List<u32>,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub settings: SettingArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Options of `fastvae compare`.
#[derive(Args)]
pub struct CompareArgs {
    /// The samplers: methods, each with settings of `[proposal]` of its own, such as midx-uniform:codewords=64 or
    /// midx-popularity:mix=uniform=0.1; `full` is the softmax over all items.
    #[arg(
        long,
        value_name = "SAMPLER,..",
        value_delimiter = ',',
        default_value = "full,uniform,popularity,dns,kernel,midx-uniform,midx-popularity"
    )]
    pub samplers: Vec<String>,
    /// Rank the validation part instead of the test part.
    #[arg(long)]
    pub validation: bool,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub settings: SettingArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Where results go.
#[derive(Args)]
pub struct OutputArgs {
    /// The folder for tables, figures and the report; files of these names that are there are replaced.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Print the table as csv.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Print all that was measured as JSON.
    #[arg(long)]
    pub json: bool,
    /// No progress on the terminal.
    #[arg(long, short)]
    pub quiet: bool,
}

/// Numbers between commas; nothing is an empty list.
#[derive(Clone, Debug)]
pub struct List<T>(pub Vec<T>);

fn list<T: std::str::FromStr + PartialOrd + From<u8>>(text: &str) -> Result<List<T>, String> {
    let number = |part: &str| match part.trim().parse::<T>() {
        Ok(number) if number >= T::from(1) => Ok(number),
        _ => Err(format!("`{part}` is no number from 1 on")),
    };
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    Ok(List(parts.map(number).collect::<Result<_, _>>()?))
}
