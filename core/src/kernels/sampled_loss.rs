//! The sampled softmax (paper, sections 3.2 and 6): loss, and gradients with respect to logits and queries.

mod softmax;

use fastvae_shaders::{sampled_coefficients, sampled_logits, sampled_query_gradient};

use super::{
    groups::Groups,
    local_product::{LocalProduct, Strided},
    row_sums::RowSums,
};
use crate::{
    Result,
    config::Partition,
    engine::{
        Buffer, Check, Kernel, gpu, parallel,
        parallel::{Rows, Spans},
    },
    simd,
};

/// For every query row: the loss over its user's history and its group's candidates.
pub struct SampledLoss {
    /// R x H.
    pub queries: Buffer<f32>,
    /// Item rows, M x H.
    pub table: Buffer<f32>,
    /// Item biases, M, added to the logits if given.
    pub item_bias: Option<Buffer<f32>>,
    /// H.
    pub width: usize,
    /// Rows, groups and candidates.
    pub groups: Groups,
    /// Offset of each batch row's entries, B + 1.
    pub batch_offsets: Buffer<u32>,
    /// Item of each entry, E, ascending within each batch row.
    pub batch_items: Buffer<u32>,
    /// E.
    pub entries: usize,
    /// At least the entries of any batch row; a GPU ignores further ones.
    pub longest: usize,
    /// Candidates, groups x C.
    pub negatives: Buffer<u32>,
    /// log q of each candidate, groups x C.
    pub negative_log_q: Buffer<f32>,
    /// log q of each entry for each sample, L x E.
    pub positive_log_q: Buffer<f32>,
    /// The kind of denominator.
    pub partition: Partition,
    /// 1 / (L B), where B counts the users of the whole batch: the loss is the mean over its rows.
    pub scale: f32,
    /// Out: loss of each row, R.
    pub nll: Buffer<f32>,
    /// Out: d loss / d logit of each entry, L x E.
    pub positive: Buffer<f32>,
    /// Out: d loss / d logit of each candidate for each row, R x C.
    pub negative: Buffer<f32>,
    /// Out: d loss / d query, R x H.
    pub query_gradient: Buffer<f32>,
}

impl Kernel for SampledLoss {
    fn name(&self) -> &'static str {
        "sampled_loss"
    }

    fn check(&self, check: &Check) -> Result<()> {
        let groups = &self.groups;
        groups.check(check)?;
        check.that(self.width > 0, || "item rows without columns".into())?;
        check.holds(&self.queries, &[groups.rows(), self.width])?;
        check.lives_here(&self.table)?;
        check.may_hold(self.item_bias.as_ref(), &[0])?;
        check.holds_after(&self.batch_offsets, 1, &[groups.batch])?;
        check.holds(&self.batch_items, &[self.entries])?;
        check.holds(&self.negatives, &[groups.total()])?;
        check.holds(&self.negative_log_q, &[groups.total()])?;
        check.holds(&self.positive_log_q, &[groups.samples, self.entries])?;
        check.holds(&self.nll, &[groups.rows()])?;
        check.holds(&self.positive, &[groups.samples, self.entries])?;
        check.holds(&self.negative, &[groups.rows(), groups.candidates])?;
        check.holds(&self.query_gradient, &[groups.rows(), self.width])
    }

    unsafe fn cpu(&self) {
        let partition = self.partition;
        self.rows(
            #[inline(always)]
            |input, row, group, positive, logits| input.softmax(partition, row, group, positive, logits),
        );
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let groups = self.groups;
        self.dispatch(calls, |calls| {
            calls.dispatch(
                sampled_coefficients::Params {
                    batch: groups.batch as u32,
                    group_size: groups.size as u32,
                    candidates: groups.candidates as u32,
                    rows: groups.rows() as u32,
                    entries: self.entries as u32,
                    exact_positives: (self.partition == Partition::ExactPositives).into(),
                    scale: self.scale,
                },
                sampled_coefficients::Bindings {
                    batch_offsets: &self.batch_offsets,
                    batch_items: &self.batch_items,
                    negatives: &self.negatives,
                    negative_log_q: &self.negative_log_q,
                    positive_log_q: &self.positive_log_q,
                    positive: &self.positive,
                    negative: &self.negative,
                    nll: &self.nll,
                },
                gpu::Work::Groups(groups.rows()),
            );
        });
    }
}

