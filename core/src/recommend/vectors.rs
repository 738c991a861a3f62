//! The vectors behind the scores: for approximate nearest neighbours in other programs.

use super::Recommender;
use crate::{
    Error, Result,
    data::Csr,
    engine::{Buffer, Recording},
    model::{Batch, Scorer},
    proposal::Catalogue,
    watch,
};

/// Histories of which the queries are computed at once.
const PIECE: usize = 1024;

/// Rows of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    /// Rows x width.
    pub values: Vec<f32>,
    /// Numbers of a row.
    pub width: usize,
}

impl Vectors {
    /// The rows in order.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width)
    }
}

impl Recommender {
    /// The item vectors on the engine.
    pub(super) fn item_vectors(&self) -> Result<Catalogue> {
        self.model.item_vectors().ok_or_else(|| {
            Error::Data(format!("a model of kind {} has no item vectors", self.model.kind().name()))
        })
    }

    /// The row of each item: its vector, and its bias as one more number. The inner product with a row of
    /// [`Recommender::queries`] is the score.
    ///
    /// # Errors
    /// [`Error::Data`] for a model without item vectors; [`Error::Device`] if the device is lost.
    pub async fn item_rows(&self) -> Result<Vectors> {
        let catalogue = self.item_vectors()?;
        let (vectors, width) = self.vectors(&catalogue).await?;
        let biases = match &catalogue.bias {
            Some(bias) => self.engine.read_range(bias, 0..catalogue.items).await?,
            None => vec![0.0; catalogue.items],
        };
        let rows = vectors.chunks_exact(width).zip(biases);
        let values = rows.flat_map(|(row, bias)| row.iter().copied().chain([bias])).collect();
        Ok(Vectors { values, width: width + 1 })
    }

    /// The query of each history, and a 1 for the bias of items: what scores items by inner products with
    /// [`Recommender::item_rows`].
    ///
    /// # Errors
    /// As [`Recommender::item_rows`].
    pub async fn queries(&self, histories: &Csr) -> Result<Vectors> {
        let width = self.item_vectors()?.width;
        let users = histories.rows();
        let mut values = Vec::with_capacity(users * (width + 1));
        watch::begin("queries", "users", users as u64);
        for start in (0..users).step_by(PIECE) {
            watch::check()?;
            let end = (start + PIECE).min(users);
            let first = histories.offsets()[start];
            let offsets: Vec<u32> =
                histories.offsets()[start..=end].iter().map(|offset| offset - first).collect();
            let items = &histories.items()[first as usize..histories.offsets()[end] as usize];
            let rows: Vec<u32> = (0u32..)
                .zip(offsets.windows(2))
                .flat_map(|(row, ends)| (ends[0]..ends[1]).map(move |_| row))
                .collect();
            let or_zero = |values: &[u32]| if values.is_empty() { vec![0] } else { values.to_vec() };
            let batch = Batch {
                offsets: self.engine.upload("offsets", &offsets)?,
                items: self.engine.upload("items", &or_zero(items))?,
                rows: self.engine.upload("rows", &or_zero(&rows))?,
                users: end - start,
                entries: items.len(),
            };
            let scoring = self.model.scoring(&self.engine, batch.users, batch.entries)?;
            let mut recording = Recording::new();
            let queries: Option<Buffer<f32>> = scoring.record_queries(&mut recording, &batch);
            let queries = queries.ok_or_else(|| Error::Data("the model has no queries".into()))?;
            self.engine.run(&recording)?;
            let found = self.engine.read_range(&queries, 0..batch.users * width).await?;
            values.extend(found.chunks_exact(width).flat_map(|row| row.iter().copied().chain([1.0])));
            watch::advance(batch.users as u64);
        }
        Ok(Vectors { values, width: width + 1 })
    }
}
