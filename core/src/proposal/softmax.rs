//! The softmax itself, drawn directly: computes all logits, then searches their running sums. It is the
//! reference for all other proposals, and the one under which the sampled softmax is unbiased (Bengio and
//! Senecal, 2008).

use super::{Catalogue, Draw, Proposal, Wanted, logits::Logits};
use crate::{
    Result,
    config::ProposalKind,
    engine::{Buffer, Engine, Recording},
    kernels::{BLOCKS, SoftmaxBlocks, SoftmaxDraw},
};

/// q(i) = exp(o_i) / sum of exp(o).
pub struct Softmax {
    logits: Logits,
    /// R x [`BLOCKS`].
    sums: Buffer<f32>,
    /// R.
    top: Buffer<f32>,
    /// R.
    log_z: Buffer<f32>,
}

impl Softmax {
    /// `queries` is the largest number of query rows in a step.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] if the logits of a step are too many; [`crate::Error::Device`] if the engine
    /// cannot hold them.
    pub fn new(engine: &Engine, items: usize, queries: usize) -> Result<Self> {
        Ok(Self {
            logits: Logits::new(engine, ProposalKind::Softmax, items, queries)?,
            sums: engine.zeros("softmax blocks", queries * BLOCKS)?,
            top: engine.zeros("largest logits", queries)?,
            log_z: engine.zeros("log partition", queries)?,
        })
    }
}

impl Proposal for Softmax {
    fn attach(&mut self, catalogue: &Catalogue) {
        self.logits.attach(catalogue);
    }

    fn reads_items(&self) -> bool {
        true
    }

    fn prepare(&self, recording: &mut Recording, draw: &Draw<'_>) {
        self.logits.record(recording, draw);
        recording.push(SoftmaxBlocks {
            logits: self.logits.values.clone(),
            rows: draw.groups.rows(),
            items: self.logits.items,
            sums: self.sums.clone(),
            top: self.top.clone(),
            log_z: self.log_z.clone(),
        });
    }

    fn draw(&self, recording: &mut Recording, draw: &Draw<'_>, negatives: &Buffer<u32>) {
        recording.push(SoftmaxDraw {
            groups: draw.groups,
            logits: self.logits.values.clone(),
            items: self.logits.items,
            sums: self.sums.clone(),
            top: self.top.clone(),
            rng: draw.rng,
            step: draw.step,
            negatives: negatives.clone(),
        });
    }

    fn log_q(&self, recording: &mut Recording, draw: &Draw<'_>, wanted: &[Wanted]) {
        self.logits.softmax(recording, draw, &self.log_z, wanted);
    }
}
