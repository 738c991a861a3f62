//! Loops over disjoint pieces of buffers: on all threads natively, in order where there are none.
//!
//! How the work is cut depends on the data alone, so results do not depend on the number of threads.

#[cfg(feature = "threads")]
use rayon::prelude::*;

/// Threads that a loop here may use.
pub fn threads() -> usize {
    #[cfg(feature = "threads")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "threads"))]
    return 1;
}

/// How a matrix product of so many multiply-adds is to be spread: small ones stay on this thread.
pub fn gemm(multiply_adds: usize) -> gemm::Parallelism {
    #[cfg(feature = "threads")]
    if multiply_adds > 1 << 18 {
        return gemm::Parallelism::Rayon(0);
    }
    let _ = multiply_adds;
    gemm::Parallelism::None
}

/// Calls `body(index)` for every index, in any order.
pub fn for_each(count: usize, body: impl Fn(usize) + Sync + Send) {
    #[cfg(feature = "threads")]
    (0..count).into_par_iter().for_each(body);
    #[cfg(not(feature = "threads"))]
    (0..count).for_each(body);
}

/// Calls `body(index, piece)` for consecutive pieces of `size` elements (the last may be shorter).
pub fn for_each_chunk<T: Send>(data: &mut [T], size: usize, body: impl Fn(usize, &mut [T]) + Sync + Send) {
    if data.is_empty() {
        return;
    }
    #[cfg(feature = "threads")]
    data.par_chunks_mut(size).enumerate().for_each(|(i, piece)| body(i, piece));
    #[cfg(not(feature = "threads"))]
    data.chunks_mut(size).enumerate().for_each(|(i, piece)| body(i, piece));
}

/// As [`for_each_chunk`], with scratch memory made once a thread's share of the work.
pub fn for_each_chunk_with<T: Send, S: Send>(
    data: &mut [T],
    size: usize,
    scratch: impl Fn() -> S + Sync + Send,
    body: impl Fn(&mut S, usize, &mut [T]) + Sync + Send,
) {
    if data.is_empty() {
        return;
    }
    #[cfg(feature = "threads")]
    data.par_chunks_mut(size).enumerate().for_each_init(scratch, |s, (i, piece)| body(s, i, piece));
    #[cfg(not(feature = "threads"))]
    {
        let mut s = scratch();
        data.chunks_mut(size).enumerate().for_each(|(i, piece)| body(&mut s, i, piece));
    }
}

/// Rows of one table, handed out to threads that promise to touch different ones.
pub struct Rows<'a, T> {
    start: *mut T,
    len: usize,
    width: usize,
    table: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: the only access is `row`, whose caller promises that no two threads hold the same row.
unsafe impl<T: Send> Sync for Rows<'_, T> {}

impl<'a, T> Rows<'a, T> {
    /// Cuts `table` into rows of `width`.
    pub fn new(table: &'a mut [T], width: usize) -> Self {
        Self { start: table.as_mut_ptr(), len: table.len(), width, table: std::marker::PhantomData }
    }

    /// Elements `start..end`, whatever the width.
    ///
    /// # Safety
    /// No other reference to any of them may be alive.
    ///
    /// # Panics
    /// If the range lies outside of the table.
    #[allow(clippy::mut_from_ref, reason = "disjointness is the caller's promise")]
    pub unsafe fn range(&self, start: usize, end: usize) -> &mut [T] {
        assert!(start <= end && end <= self.len, "elements {start}..{end} outside of the table");
        // SAFETY: in bounds by the assertion, unaliased by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), end - start) }
    }

    /// Row `index`.
    ///
    /// # Safety
    /// No other reference to this row may be alive.
    ///
    /// # Panics
    /// If the row lies outside of the table.
    #[allow(clippy::mut_from_ref, reason = "disjointness is the caller's promise")]
    pub unsafe fn row(&self, index: usize) -> &mut [T] {
        // SAFETY: handed on.
        unsafe { self.range(index * self.width, (index + 1) * self.width) }
    }
}
