//! The kernels, one per file: the arguments, their shape checks, the call of the shader with the same name as
//! the file, and the CPU twin.

mod activation_backward;
mod adam;
#[cfg(feature = "baselines")]
mod adaptive;
#[cfg(feature = "baselines")]
mod add_row_gradients;
mod cells;
mod column_sum;
mod copy_values;
mod dns;
mod draw;
mod dropout;
mod elementwise;
mod encode_rows;
#[cfg(feature = "baselines")]
mod gate;
mod gather_batch;
mod groups;
mod host_rows;
mod items_of;
mod kmeans;
mod local_product;
mod matmul;
mod midx;
mod midx_exact;
mod midx_occupied;
mod mixture;
#[cfg(feature = "baselines")]
mod mixture_divergence;
mod multiply_add;
mod normal;
#[cfg(feature = "baselines")]
mod pairwise_loss;
mod quadratic;
mod rank_one;
mod reparameterise;
mod replay_rows;
mod row_gradients;
mod row_sums;
mod rows;
#[cfg(feature = "baselines")]
mod running_mean;
mod running_sums;
mod sampled_loss;
mod softmax;
mod softmax_draw;
#[cfg(test)]
mod soundness;
mod sum_loss;
#[cfg(feature = "baselines")]
mod swish_norm;
mod topk;
mod transpose;
mod update_rows;
#[cfg(feature = "baselines")]
mod weigh_divergence;

pub use crate::config::{Activation, Partition};
pub use activation_backward::ActivationBackward;
pub use adam::{Adam, AdamStep, Parameter};
#[cfg(feature = "baselines")]
pub use adaptive::{AdaptiveDraw, AdaptiveLogQ, AdaptiveNormalise, Rankings};
#[cfg(feature = "baselines")]
pub use add_row_gradients::AddRowGradients;
pub use cells::Cells;
pub use column_sum::ColumnSum;
pub use copy_values::CopyValues;
pub use dns::{DnsDraw, DnsLogQ, Scores};
pub use draw::{AliasTable, DrawStatic, Lookup};
pub use dropout::{DropoutDense, DropoutInput};
pub use encode_rows::EncodeRows;
#[cfg(feature = "baselines")]
pub use gate::{Gate, GateBackward};
pub use gather_batch::GatherBatch;
pub use groups::Groups;
pub use host_rows::{HostRows, RowFunction};
pub use items_of::ItemsOf;
pub use kmeans::{Balance, KmeansAssign, KmeansUpdate, Points};
#[cfg(feature = "baselines")]
pub(crate) use local_product::{LocalProduct, Strided};
pub use matmul::{Division, MatMul, Tiles, View};
pub use midx::{MidxDraw, MidxLogQ, MidxNormalise};
pub use midx_exact::{MidxExactCells, MidxExactDraw, SoftmaxLogQ};
pub use midx_occupied::{MidxOccupiedDraw, MidxOccupiedLogQ, MidxOccupiedNormalise};
pub use mixture::{MixLogQ, MixNegatives};
#[cfg(feature = "baselines")]
pub use mixture_divergence::{Mixture, MixtureDivergence, MixtureDivergenceBackward};
pub use multiply_add::MultiplyAdd;
pub use normal::Normal;
#[cfg(feature = "baselines")]
pub use pairwise_loss::{Comparison, Pairs, PairwiseLoss};
pub use quadratic::{QuadraticDraw, QuadraticLogQ, QuadraticNormalise, QuadraticTree};
pub use rank_one::RankOne;
pub use reparameterise::{Reparameterise, ReparameteriseBackward};
pub use replay_rows::{FLOATS_PER_STEP, ReplayRows, Table};
pub use row_gradients::RowGradients;
pub use rows::{AddCodewords, GatherRows, ResidualNorms};
#[cfg(feature = "baselines")]
pub use running_mean::RunningMean;
pub use sampled_loss::SampledLoss;
pub use softmax::{SoftmaxAccumulate, SoftmaxGradient};
pub use softmax_draw::{BLOCKS, SoftmaxBlocks, SoftmaxDraw};
pub use sum_loss::SumLoss;
#[cfg(feature = "baselines")]
pub use swish_norm::{SwishNorm, SwishNormBackward};
pub use topk::{MaskSeen, TopK};
pub use transpose::{HostLists, ItemLists, Transpose};
pub use update_rows::{Reach, UpdateRows};
#[cfg(feature = "baselines")]
pub use weigh_divergence::{WeighDivergence, WeighDivergenceBackward};
