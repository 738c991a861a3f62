//! Every item alike.

use super::{Draw, Proposal, Samples};
use crate::{
    Result,
    engine::{Buffer, Engine, Recording},
    kernels::{DrawStatic, Lookup},
};

/// q(i) = 1 / M.
pub struct Uniform {
    items: usize,
    log_q: Buffer<f32>,
}

impl Uniform {
    /// Over `items` items.
    ///
    /// # Errors
    /// If the engine cannot hold a number an item.
    pub fn new(engine: &Engine, items: usize) -> Result<Self> {
        let log_q = engine.upload("uniform log q", &vec![-(items as f64).ln() as f32; items])?;
        Ok(Self { items, log_q })
    }
}

impl Proposal for Uniform {
    fn draw(&self, recording: &mut Recording, draw: &Draw<'_>, negatives: &Buffer<u32>) {
        recording.push(DrawStatic {
            groups: draw.groups,
            items: self.items,
            table: None,
            rng: draw.rng,
            step: draw.step,
            negatives: negatives.clone(),
        });
    }

    fn log_q(&self, recording: &mut Recording, draw: &Draw<'_>, samples: &Samples) {
        record_lookups(recording, &self.log_q, draw, samples);
    }
}

/// log q of candidates and positives where it does not depend on the user: a mixture of equals is the same.
pub(super) fn record_lookups(
    recording: &mut Recording,
    log_q: &Buffer<f32>,
    draw: &Draw<'_>,
    samples: &Samples,
) {
    recording.push(Lookup {
        table: log_q.clone(),
        items: samples.negatives.clone(),
        len: draw.groups.total(),
        repeats: 1,
        output: samples.negative_log_q.clone(),
    });
    recording.push(Lookup {
        table: log_q.clone(),
        items: draw.batch_items.clone(),
        len: draw.entries,
        repeats: draw.groups.samples,
        output: samples.positive_log_q.clone(),
    });
}
