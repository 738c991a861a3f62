//! The softmax itself, drawn plainly: all logits, then a walk over their running sums. What every other
//! proposal is compared with, and what the sampled softmax has no bias under (Bengio and Senecal, 2008).

use super::{Catalogue, Draw, Proposal, Samples, logits::Logits};
use crate::{
    Result,
    config::ProposalKind,
    engine::{Buffer, Engine, Recording},
    kernels::{BLOCKS, SoftmaxBlocks, SoftmaxDraw, SoftmaxLogQ},
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
    /// `rows` is the most query rows of a step.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] where the logits of a step do not fit; [`crate::Error::Device`] where the
    /// engine cannot hold them.
    pub fn new(engine: &Engine, items: usize, rows: usize) -> Result<Self> {
        Ok(Self {
            logits: Logits::new(engine, ProposalKind::Softmax, items, rows)?,
            sums: engine.zeros("softmax blocks", rows * BLOCKS)?,
            top: engine.zeros("largest logits", rows)?,
            log_z: engine.zeros("log partition", rows)?,
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

    fn draw(&self, recording: &mut Recording, draw: &Draw<'_>, negatives: &Buffer<u32>) {
        if !self.logits.record(recording, draw) {
            return;
        }
        recording.push(SoftmaxBlocks {
            logits: self.logits.values.clone(),
            rows: draw.groups.rows(),
            items: self.logits.items,
            sums: self.sums.clone(),
            top: self.top.clone(),
            log_z: self.log_z.clone(),
        });
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

    fn log_q(&self, recording: &mut Recording, draw: &Draw<'_>, samples: &Samples) {
        for (items, output) in draw.lookups(samples) {
            recording.push(SoftmaxLogQ {
                groups: draw.groups,
                logits: self.logits.values.clone(),
                catalogue: self.logits.items,
                log_z: self.log_z.clone(),
                items,
                output: output.clone(),
            });
        }
    }
}
