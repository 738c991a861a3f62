//! An index of two codebooks as kernels take it, and log q by enumeration in f64.

use fastvae::{
    engine::{Buffer, Engine},
    kernels::{AliasTable, Cells, Groups, ItemsOf, MidxDraw, MidxLogQ, MidxNormalise},
    rng::Rng,
};

use crate::{
    Proposals, assert_close,
    device::{integers, narrow, numbers, read, run, unset, unwritten, upload},
    fixtures::ProposalStage,
    static_draw::alias_table,
    statistics::{assert_drawn_from, histogram},
};

/// Items in cells, with their weights.
pub struct Index {
    /// K.
    pub k: usize,
    /// Cell of each item.
    pub cell_of: Vec<u32>,
    /// Weight of each item within its cell.
    pub weights: Vec<f64>,
}

impl Index {
    /// The index of a fixture.
    pub fn of_fixture(truth: &Proposals, weights: Vec<f64>) -> Self {
        let k = truth.codewords;
        Self { k, cell_of: truth.codes.iter().map(|code| code[0] * k as u32 + code[1]).collect(), weights }
    }

    /// Reproducible cells and weights; each `stream` has its own.
    pub fn random(stream: u32, k: usize, items: usize) -> Self {
        let weights = numbers(stream, items).iter().map(|&x| f64::from(x).exp()).collect();
        Self { k, cell_of: integers(stream, items, (k * k) as u32), weights }
    }

    fn members(&self, cell: usize) -> Vec<usize> {
        (0..self.cell_of.len()).filter(|&i| self.cell_of[i] as usize == cell).collect()
    }

    fn cells(&self, engine: &Engine) -> Cells {
        let (mut starts, mut members, mut log_weights) = (vec![0], Vec::new(), Vec::new());
        let (mut thresholds, mut aliases) = (Vec::new(), Vec::new());
        for cell in 0..self.k * self.k {
            let inside = self.members(cell);
            let weights: Vec<f64> = inside.iter().map(|&i| self.weights[i]).collect();
            let table = alias_table(&weights);
            thresholds.extend(table.0);
            aliases.extend(table.1);
            members.extend(inside.iter().map(|&i| i as u32));
            starts.push(members.len() as u32);
            log_weights.push(weights.iter().sum::<f64>().ln());
        }
        let log_each: Vec<f64> = self.weights.iter().map(|w| w.ln()).collect();
        Cells {
            codebooks: 2,
            codewords: self.k,
            items: self.cell_of.len(),
            blocks: self.k,
            columns: self.k,
            codes: upload(engine, &[0]),
            cell_of: upload(engine, &self.cell_of),
            starts: upload(engine, &starts),
            members: upload(engine, &members),
            table: AliasTable { thresholds: upload(engine, &thresholds), aliases: upload(engine, &aliases) },
            log_weights: upload(engine, &narrow(&log_weights)),
            item_log_weights: upload(engine, &narrow(&log_each)),
        }
    }

    /// log q of every item for one row of scores, by enumeration.
    pub fn log_q(&self, scores: &[f32]) -> Vec<f64> {
        let logits: Vec<f64> = self
            .cell_of
            .iter()
            .zip(&self.weights)
            .map(|(&cell, weight)| {
                let (k1, k2) = (cell as usize / self.k, cell as usize % self.k);
                f64::from(scores[k1]) + f64::from(scores[self.k + k2]) + weight.ln()
            })
            .collect();
        let log_z = log_sum_exp(&logits);
        logits.iter().map(|logit| logit - log_z).collect()
    }
}

/// The logarithm of a sum of exponentials.
pub fn log_sum_exp(values: &[f64]) -> f64 {
    let top = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        top
    } else {
        top + values.iter().map(|v| (v - top).exp()).sum::<f64>().ln()
    }
}

/// An index, scores for some rows, and what the engine made of them.
pub struct Midx<'a> {
    engine: &'a Engine,
    index: &'a Index,
    scores: Vec<f32>,
    /// Query rows.
    pub rows: usize,
    scores_in: Buffer<f32>,
    cells: Cells,
    /// Rows x K.
    pub log_psi: Buffer<f32>,
    log_z: Buffer<f32>,
}

impl<'a> Midx<'a> {
    /// Normalises the scores.
    pub fn new(engine: &'a Engine, index: &'a Index, scores: Vec<f32>) -> Self {
        let rows = scores.len() / (2 * index.k);
        let (log_psi, log_z) = (unwritten(engine, rows * index.k), unwritten(engine, rows));
        let (scores_in, cells) = (upload(engine, &scores), index.cells(engine));
        run(
            engine,
            MidxNormalise {
                scores: scores_in.clone(),
                rows,
                cells: cells.clone(),
                log_psi: log_psi.clone(),
                log_z: log_z.clone(),
            },
        );
        Self { engine, index, scores, rows, scores_in, cells, log_psi, log_z }
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.scores[row * 2 * self.index.k..][..2 * self.index.k]
    }

