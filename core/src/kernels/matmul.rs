//! `C = beta C + alpha A B`, then optionally a bias row and an activation.
//!
//! Every product of the program comes here: dense layers and their gradients, codeword scores, logits of
//! the full softmax, scores for ranking. Operands are strided views, so a transpose is a swap of strides.

use super::elementwise::activate;
use crate::{
    Result,
    config::setting::words,
    engine::{Buffer, Kernel, expect_len, gpu, parallel},
};
use fastvae_shaders::matmul;

words! {
    /// An activation function. Shaders know them by number, from 0 in this order.
    pub enum Activation default None {
        /// The identity.
        None = "none",
        /// Hyperbolic tangent.
        Tanh = "tanh",
        /// max(0, x).
        Relu = "relu",
    }
}

/// A matrix inside a buffer: element (r, c) lies at `offset + r * row + c * column`.
#[derive(Clone, Debug)]
pub struct View {
    /// The memory.
    pub buffer: Buffer<f32>,
    /// Index of element (0, 0).
    pub offset: usize,
    /// Distance between rows.
    pub row: usize,
    /// Distance between columns.
    pub column: usize,
}

impl View {
    /// A row-major matrix with rows of `width`, from the start of the buffer.
    pub fn rows(buffer: &Buffer<f32>, width: usize) -> Self {
        Self { buffer: buffer.clone(), offset: 0, row: width, column: 1 }
    }

    /// The same matrix without its first rows.
    pub fn from_row(mut self, row: usize) -> Self {
        self.offset += row * self.row;
        self
    }

    /// The same matrix without its first columns.
    pub fn from_column(mut self, column: usize) -> Self {
        self.offset += column * self.column;
        self
    }

    /// The transpose.
    pub fn transposed(self) -> Self {
        Self { row: self.column, column: self.row, ..self }
    }

    fn extent(&self, rows: usize, columns: usize) -> usize {
        if rows == 0 || columns == 0 {
            0
        } else {
            self.offset + (rows - 1) * self.row + (columns - 1) * self.column + 1
        }
    }
}

/// `C[m x n] = activation(beta C + alpha A[m x k] B[k x n] + bias[n])`.
pub struct MatMul {
    /// Rows of A and C.
    pub m: usize,
    /// Columns of B and C.
    pub n: usize,
    /// Columns of A, rows of B.
    pub k: usize,
    /// Left operand.
    pub a: View,
    /// Right operand.
    pub b: View,
    /// Result; must not share its buffer with an operand.
    pub c: View,
    /// Factor of the product.
    pub alpha: f32,
    /// 0 overwrites C, 1 adds to it.
    pub beta: f32,
    /// Added to every row, where given.
    pub bias: Option<Buffer<f32>>,
    /// First element of `bias` in use.
    pub bias_offset: usize,
    /// Applied last.
    pub activation: Activation,
}

impl MatMul {
    /// `C = A B` with nothing added.
    pub fn new(m: usize, n: usize, k: usize, a: View, b: View, c: View) -> Self {
        let activation = Activation::None;
        Self { m, n, k, a, b, c, alpha: 1.0, beta: 0.0, bias: None, bias_offset: 0, activation }
    }
}

impl Kernel for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn check(&self) -> Result<()> {
        expect_len(self.name(), &self.a.buffer, self.a.extent(self.m, self.k))?;
        expect_len(self.name(), &self.b.buffer, self.b.extent(self.k, self.n))?;
        expect_len(self.name(), &self.c.buffer, self.c.extent(self.m, self.n))?;
        self.bias.as_ref().map_or(Ok(()), |bias| expect_len(self.name(), bias, self.bias_offset + self.n))
    }

    fn cpu(&self) {
        let (a, b, mut c) = (self.a.buffer.read(), self.b.buffer.read(), self.c.buffer.write());
        if self.m == 0 || self.n == 0 {
            return;
        }
        // SAFETY: `check` has shown that every element of the three views lies inside its buffer, and C's
        // buffer is locked for writing, so it is not an operand's.
        unsafe {
            gemm::gemm(
                self.m,
                self.n,
                self.k,
                c.as_mut_ptr().add(self.c.offset),
                self.c.column as isize,
                self.c.row as isize,
                self.beta != 0.0,
                a.as_ptr().add(self.a.offset),
                self.a.column as isize,
                self.a.row as isize,
                b.as_ptr().add(self.b.offset),
                self.b.column as isize,
                self.b.row as isize,
                self.beta,
                self.alpha,
                false,
                false,
                false,
                parallel::gemm(self.m * self.n * self.k),
            );
        }
        if self.bias.is_none() && self.activation == Activation::None {
            return;
        }
        let bias = self.bias.as_ref().map(Buffer::read);
        for row in 0..self.m {
            let start = self.c.offset + row * self.c.row;
            if let Some(bias) = &bias {
                for (column, bias) in bias[self.bias_offset..self.bias_offset + self.n].iter().enumerate() {
                    c[start + column * self.c.column] += bias;
                }
            }
            for column in 0..self.n {
                let value = &mut c[start + column * self.c.column];
                *value = activate(self.activation, *value);
            }
        }
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (a, b, c) = (&self.a, &self.b, &self.c);
        calls.dispatch(
            matmul::Params {
                m: self.m as u32,
                n: self.n as u32,
                k: self.k as u32,
                a_offset: a.offset as u32,
                a_row: a.row as u32,
                a_column: a.column as u32,
                b_offset: b.offset as u32,
                b_row: b.row as u32,
                b_column: b.column as u32,
                c_offset: c.offset as u32,
                c_row: c.row as u32,
                c_column: c.column as u32,
                alpha: self.alpha,
                beta: self.beta,
                has_bias: self.bias.is_some().into(),
                bias_offset: self.bias_offset as u32,
                activation: self.activation as u32,
            },
            matmul::Bindings {
                a: &a.buffer,
                b: &b.buffer,
                bias: self.bias.as_ref().unwrap_or(&a.buffer),
                c: &c.buffer,
            },
            gpu::Work::Threads(self.m.div_ceil(4) * self.n.div_ceil(4)),
        );
    }
}