impl SampledLoss {
    /// The twin, for any loss of a row: `loss` gets the inputs, the row, its group, the logits of its entries and those of
    /// its candidates, replaces all logits by the gradients of the loss times `scale`, and returns the loss.
    pub(super) fn rows(
        &self,
        loss: impl Fn(&Input<'_>, usize, usize, &mut [f32], &mut [f32]) -> f32 + Send + Sync,
    ) {
        let groups = self.groups;
        let bias = self.item_bias.as_ref().map(Buffer::read);
        let offsets = self.batch_offsets.read();
        let input = Input {
            queries: &self.queries.read(),
            table: &self.table.read(),
            bias: bias.as_deref(),
            width: self.width,
            groups,
            spans: Spans::new(&offsets[..=groups.batch], self.entries),
            items: &self.batch_items.read(),
            entries: self.entries,
            negatives: &self.negatives.read(),
            negative_log_q: &self.negative_log_q.read(),
            positive_log_q: &self.positive_log_q.read(),
            scale: self.scale,
        };
        let (mut nll, mut positive) = (self.nll.write(), self.positive.write());
        let (mut negative, mut gradient) = (self.negative.write(), self.query_gradient.write());
        let (nll, positive) = (Rows::new(&mut nll, 1), Rows::new(&mut positive, 1));
        let negative = Rows::new(&mut negative, groups.candidates);
        let gradient = Rows::new(&mut gradient, self.width);
        parallel::for_each(groups.count(), |group| {
            simd::dispatch(
                #[inline(always)]
                || {
                    let rows = groups.rows_of(group);
                    // SAFETY: a query row belongs to one group, and the spans of its entries do not overlap.
                    let (logits, gradients) = unsafe {
                        (
                            negative.range(rows.start * groups.candidates, rows.end * groups.candidates),
                            gradient.range(rows.start * self.width, rows.end * self.width),
                        )
                    };
                    input.candidate_logits(group, logits);
                    for (row, logits) in rows.clone().zip(logits.chunks_exact_mut(groups.candidates)) {
                        let span = input.entries_of(row);
                        // SAFETY: as above.
                        let (positive, nll) = unsafe { (positive.range(span.start, span.end), nll.row(row)) };
                        let gradient = &mut gradients[(row - rows.start) * self.width..][..self.width];
                        input.dots(input.query(row), input.history(row), positive);
                        nll[0] = loss(&input, row, group, positive, logits);
                        gradient.fill(0.0);
                        input.add_items(input.history(row), positive, gradient);
                    }
                    input.candidate_gradients(group, logits, gradients);
                },
            );
        });
    }

    /// The dispatches, for any loss of a row: `coefficients` appends the one that computes the losses and replaces the
    /// logits of entries and candidates by gradients.
    pub(super) fn dispatch(&self, calls: &mut gpu::Calls, coefficients: impl FnOnce(&mut gpu::Calls)) {
        let groups = self.groups;
        let (rows, width, entries) = (groups.rows(), self.width as u32, self.entries as u32);
        // A workgroup of sampled_logits.wgsl has 128 items.
        let parts = (groups.candidates + self.longest.min(self.entries)).div_ceil(128).max(1);
        let shape = RowSums::long(calls, self.width);
        let RowSums { lanes, slots, blocks, rows_each } = shape;
        let (batch, group_size, candidates) =
            (groups.batch as u32, groups.size as u32, groups.candidates as u32);
        let no_bias = calls.empty();
        calls.dispatch(
            sampled_logits::Params {
                batch,
                group_size,
                candidates,
                rows: rows as u32,
                width,
                entries,
                parts: parts as u32,
                has_bias: self.item_bias.is_some().into(),
            },
            sampled_logits::Bindings {
                queries: &self.queries,
                table: &self.table,
                item_bias: self.item_bias.as_ref().unwrap_or(&no_bias),
                batch_offsets: &self.batch_offsets,
                batch_items: &self.batch_items,
                negatives: &self.negatives,
                positive: &self.positive,
                negative: &self.negative,
            },
            gpu::Work::Groups(rows * parts),
        );
        coefficients(calls);
        calls.dispatch(
            sampled_query_gradient::Params {
                batch,
                group_size,
                candidates,
                rows: rows as u32,
                width,
                entries,
                lanes,
                slots,
                blocks,
                rows_each,
            },
            sampled_query_gradient::Bindings {
                table: &self.table,
                batch_offsets: &self.batch_offsets,
                batch_items: &self.batch_items,
                negatives: &self.negatives,
                positive: &self.positive,
                negative: &self.negative,
                query_gradient: &self.query_gradient,
            },
            gpu::Work::Groups(shape.groups(rows)),
        );
    }
}

/// The inputs of a twin.
pub(super) struct Input<'a> {
    queries: &'a [f32],
    table: &'a [f32],
    bias: Option<&'a [f32]>,
    width: usize,
    groups: Groups,
    /// The range of each batch row's entries.
    spans: Spans<'a>,
    items: &'a [u32],
    entries: usize,
    negatives: &'a [u32],
    negative_log_q: &'a [f32],
    positive_log_q: &'a [f32],
    pub scale: f32,
}

/// Candidate rows gathered at a time if a group shares them: 128 x 200 floats fit a second-level cache.
const TILE: usize = 128;

/// Prefetch distance, in groups of four rows.
const AHEAD: usize = 1;

