//! The sampled and the full softmax at odd sizes and with huge logits, against f64.

use fastvae::{
    engine::Engine,
    kernels::{Groups, Partition, SampledLoss, SoftmaxAccumulate, SoftmaxGradient},
};
use tests::{
    assert_close, csr,
    device::{integers, narrow, numbers, read, run, unset, unwritten, upload},
    engines_and_divisions,
};

/// Inputs of the loss; `scale` stretches the logits.
struct Batch {
    groups: Groups,
    width: usize,
    histories: Vec<Vec<u32>>,
    queries: Vec<f32>,
    table: Vec<f32>,
    bias: Option<Vec<f32>>,
    negatives: Vec<u32>,
    negative_log_q: Vec<f32>,
    positive_log_q: Vec<f32>,
}

impl Batch {
    fn new(groups: Groups, width: usize, items: usize, scale: f32, biased: bool) -> Self {
        let lengths = integers(1, groups.batch, 9.min(items as u32 + 1));
        let histories: Vec<Vec<u32>> = (0..groups.batch)
            .map(|user| {
                let mut history = integers(50 + user as u32, lengths[user] as usize, items as u32);
                history.sort_unstable();
                history.dedup();
                history
            })
            .collect();
        let entries: usize = histories.iter().map(Vec::len).sum();
        let near = (width as f32).powf(-0.25);
        let stretched = |stream: u32, len: usize, by: f32| -> Vec<f32> {
            numbers(stream, len).iter().map(|x| x * by).collect()
        };
        Self {
            groups,
            width,
            histories,
            queries: stretched(2, groups.rows() * width, near * scale),
            table: stretched(3, items * width, near),
            bias: biased.then(|| numbers(4, items)),
            negatives: integers(5, groups.total(), items as u32),
            negative_log_q: numbers(6, groups.total()).iter().map(|x| x - 4.0).collect(),
            positive_log_q: numbers(7, groups.samples * entries).iter().map(|x| x - 4.0).collect(),
        }
    }

    fn entries(&self) -> usize {
        self.histories.iter().map(Vec::len).sum()
    }

