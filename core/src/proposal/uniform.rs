//! Every item with the same probability.

use super::{Draw, Proposal, Wanted};
use crate::{
    Result,
    engine::{Buffer, Engine, Recording},
    kernels::{DrawStatic, ItemsOf, Lookup},
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
    /// If the engine cannot hold one number per item.
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

    fn log_q(&self, recording: &mut Recording, draw: &Draw<'_>, wanted: &[Wanted]) {
        record_lookups(recording, &self.log_q, draw, wanted);
    }
}

/// log q if it does not depend on the user: the mixture over a group then equals log q of each of its rows.
pub(super) fn record_lookups(
    recording: &mut Recording,
    log_q: &Buffer<f32>,
    draw: &Draw<'_>,
    wanted: &[Wanted],
) {
    for Wanted { items, log_q: output } in wanted {
        let (items, len, repeats) = match items {
            ItemsOf::Candidates(items) => (items, draw.groups.total(), 1),
            ItemsOf::Entries { items, entries, .. } => (items, *entries, draw.groups.samples),
        };
        recording.push(Lookup {
            table: log_q.clone(),
            items: items.clone(),
            len,
            repeats,
            output: output.clone(),
        });
    }
}