impl Input<'_> {
    #[inline(always)]
    fn item_row(&self, item: u32) -> &[f32] {
        &self.table[item as usize * self.width..][..self.width]
    }

    #[inline(always)]
    fn query(&self, row: usize) -> &[f32] {
        &self.queries[row * self.width..][..self.width]
    }

    #[inline(always)]
    pub(super) fn candidates(&self, group: usize) -> &[u32] {
        &self.negatives[group * self.groups.candidates..][..self.groups.candidates]
    }

    #[inline(always)]
    pub(super) fn history(&self, row: usize) -> &[u32] {
        let user = row % self.groups.batch;
        &self.items[self.spans.of(user)]
    }

    /// The range of a row's entries in arrays of L x E.
    #[inline(always)]
    fn entries_of(&self, row: usize) -> std::ops::Range<usize> {
        let (sample, user) = (row / self.groups.batch, row % self.groups.batch);
        let (start, span) = (sample * self.entries, self.spans.of(user));
        start + span.start..start + span.end
    }

    #[inline(always)]
    fn dots(&self, query: &[f32], items: &[u32], logits: &mut [f32]) {
        let (fours, rest) = items.as_chunks::<4>();
        for (i, (four, logits)) in fours.iter().zip(logits.chunks_exact_mut(4)).enumerate() {
            if let Some(next) = fours.get(i + AHEAD) {
                next.iter().for_each(|&item| simd::prefetch(self.item_row(item)));
            }
            logits.copy_from_slice(&simd::dot4(query, four.map(|item| self.item_row(item))));
        }
        let done = 4 * fours.len();
        for (&item, logit) in rest.iter().zip(&mut logits[done..]) {
            *logit = simd::dot(query, self.item_row(item));
        }
        if let Some(bias) = self.bias {
            for (&item, logit) in items.iter().zip(logits) {
                *logit += bias[item as usize];
            }
        }
    }

    /// `logits[member, c] = q . row_c (+ bias)` for the rows of a group.
    #[inline(always)]
    fn candidate_logits(&self, group: usize, logits: &mut [f32]) {
        let (rows, candidates) = (self.groups.rows_of(group), self.candidates(group));
        if rows.len() == 1 {
            return self.dots(self.query(rows.start), candidates, logits);
        }
        let mut tile = vec![0.0; TILE * self.width];
        for (index, ids) in candidates.chunks(TILE).enumerate() {
            self.gather(ids, &mut tile);
            let start = index * TILE;
            // C = Q T': members x tile.
            let product = LocalProduct {
                m: rows.len(),
                n: ids.len(),
                k: self.width,
                a: Strided::rows(&self.queries[rows.start * self.width..], self.width),
                b: Strided::rows(&tile, self.width).transposed(),
            };
            product.write(&mut logits[start..], candidates.len());
        }
        if let Some(bias) = self.bias {
            for logits in logits.chunks_exact_mut(candidates.len()) {
                for (logit, &item) in logits.iter_mut().zip(candidates) {
                    *logit += bias[item as usize];
                }
            }
        }
    }

    #[inline(always)]
    fn add_items(&self, items: &[u32], coefficients: &[f32], gradient: &mut [f32]) {
        let terms: Vec<_> =
            items.iter().zip(coefficients).map(|(&item, &c)| (c, self.item_row(item))).collect();
        simd::add_rows(&terms, gradient);
    }

    /// Adds `sum over c: coefficient[member, c] row_c` to the members' gradients.
    #[inline(always)]
    fn candidate_gradients(&self, group: usize, coefficients: &[f32], gradients: &mut [f32]) {
        let (rows, candidates) = (self.groups.rows_of(group), self.candidates(group));
        if rows.len() == 1 {
            return self.add_items(candidates, coefficients, gradients);
        }
        let mut tile = vec![0.0; TILE * self.width];
        for (index, ids) in candidates.chunks(TILE).enumerate() {
            self.gather(ids, &mut tile);
            let start = index * TILE;
            let product = LocalProduct {
                m: rows.len(),
                n: self.width,
                k: ids.len(),
                a: Strided::rows(&coefficients[start..], candidates.len()),
                b: Strided::rows(&tile, self.width),
            };
            product.add(gradients, self.width);
        }
    }

    #[inline(always)]
    fn gather(&self, ids: &[u32], tile: &mut [f32]) {
        for (i, (&item, slot)) in ids.iter().zip(tile.chunks_exact_mut(self.width)).enumerate() {
            if let Some(&next) = ids.get(i + 4 * AHEAD) {
                simd::prefetch(self.item_row(next));
            }
            slot.copy_from_slice(self.item_row(item));
        }
    }

    /// log q of the candidates of a group.
    #[inline(always)]
    pub(super) fn log_q(&self, group: usize) -> &[f32] {
        &self.negative_log_q[group * self.groups.candidates..][..self.groups.candidates]
    }
}
