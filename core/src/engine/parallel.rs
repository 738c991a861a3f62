//! Loops over disjoint pieces of buffers: on all threads natively, in order without threads.
//!
//! How the work is divided depends on the data alone, so results do not depend on the number of threads.

use std::ops::Range;

#[cfg(feature = "threads")]
use rayon::prelude::*;

/// Threads that a loop here may use.
pub fn threads() -> usize {
    #[cfg(feature = "threads")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "threads"))]
    return 1;
}

/// How to parallelise a matrix product of this many multiply-adds: small ones stay on the calling thread.
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

/// As [`for_each_chunk`], with scratch memory that is allocated once per share of the work.
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

/// Rows of one table, for threads that guarantee to access different ones.
pub struct Rows<'a, T> {
    start: *mut T,
    len: usize,
    width: usize,
    /// Whole rows in the table.
    count: usize,
    table: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: the only accesses are `row` and `range`, whose callers guarantee that no two threads hold the same
// element.
unsafe impl<T: Send> Sync for Rows<'_, T> {}

impl<'a, T> Rows<'a, T> {
    /// Divides `table` into rows of `width` elements.
    pub fn new(table: &'a mut [T], width: usize) -> Self {
        let count = table.len().checked_div(width).unwrap_or(0);
        let (start, len) = (table.as_mut_ptr(), table.len());
        Self { start, len, width, count, table: std::marker::PhantomData }
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
        // SAFETY: in bounds by the assertion, unaliased by the caller's guarantee.
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
        assert!(index < self.count, "row {index} outside of the table");
        // SAFETY: in bounds by the assertion (the product cannot overflow either), unaliased by the caller's
        // guarantee.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(index * self.width), self.width) }
    }
}

/// Start and end of consecutive lists in an array. They do not overlap: that is checked once, when this is
/// made, so that threads can write different lists.
pub struct Spans<'a> {
    offsets: &'a [u32],
}

impl<'a> Spans<'a> {
    /// List i is `offsets[i]..offsets[i + 1]` of an array of `len` elements.
    ///
    /// # Panics
    /// If offsets do not ascend or go beyond `len`.
    pub fn new(offsets: &'a [u32], len: usize) -> Self {
        assert!(offsets.is_sorted(), "offsets of lists do not ascend");
        let end = offsets.last().map_or(0, |&end| end as usize);
        assert!(end <= len, "lists end at {end} in an array of {len}");
        Self { offsets }
    }

    /// List `index`.
    #[inline(always)]
    pub fn of(&self, index: usize) -> Range<usize> {
        self.offsets[index] as usize..self.offsets[index + 1] as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_write_different_rows_and_lists() {
        let (mut table, mut lists) = (vec![0u32; 35], vec![0u32; 9]);
        let offsets = [0, 2, 2, 7, 9];
        let spans = Spans::new(&offsets, lists.len());
        let (rows, pieces) = (Rows::new(&mut table, 7), Rows::new(&mut lists, 1));
        for_each(5, |i| {
            // SAFETY: one row a call.
            unsafe { rows.row(i) }.fill(i as u32);
            if i < 4 {
                let Range { start, end } = spans.of(i);
                // SAFETY: spans do not overlap.
                unsafe { pieces.range(start, end) }.fill(i as u32 + 1);
            }
        });
        assert!(table.iter().enumerate().all(|(at, &value)| value as usize == at / 7));
        assert_eq!(lists, [1, 1, 3, 3, 3, 3, 3, 4, 4]);
    }

    #[test]
    #[should_panic(expected = "row 5 outside")]
    fn a_row_past_the_end_is_refused() {
        let mut table = vec![0u32; 39];
        // SAFETY: nothing else refers to the table.
        unsafe { Rows::new(&mut table, 7).row(5) };
    }

    #[test]
    #[should_panic(expected = "do not ascend")]
    fn lists_that_overlap_are_refused() {
        Spans::new(&[0, 5, 3, 8], 8);
    }

    #[test]
    #[should_panic(expected = "end at 8")]
    fn lists_past_the_end_are_refused() {
        Spans::new(&[0, 5, 8], 7);
    }
}
