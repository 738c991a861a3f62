//! A matrix product inside a kernel, on one thread.

/// A matrix in a slice: element (r, c) is at `r * row + c * column`.
#[derive(Clone, Copy)]
pub(crate) struct Strided<'a> {
    values: &'a [f32],
    row: usize,
    column: usize,
}

impl<'a> Strided<'a> {
    /// Rows of `width` columns, one after the other.
    #[inline(always)]
    pub(crate) fn rows(values: &'a [f32], width: usize) -> Self {
        Self { values, row: width, column: 1 }
    }

    /// The transposed matrix.
    #[inline(always)]
    pub(crate) fn transposed(self) -> Self {
        Self { values: self.values, row: self.column, column: self.row }
    }

    /// Whether a matrix of this size lies inside the slice.
    #[inline(always)]
    fn holds(&self, rows: usize, columns: usize) -> bool {
        self.values.len() > last((rows, self.row), (columns, self.column))
    }
}

/// Place of the last element, from the count and the stride of rows and of columns.
#[inline(always)]
fn last((rows, row): (usize, usize), (columns, column): (usize, usize)) -> usize {
    (rows - 1).saturating_mul(row).saturating_add((columns - 1).saturating_mul(column))
}

/// The product `A[m x k] B[k x n]`, on the calling thread.
pub(crate) struct LocalProduct<'a> {
    /// Rows of A and of the result.
    pub(crate) m: usize,
    /// Columns of B and of the result.
    pub(crate) n: usize,
    /// Columns of A, rows of B.
    pub(crate) k: usize,
    /// Left operand.
    pub(crate) a: Strided<'a>,
    /// Right operand.
    pub(crate) b: Strided<'a>,
}

impl LocalProduct<'_> {
    /// `C = A B`, with rows of C `c_row` elements apart.
    #[inline(always)]
    pub(crate) fn write(&self, c: &mut [f32], c_row: usize) {
        self.run(c, c_row, false);
    }

    /// `C += A B`, with rows of C `c_row` elements apart.
    #[inline(always)]
    pub(crate) fn add(&self, c: &mut [f32], c_row: usize) {
        self.run(c, c_row, true);
    }

    #[inline(always)]
    fn run(&self, c: &mut [f32], c_row: usize, add: bool) {
        let Self { m, n, k, a, b } = *self;
        assert!(m > 0 && n > 0 && k > 0, "an empty product");
        assert!(a.holds(m, k) && b.holds(k, n));
        assert!(c.len() > last((m, c_row), (n, 1)));
        // SAFETY: the matrices lie inside their slices, as asserted, and C is borrowed exclusively.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                c.as_mut_ptr(),
                1,
                c_row as isize,
                add,
                a.values.as_ptr(),
                a.column as isize,
                a.row as isize,
                b.values.as_ptr(),
                b.column as isize,
                b.row as isize,
                1.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}