    /// log q of a row by enumeration.
    pub fn truth(&self, row: usize) -> Vec<f64> {
        self.index.log_q(self.row(row))
    }

    /// Every row draws its own candidates.
    pub fn alone(&self, candidates: usize) -> Groups {
        Groups { batch: self.rows, samples: 1, size: 1, candidates }
    }

    /// Candidates.
    pub fn draw(&self, groups: Groups, seed: u64, step: u32) -> Vec<u32> {
        let negatives = unset(self.engine, groups.total());
        run(
            self.engine,
            MidxDraw {
                groups,
                scores: self.scores_in.clone(),
                log_psi: self.log_psi.clone(),
                log_z: self.log_z.clone(),
                cells: self.cells.clone(),
                rng: Rng::new(seed),
                step,
                negatives: negatives.clone(),
            },
        );
        read(self.engine, &negatives)
    }

    /// log q of items.
    pub fn log_q(&self, groups: Groups, items: ItemsOf, len: usize) -> Vec<f32> {
        let output = unwritten(self.engine, len);
        run(
            self.engine,
            MidxLogQ {
                groups,
                scores: self.scores_in.clone(),
                log_z: self.log_z.clone(),
                cells: self.cells.clone(),
                items,
                output: output.clone(),
            },
        );
        read(self.engine, &output)
    }

    /// log q of every item, for every batch row of every sample: L x B x M.
    pub fn log_q_of_all(&self, groups: Groups) -> Vec<f32> {
        let items = self.cells.items;
        let entries = groups.batch * items;
        let each: Vec<u32> = (0..entries).map(|e| (e % items) as u32).collect();
        let rows: Vec<u32> = (0..entries).map(|e| (e / items) as u32).collect();
        let of =
            ItemsOf::Entries { items: upload(self.engine, &each), rows: upload(self.engine, &rows), entries };
        self.log_q(groups, of, groups.samples * entries)
    }

    /// The probabilities of the second codeword given the first, as the kernel's outputs give them.
    pub fn check_stages(&self, name: &str, want: &ProposalStage) {
        let (k, log_psi, log_z) =
            (self.index.k, read(self.engine, &self.log_psi), read(self.engine, &self.log_z));
        let log_weights = read(self.engine, &self.cells.log_weights);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for row in 0..self.rows {
            let (r1, r2) = self.row(row).split_at(k);
            for k1 in 0..k {
                let log_psi = log_psi[row * k + k1];
                first.push((r1[k1] + log_psi - log_z[row]).exp());
                // Shaders write the lowest number, the CPU's twin negative infinity.
                let empty = log_psi <= f32::MIN;
                let finite = log_psi.is_finite() || self.engine.is_cpu();
                assert!(finite, "{}: {name}, ln psi is {log_psi}", self.engine.describe());
                let weights = &log_weights[k1 * k..][..k];
                second.extend(
                    weights.iter().zip(r2).map(|(w, r2)| if empty { 0.0 } else { (w + r2 - log_psi).exp() }),
                );
            }
        }
        assert_close(&format!("{name}: P(k1)"), &first, &want.p_k1.data, 1e-7, 1e-5);
        assert_close(&format!("{name}: P(k2 | k1)"), &second, &want.p_k2_given_k1.data, 1e-7, 1e-5);
    }

    /// Chi-square of many draws of every row against enumeration.
    pub fn check_draws(&self, name: &str, seed: u64) {
        let groups = self.alone(4001);
        let draws: Vec<u32> = (0..3).flat_map(|step| self.draw(groups, seed, step)).collect();
        for row in 0..self.rows {
            let of_row = draws.chunks(4001).skip(row).step_by(self.rows).flatten().copied();
            let counts = histogram(of_row, self.cells.items);
            let name = format!("{}: {name}, row {row}", self.engine.describe());
            assert_drawn_from(&name, &counts, &exp(&self.truth(row)));
        }
    }
}

/// Elementwise.
pub fn exp(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value.exp()).collect()
}

/// The fixtures with two codebooks.
pub const TWO_BOOKS: [&str; 2] = ["proposals_2x4", "proposals_2x16"];

/// Inner products of queries and codewords, in f64: r1, then r2.
pub fn scores(truth: &Proposals) -> Vec<f32> {
    let (half, k) = (truth.hidden / 2, truth.codewords);
    let mut scores = Vec::new();
    for query in truth.queries.data.chunks(truth.hidden) {
        for (book, part) in query.chunks(half).enumerate() {
            for codeword in truth.centroids.at(book).chunks(half).take(k) {
                scores.push(part.iter().zip(codeword).map(|(a, b)| a * b).sum::<f64>() as f32);
            }
        }
    }
    scores
}
