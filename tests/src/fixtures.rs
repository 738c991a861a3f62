//! Typed readers of the reference files in `tests/fixtures`. `generate.py` in that folder computes them.

use std::path::Path;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

/// Reads `tests/fixtures/<name>.json`.
///
/// # Panics
/// If the file does not exist or does not hold a `T`.
#[track_caller]
pub fn fixture<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).with_extension("json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads every `mult_vae_*.json`.
pub const MULT_VAE: [&str; 7] = [
    "mult_vae_full",
    "mult_vae_full_bias",
    "mult_vae_sampled",
    "mult_vae_sampled_bias_s3",
    "mult_vae_exact_positives",
    "mult_vae_shared",
    "mult_vae_shared_exact",
];

/// Reads every `proposals_*.json`.
pub const PROPOSALS: [&str; 3] = ["proposals_2x4", "proposals_2x16", "proposals_4x3"];

/// A row-major array of any rank; a scalar has the shape `[]`. `null` in a file is log 0, minus infinity.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub data: Vec<f64>,
}

impl Tensor {
    /// The values as `f32`, for upload to an engine.
    pub fn f32(&self) -> Vec<f32> {
        self.data.iter().map(|&value| value as f32).collect()
    }

    /// The part at `index` of the outermost axis: a row of a matrix, or a matrix of a stack.
    pub fn at(&self, index: usize) -> &[f64] {
        let size = self.shape[1..].iter().product();
        &self.data[index * size..][..size]
    }

    fn push(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        match value {
            Value::Array(parts) => {
                if self.shape.len() == depth && self.data.is_empty() {
                    self.shape.push(parts.len());
                } else if self.shape.get(depth) != Some(&parts.len()) {
                    return Err(format!("{} parts in axis {depth} of {:?}", parts.len(), self.shape));
                }
                parts.iter().try_for_each(|part| self.push(part, depth + 1))
            }
            _ if depth != self.shape.len() => Err(format!("{value} in axis {depth} of {:?}", self.shape)),
            Value::Null => {
                self.data.push(f64::NEG_INFINITY);
                Ok(())
            }
            _ => {
                self.data.push(value.as_f64().ok_or_else(|| format!("{value} is not a number"))?);
                Ok(())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tensor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut tensor = Self { shape: Vec::new(), data: Vec::new() };
        tensor.push(&Value::deserialize(deserializer)?, 0).map_err(serde::de::Error::custom)?;
        Ok(tensor)
    }
}

/// Lists as compressed rows: offsets (number of lists + 1) and the concatenated lists.
pub fn csr(lists: &[Vec<u32>]) -> (Vec<u32>, Vec<u32>) {
    let ends = lists.iter().scan(0, |end, list| {
        *end += list.len() as u32;
        Some(*end)
    });
    (std::iter::once(0).chain(ends).collect(), lists.concat())
}

/// One Mult-VAE batch: parameters, fixed noise and draws, loss, gradients. B users, M items, H hidden, D
/// latent, L latent samples, S negatives that each user sees.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultVae {
    /// Sizes and settings.
    pub config: MultVaeConfig,
    /// Items of each user, ascending.
    pub histories: Vec<Vec<u32>>,
    /// 1 where input dropout keeps the item.
    pub keep_mask: Vec<Vec<u32>>,
    /// Standard normal noise, L x B x D.
    pub eps: Tensor,
    /// Item ids of the negatives, L x B x S; an item may be repeated.
    pub negatives: Option<Vec<Vec<Vec<u32>>>>,
    /// log q of each user's own proposal, L x B x M.
    pub log_q: Option<Tensor>,
    /// log q of the group's mixture, L x B x M; the loss uses it if negatives are shared.
    pub mixture_log_q: Option<Tensor>,
    /// The network's parameters.
    pub params: MultVaeParameters,
    /// Mean of the latent code, B x D.
    pub mu: Tensor,
    /// Log-variance of the latent code, B x D.
    pub logvar: Tensor,
    /// Logits, L x B x M.
    pub logits: Tensor,
    /// Negative log-likelihood of each user, mean over the latent samples, B.
    pub nll: Tensor,
    /// KL divergence of each user, B.
    pub kl: Tensor,
    /// Mean over users of `nll + beta * kl`.
    pub loss: f64,
    /// Gradients: d loss / d parameter.
    pub grads: MultVaeParameters,
}

impl MultVae {
    /// The log q that enter the loss, L x B x M.
    pub fn corrected_log_q(&self) -> Option<&Tensor> {
        self.mixture_log_q.as_ref().or(self.log_q.as_ref())
    }
}

/// The settings of a [`MultVae`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultVaeConfig {
    /// Items, M.
    pub items: usize,
    /// Hidden width, H.
    pub hidden: usize,
    /// Latent width, D.
    pub latent: usize,
    /// Users, B.
    pub users: usize,
    /// Activation of the encoder: `tanh`, `relu` or `none`.
    pub activation: String,
    /// Activation of the queries.
    pub decoder_activation: String,
    /// Whether the loss is a sampled softmax and not the full one.
    pub sampled: bool,
    /// Whether logits have the item bias `c`.
    pub item_bias: bool,
    /// Negatives that each user draws; a user sees `share` times as many.
    pub negatives: usize,
    /// Weight of the KL term.
    pub beta: f64,
    /// Latent samples, L.
    pub latent_samples: usize,
    /// Share of the input that is dropped; the rest is scaled by `1 / (1 - dropout)`.
    pub dropout: f64,
    /// Whether positives enter the partition function exactly.
    pub exact_positives: bool,
    /// Users in a group that shares its negatives.
    pub share: usize,
}

