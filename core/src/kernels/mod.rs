//! The kernels: one file each, with the arguments, their shape checks, the call of the shader that shares
//! the file's name, and its CPU twin.

mod activation_backward;
mod adam;
mod column_sum;
mod draw;
mod dropout;
mod elementwise;
mod encode_rows;
mod gather_batch;
mod groups;
mod items_of;
mod kmeans;
mod matmul;
mod midx;
mod midx_exact;
mod normal;
mod reparameterise;
mod replay_rows;
mod sampled_loss;
mod softmax;
mod sum_loss;
mod topk;
mod transpose;
mod update_rows;

pub use activation_backward::ActivationBackward;
pub use adam::{Adam, AdamStep, Parameter};
pub use column_sum::ColumnSum;
pub use draw::{AliasTable, DrawStatic, Lookup};
pub use dropout::{DropoutDense, DropoutInput};
pub use encode_rows::EncodeRows;
pub use gather_batch::GatherBatch;
pub use groups::Groups;
pub use items_of::ItemsOf;
pub use kmeans::{KmeansAssign, KmeansUpdate, Points};
pub use matmul::{Activation, MatMul, View};
pub use midx::{Cells, MidxDraw, MidxLogQ, MidxNormalise};
pub use midx_exact::{MidxExactCells, MidxExactDraw, SoftmaxLogQ};
pub use normal::Normal;
pub use reparameterise::{Reparameterise, ReparameteriseBackward};
pub use replay_rows::{FLOATS_PER_STEP, ReplayRows, Table};
pub use sampled_loss::{Partition, SampledLoss};
pub use softmax::{SoftmaxAccumulate, SoftmaxGradient};
pub use sum_loss::SumLoss;
pub use topk::{MaskSeen, TopK};
pub use transpose::{ItemLists, Transpose};
pub use update_rows::{RankOne, Reach, UpdateRows};
