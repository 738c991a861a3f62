//! A mixture of two proposals: `q = (1 - p) first + p second`. Mixing a little of the uniform proposal into
//! an adaptive one bounds the weights of items to which the latter gives almost no probability: `softmax / q
//! <= M softmax / p`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Catalogue, Draw, Proposal, Structure, Wanted};
use crate::{
    Result,
    engine::{Buffer, Element, Engine, Recording},
    kernels::{MixLogQ, MixNegatives},
};

/// Draws from either of two proposals, each slot independently.
pub struct Mixture {
    engine: Engine,
    first: Box<dyn Proposal>,
    second: Box<dyn Proposal>,
    /// Probability of the second.
    probability: f32,
    scratch: Mutex<Scratch>,
}

/// Buffers for the second proposal, as large as the largest step so far requires.
#[derive(Default)]
struct Scratch {
    negatives: Option<Buffer<u32>>,
    /// log q under the second proposal, one buffer per position in the list of requests.
    log_q: Vec<Option<Buffer<f32>>>,
}

impl Mixture {
    /// `probability` is that of the second proposal.
    pub fn new(
        engine: &Engine,
        first: Box<dyn Proposal>,
        second: Box<dyn Proposal>,
        probability: f32,
    ) -> Self {
        Self { engine: engine.clone(), first, second, probability, scratch: Mutex::default() }
    }

    fn scratch(&self) -> MutexGuard<'_, Scratch> {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer of at least this length: the existing one, or a new one that replaces it.
    fn at_least<T: Element>(&self, place: &mut Option<Buffer<T>>, len: usize) -> Result<Buffer<T>> {
        match place {
            Some(buffer) if buffer.len() >= len => Ok(buffer.clone()),
            _ => Ok(place.insert(self.engine.zeros("second of a mixture", len.max(1))?).clone()),
        }
    }

    fn draw_both(&self, recording: &mut Recording, draw: &Draw<'_>, negatives: &Buffer<u32>) -> Result<()> {
        let second = self.at_least(&mut self.scratch().negatives, draw.groups.total())?;
        self.first.draw(recording, draw, negatives);
        self.second.draw(recording, draw, &second);
        recording.push(MixNegatives {
            groups: draw.groups,
            probability: self.probability,
            rng: draw.rng,
            step: draw.step,
            second,
            negatives: negatives.clone(),
        });
        Ok(())
    }

    fn log_q_of_both(&self, recording: &mut Recording, draw: &Draw<'_>, wanted: &[Wanted]) -> Result<()> {
        let mut scratch = self.scratch();
        let wanted_len = scratch.log_q.len().max(wanted.len());
        scratch.log_q.resize(wanted_len, None);
        let mut second = Vec::with_capacity(wanted.len());
        for (Wanted { items, .. }, place) in wanted.iter().zip(&mut scratch.log_q) {
            let log_q = self.at_least(place, items.outputs(&draw.groups))?;
            second.push(Wanted { items: items.clone(), log_q });
        }
        self.first.log_q(recording, draw, wanted);
        self.second.log_q(recording, draw, &second);
        for (first, second) in wanted.iter().zip(second) {
            recording.push(MixLogQ {
                len: first.items.outputs(&draw.groups),
                probability: self.probability,
                second: second.log_q,
                output: first.log_q.clone(),
            });
        }
        Ok(())
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

    fn prepare(&self, recording: &mut Recording, draw: &Draw<'_>) {
        self.first.prepare(recording, draw);
        self.second.prepare(recording, draw);
    }

    fn draw(&self, recording: &mut Recording, draw: &Draw<'_>, negatives: &Buffer<u32>) {
        if let Err(error) = self.draw_both(recording, draw, negatives) {
            recording.fail(error);
        }
    }

    fn log_q(&self, recording: &mut Recording, draw: &Draw<'_>, wanted: &[Wanted]) {
        if let Err(error) = self.log_q_of_both(recording, draw, wanted) {
            recording.fail(error);
        }
    }

    fn structures(&self) -> Vec<&dyn Structure> {
        [self.first.structures(), self.second.structures()].concat()
    }

    fn structures_mut(&mut self) -> Vec<&mut dyn Structure> {
        let mut structures = self.first.structures_mut();
        structures.extend(self.second.structures_mut());
        structures
    }
}
