//! `C = beta C + alpha A B`, then optionally a bias row and an activation.
//!
//! All large products use this kernel: dense layers and their gradients, codeword scores, logits of the full
//! softmax, scores for ranking. Operands are strided views, so a transpose only swaps strides.

mod division;

pub use division::{Division, Tiles};

use super::elementwise::activate;
use crate::{
    Result,
    config::Activation,
    engine::{Buffer, Check, Kernel, gpu, parallel},
    simd,
};
use fastvae_shaders::{matmul, matmul_large, matmul_medium, matmul_small, matmul_sum};

/// A matrix inside a buffer: element (r, c) lies at `offset + r * row + c * column`.
#[derive(Clone)]
pub struct View {
    /// The buffer.
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
    pub fn skip_rows(mut self, row: usize) -> Self {
        self.offset += row * self.row;
        self
    }

    /// The same matrix without its first columns.
    pub fn skip_columns(mut self, column: usize) -> Self {
        self.offset += column * self.column;
        self
    }

    /// The transpose.
    pub fn transposed(self) -> Self {
        Self { row: self.column, column: self.row, ..self }
    }

    /// Whether `rows` x `columns` elements lie inside of the buffer.
    fn check(&self, check: &Check, rows: usize, columns: usize) -> Result<()> {
        check.lives_here(&self.buffer)?;
        if rows == 0 || columns == 0 {
            return Ok(());
        }
        let last = self.last(rows, columns).filter(|&last| last < self.buffer.len());
        check.that(last.is_some(), || {
            let (label, len) = (self.buffer.label(), self.buffer.len());
            format!("`{label}` holds {len} elements, too few for {rows} x {columns} of {self:?}")
        })
    }

    /// Index of the last element.
    fn last(&self, rows: usize, columns: usize) -> Option<usize> {
        let down = (rows - 1).checked_mul(self.row)?;
        let across = (columns - 1).checked_mul(self.column)?;
        self.offset.checked_add(down)?.checked_add(across)
    }

    /// Whether rows (`true`) or columns (`false`) occupy disjoint ranges, without repeats inside, so that no
    /// two elements share a position; `None` if they may. Requires a view that has passed [`View::check`].
    fn by_rows(&self, rows: usize, columns: usize) -> Option<bool> {
        let (across, down) = ((columns - 1) * self.column, (rows - 1) * self.row);
        let (single_row, single_column) = (rows == 1, columns == 1);
        if (single_column || self.column > 0) && (single_row || self.row > across) {
            return Some(true);
        }
        ((single_row || self.row > 0) && (single_column || self.column > down)).then_some(false)
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { buffer, offset, row, column } = self;
        write!(f, "`{}`[{offset} + r {row} + c {column}]", buffer.label())
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
    /// Added to every row, if given.
    pub bias: Option<Buffer<f32>>,
    /// First element of `bias` in use.
    pub bias_offset: usize,
    /// Applied last.
    pub activation: Activation,
    /// How a GPU divides the work; chosen from the sizes and the adapter if `None`.
    pub division: Option<Division>,
}

impl MatMul {
    /// `C = A B` with nothing added.
    pub fn new(m: usize, n: usize, k: usize, a: View, b: View, c: View) -> Self {
        Self {
            m,
            n,
            k,
            a,
            b,
            c,
            alpha: 1.0,
            beta: 0.0,
            bias: None,
            bias_offset: 0,
            activation: Activation::None,
            division: None,
        }
    }
}

impl MatMul {
    /// Adds the bias and applies the activation, on all threads.
    fn finish(&self, c: &mut [f32]) {
        if self.bias.is_none() && self.activation == Activation::None {
            return;
        }
        let bias = self.bias.as_ref().map(Buffer::read);
        let bias = bias.as_ref().map(|bias| &bias[self.bias_offset..][..self.n]);
        let (activation, m, n, c_view) = (self.activation, self.m, self.n, &self.c);
        let Some(last) = c_view.last(m, n) else { return };
        let c = &mut c[c_view.offset..=last];
        let (across, down) = (c_view.column.max(1), c_view.row.max(1));
        if c_view.by_rows(m, n) == Some(true) {
            let stride = if m == 1 { c.len() } else { down };
            parallel::for_each_chunk(c, stride, |_, row| {
                simd::dispatch(
                    #[inline(always)]
                    || {
                        let bias = bias.map(|bias| bias.iter().copied());
                        if across == 1 {
                            finish_line(activation, row[..n].iter_mut(), bias);
                        } else {
                            finish_line(activation, row.iter_mut().step_by(across).take(n), bias);
                        }
                    },
                );
            });
        } else {
            let stride = if n == 1 { c.len() } else { across };
            parallel::for_each_chunk(c, stride, |index, column| {
                let bias = bias.map(|bias| std::iter::repeat(bias[index]));
                finish_line(activation, column.iter_mut().step_by(down).take(m), bias);
            });
        }
    }
}

/// One row or column of the result.
#[inline(always)]
fn finish_line<'v>(
    activation: Activation,
    values: impl Iterator<Item = &'v mut f32>,
    bias: Option<impl Iterator<Item = f32>>,
) {
    match bias {
        Some(bias) => values.zip(bias).for_each(|(value, bias)| *value = activate(activation, *value + bias)),
        None => values.for_each(|value| *value = activate(activation, *value)),
    }
}

