//! Gradients of table rows as sums of coefficient x vector, which are summed row by row and never stored as a
//! whole.

use fastvae_shaders::{update_rows_lists, update_rows_terms};

use super::{
    groups::Groups,
    local_product::{LocalProduct, Strided},
    transpose::ItemLists,
};
use crate::{
    Result,
    engine::{Buffer, Check, gpu, parallel},
    simd,
};

/// A gradient that is of rank one per entry: `coefficient x vectors[query row]`.
///
/// Entry `s E + e` (s < L) belongs to query row `s B + rows[e]` and has coefficient `positive[s E + e]`.
/// Entry `L E + g C + c` is candidate c of group g; it belongs to every query row r of the group, with
/// coefficient `negative[r C + c]`.
#[derive(Clone)]
pub struct RankOne {
    /// R x width.
    pub vectors: Buffer<f32>,
    /// Batch row of each entry, E.
    pub rows: Buffer<u32>,
    /// E.
    pub entries: usize,
    /// L E.
    pub positive: Buffer<f32>,
    /// R x C, if there are candidates.
    pub negative: Option<Buffer<f32>>,
    /// The groups of rows and candidates; `candidates = 0` if there is no `negative`.
    pub groups: Groups,
}

impl RankOne {
    /// `reduced[g C + c] = sum over rows r of group g: negative[r C + c] vectors[r]`, if enough rows share
    /// candidates.
    fn reduce(&self, width: usize) -> Option<Vec<f32>> {
        let (groups, candidates) = (&self.groups, self.groups.candidates);
        let negative =
            self.negative.as_ref().filter(|_| groups.size.min(groups.batch) >= REDUCED_FROM)?.read();
        let vectors = self.vectors.read();
        let mut reduced = vec![0.0; groups.total() * width];
        parallel::for_each_chunk(&mut reduced, candidates * width, |group, reduced| {
            let rows = groups.rows_of(group);
            let product = LocalProduct {
                m: candidates,
                n: width,
                k: rows.len(),
                a: Strided::rows(&negative[rows.start * candidates..], candidates).transposed(),
                b: Strided::rows(&vectors[rows.start * width..], width),
            };
            product.write(reduced, width);
        });
        Some(reduced)
    }

    /// Whether both have the same entries with the same coefficients, so that only the vectors may differ.
    pub(super) fn same_coefficients(&self, other: &Self) -> bool {
        let negatives = match (&self.negative, &other.negative) {
            (None, None) => true,
            (Some(one), Some(two)) => one.is(two),
            _ => false,
        };
        negatives
            && self.rows.is(&other.rows)
            && self.positive.is(&other.positive)
            && self.entries == other.entries
            && self.groups == other.groups
    }

    /// Whether all buffers hold what their sizes promise, for table rows of this width.
    pub(super) fn check(&self, check: &Check, width: usize) -> Result<()> {
        let groups = &self.groups;
        groups.check(check)?;
        check.holds(&self.vectors, &[groups.rows(), width])?;
        check.holds(&self.rows, &[self.entries])?;
        check.holds(&self.positive, &[groups.samples, self.entries])?;
        check.that(self.negative.is_some() || groups.candidates == 0, || {
            "candidates without gradient".into()
        })?;
        check.may_hold(self.negative.as_ref(), &[groups.rows(), groups.candidates])
    }

