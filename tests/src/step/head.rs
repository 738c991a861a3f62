//! Loss and gradients of a fixture's step with the sampled and the full softmax.

use fastvae::{
    engine::Buffer,
    kernels::{
        ColumnSum, Groups, MatMul, Partition, RankOne, SampledLoss, SoftmaxAccumulate, SoftmaxGradient, View,
    },
};

use super::Step;
use crate::device::upload;

/// The loss's side of a step.
pub(super) struct Head {
    pub nll: Buffer<f32>,
    pub query_gradient: Buffer<f32>,
    pub rows: Buffer<f32>,
    pub bias: Option<Buffer<f32>>,
}

impl Step<'_> {
    /// Loss of each row, and the gradients of queries, item rows and item bias.
    pub(super) fn sampled(&mut self, queries: &Buffer<f32>, table: &Buffer<f32>) -> Head {
        let config = &self.truth.config;
        let (batch, samples, width) = (config.users, config.latent_samples, config.hidden);
        let candidates = config.negatives * config.share;
        let groups = Groups { batch, samples, size: config.share, candidates };
        let log_q = self.truth.corrected_log_q().expect("a sampled fixture");
        let negatives = self.truth.negatives.as_ref().expect("a sampled fixture");
        let (mut ids, mut negative_log_q) = (Vec::new(), Vec::new());
        for group in 0..groups.count() {
            let row = groups.rows_of(group).start;
            let of_group = &negatives[row / batch][row % batch];
            ids.extend_from_slice(of_group);
            let log_q = &log_q.at(row / batch)[row % batch * config.items..];
            negative_log_q.extend(of_group.iter().map(|&item| log_q[item as usize] as f32));
        }
        let mut positive_log_q = Vec::new();
        for sample in 0..samples {
            for (&item, &row) in self.item_ids.iter().zip(&self.entry_rows) {
                positive_log_q.push(log_q.at(sample)[row as usize * config.items + item as usize] as f32);
            }
        }
        let ids = upload(self.engine, &ids);
        let (nll, query_gradient) = (self.out(groups.rows()), self.out(groups.rows() * width));
        let (positive, negative) = (self.out(samples * self.entries), self.out(groups.rows() * candidates));
        self.recording.push(SampledLoss {
            queries: queries.clone(),
            table: table.clone(),
            item_bias: self.truth.params.c.as_ref().map(|c| self.tensor(c)),
            width,
            groups,
            batch_offsets: self.offsets.clone(),
            batch_items: self.items.clone(),
            entries: self.entries,
            longest: self.entries,
            negatives: ids.clone(),
            negative_log_q: upload(self.engine, &negative_log_q),
            positive_log_q: upload(self.engine, &positive_log_q),
            partition: if config.exact_positives { Partition::ExactPositives } else { Partition::Paper },
            scale: 1.0 / groups.rows() as f32,
            nll: nll.clone(),
            positive: positive.clone(),
            negative: negative.clone(),
            query_gradient: query_gradient.clone(),
        });
        let lists = self.lists(samples, Some((&ids, groups.total())));
        let source = |vectors: Buffer<f32>| RankOne {
            vectors,
            rows: self.rows.clone(),
            entries: self.entries,
            positive: positive.clone(),
            negative: Some(negative.clone()),
            groups,
        };
        let (of_rows, of_bias) =
            (source(queries.clone()), source(upload(self.engine, &vec![1.0; groups.rows()])));
        let biased = config.item_bias;
        let rows = self.row_gradient(&lists, of_rows, width, !biased);
        let bias = biased.then(|| self.row_gradient(&lists, of_bias, 1, true));
        Head { nll, query_gradient, rows, bias }
    }

    /// As [`Step::sampled`] by the full softmax, streamed over blocks of items.
    pub(super) fn full(&mut self, queries: &Buffer<f32>, table: &Buffer<f32>, block: usize) -> Head {
        let config = &self.truth.config;
        let (batch, samples, width, items) =
            (config.users, config.latent_samples, config.hidden, config.items);
        let rows = self.query_rows();
        let bias = self.truth.params.c.as_ref().map(|c| self.tensor(c));
        let head = Head {
            nll: self.out(rows),
            query_gradient: self.out(rows * width),
            rows: self.out(items * width),
            bias: bias.as_ref().map(|_| self.out(items)),
        };
        let (maximum, sum, logits) = (self.out(rows), self.out(rows), self.out(rows * block));
        let starts = || (0..items).step_by(block);
        let score = |start: usize, n: usize| {
            let tile = View::rows(table, width).skip_rows(start).transposed();
            let product =
                MatMul::new(rows, n, width, View::rows(queries, width), tile, View::rows(&logits, n));
            MatMul { bias: bias.clone(), bias_offset: start, ..product }
        };
        for start in starts() {
            let n = block.min(items - start);
            self.recording.push(score(start, n));
            let (logits, maximum, sum) = (logits.clone(), maximum.clone(), sum.clone());
            self.recording.push(SoftmaxAccumulate {
                logits,
                rows,
                block: n,
                first: start == 0,
                maximum,
                sum,
            });
        }
        for start in starts() {
            let n = block.min(items - start);
            self.recording.push(score(start, n));
            self.recording.push(SoftmaxGradient {
                logits: logits.clone(),
                batch,
                samples,
                block: n,
                block_start: start,
                maximum: maximum.clone(),
                sum: sum.clone(),
                batch_offsets: self.offsets.clone(),
                batch_items: self.items.clone(),
                scale: 1.0 / rows as f32,
                nll: head.nll.clone(),
            });
            let gradient = || View::rows(&logits, n);
            let into_queries = MatMul::new(
                rows,
                width,
                n,
                gradient(),
                View::rows(table, width).skip_rows(start),
                View::rows(&head.query_gradient, width),
            );
            self.recording.push(MatMul { beta: if start == 0 { 0.0 } else { 1.0 }, ..into_queries });
            let into_rows = View::rows(&head.rows, width).skip_rows(start);
            let (gradient, queries) = (gradient().transposed(), View::rows(queries, width));
            self.recording.push(MatMul::new(n, width, rows, gradient, queries, into_rows));
            if let Some(into_bias) = &head.bias {
                self.recording.push(ColumnSum {
                    values: logits.clone(),
                    rows,
                    columns: n,
                    offset: start,
                    output: into_bias.clone(),
                });
            }
        }
        head
    }
}
