//! The vectors behind the scores: for approximate nearest neighbours in other programs.

use super::Recommender;
use crate::{
    Error, Result,
    data::Csr,
    model::{self, Scorer},
    proposal::Catalogue,
};

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
        let found = model::queries(&self.engine, &self.model, histories).await?;
        let rows = found.chunks_exact(width).flat_map(|row| row.iter().copied().chain([1.0]));
        Ok(Vectors { values: rows.collect(), width: width + 1 })
    }
}
