//! A matrix product inside a kernel, on one thread.

/// `C[m x n] (+)= A[m x k] B[k x n]` with strides (row, column), on the calling thread.
#[inline(always)]
pub(crate) fn local_product(
    m: usize,
    n: usize,
    k: usize,
    a: &[f32],
    (a_row, a_column): (usize, usize),
    b: &[f32],
    (b_row, b_column): (usize, usize),
    c: &mut [f32],
    c_row: usize,
    add: bool,
) {
    let last = |rows: usize, row: usize, columns: usize, column: usize| {
        (rows - 1).saturating_mul(row).saturating_add((columns - 1).saturating_mul(column))
    };
    assert!(m > 0 && n > 0 && k > 0, "an empty product");
    assert!(a.len() > last(m, a_row, k, a_column) && b.len() > last(k, b_row, n, b_column));
    assert!(c.len() > last(m, c_row, n, 1));
    // SAFETY: the views lie inside their slices, as asserted, and C is borrowed exclusively.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            c_row as isize,
            add,
            a.as_ptr(),
            a_column as isize,
            a_row as isize,
            b.as_ptr(),
            b_column as isize,
            b_row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
