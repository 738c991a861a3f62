//! The kernels: one file each, with the arguments, their shape checks, the call of the shader that shares
//! the file's name, and its CPU twin.

mod activation_backward;
mod adam;
mod column_sum;
mod dropout;
mod elementwise;
mod encode_rows;
mod gather_batch;
mod groups;
mod matmul;
mod normal;
mod reparameterise;
mod replay_rows;
mod softmax;
mod sum_loss;
mod transpose;
mod update_rows;

pub use activation_backward::ActivationBackward;
pub use adam::{Adam, AdamStep, Parameter};
pub use column_sum::ColumnSum;
pub use dropout::{DropoutDense, DropoutInput};
pub use encode_rows::EncodeRows;
pub use gather_batch::GatherBatch;
pub use groups::Groups;
pub use matmul::{Activation, MatMul, View};
pub use normal::Normal;
pub use reparameterise::{Reparameterise, ReparameteriseBackward};
pub use replay_rows::{FLOATS_PER_STEP, ReplayRows, Table};
pub use softmax::{SoftmaxAccumulate, SoftmaxGradient};
pub use sum_loss::SumLoss;
pub use transpose::{ItemLists, Transpose};
pub use update_rows::{RankOne, Reach, UpdateRows};
