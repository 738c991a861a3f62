//! Parts that models on the CPU engine share.

use super::{Batch, Scoring};
use crate::{
    Result,
    data::Csr,
    engine::{Buffer, Recording},
    kernels::{HostRows, RowFunction},
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
