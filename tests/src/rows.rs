//! Entries of a step, which touch rows of a table, and their gradients in f64.

use fastvae::{
    engine::{Buffer, Engine},
    kernels::{Groups, ItemLists, RankOne, Transpose},
};

use crate::device::{integers, numbers, run, upload};

/// A step's entries: who met which item, as positive or as candidate.
pub struct Met {
    /// Rows and candidates.
    pub groups: Groups,
    /// M.
    pub items: usize,
    /// Item of each entry.
    pub positives: Vec<u32>,
    /// Batch row of each entry.
    pub rows: Vec<u32>,
    /// Item of each candidate.
    pub negatives: Vec<u32>,
}

impl Met {
    /// Reproducible entries; each `stream` has its own.
    pub fn new(stream: u32, groups: Groups, entries: usize, items: usize) -> Self {
        let mut rows = integers(3 * stream, entries, groups.batch as u32);
        rows.sort_unstable();
        Self {
            groups,
            items,
            positives: integers(3 * stream + 1, entries, items as u32),
            rows,
            negatives: integers(3 * stream + 2, groups.total(), items as u32),
        }
    }

    /// Entry ids of each item, ascending.
    pub fn lists(&self) -> Vec<Vec<u32>> {
        let mut lists = vec![Vec::new(); self.items];
        let positives = (0..self.groups.samples).flat_map(|_| &self.positives);
        for (id, &item) in positives.chain(&self.negatives).enumerate() {
            lists[item as usize].push(id as u32);
        }
        lists
    }

    /// Entries of all samples, and candidates.
    pub fn total(&self) -> usize {
        self.groups.samples * self.positives.len() + self.negatives.len()
    }

    /// Writes the lists.
    pub fn transpose(&self, engine: &Engine, lists: &ItemLists) {
        run(
            engine,
            Transpose {
                positives: self.upload(engine, &self.positives),
                entries: self.positives.len(),
                samples: self.groups.samples,
                negatives: (!self.negatives.is_empty()).then(|| upload(engine, &self.negatives)),
                candidates: self.negatives.len(),
                items: self.items,
                lists: lists.clone(),
            },
        );
    }

    /// An empty list becomes a buffer of one element, as buffers are never empty.
    fn upload(&self, engine: &Engine, values: &[u32]) -> Buffer<u32> {
        if values.is_empty() { upload(engine, &[u32::MAX]) } else { upload(engine, values) }
    }
}

/// What every entry contributes.
pub struct Gradient {
    /// R x width.
    pub vectors: Vec<f32>,
    /// L E.
    pub positive: Vec<f32>,
    /// R x C.
    pub negative: Vec<f32>,
    /// Elements of a row.
    pub width: usize,
}

impl Gradient {
    /// Reproducible contributions; each `stream` has its own.
    pub fn new(stream: u32, met: &Met, width: usize) -> Self {
        Self {
            vectors: numbers(3 * stream, met.groups.rows() * width),
            positive: numbers(3 * stream + 1, met.groups.samples * met.positives.len()),
            negative: numbers(3 * stream + 2, met.groups.rows() * met.groups.candidates),
            width,
        }
    }

    /// As kernels take it.
    pub fn upload(&self, engine: &Engine, met: &Met) -> RankOne {
        let or_one = |values: &[f32]| upload(engine, if values.is_empty() { &[f32::NAN] } else { values });
        RankOne {
            vectors: upload(engine, &self.vectors),
            rows: met.upload(engine, &met.rows),
            entries: met.positives.len(),
            positive: or_one(&self.positive),
            negative: (met.groups.candidates > 0).then(|| upload(engine, &self.negative)),
            groups: met.groups,
        }
    }

    /// Items x width in f64.
    pub fn dense(&self, met: &Met) -> Vec<f64> {
        let groups = met.groups;
        let mut gradient = vec![0.0; met.items * self.width];
        let mut add = |item: u32, coefficient: f32, row: usize| {
            for column in 0..self.width {
                gradient[item as usize * self.width + column] +=
                    f64::from(coefficient) * f64::from(self.vectors[row * self.width + column]);
            }
        };
        for sample in 0..groups.samples {
            for (entry, (&item, &row)) in met.positives.iter().zip(&met.rows).enumerate() {
                let coefficient = self.positive[sample * met.positives.len() + entry];
                add(item, coefficient, sample * groups.batch + row as usize);
            }
        }
        for row in 0..groups.rows() {
            for slot in 0..groups.candidates {
                let item = met.negatives[groups.of_row(row) * groups.candidates + slot];
                add(item, self.negative[row * groups.candidates + slot], row);
            }
        }
        gradient
    }
}

/// Groups by their numbers.
pub fn groups(batch: usize, samples: usize, group_size: usize, candidates: usize) -> Groups {
    Groups { batch, samples, size: group_size, candidates }
}

/// Groups, entries, items: single, odd, shared unevenly, without positives, without negatives, many
/// entries on few items, few entries on many items.
pub fn batches() -> Vec<Met> {
    [
        (groups(1, 1, 1, 1), 1, 1),
        (groups(7, 1, 1, 7), 23, 345),
        (groups(7, 3, 3, 5), 31, 19),
        (groups(4, 2, 1, 9), 0, 11),
        (groups(5, 1, 1, 0), 40, 17),
        (groups(65, 1, 8, 345), 1999, 3),
        (groups(256, 1, 1, 20), 2500, 70_001),
    ]
    .into_iter()
    .enumerate()
    .map(|(stream, (groups, entries, items))| Met::new(stream as u32, groups, entries, items))
    .collect()
}
