//! Losses that compare positives with negatives one by one, against their definitions in f64, whose gradients are taken by
//! differences.

use fastvae::{
    engine::Engine,
    kernels::{Comparison, Groups, Pairs, PairwiseLoss, Partition, SampledLoss},
};
use tests::{
    assert_close, csr,
    device::{integers, numbers, read, run, unset, unwritten, upload},
    engines_and_divisions,
};

const COMPARISONS: [Comparison; 5] = [
    Comparison::Even,
    Comparison::Hardest,
    Comparison::Warp,
    Comparison::Importance,
    Comparison::SelfAdversarial,
];

/// Inputs of the loss; `scale` stretches the logits.
struct Batch {
    groups: Groups,
    width: usize,
    items: usize,
    histories: Vec<Vec<u32>>,
    queries: Vec<f32>,
    table: Vec<f32>,
    bias: Option<Vec<f32>>,
    negatives: Vec<u32>,
    log_q: Vec<f32>,
}

/// A positive's candidates with their weights: what of the loss has no gradient.
type Compared = Vec<(usize, f64)>;

impl Batch {
    fn new(groups: Groups, width: usize, items: usize, scale: f32, biased: bool) -> Self {
        let lengths = integers(1, groups.batch, 9.min(items as u32 + 1));
        let history = |user: usize| {
            let mut history = integers(50 + user as u32, lengths[user] as usize, items as u32);
            history.sort_unstable();
            history.dedup();
            history
        };
        let near = (width as f32).powf(-0.25);
        let stretched = |stream: u32, len: usize, by: f32| -> Vec<f32> {
            numbers(stream, len).iter().map(|x| x * by).collect()
        };
        Self {
            groups,
            width,
            items,
            histories: (0..groups.batch).map(history).collect(),
            queries: stretched(2, groups.rows() * width, near * scale),
            table: stretched(3, items * width, near),
            bias: biased.then(|| numbers(4, items)),
            negatives: integers(5, groups.total(), items as u32),
            log_q: numbers(6, groups.total()).iter().map(|x| x - 4.0).collect(),
        }
    }

