//! The softmax itself, drawn through the index (paper, theorem 4.1): exact, at the cost of all logits.

use super::{Catalogue, Draw, MidxIndex, Proposal, Structure, Wanted, indexed::Indexed, logits::Logits};
use crate::{
    Result,
    config::{ProposalConfig, ProposalKind},
    engine::{Buffer, Engine, Recording},
    kernels::{MidxExactCells, MidxExactDraw},
};

/// q(i) = exp(o_i) / sum of exp(o).
pub struct ExactMidx {
    index: Indexed,
    logits: Logits,
    /// R x cells.
    sums: Buffer<f32>,
    /// R.
    top: Buffer<f32>,
    /// R.
    log_z: Buffer<f32>,
}

impl ExactMidx {
    /// `queries` is the largest number of query rows in a step.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] if the logits of a step are too many; [`crate::Error::Device`] if the engine
    /// cannot hold them.
    pub fn new(engine: &Engine, config: &ProposalConfig, counts: &[u32], queries: usize) -> Result<Self> {
        let items = counts.len();
        let (cells, _) = MidxIndex::capacity(config, items);
        Ok(Self {
            index: Indexed::new(config, counts, vec![1.0; items]),
            logits: Logits::new(engine, ProposalKind::Midx, items, queries)?,
            sums: engine.zeros("cell sums", queries * cells)?,
            top: engine.zeros("largest logits", queries)?,
            log_z: engine.zeros("log partition", queries)?,
        })
    }
}

impl Proposal for ExactMidx {
    fn attach(&mut self, catalogue: &Catalogue) {
        self.logits.attach(catalogue);
    }

    fn reads_items(&self) -> bool {
        true
    }

    fn prepare(&self, recording: &mut Recording, draw: &Draw<'_>) {
        let Some(index) = self.index.get(recording) else { return };
        let (rows, cells) = (draw.groups.rows(), index.cells());
        self.logits.record(recording, draw);
        recording.push(MidxExactCells {
            logits: self.logits.values.clone(),
            rows,
            cells: cells.clone(),
            sums: self.sums.clone(),
            top: self.top.clone(),
            log_z: self.log_z.clone(),
        });
    }

    fn draw(&self, recording: &mut Recording, draw: &Draw<'_>, negatives: &Buffer<u32>) {
        let Some(index) = self.index.get(recording) else { return };
        recording.push(MidxExactDraw {
            groups: draw.groups,
            logits: self.logits.values.clone(),
            sums: self.sums.clone(),
            top: self.top.clone(),
            cells: index.cells().clone(),
            rng: draw.rng,
            step: draw.step,
            negatives: negatives.clone(),
        });
    }

    fn log_q(&self, recording: &mut Recording, draw: &Draw<'_>, wanted: &[Wanted]) {
        self.logits.softmax(recording, draw, &self.log_z, wanted);
    }

    fn structures(&self) -> Vec<&dyn Structure> {
        vec![&self.index]
    }

    fn structures_mut(&mut self) -> Vec<&mut dyn Structure> {
        vec![&mut self.index]
    }
}
