//! Thread pools. Without the feature `threads` (in the browser), everything runs on one thread.

use std::cmp::Ordering;

#[cfg(feature = "threads")]
mod imp {
    use super::Ordering;
    use rayon::prelude::*;

    /// The number of pieces that work should be divided into.
    pub fn threads() -> usize {
        rayon::current_num_threads().min(16)
    }

    pub fn sort_by<T: Send>(values: &mut [T], compare: impl Fn(&T, &T) -> Ordering + Sync) {
        values.par_sort_unstable_by(compare);
    }

    /// Calls `work(index)` for all indexes; returns the results in order.
    pub fn map<R: Send>(count: usize, work: impl Fn(usize) -> R + Sync + Send) -> Vec<R> {
        (0..count).into_par_iter().map(work).collect()
    }

    /// Runs `work` for each task on the pool, while this thread runs `meanwhile`.
    pub fn spread<T: Send, R: Send, M>(
        tasks: Vec<T>,
        work: impl Fn(T) -> R + Sync,
        meanwhile: impl FnOnce() -> M,
    ) -> (Vec<R>, M) {
        let mut results: Vec<Option<R>> = tasks.iter().map(|_| None).collect();
        let work = &work;
        let other = rayon::in_place_scope(|scope| {
            for (task, result) in tasks.into_iter().zip(&mut results) {
                scope.spawn(move |_| *result = Some(work(task)));
            }
            meanwhile()
        });
        (results.into_iter().flatten().collect(), other)
    }
}

#[cfg(not(feature = "threads"))]
mod imp {
    use super::Ordering;

    pub fn threads() -> usize {
        1
    }

    pub fn sort_by<T: Send>(values: &mut [T], compare: impl Fn(&T, &T) -> Ordering + Sync) {
        values.sort_unstable_by(compare);
    }

    pub fn map<R: Send>(count: usize, work: impl Fn(usize) -> R + Sync + Send) -> Vec<R> {
        (0..count).map(work).collect()
    }

    pub fn spread<T: Send, R: Send, M>(
        tasks: Vec<T>,
        work: impl Fn(T) -> R + Sync,
        meanwhile: impl FnOnce() -> M,
    ) -> (Vec<R>, M) {
        (tasks.into_iter().map(work).collect(), meanwhile())
    }
}

pub(super) use imp::{map, sort_by, spread, threads};
