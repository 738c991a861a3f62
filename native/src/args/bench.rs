//! `fastvae bench`.

use clap::{Args, Subcommand};

use super::{
    EngineArgs,
    fidelity::OutputArgs,
    flags::{DataArgs, ProposalArgs, SettingArgs},
};

/// What to measure.
#[derive(Subcommand)]
pub enum BenchArgs {
    /// Time of a training step by kernel.
    Step(StepArgs),
    /// Seconds of an epoch by loss, side by side and taking turns.
    Epoch(EpochArgs),
    /// Seconds to a quality by loss as the catalogue grows: where the full softmax wins and where a sampled one does.
    Quality(QualityArgs),
    /// What samplers cost as the catalogue grows: set-up, draws, memory, and the exponents of the growth.
    Samplers(SamplersArgs),
    /// A GPU: self-tests, bandwidth and rate, every kernel of a step, epochs by size of the catalogue; in minutes.
    Gpu(GpuArgs),
    /// Seconds to read a set from disk.
    Load(LoadArgs),
    /// Seconds to rank every user of the test part exactly.
    Eval(EvalArgs),
}

/// Options of `fastvae bench step`.
#[derive(Args)]
pub struct StepArgs {
    /// Steps to measure, after as many again to warm up (20 at most).
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub steps: u32,
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub settings: SettingArgs,
}

/// Options of `fastvae bench epoch`.
#[derive(Args)]
pub struct EpochArgs {
    /// The losses to compare.
    #[arg(long, value_name = "LOSS,..", value_delimiter = ',', default_value = "full,midx-popularity",
        value_parser = super::methods())]
    pub losses: Vec<String>,
    /// Epochs to measure of each, after one to warm up.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub repeats: u32,
    /// Stop an epoch after so many steps and extrapolate.
    #[arg(long, value_name = "STEPS")]
    pub steps: Option<u32>,
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub settings: SettingArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Options of `fastvae bench quality`.
#[derive(Args)]
pub struct QualityArgs {
    /// The losses, as `fastvae compare` takes samplers; the first one sets the quality.
    #[arg(
        long,
        value_name = "SAMPLER,..",
        value_delimiter = ',',
        default_value = "full,midx-popularity,midx-popularity:group-size=8,uniform"
    )]
    pub samplers: Vec<String>,
    /// Sizes of the catalogue: so many of the most popular items, and all if the set has fewer.
    #[arg(long, value_name = "M,..", value_delimiter = ',', default_value = "500,1000,2000,5000,10000,20000,50000",
        value_parser = clap::value_parser!(u32).range(2..))]
    pub items: Vec<u32>,
    /// The share of the best value of the first loss that counts as reached.
    #[arg(long, value_name = "SHARE", default_value_t = 0.99, value_parser = super::finite::<f64>)]
    pub target: f64,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub settings: SettingArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Options of `fastvae bench samplers`.
#[derive(Args)]
pub struct SamplersArgs {
    /// The samplers to measure, by name.
    #[arg(long, value_name = "SAMPLER,..", value_delimiter = ',', value_parser = super::proposals(),
        default_value = "uniform,popularity,kernel,midx-uniform,midx-popularity,midx,softmax")]
    pub samplers: Vec<String>,
    /// Sizes of the catalogue.
    #[arg(
        long,
        value_name = "M,..",
        value_delimiter = ',',
        default_value = "1000,10000,100000,1000000,1500000"
    )]
    pub items: Vec<usize>,
    /// Width of item vectors and queries.
    #[arg(long, value_name = "D", default_value_t = 32)]
    pub width: usize,
    /// Users that draw together.
    #[arg(long, value_name = "B", default_value_t = 64)]
    pub users: usize,
    /// Batches to measure, after one to warm up; the best counts.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub repeats: u32,
    /// Write samplers.csv, growth.csv, samplers.html and a figure for each measure into this folder.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<std::path::PathBuf>,
    #[command(flatten)]
    pub proposal: ProposalArgs,
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Options of `fastvae bench gpu`.
#[derive(Args)]
pub struct GpuArgs {
    /// Write the report as JSON; without this and --html it is printed.
    #[arg(long, value_name = "FILE")]
    pub out: Option<std::path::PathBuf>,
    /// Write the report as a page.
    #[arg(long, value_name = "FILE")]
    pub html: Option<std::path::PathBuf>,
    /// Sizes of the catalogue.
    #[arg(long, value_name = "M,..", value_delimiter = ',', default_value = "1000,10000,100000,1500000")]
    pub items: Vec<usize>,
    /// Seconds for all of it: what does not fit is left out and named.
    #[arg(long, value_name = "N", default_value_t = 240.0, value_parser = super::finite::<f64>)]
    pub seconds: f64,
    /// Which GPU: its number in `fastvae engines`, part of its name, a backend, or as in `vulkan:nvidia`; the only
    /// way to a software adapter. Without it, the best.
    #[arg(long, value_name = "GPU")]
    pub adapter: Option<String>,
}

/// Options of `fastvae bench load`.
#[derive(Args)]
pub struct LoadArgs {
    /// Times to read it.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub repeats: u32,
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub data: DataArgs,
}

/// Options of `fastvae bench eval`.
#[derive(Args)]
pub struct EvalArgs {
    /// Times to rank everybody.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub repeats: u32,
    /// Items of each list.
    #[arg(short, long = "count", value_name = "N", default_value_t = 50)]
    pub n: usize,
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub settings: SettingArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// What all measurements share.
#[derive(Args)]
pub struct CommonArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