/// The network's parameters or their gradients, named as in the formulas of `generate.py`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultVaeParameters {
    /// Encoder item rows, M x H.
    #[serde(rename = "E")]
    pub e: Tensor,
    /// Encoder bias, H.
    pub b0: Tensor,
    /// Weights of the latent code, H x 2D: mean, then log-variance.
    #[serde(rename = "W1")]
    pub w1: Tensor,
    /// Bias of the latent code, 2D.
    pub b1: Tensor,
    /// Decoder weights, D x H.
    #[serde(rename = "W2")]
    pub w2: Tensor,
    /// Decoder bias, H.
    pub b2: Tensor,
    /// Decoder item rows, M x H.
    #[serde(rename = "Q")]
    pub q: Tensor,
    /// Item bias, M.
    pub c: Option<Tensor>,
}

/// Exact proposal distributions by enumeration. B queries, M items, H wide; `codebooks` of K codewords.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposals {
    /// Items, M.
    pub items: usize,
    /// Width of item rows and queries, H.
    pub hidden: usize,
    /// Codewords of each codebook, K.
    pub codewords: usize,
    /// Codebooks: the number of equal parts into which a row is cut.
    pub codebooks: usize,
    /// Item rows, M x H.
    #[serde(rename = "Q")]
    pub q: Tensor,
    /// Queries, B x H.
    pub queries: Tensor,
    /// Occurrences of each item in training.
    pub counts: Vec<u32>,
    /// Codewords, codebooks x K x H / codebooks.
    pub centroids: Tensor,
    /// Codeword of each item in each codebook, M x codebooks.
    pub codes: Vec<Vec<u32>>,
    /// Largest norm of an item's residual: its row minus its codewords.
    pub residual_norm_max: f64,
    /// log q of each proposal, B x M unless its field says otherwise.
    pub log_q: ProposalLogQ,
    /// KL(proposal | softmax) of each query.
    pub kl_from_softmax: ProposalKl,
    /// Bound of the paper's theorem 5.3 on the KL of `midx_uniform`, for each query.
    pub theorem_5_3_bound: Tensor,
    /// Probabilities of the two stages, if there are two codebooks.
    pub stages: Option<ProposalStages>,
}

impl Proposals {
    /// ln(1 + count) of every item.
    pub fn popularity(&self) -> Vec<f64> {
        self.counts.iter().map(|&count| f64::from(count).ln_1p()).collect()
    }
}

/// Normalised log probabilities.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalLogQ {
    /// The softmax of the logits.
    pub softmax: Tensor,
    /// Exact MIDX, which equals `softmax`.
    pub midx: Tensor,
    /// Scores from codewords only, uniform within a cell.
    pub midx_uniform: Tensor,
    /// Scores from codewords only, proportional to log(1 + count) within a cell.
    pub midx_popularity: Tensor,
    /// Quadratic kernel, 100 <z, q>^2 + 1.
    pub kernel: Tensor,
    /// The same value for all items.
    pub uniform: f64,
    /// log q of probabilities proportional to log(1 + count), M.
    pub popularity: Tensor,
}

/// KL divergence of each proposal from the softmax, for each query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalKl {
    /// KL of `midx_uniform`.
    pub midx_uniform: Tensor,
    /// KL of `midx_popularity`.
    pub midx_popularity: Tensor,
    /// KL of `uniform`.
    pub uniform: Tensor,
    /// KL of `kernel`.
    pub kernel: Tensor,
}

/// The two stages of each MIDX variant (theorems 4.1, 5.1, 5.2).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalStages {
    /// Exact MIDX, theorem 4.1.
    pub midx: ProposalStage,
    /// MIDX_Uni, theorem 5.1.
    pub midx_uniform: ProposalStage,
    /// MIDX_Pop, theorem 5.2.
    pub midx_popularity: ProposalStage,
}

/// Probabilities of the codewords.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalStage {
    /// P(k1), B x K.
    pub p_k1: Tensor,
    /// P(k2 given k1), B x K x K; all 0 if every cell of k1 is empty.
    pub p_k2_given_k1: Tensor,
}