    /// Calls `body` with the inputs of a twin.
    pub(super) fn with_source(&self, width: usize, body: impl FnOnce(&Source<'_>)) {
        let (vectors, rows, positive) = (self.vectors.read(), self.rows.read(), self.positive.read());
        let negative = self.negative.as_ref().map(Buffer::read);
        let reduced = self.reduce(width);
        body(&Source {
            vectors: &vectors,
            rows: &rows,
            positive: &positive,
            negative: negative.as_deref().unwrap_or(&[]),
            entries: self.entries,
            groups: self.groups,
            width,
            reduced: reduced.as_deref(),
        });
    }

    /// Appends the dispatches that write, for `rows` rows of a table (all of them, or the touched ones), the
    /// list of each, and for each entry of the lists its term of the sum: see update_rows_lists.wgsl and
    /// update_rows_terms.wgsl. With `clear`, the items' lists are empty afterwards; the copies are not.
    pub(super) fn dispatch_terms(
        &self,
        calls: &mut gpu::Calls,
        lists: &ItemLists,
        rows: usize,
        all: bool,
        clear: bool,
    ) -> Terms {
        let groups = &self.groups;
        let positives = groups.samples * self.entries;
        let total = positives + groups.total();
        let lanes = calls.scratch("update: lists", 4 * rows);
        let terms = calls.scratch("update: terms", 2 * total);
        let negative = self.negative.clone().unwrap_or_else(|| calls.empty());
        calls.dispatch(
            update_rows_lists::Params { rows: rows as u32, all: all.into(), clear: clear.into() },
            update_rows_lists::Bindings {
                count: &lists.count,
                touched: &lists.touched,
                starts: &lists.starts,
                lengths: &lists.lengths,
                list_of: &lists.list_of,
                lists: &lanes,
            },
            gpu::Work::Threads(rows),
        );
        calls.dispatch(
            update_rows_terms::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                entries: self.entries as u32,
                positives: positives as u32,
                total: total as u32,
            },
            update_rows_terms::Bindings {
                ids: &lists.entries,
                rows: &self.rows,
                positive: &self.positive,
                negative: &negative,
                terms: &terms,
            },
            gpu::Work::Threads(total),
        );
        Terms { lists: lanes, terms, negative }
    }
}

/// The results of [`RankOne::dispatch_terms`].
pub(super) struct Terms {
    /// Rows: (row, start, length, 1 if in use).
    pub lists: Buffer<u32>,
    /// Entries: see update_rows_terms.wgsl.
    pub terms: Buffer<u32>,
    /// R x C; one element if there are no candidates.
    pub negative: Buffer<f32>,
}

/// The inputs from which a twin sums a row's gradient.
pub(super) struct Source<'a> {
    vectors: &'a [f32],
    rows: &'a [u32],
    positive: &'a [f32],
    negative: &'a [f32],
    entries: usize,
    groups: Groups,
    width: usize,
    /// The contribution of each candidate, summed over its group, if many rows share it: groups x C x width.
    reduced: Option<&'a [f32]>,
}

/// The fewest rows sharing candidates for which a matrix product is the faster way to sum their
/// contributions.
const REDUCED_FROM: usize = 4;

impl<'a> Source<'a> {
    /// Calls `add(vector, coefficient)` for every term of a row's gradient.
    #[inline(always)]
    fn visit(&self, entries: &[u32], mut add: impl FnMut(&'a [f32], f32)) {
        let positives = (self.groups.samples * self.entries) as u32;
        let (batch, candidates) = (self.groups.batch, self.groups.candidates as u32);
        let query = |row: usize| &self.vectors[row * self.width..][..self.width];
        let split = entries.partition_point(|&id| id < positives);
        for &id in &entries[..split] {
            let (sample, entry) = if self.groups.samples == 1 {
                (0, id as usize)
            } else {
                (id as usize / self.entries, id as usize % self.entries)
            };
            add(query(sample * batch + self.rows[entry] as usize), self.positive[id as usize]);
        }
        for &id in &entries[split..] {
            let id = id - positives;
            if let Some(reduced) = self.reduced {
                add(&reduced[id as usize * self.width..][..self.width], 1.0);
                continue;
            }
            let (group, slot) = ((id / candidates) as usize, (id % candidates) as usize);
            for row in self.groups.rows_of(group) {
                add(query(row), self.negative[row * candidates as usize + slot]);
            }
        }
    }

    /// A row's gradient. Consecutive entries of one query row, such as repeated draws of the item, become one
    /// term.
    #[inline(always)]
    pub(super) fn gradient(&self, entries: &[u32], terms: &mut Vec<(f32, &'a [f32])>, gradient: &mut [f32]) {
        gradient.fill(0.0);
        if let [sum] = gradient {
            return self.visit(entries, |vector, coefficient| *sum += coefficient * vector[0]);
        }
        terms.clear();
        self.visit(entries, |vector, coefficient| match terms.last_mut() {
            Some((sum, last)) if std::ptr::eq(*last, vector) => *sum += coefficient,
            _ if coefficient != 0.0 => terms.push((coefficient, vector)),
            _ => {}
        });
        simd::add_rows(terms, gradient);
    }
}