    fn logit(&self, row: usize, item: u32) -> f64 {
        let query = &self.queries[row * self.width..][..self.width];
        let vector = &self.table[item as usize * self.width..][..self.width];
        let dot: f64 = query.iter().zip(vector).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        dot + self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[item as usize]))
    }

    /// The candidates that a positive is compared with, and their weights.
    fn compared(&self, pairs: Pairs, row: usize, number: usize, own: f64, logits: &[f64]) -> Compared {
        let (group, history) = (self.groups.of_row(row), &self.histories[row % self.groups.batch]);
        let count = logits.len();
        let each = if pairs.candidates == 0 { count } else { pairs.candidates.min(count) };
        let all: Vec<usize> = (0..each).map(|k| (number * each + k) % count).collect();
        let item = |c: usize| self.negatives[group * count + c];
        let outside: Vec<usize> = all.iter().copied().filter(|&c| !history.contains(&item(c))).collect();
        let softmax = |of: &dyn Fn(usize) -> f64| -> Compared {
            let top = outside.iter().map(|&c| of(c)).fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = outside.iter().map(|&c| (of(c) - top).exp()).sum();
            outside.iter().map(|&c| (c, (of(c) - top).exp() / sum)).collect()
        };
        match pairs.comparison {
            Comparison::Even => softmax(&|_| 0.0),
            Comparison::Importance => softmax(&|c| logits[c] - f64::from(self.log_q[group * count + c])),
            Comparison::SelfAdversarial => softmax(&|c| f64::from(pairs.sharpness) * logits[c]),
            Comparison::Hardest => {
                let top = outside.iter().map(|&c| logits[c]).fold(f64::NEG_INFINITY, f64::max);
                outside.iter().copied().find(|&c| logits[c] == top).map(|c| (c, 1.0)).into_iter().collect()
            }
            Comparison::Warp => {
                let found = all.iter().position(|&c| !history.contains(&item(c)) && logits[c] > own - 1.0);
                let weighed =
                    |trial: usize| (all[trial], (((self.items - 1) / (trial + 1)).max(1) as f64).ln());
                found.map(weighed).into_iter().collect()
            }
        }
    }

    /// nll by row, and the gradients by positive, by candidate and by query, of the mean over rows.
    fn truth(&self, pairs: Pairs) -> [Vec<f64>; 4] {
        let (groups, starts) = (self.groups, csr(&self.histories).0);
        let (rows, candidates) = (groups.rows(), groups.candidates);
        let entries: usize = self.histories.iter().map(Vec::len).sum();
        let mut nll = vec![0.0; rows];
        let mut positive = vec![0.0; groups.samples * entries];
        let mut negative = vec![0.0; rows * candidates];
        let mut query_gradient = vec![0.0; rows * self.width];
        for row in 0..rows {
            let (sample, user) = (row / groups.batch, row % groups.batch);
            let history = &self.histories[user];
            let at = sample * entries + starts[user] as usize;
            let group = groups.of_row(row);
            let ids = &self.negatives[group * candidates..][..candidates];
            let drawn: Vec<f64> = ids.iter().map(|&j| self.logit(row, j)).collect();
            let own = &mut negative[row * candidates..][..candidates];
            for (number, &item) in history.iter().enumerate() {
                let logit = self.logit(row, item);
                let compared = self.compared(pairs, row, number, logit, &drawn);
                let loss =
                    |own: f64, drawn: &dyn Fn(usize) -> f64| loss(pairs.comparison, &compared, own, drawn);
                nll[row] += loss(logit, &|c| drawn[c]);
                let step = 1e-5;
                let slope = |up: f64, down: f64| (up - down) / (2.0 * step) / rows as f64;
                positive[at + number] =
                    slope(loss(logit + step, &|c| drawn[c]), loss(logit - step, &|c| drawn[c]));
                for &(c, _) in &compared {
                    let moved =
                        |by: f64| loss(logit, &|other| drawn[other] + if other == c { by } else { 0.0 });
                    own[c] += slope(moved(step), moved(-step));
                }
            }
            let of_positives = &positive[at..at + history.len()];
            for (&item, &g) in history.iter().zip(of_positives).chain(ids.iter().zip(&*own)) {
                for column in 0..self.width {
                    query_gradient[row * self.width + column] +=
                        g * f64::from(self.table[item as usize * self.width + column]);
                }
            }
        }
        [nll, positive, negative, query_gradient]
    }

    /// As [`Batch::truth`], by the kernel; buffers are never empty, so those without values have one element.
    fn run(&self, engine: &Engine, pairs: Pairs) -> [Vec<f32>; 4] {
        let (offsets, entries_of) = csr(&self.histories);
        let (rows, entries) = (self.groups.rows(), entries_of.len());
        let all = self.groups.samples * entries;
        let (nll, positive) = (unwritten(engine, rows), unwritten(engine, all.max(1)));
        let negative = unwritten(engine, rows * self.groups.candidates);
        let query_gradient = unwritten(engine, rows * self.width);
        let loss = SampledLoss {
            queries: upload(engine, &self.queries),
            table: upload(engine, &self.table),
            item_bias: self.bias.as_ref().map(|bias| upload(engine, bias)),
            width: self.width,
            groups: self.groups,
            batch_offsets: upload(engine, &offsets),
            batch_items: if entries == 0 { unset(engine, 1) } else { upload(engine, &entries_of) },
            entries,
            longest: offsets.windows(2).map(|row| row[1] - row[0]).max().unwrap_or(0) as usize,
            negatives: upload(engine, &self.negatives),
            negative_log_q: upload(engine, &self.log_q),
            // Never read.
            positive_log_q: unwritten(engine, all.max(1)),
            partition: Partition::Paper,
            scale: 1.0 / rows as f32,
            nll: nll.clone(),
            positive: positive.clone(),
            negative: negative.clone(),
            query_gradient: query_gradient.clone(),
        };
        run(engine, PairwiseLoss { rows: loss, pairs, items: self.items });
        let mut positive = read(engine, &positive);
        positive.truncate(all);
        [read(engine, &nll), positive, read(engine, &negative), read(engine, &query_gradient)]
    }

    fn check(&self, engine: &Engine, candidates: usize, atol: f64) {
        for comparison in COMPARISONS {
            let pairs = Pairs { comparison, candidates, sharpness: 0.7 };
            let (got, want) = (self.run(engine, pairs), self.truth(pairs));
            let name = format!("{}: {:?}, width {}, {pairs:?}", engine.describe(), self.groups, self.width);
            // Gradients contain the factor 1 / R.
            let by_row = atol / self.groups.rows() as f64;
            for (index, (what, atol)) in
                [("nll", 10.0 * atol), ("positive", by_row), ("negative", by_row), ("query", by_row * 5.0)]
                    .into_iter()
                    .enumerate()
            {
                assert_close(&format!("{name}: {what}"), &got[index], &want[index], atol, 5e-5);
            }
        }
    }
}

