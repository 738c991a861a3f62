//! The index of a proposal, which exists from its first refresh on.

use super::{BoxFuture, Catalogue, IndexReport, MidxIndex, Structure, not_refreshed};
use crate::{
    Result,
    config::ProposalConfig,
    engine::{Buffer, Engine, Recording},
    rng::Rng,
    state::{State, StatePart},
};

/// The index of a proposal, and what it is built with.
pub(super) struct Indexed {
    config: ProposalConfig,
    /// Training interactions of each item.
    counts: Vec<u32>,
    /// Weight of each item within its cell.
    weights: Vec<f64>,
    index: Option<MidxIndex>,
}

impl Indexed {
    pub fn new(config: &ProposalConfig, counts: &[u32], weights: Vec<f64>) -> Self {
        Self { config: config.clone(), counts: counts.to_vec(), weights, index: None }
    }

    /// The index; before the first refresh, `None`, and the recording fails.
    pub fn get(&self, recording: &mut Recording) -> Option<&MidxIndex> {
        let index = self.index.as_ref().filter(|index| index.built());
        if index.is_none() {
            recording.fail(not_refreshed("midx"));
        }
        index
    }
}

impl Structure for Indexed {
    fn is_ready(&self) -> bool {
        self.index.is_some()
    }

    fn refresh<'a>(
        &'a mut self,
        engine: &'a Engine,
        catalogue: &'a Catalogue,
        rng: Rng,
        step: u32,
    ) -> BoxFuture<'a, Result<Option<IndexReport>>> {
        Box::pin(async move {
            let index = match &mut self.index {
                Some(index) => index,
                None => {
                    self.index.insert(MidxIndex::new(engine, &self.config, &self.counts, catalogue.width)?)
                }
            };
            index.refresh(engine, catalogue, &self.weights, rng, step).await.map(Some)
        })
    }

    fn state(&self) -> StatePart {
        self.index.as_ref().map_or_else(StatePart::default, MidxIndex::state)
    }

    fn restore(&mut self, engine: &Engine, state: &State, _: &Catalogue) -> Result<()> {
        if let Some(index) = MidxIndex::restore(engine, &self.config, &self.counts, state)? {
            self.index = Some(index);
        }
        Ok(())
    }

    fn observes(&self) -> bool {
        self.index.as_ref().is_some_and(MidxIndex::observes)
    }

    fn observe(&self, recording: &mut Recording, queries: &Buffer<f32>, rows: usize) {
        if let Some(index) = &self.index {
            index.observe(recording, queries, rows);
        }
    }

    fn index(&self) -> Option<&MidxIndex> {
        self.index.as_ref()
    }
}
