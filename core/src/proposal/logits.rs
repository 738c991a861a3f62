//! The logits of all items for every query row, for proposals that need them.

use super::{Catalogue, Draw, Wanted};
use crate::{
    Error, Result,
    config::ProposalKind,
    engine::{Buffer, Engine, Recording},
    kernels::{MatMul, SoftmaxLogQ, View},
};

/// The error of a recording that uses a proposal before the item vectors that it reads are set.
pub(super) fn not_attached() -> Error {
    Error::Data("a proposal was asked to draw before it had item vectors".into())
}

/// The most logits held at once: 1 GiB.
const MOST: usize = 1 << 28;

/// The logits of a step.
pub(super) struct Logits {
    /// R x M.
    pub values: Buffer<f32>,
    /// M.
    pub items: usize,
    catalogue: Option<Catalogue>,
}

impl Logits {
    /// `queries` is the largest number of query rows in a step.
    ///
    /// # Errors
    /// [`Error::Setting`] if the logits of a step are too many; [`Error::Device`] if the engine cannot hold
    /// them.
    pub fn new(engine: &Engine, kind: ProposalKind, items: usize, queries: usize) -> Result<Self> {
        if queries * items > MOST {
            return Err(Error::setting(
                "proposal.kind",
                format!(
                    "{} needs the logits of {queries} query rows x {items} items x 4 bytes = {} MiB at once, more than \
                     {} MiB; take a `batch` of at most {}, or midx-uniform or midx-popularity, which need no logits",
                    kind.name(),
                    queries * items / (1 << 18),
                    MOST / (1 << 18),
                    MOST / items,
                ),
            ));
        }
        Ok(Self { values: engine.zeros("logits of all items", queries * items)?, items, catalogue: None })
    }

    /// Sets the item vectors that later steps use.
    pub fn attach(&mut self, catalogue: &Catalogue) {
        self.catalogue = Some(catalogue.clone());
    }

    /// Appends the product of queries and item vectors; the recording fails if no item vectors are set.
    pub fn record(&self, recording: &mut Recording, draw: &Draw<'_>) {
        let Some(catalogue) = &self.catalogue else {
            return recording.fail(not_attached());
        };
        let width = catalogue.width;
        let mut product = MatMul::new(
            draw.groups.rows(),
            self.items,
            width,
            View::rows(draw.queries, width),
            View::rows(&catalogue.table, width).transposed(),
            View::rows(&self.values, self.items),
        );
        product.bias = catalogue.bias.clone();
        recording.push(product);
    }

    /// Appends the kernels that compute log q under the softmax of the logits; `log_z` is the logarithm of each
    /// row's partition sum.
    pub fn softmax(
        &self,
        recording: &mut Recording,
        draw: &Draw<'_>,
        log_z: &Buffer<f32>,
        wanted: &[Wanted],
    ) {
        for Wanted { items, log_q } in wanted {
            recording.push(SoftmaxLogQ {
                groups: draw.groups,
                logits: self.values.clone(),
                catalogue: self.items,
                log_z: log_z.clone(),
                items: items.clone(),
                output: log_q.clone(),
            });
        }
    }
}