impl Kernel for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.a.check(check, self.m, self.k)?;
        self.b.check(check, self.k, self.n)?;
        self.c.check(check, self.m, self.n)?;
        if self.m > 0 && self.n > 0 {
            let apart = self.c.by_rows(self.m, self.n).is_some();
            check.that(apart, || format!("elements of the result share memory: {:?}", self.c))?;
        }
        // The shape determines how the work is parallelised.
        check.at_most(usize::MAX, &[self.m, self.n, self.k])?;
        self.bias.as_ref().map_or(Ok(()), |bias| check.holds_after(bias, self.bias_offset, &[self.n]))
    }

    unsafe fn cpu(&self) {
        let (a, b, mut c) = (self.a.buffer.read(), self.b.buffer.read(), self.c.buffer.write());
        if self.m == 0 || self.n == 0 {
            return;
        }
        // SAFETY: `check` has shown that every element of the three views lies inside its buffer and that those of C
        // are distinct; C's buffer is locked for writing, so it is not an operand's. Where k is 0 the operands have
        // no elements and their offsets may lie anywhere, so the pointers to them are only computed, wrapping.
        unsafe {
            gemm::gemm(
                self.m,
                self.n,
                self.k,
                c.as_mut_ptr().add(self.c.offset),
                self.c.column as isize,
                self.c.row as isize,
                self.beta != 0.0,
                a.as_ptr().wrapping_add(self.a.offset),
                self.a.column as isize,
                self.a.row as isize,
                b.as_ptr().wrapping_add(self.b.offset),
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
        self.finish(&mut c);
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let Self { m, n, k, a, b, c, .. } = self;
        let division = self.division.unwrap_or_else(|| Division::of(*m, *n, *k, calls.is_software()));
        let parts = division.parts(*k);
        let params = matmul::Params {
            m: *m as u32,
            n: *n as u32,
            k: *k as u32,
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
            parts: parts as u32,
            depth: division.depth as u32,
            part_stride: 0,
        };
        let groups = gpu::Work::Groups(division.tiles.count(*m, *n) * parts);
        let (a, b, c) = (&a.buffer, &b.buffer, &c.buffer);
        let bias = self.bias.as_ref().unwrap_or(a);
        if parts == 1 {
            division.tiles.dispatch(calls, params, matmul::Bindings { a, b, bias, c }, groups);
            return;
        }
        let partial = calls.scratch("partial products", parts * m * n);
        let plain = matmul::Params {
            c_offset: 0,
            c_row: *n as u32,
            c_column: 1,
            alpha: 1.0,
            beta: 0.0,
            has_bias: 0,
            activation: Activation::None as u32,
            part_stride: (m * n) as u32,
            ..params
        };
        division.tiles.dispatch(calls, plain, matmul::Bindings { a, b, bias: a, c: &partial }, groups);
        calls.dispatch(
            bytemuck::cast::<_, matmul_sum::Params>(matmul::Params {
                part_stride: plain.part_stride,
                ..params
            }),
            matmul_sum::Bindings { a: &partial, b: &partial, bias, c },
            gpu::Work::Threads(m * n),
        );
    }
}

impl Tiles {
    /// Appends the dispatch of the shader for these tiles; the parameters and bindings of all of them are the same.
    fn dispatch<'a>(
        self,
        calls: &mut gpu::Calls,
        params: matmul::Params,
        matmul::Bindings { a, b, bias, c }: matmul::Bindings<gpu::Handles<'a>>,
        work: gpu::Work,
    ) {
        macro_rules! dispatch {
            ($shader:ident) => {
                calls.dispatch(
                    bytemuck::cast::<_, $shader::Params>(params),
                    $shader::Bindings { a, b, bias, c },
                    work,
                )
            };
        }
        match self {
            Self::Direct => dispatch!(matmul),
            Self::Small => dispatch!(matmul_small),
            Self::Medium => dispatch!(matmul_medium),
            Self::Large => dispatch!(matmul_large),
        }
    }
}
