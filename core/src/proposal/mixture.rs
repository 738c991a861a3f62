//! Two proposals mixed: `q = (1 - p) first + p second`. A little of the uniform proposal under an
//! adaptive one bounds the weights of items that the latter forgets: `softmax / q <= M softmax / p`.

use std::cell::RefCell;

use super::{Catalogue, Draw, IndexReport, LocalFuture, MidxIndex, Proposal, Samples, index::Kept};
use crate::{
    Result,
    engine::{Buffer, Engine, Recording},
    kernels::{MixLogQ, MixNegatives},
    rng::Rng,
};

/// Draws from either of two proposals, each slot independently.
pub struct Mixture {
    engine: Engine,
    first: Box<dyn Proposal>,
    second: Box<dyn Proposal>,
    /// Probability of the second.
    probability: f32,
    /// Scratch for the second proposal's samples and log q, as large as the largest step so far.
    scratch: RefCell<Option<Samples>>,
}

impl Mixture {
    /// `probability` is that of the second.
    pub fn new(
        engine: &Engine,
        first: Box<dyn Proposal>,
        second: Box<dyn Proposal>,
        probability: f32,
    ) -> Self {
        Self { engine: engine.clone(), first, second, probability, scratch: RefCell::new(None) }
    }

    /// Buffers for the second proposal, of the sizes of these.
    fn scratch(&self, negatives: usize, entries: usize) -> Result<Samples> {
        let mut scratch = self.scratch.borrow_mut();
        if let Some(scratch) = scratch.as_ref()
            && scratch.negatives.len() >= negatives
            && scratch.positive_log_q.len() >= entries
        {
            return Ok(scratch.clone());
        }
        let made = Samples {
            negatives: self.engine.zeros("negatives of the mixture", negatives)?,
            negative_log_q: self.engine.zeros("log q of the mixture", negatives)?,
            positive_log_q: self.engine.zeros("log q of the mixture's positives", entries.max(1))?,
        };
        Ok(scratch.insert(made).clone())
    }
}

impl Proposal for Mixture {
    fn attach(&mut self, catalogue: &Catalogue) {
        self.first.attach(catalogue);
        self.second.attach(catalogue);
    }

    fn reads_items(&self) -> bool {
        self.first.reads_items() || self.second.reads_items()
    }

    fn draw(&self, recording: &mut Recording, draw: &Draw<'_>, negatives: &Buffer<u32>) {
        match self.scratch(draw.groups.total(), draw.groups.samples * draw.entries) {
            Err(error) => recording.fail(error),
            Ok(scratch) => {
                self.first.draw(recording, draw, negatives);
                self.second.draw(recording, draw, &scratch.negatives);
                recording.push(MixNegatives {
                    groups: draw.groups,
                    probability: self.probability,
                    rng: draw.rng,
                    step: draw.step,
                    second: scratch.negatives,
                    negatives: negatives.clone(),
                });
            }
        }
    }

    fn log_q(&self, recording: &mut Recording, draw: &Draw<'_>, samples: &Samples) {
        let (negatives, entries) = (draw.groups.total(), draw.groups.samples * draw.entries);
        match self.scratch(negatives, entries) {
            Err(error) => recording.fail(error),
            Ok(scratch) => {
                // Both look at the candidates of the mixture.
                let second = Samples { negatives: samples.negatives.clone(), ..scratch };
                self.first.log_q(recording, draw, samples);
                self.second.log_q(recording, draw, &second);
                for (len, second, output) in [
                    (negatives, second.negative_log_q, &samples.negative_log_q),
                    (entries, second.positive_log_q, &samples.positive_log_q),
                ] {
                    recording.push(MixLogQ {
                        len,
                        probability: self.probability,
                        second,
                        output: output.clone(),
                    });
                }
            }
        }
    }

    fn refresh<'a>(
        &'a mut self,
        engine: &'a Engine,
        catalogue: &'a Catalogue,
        rng: Rng,
        step: u32,
    ) -> LocalFuture<'a, Result<Option<IndexReport>>> {
        Box::pin(async move {
            let first = self.first.refresh(engine, catalogue, rng, step).await?;
            let second = self.second.refresh(engine, catalogue, rng, step).await?;
            Ok(first.or(second))
        })
    }

    fn index(&self) -> Option<&MidxIndex> {
        self.first.index().or_else(|| self.second.index())
    }

    fn observe(&self, recording: &mut Recording, queries: &Buffer<f32>, rows: usize) {
        self.first.observe(recording, queries, rows);
        self.second.observe(recording, queries, rows);
    }

    fn restore(&mut self, engine: &Engine, kept: Kept, moments: &[f32]) -> Result<()> {
        // One of them at most has an index; the other lets it pass.
        self.first.restore(engine, kept.clone(), moments)?;
        self.second.restore(engine, kept, moments)
    }

    fn snapshot(&self) -> Option<&[f32]> {
        self.first.snapshot().or_else(|| self.second.snapshot())
    }

    fn restore_snapshot(&mut self, engine: &Engine, rows: &[f32], catalogue: &Catalogue) -> Result<()> {
        self.first.restore_snapshot(engine, rows, catalogue)?;
        self.second.restore_snapshot(engine, rows, catalogue)
    }
}
