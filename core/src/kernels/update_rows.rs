//! Computes the gradient of table rows and applies it, in one pass.

use fastvae_shaders::{update_rows, update_rows_finish, update_rows_lists, update_rows_terms};

use super::{
    adam::AdamStep, groups::Groups, local_product::local_product, replay_rows::Table, transpose::ItemLists,
};
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel, parallel::Rows},
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
            self.negative.as_ref().filter(|_| groups.share.min(groups.batch) >= REDUCED_FROM)?.read();
        let vectors = self.vectors.read();
        let mut reduced = vec![0.0; groups.total() * width];
        parallel::for_each_chunk(&mut reduced, candidates * width, |group, reduced| {
            let rows = groups.rows_of(group);
            local_product(
                candidates,
                width,
                rows.len(),
                &negative[rows.start * candidates..],
                (1, candidates),
                &vectors[rows.start * width..],
                (width, 1),
                reduced,
                width,
                false,
            );
        });
        Some(reduced)
    }
}

/// The rows that Adam updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every row of the table, with a zero gradient for untouched ones.
    All,
    /// Only the touched rows.
    Touched,
}

/// One step of Adam on the rows of a table.
pub struct UpdateRows {
    /// The touched rows, and the entries that touch them.
    pub lists: ItemLists,
    /// The contributions of the entries.
    pub gradient: RankOne,
    /// The table to update.
    pub table: Table,
    /// Adam's coefficients for this step.
    pub adam: AdamStep,
    /// The rows to update.
    pub reach: Reach,
    /// The number of this step, stored for each updated row.
    pub step: u32,
    /// Whether to empty the lists afterwards: true for the last kernel of a step that uses them.
    pub clear: bool,
}

/// The inputs from which a twin sums a row's gradient.
struct Source<'a> {
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
    fn gradient(&self, entries: &[u32], terms: &mut Vec<(f32, &'a [f32])>, gradient: &mut [f32]) {
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

impl Kernel for UpdateRows {
    fn name(&self) -> &'static str {
        "update_rows"
    }

    fn check(&self, check: &Check) -> Result<()> {
        let (source, groups) = (&self.gradient, &self.gradient.groups);
        groups.check(check)?;
        self.table.check(check)?;
        self.lists.check(check)?;
        check.holds(&self.lists.list_of, &[self.table.rows])?;
        check.holds(&source.vectors, &[groups.rows(), self.table.width])?;
        check.holds(&source.rows, &[source.entries])?;
        check.holds(&source.positive, &[groups.samples, source.entries])?;
        check.that(source.negative.is_some() || groups.candidates == 0, || {
            "candidates without gradient".into()
        })?;
        check.may_hold(source.negative.as_ref(), &[groups.rows(), groups.candidates])
    }

    unsafe fn cpu(&self) {
        let (vectors, rows, positive) =
            (self.gradient.vectors.read(), self.gradient.rows.read(), self.gradient.positive.read());
        let negative = self.gradient.negative.as_ref().map(Buffer::read);
        let width = self.table.width;
        let reduced = self.gradient.reduce(width);
        let source = Source {
            vectors: &vectors,
            rows: &rows,
            positive: &positive,
            negative: negative.as_deref().unwrap_or(&[]),
            entries: self.gradient.entries,
            groups: self.gradient.groups,
            width,
            reduced: reduced.as_deref(),
        };
        let count = self.lists.count.read()[0] as usize;
        let (touched, starts, lengths) =
            (self.lists.touched.read(), self.lists.starts.read(), self.lists.lengths.read());
        let (entries, mut list_of) = (self.lists.entries.read(), self.lists.list_of.write());
        let mut last_step = self.table.last_step.write();
        let (mut value, mut first, mut second) = (
            self.table.parameter.value.write(),
            self.table.parameter.first.write(),
            self.table.parameter.second.write(),
        );
        let (value, first, second) =
            (Rows::new(&mut value, width), Rows::new(&mut first, width), Rows::new(&mut second, width));
        let last_step = Rows::new(&mut last_step, 1);
        let rows = match self.reach {
            Reach::All => self.table.rows,
            Reach::Touched => count,
        };
        let piece = (4096 / width).clamp(1, 256);
        parallel::for_each(rows.div_ceil(piece), |index| {
            simd::dispatch(
                #[inline(always)]
                || {
                    let (mut gradient, mut terms) = (vec![0.0; width], Vec::new());
                    for i in index * piece..rows.min((index + 1) * piece) {
                        let (row, list) = match self.reach {
                            Reach::All => (i, (list_of[i] as usize).checked_sub(1)),
                            Reach::Touched => (touched[i] as usize, Some(i)),
                        };
                        let entries = match list {
                            Some(list) => &entries[starts[list] as usize..][..lengths[list] as usize],
                            None => &[],
                        };
                        source.gradient(entries, &mut terms, &mut gradient);
                        // SAFETY: rows are distinct: every row once, or the touched ones, which `ItemLists`
                        // guarantees to be distinct.
                        let (value, first, second) =
                            unsafe { (value.row(row), first.row(row), second.row(row)) };
                        self.adam.apply_slice(&gradient, value, first, second);
                        // SAFETY: as above.
                        unsafe { last_step.row(row)[0] = self.step };
                    }
                },
            );
        });
        if self.clear {
            for &item in &touched[..count] {
                list_of[item as usize] = 0;
            }
        }
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (lists, source, groups) = (&self.lists, &self.gradient, &self.gradient.groups);
        let all = u32::from(self.reach == Reach::All);
        let rows = match self.reach {
            Reach::All => self.table.rows,
            Reach::Touched => lists.touched.len(),
        };
        let positives = groups.samples * source.entries;
        let total = positives + groups.total();
        let lanes = calls.scratch("update: lists", 4 * rows);
        let terms = calls.scratch("update: terms", 2 * total);
        let no_negative = calls.empty();
        let negative = source.negative.as_ref().unwrap_or(&no_negative);
        calls.dispatch(
            update_rows_lists::Params { rows: rows as u32, all },
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
                share: groups.share as u32,
                candidates: groups.candidates as u32,
                entries: source.entries as u32,
                positives: positives as u32,
                total: total as u32,
            },
            update_rows_terms::Bindings {
                ids: &lists.entries,
                rows: &source.rows,
                positive: &source.positive,
                negative,
                terms: &terms,
            },
            gpu::Work::Threads(total),
        );
        let AdamStep { rate, beta1, beta2, root, epsilon, keep, l2 } = self.adam;
        calls.dispatch(
            update_rows::Params {
                batch: groups.batch as u32,
                share: groups.share as u32,
                candidates: groups.candidates as u32,
                rows: rows as u32,
                width: self.table.width as u32,
                rate,
                beta1,
                beta2,
                root,
                epsilon,
                keep,
                l2,
            },
            update_rows::Bindings {
                lists: &lanes,
                terms: &terms,
                negative,
                vectors: &source.vectors,
                value: &self.table.parameter.value,
                first: &self.table.parameter.first,
                second: &self.table.parameter.second,
            },
            gpu::Work::Threads(rows * self.table.width.div_ceil(4)),
        );
        calls.dispatch(
            update_rows_finish::Params { rows: rows as u32, all, step: self.step, clear: self.clear.into() },
            update_rows_finish::Bindings {
                count: &lists.count,
                touched: &lists.touched,
                last_step: &self.table.last_step,
                list_of: &lists.list_of,
            },
            gpu::Work::Threads(rows),
        );
    }
}
