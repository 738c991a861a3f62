//! The kernels: one file each, with the arguments, their shape checks, the call of the shader that shares
//! the file's name, and its CPU twin.

mod elementwise;
pub mod matmul;

pub use matmul::{Activation, MatMul, View};