    fn logit(&self, row: usize, item: u32) -> f64 {
        let query = &self.queries[row * self.width..][..self.width];
        let vector = &self.table[item as usize * self.width..][..self.width];
        let dot: f64 = query.iter().zip(vector).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        dot + self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[item as usize]))
    }

    /// nll by row, and the gradients by positive, by candidate and by query, of the mean over rows.
    fn truth(&self, partition: Partition) -> [Vec<f64>; 4] {
        let (groups, entries) = (self.groups, self.entries());
        let starts = csr(&self.histories).0;
        let (rows, candidates) = (groups.rows(), groups.candidates);
        let mut nll = vec![0.0; rows];
        let mut positive = vec![0.0; groups.samples * entries];
        let mut negative = vec![0.0; rows * candidates];
        let mut query_gradient = vec![0.0; rows * self.width];
        for row in 0..rows {
            let (sample, user) = (row / groups.batch, row % groups.batch);
            let history = &self.histories[user];
            let at = sample * entries + starts[user] as usize;
            let group = groups.of_row(row) * candidates..(groups.of_row(row) + 1) * candidates;
            let ids = &self.negatives[group.clone()];
            let log_q = &self.negative_log_q[group];
            let corrected: Vec<f64> =
                ids.iter().zip(log_q).map(|(&j, &log_q)| self.logit(row, j) - f64::from(log_q)).collect();
            let logits: Vec<f64> = history.iter().map(|&i| self.logit(row, i)).collect();
            let own = &mut negative[row * candidates..][..candidates];
            match partition {
                Partition::Paper => {
                    for (entry, logit) in logits.iter().enumerate() {
                        let logit = logit - f64::from(self.positive_log_q[at + entry]);
                        let all: Vec<f64> = corrected.iter().copied().chain([logit]).collect();
                        let log_z = log_sum_exp(&all);
                        nll[row] += log_z - logit;
                        positive[at + entry] = (logit - log_z).exp() - 1.0;
                        for (g, o) in own.iter_mut().zip(&corrected) {
                            *g += (o - log_z).exp();
                        }
                    }
                }
                Partition::ExactPositives => {
                    let outside: Vec<f64> = (ids.iter().zip(&corrected))
                        .map(|(j, o)| {
                            let inside = history.contains(j);
                            if inside { f64::NEG_INFINITY } else { o - (candidates as f64).ln() }
                        })
                        .collect();
                    let log_z = log_sum_exp(&[&logits[..], &outside[..]].concat());
                    let n = history.len() as f64;
                    for (entry, logit) in logits.iter().enumerate() {
                        nll[row] += log_z - logit;
                        positive[at + entry] = n * (logit - log_z).exp() - 1.0;
                    }
                    for (g, o) in own.iter_mut().zip(&outside) {
                        *g = if history.is_empty() { 0.0 } else { n * (o - log_z).exp() };
                    }
                }
            }
            own.iter_mut().for_each(|g| *g /= rows as f64);
            let positive = &mut positive[at..at + history.len()];
            positive.iter_mut().for_each(|g| *g /= rows as f64);
            for (&item, &g) in history.iter().zip(&*positive).chain(ids.iter().zip(&*own)) {
                for column in 0..self.width {
                    query_gradient[row * self.width + column] +=
                        g * f64::from(self.table[item as usize * self.width + column]);
                }
            }
        }
        [nll, positive, negative, query_gradient]
    }

    /// As [`Batch::truth`], by the kernel; buffers are never empty, so those without values have one element.
    fn run(&self, engine: &Engine, partition: Partition) -> [Vec<f32>; 4] {
        let (offsets, items) = csr(&self.histories);
        let (rows, entries) = (self.groups.rows(), items.len());
        let room = |len: usize| unwritten(engine, len.max(1));
        let all = self.groups.samples * entries;
        let (nll, positive) = (unwritten(engine, rows), room(all));
        let negative = unwritten(engine, rows * self.groups.candidates);
        let query_gradient = unwritten(engine, rows * self.width);
        let kernel = SampledLoss {
            queries: upload(engine, &self.queries),
            table: upload(engine, &self.table),
            item_bias: self.bias.as_ref().map(|bias| upload(engine, bias)),
            width: self.width,
            groups: self.groups,
            batch_offsets: upload(engine, &offsets),
            batch_items: if entries == 0 { unset(engine, 1) } else { upload(engine, &items) },
            entries,
            longest: offsets.windows(2).map(|row| row[1] - row[0]).max().unwrap_or(0) as usize,
            negatives: upload(engine, &self.negatives),
            negative_log_q: upload(engine, &self.negative_log_q),
            positive_log_q: if all == 0 { room(0) } else { upload(engine, &self.positive_log_q) },
            partition,
            scale: 1.0 / rows as f32,
            nll: nll.clone(),
            positive: positive.clone(),
            negative: negative.clone(),
            query_gradient: query_gradient.clone(),
        };
        run(engine, kernel);
        let mut positive = read(engine, &positive);
        positive.truncate(all);
        [read(engine, &nll), positive, read(engine, &negative), read(engine, &query_gradient)]
    }

    fn check(&self, engine: &Engine, atol: f64) {
        for partition in [Partition::Paper, Partition::ExactPositives] {
            let (got, want) = (self.run(engine, partition), self.truth(partition));
            let name =
                format!("{}: {:?}, width {}, {partition:?}", engine.describe(), self.groups, self.width);
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

fn log_sum_exp(values: &[f64]) -> f64 {
    let top = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        top
    } else {
        top + values.iter().map(|v| (v - top).exp()).sum::<f64>().ln()
    }
}

fn groups(batch: usize, samples: usize, group_size: usize, candidates: usize) -> Groups {
    Groups { batch, samples, size: group_size, candidates }
}

#[test]
fn sampled_softmax_at_odd_sizes() {
    for engine in engines_and_divisions() {
        for (groups, width, items) in [
            (groups(1, 1, 1, 1), 1, 1),
            (groups(7, 1, 1, 7), 7, 19),
            (groups(7, 3, 1, 345), 33, 500),
            (groups(5, 1, 1, 65), 345, 61),
            (groups(7, 2, 3, 10), 20, 53),
            (groups(10, 1, 8, 345), 7, 211),
            (groups(4, 1, 4, 1), 200, 9),
            (groups(65_537, 1, 1, 2), 2, 5),
        ] {
            for biased in [false, true] {
                Batch::new(groups, width, items, 1.0, biased).check(engine, 1e-5);
            }
        }
    }
}

/// Logits whose exponentials overflow; rounding to f32 alone gives a relative error of 1e-6.
#[test]
fn sampled_softmax_with_huge_logits() {
    for engine in engines_and_divisions() {
        for group_size in [1, 3] {
            for scale in [30.0, 300.0] {
                let batch = Batch::new(groups(7, 1, group_size, 33), 8, 100, scale, true);
                let largest = (0..100).map(|item| batch.logit(0, item).abs()).fold(0.0, f64::max);
                assert!(largest > 30.0);
                batch.check(engine, 1e-5 * f64::from(scale));
            }
        }
    }
}

/// Every candidate is a positive, so the rest of the partition function has no estimate; and users without a history,
/// whose
/// loss is zero.
#[test]
fn candidates_that_are_all_positives() {
    for engine in engines_and_divisions() {
        let mut batch = Batch::new(groups(4, 1, 1, 6), 5, 8, 1.0, false);
        batch.histories = vec![(0..8).collect(), vec![], vec![3], vec![]];
        batch.negatives[12..18].fill(3);
        batch.positive_log_q = vec![-2.0; 9];
        batch.check(engine, 1e-5);
        batch.histories = vec![vec![]; 4];
        batch.positive_log_q = vec![];
        batch.check(engine, 1e-5);
    }
}

#[test]
fn full_softmax_at_odd_sizes() {
    for engine in engines_and_divisions() {
        for (batch, samples, items, scale) in [
            (1, 1, 1, 1.0f32),
            (7, 1, 345, 1.0),
            (5, 3, 53, 1.0),
            (7, 2, 61, 80.0),
            (3, 2, 2_100, 1.0),
            (65_537, 1, 3, 1.0),
        ] {
            let groups = groups(batch, samples, 1, 1);
            let inputs = Batch::new(groups, 4, items, 1.0, false);
            let rows = groups.rows();
            let logits: Vec<f32> = numbers(30, rows * items).iter().map(|x| x * scale).collect();
            let (offsets, entries) = csr(&inputs.histories);
            // Computed in f64 from the same f32 logits.
            let (mut nll, mut gradient) = (vec![0.0; rows], vec![0.0; rows * items]);
            for row in 0..rows {
                let logits: Vec<f64> =
                    logits[row * items..][..items].iter().copied().map(f64::from).collect();
                let (log_z, history) = (log_sum_exp(&logits), &inputs.histories[row % batch]);
                nll[row] = history.iter().map(|&i| log_z - logits[i as usize]).sum();
                for (item, logit) in logits.iter().enumerate() {
                    let met = f64::from(history.contains(&(item as u32)));
                    let g = history.len() as f64 * (logit - log_z).exp() - met;
                    gradient[row * items + item] = g / rows as f64;
                }
            }
            for block in [1, 7, items, 50] {
                // A recording for each block of one item would take long.
                if items / block > 1_000 {
                    continue;
                }
                let (maximum, sum) = (unwritten(engine, rows), unwritten(engine, rows));
                let nll_out = unwritten(engine, rows);
                let mut got = vec![f32::NAN; rows * items];
                let tiles = |start: usize| {
                    let n = block.min(items - start);
                    let tile: Vec<f32> =
                        (0..rows).flat_map(|row| logits[row * items + start..][..n].to_vec()).collect();
                    (n, upload(engine, &tile))
                };
                let starts = || (0..items).step_by(block);
                for start in starts() {
                    let ((n, logits), first) = (tiles(start), start == 0);
                    let (maximum, sum) = (maximum.clone(), sum.clone());
                    run(engine, SoftmaxAccumulate { logits, rows, block: n, first, maximum, sum });
                }
                for start in starts() {
                    let (n, tile) = tiles(start);
                    let kernel = SoftmaxGradient {
                        logits: tile.clone(),
                        batch,
                        samples,
                        block: n,
                        block_start: start,
                        maximum: maximum.clone(),
                        sum: sum.clone(),
                        batch_offsets: upload(engine, &offsets),
                        batch_items: if entries.is_empty() {
                            unset(engine, 1)
                        } else {
                            upload(engine, &entries)
                        },
                        scale: 1.0 / rows as f32,
                        nll: nll_out.clone(),
                    };
                    run(engine, kernel);
                    for (row, part) in read(engine, &tile).chunks(n).enumerate() {
                        got[row * items + start..][..n].copy_from_slice(part);
                    }
                }
                let name = format!("{}: {rows} x {items} by {block}", engine.describe());
                assert_close(&name, &got, &gradient, 1e-5 * f64::from(scale) / rows as f64, 5e-5);
                assert_close(&name, &read(engine, &nll_out), &nll, 2e-5 * f64::from(scale), 1e-5);
            }
        }
    }
}

/// Logits that rise by 100 from block to block: only the last blocks contribute to the sum, and it does not overflow.
#[test]
fn running_maximum_rises_and_falls() {
    for engine in engines_and_divisions() {
        for tops in [[0.0, 100.0, 200.0], [200.0, 100.0, 0.0], [-300.0, -300.0, -300.0]] {
            let (maximum, sum) = (unwritten(engine, 1), unwritten(engine, 1));
            for (index, top) in tops.iter().enumerate() {
                let logits = upload(engine, &narrow(&[*top, top - 1.0]));
                let (maximum, sum, first) = (maximum.clone(), sum.clone(), index == 0);
                run(engine, SoftmaxAccumulate { logits, rows: 1, block: 2, first, maximum, sum });
            }
            let want = log_sum_exp(&tops.iter().flat_map(|top| [*top, top - 1.0]).collect::<Vec<_>>());
            let got = f64::from(read(engine, &maximum)[0]) + f64::from(read(engine, &sum)[0]).ln();
            assert_close("log-sum-exp", &[got], &[want], 1e-6, 1e-6);
        }
    }
}
