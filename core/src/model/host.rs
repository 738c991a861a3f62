//! Parts that models on the CPU engine share.

use super::{Batch, Scoring, record_products};
use crate::{
    Result,
    data::Csr,
    engine::{Buffer, Recording},
    kernels::{HostRows, RowFunction},
    proposal::Catalogue,
    rng::{Rng, Stream, below},
};

/// Scores histories by a function that writes the scores of all items for one history.
pub(super) struct HostScoring {
    /// M.
    pub items: usize,
    /// Gets a history and a row of M scores with any content.
    pub score: RowFunction,
}

impl Scoring for HostScoring {
    fn record_scores(&self, recording: &mut Recording, batch: &Batch, scores: &Buffer<f32>) {
        recording.push(HostRows {
            offsets: batch.offsets.clone(),
            items: batch.items.clone(),
            rows: batch.users,
            width: self.items,
            function: self.score.clone(),
            output: scores.clone(),
        });
    }
}

/// Computes the vector of each history by a function and multiplies it with the item vectors.
pub(super) struct FoldIn {
    /// The item vectors, M x d.
    pub catalogue: Catalogue,
    /// B x d.
    pub queries: Buffer<f32>,
    /// Gets a history and a vector with any content.
    pub fold_in: RowFunction,
}

impl Scoring for FoldIn {
    fn record_scores(&self, recording: &mut Recording, batch: &Batch, scores: &Buffer<f32>) {
        self.record_queries(recording, batch);
        record_products(recording, batch.users, &self.queries, &self.catalogue, scores);
    }

    fn record_queries(&self, recording: &mut Recording, batch: &Batch) -> Option<Buffer<f32>> {
        recording.push(HostRows {
            offsets: batch.offsets.clone(),
            items: batch.items.clone(),
            rows: batch.users,
            width: self.catalogue.width,
            function: self.fold_in.clone(),
            output: self.queries.clone(),
        });
        Some(self.queries.clone())
    }
}

/// The numbers below `count` in the random order of an epoch.
pub(super) fn shuffled(count: usize, rng: Rng, epoch: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    for i in (1..count).rev() {
        let word = rng.block(Stream::Shuffle, epoch, 0, i as u32)[0];
        order.swap(i, below(word, i as u32 + 1) as usize);
    }
    order
}

/// The users of each item, ascending: M x N.
///
/// # Errors
/// If they are more than can be counted.
pub(super) fn by_item(train: &Csr) -> Result<Csr> {
    let mut offsets = vec![0u32];
    let mut end = 0;
    offsets.extend(train.column_counts().iter().map(|count| {
        end += count;
        end
    }));
    let mut next = offsets.clone();
    let mut users = vec![0; train.nnz()];
    for (user, row) in train.iter().enumerate() {
        for &item in row {
            let at = &mut next[item as usize];
            users[*at as usize] = user as u32;
            *at += 1;
        }
    }
    Csr::new(offsets, users, train.rows() as u32)
}
