//! `fastvae train`: a flag for every setting. Field names are the keys of the configuration file, so flags
//! and file merge by name.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{DataArgs, EngineArgs};

/// Options of `fastvae train`.
#[derive(Args, Clone, Debug, Default)]
pub struct TrainArgs {
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub settings: SettingArgs,
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
    /// The folder for model, metrics and report [default: runs/DATA-LOSS-SEED-N].
    #[arg(long, value_name = "RUN")]
    pub out: Option<PathBuf>,
    /// Go on with a run that was stopped; its settings hold, --epochs may be raised.
    ///
    /// A run that was stopped ends with the same bits as one that was not. A finished run goes on at the rate that
    /// --schedule gives for the new number of epochs: a cosine that had come to its end rises again.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["out", "config", "force"])]
    pub resume: Option<PathBuf>,
    /// Replace the run that is in the folder.
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

/// Every setting of a run, by the section of the configuration file it belongs to.
#[derive(Args, Clone, Debug, Default, Serialize)]
pub struct SettingArgs {
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub split: SplitArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    #[serde(skip)]
    pub method: MethodArgs,
    #[command(flatten)]
    pub objective: ObjectiveArgs,
    #[command(flatten)]
    pub proposal: ProposalArgs,
    #[command(flatten)]
    pub optimizer: OptimizerArgs,
    #[command(flatten)]
    pub training: TrainingArgs,
}

/// `[split]`.
#[derive(Args, Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Split")]
pub struct SplitArgs {
    /// `weak`: every user is trained on part of their items and tested on the rest. `strong`: users are
    /// held out whole. `given`: the parts in which the set was published.
    #[arg(long, value_name = "PROTOCOL", value_parser = ["weak", "strong", "given"])]
    #[serde(rename = "protocol")]
    pub split: Option<String>,
    /// Share of a user's items to find.
    #[arg(long, value_name = "SHARE", value_parser = super::finite::<f64>)]
    pub test_share: Option<f64>,
    /// Users who give up items for validation; 0: no validation.
    #[arg(long, value_name = "N")]
    pub validation_users: Option<u32>,
    /// Share of these users' training items that validate.
    #[arg(long, value_name = "SHARE", value_parser = super::finite::<f64>)]
    pub validation_share: Option<f64>,
    /// Under `strong`: share of users held out for validation, and as many for the test.
    #[arg(long, value_name = "SHARE", value_parser = super::finite::<f64>)]
    pub held_out_users: Option<f64>,
    /// Which of all such splits; that of --seed where it is not given.
    #[arg(long, value_name = "N")]
    #[serde(rename = "seed")]
    pub split_seed: Option<u64>,
}

/// `[model]`.
#[derive(Args, Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Network: items -> hidden -> latent -> hidden -> items")]
pub struct ModelArgs {
    /// Width of the hidden layer.
    #[arg(long, value_name = "H")]
    pub hidden: Option<usize>,
    /// Width of the latent code.
    #[arg(long, value_name = "D")]
    pub latent: Option<usize>,
    /// How a code meets the items: through a layer of the hidden width, or by itself.
    #[arg(long, value_parser = ["dense", "direct"], value_name = "DECODER")]
    pub decoder: Option<String>,
    /// After the encoder's hidden layer.
    #[arg(long, value_parser = ["none", "tanh", "relu"], value_name = "FUNCTION")]
    pub activation: Option<String>,
    /// After the dense decoder's layer.
    #[arg(long, value_parser = ["none", "tanh", "relu"], value_name = "FUNCTION")]
    pub decoder_activation: Option<String>,
    /// A bias for each item.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub item_bias: Option<bool>,
    /// Probability of dropping.
    #[arg(long, value_name = "P", value_parser = super::finite::<f32>)]
    pub dropout: Option<f32>,
    /// What is dropped: items of the history, or hidden units before the activation.
    #[arg(long, value_parser = ["input", "bag"], value_name = "WHERE")]
    pub dropout_on: Option<String>,
    /// Latent samples a user and step.
    #[arg(long, value_name = "L")]
    pub latent_samples: Option<usize>,
}

/// One word for the kinds of `[objective]` and `[proposal]`.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Loss and negatives")]
pub struct MethodArgs {
    /// The softmax over all items, or a sampled one by where its negatives come from; `midx-*` draw from
    /// the inverted multi-index.
    #[arg(long, value_name = "LOSS", value_parser = super::methods())]
    pub loss: Option<String>,
}

/// `[objective]`.
#[derive(Args, Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Loss and negatives")]
pub struct ObjectiveArgs {
    /// The denominator: one for each positive as in the paper, or one in which positives count exactly.
    #[arg(long, value_parser = ["paper", "exact-positives"], value_name = "DENOMINATOR")]
    pub partition: Option<String>,
}

/// `[proposal]`.
#[derive(Args, Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Loss and negatives")]
pub struct ProposalArgs {
    /// Negatives that each user sees.
    #[arg(long, value_name = "C")]
    pub negatives: Option<usize>,
    /// Users that share their negatives; each draws C / G of them.
    #[arg(long, alias = "share", value_name = "G")]
    pub group_size: Option<usize>,
    /// Codewords of each codebook of the index, 2 to 256.
    #[arg(long, value_name = "K")]
    pub codewords: Option<usize>,
    /// Codebooks of the index. With two, a step sums over K x K cells a user; with more, over the occupied
    /// ones.
    #[arg(long, value_name = "M")]
    pub codebooks: Option<usize>,
    /// What codewords are made of: parts of the item vectors as in the paper, parts as queries see them, or
    /// what the other codebooks leave as queries see it.
    #[arg(long, value_parser = ["product", "query-aware", "residual"], value_name = "QUANTISATION")]
    pub quantisation: Option<String>,
    /// What an item with c interactions weighs when codewords are made: 1, the root of c, c.
    #[arg(long, value_parser = ["even", "root", "count"], value_name = "WEIGHT")]
    pub codeword_weights: Option<String>,
    /// Where k-means starts from: random items, or items far from one another.
    #[arg(long, value_parser = ["random", "plus-plus"], value_name = "START")]
    pub initialisation: Option<String>,
    /// Which codeword an item gets: the nearest, or one that has not much more than its share yet.
    #[arg(long, value_parser = ["plain", "balanced"], value_name = "KMEANS")]
    pub kmeans: Option<String>,
    /// What an item's count c means for its popularity: c, ln(1 + c), c^0.75.
    #[arg(long, value_parser = ["count", "log", "power"], value_name = "WEIGHT")]
    pub popularity: Option<String>,
    /// Epochs between refreshes of the index.
    #[arg(long, value_name = "EPOCHS")]
    pub refresh_every: Option<u32>,
    /// Steps between refreshes of the index, in place of epochs; 0: by epochs.
    #[arg(long, value_name = "STEPS")]
    pub refresh_steps: Option<u32>,
    /// Iterations of k-means for the first index.
    #[arg(long, value_name = "N")]
    pub first_iterations: Option<u32>,
    /// Iterations of k-means at each later refresh.
    #[arg(long, value_name = "N")]
    pub refresh_iterations: Option<u32>,
    /// A second proposal and the probability that a negative comes from it, such as uniform=0.1; log q is that of
    /// the mixture.
    #[arg(long, value_name = "PROPOSAL=PROBABILITY")]
    pub mix: Option<String>,
    /// Uniform draws that `dns` takes the hardest of.
    #[arg(long, value_name = "B")]
    pub dns_draws: Option<usize>,
    /// Log q of `dns`: by the item's rank, which takes the logits of all items; or none, as published.
    #[arg(long, value_parser = ["exact", "none"], value_name = "CORRECTION")]
    pub dns_correction: Option<String>,
    /// Alpha of `kernel`, which draws by alpha o^2 + 1.
    #[arg(long, value_name = "ALPHA", value_parser = super::finite::<f32>)]
    pub kernel_alpha: Option<f32>,
}

/// `[optimizer]`.
#[derive(Args, Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Optimiser")]
pub struct OptimizerArgs {
    /// Adam's rate.
    #[arg(long, value_name = "RATE", value_parser = super::finite::<f32>)]
    pub learning_rate: Option<f32>,
    /// How the rate moves over the run.
    #[arg(long, value_parser = ["constant", "cosine", "linear", "step"], value_name = "SCHEDULE")]
    pub schedule: Option<String>,
    /// Item rows that a step moves: all; the touched ones, which make up for steps they missed; the
    /// touched ones, which forget them.
    #[arg(long, value_parser = ["dense", "replay", "lazy"], value_name = "ROWS")]
    pub rows: Option<String>,
    /// Decoupled weight decay (AdamW).
    #[arg(long, value_name = "DECAY", value_parser = super::finite::<f32>)]
    pub weight_decay: Option<f32>,
    /// L2 added to gradients.
    #[arg(long, value_name = "DECAY", value_parser = super::finite::<f32>)]
    pub l2: Option<f32>,
    /// Decay of Adam's first moment.
    #[arg(long, value_name = "B", value_parser = super::finite::<f32>)]
    pub beta1: Option<f32>,
    /// Decay of Adam's second moment.
    #[arg(long, value_name = "B", value_parser = super::finite::<f32>)]
    pub beta2: Option<f32>,
    /// Adam's epsilon.
    #[arg(long, value_name = "E", value_parser = super::finite::<f32>)]
    pub epsilon: Option<f32>,
}

/// `[training]`.
#[derive(Args, Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Training")]
pub struct TrainingArgs {
    /// Passes over the users.
    #[arg(long, value_name = "N")]
    pub epochs: Option<u32>,
    /// Users a step.
    #[arg(long, value_name = "B")]
    pub batch: Option<usize>,
    /// Weight of the KL divergence when annealing is over.
    #[arg(long, value_name = "BETA", value_parser = super::finite::<f32>)]
    pub beta: Option<f32>,
    /// Steps over which that weight grows from 0.
    #[arg(long, value_name = "STEPS")]
    pub anneal_steps: Option<u32>,
    /// Everything random follows from it: the same seed gives the same bits.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Stop when validation has not improved for so many evaluations; 0: never.
    #[arg(long, value_name = "N")]
    pub patience: Option<u32>,
    /// Epochs between evaluations.
    #[arg(long, value_name = "EPOCHS")]
    pub evaluate_every: Option<u32>,
    /// The validation metric that decides which epoch is best.
    #[arg(long, value_name = "NAME@K")]
    pub metric: Option<String>,
}