/// The loss of a positive with logit `own`.
fn loss(comparison: Comparison, compared: &Compared, own: f64, drawn: &dyn Fn(usize) -> f64) -> f64 {
    // -ln sigma(x), for logits of any size.
    let cost = |x: f64| (-x).max(0.0) + (-x.abs()).exp().ln_1p();
    let all = |of: &dyn Fn(f64) -> f64| -> f64 { compared.iter().map(|&(c, w)| w * of(drawn(c))).sum() };
    match comparison {
        Comparison::Warp => all(&|other| 1.0 - own + other),
        Comparison::SelfAdversarial if compared.is_empty() => 0.0,
        Comparison::SelfAdversarial => cost(own) + all(&|other| cost(-other)),
        _ => all(&|other| cost(own - other)),
    }
}

fn groups(batch: usize, samples: usize, group_size: usize, candidates: usize) -> Groups {
    Groups { batch, samples, size: group_size, candidates }
}

#[test]
fn pairs_at_odd_sizes() {
    for engine in engines_and_divisions() {
        for (groups, width, items, candidates) in [
            (groups(1, 1, 1, 1), 1, 1, 0),
            (groups(7, 1, 1, 7), 7, 19, 0),
            (groups(7, 3, 1, 345), 33, 500, 5),
            (groups(5, 1, 1, 65), 345, 61, 64),
            (groups(7, 2, 3, 10), 20, 53, 3),
            (groups(10, 1, 8, 90), 7, 211, 0),
            (groups(4, 1, 4, 2), 200, 9, 7),
            (groups(65_537, 1, 1, 2), 2, 5, 1),
        ] {
            for biased in [false, true] {
                Batch::new(groups, width, items, 1.0, biased).check(engine, candidates, 1e-5);
            }
        }
    }
}

/// Logits whose exponentials overflow.
#[test]
fn pairs_with_huge_logits() {
    for engine in engines_and_divisions() {
        for scale in [30.0, 300.0] {
            let batch = Batch::new(groups(7, 1, 1, 33), 8, 100, scale, true);
            let largest = (0..100).map(|item| batch.logit(0, item).abs()).fold(0.0, f64::max);
            assert!(largest > 30.0);
            for candidates in [0, 4] {
                batch.check(engine, candidates, 1e-5 * f64::from(scale));
            }
        }
    }
}

/// Users all of whose candidates are in the history, and users without a history.
#[test]
fn nothing_to_compare_with() {
    for engine in engines_and_divisions() {
        let mut batch = Batch::new(groups(4, 1, 1, 6), 5, 8, 1.0, true);
        batch.histories = vec![(0..8).collect(), vec![], vec![3], vec![]];
        batch.negatives[12..18].fill(3);
        batch.check(engine, 0, 1e-5);
        batch.check(engine, 2, 1e-5);
        batch.histories = vec![vec![]; 4];
        batch.check(engine, 0, 1e-5);
    }
}
