//! The softmax itself, drawn through the index (paper, theorem 4.1): exact, at the cost of all logits.

use super::{
    BoxFuture, Catalogue, Draw, IndexReport, MidxIndex, Proposal, Wanted, logits::Logits, not_refreshed,
};
use crate::{
    Result,
    config::{ProposalConfig, ProposalKind},
    engine::{Buffer, Engine, Recording},
    kernels::{MidxExactCells, MidxExactDraw, SoftmaxLogQ},
    rng::Rng,
    state::{State, StatePart},
};

/// q(i) = exp(o_i) / sum of exp(o).
pub struct ExactMidx {
    items: usize,
    config: ProposalConfig,
    /// Training interactions of each item.
    counts: Vec<u32>,
    index: Option<MidxIndex>,
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
            items,
            config: config.clone(),
            counts: counts.to_vec(),
            index: None,
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
        let Some(index) = self.index.as_ref().filter(|index| index.built()) else {
            return recording.fail(not_refreshed("midx"));
        };
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
        let Some(index) = self.index.as_ref().filter(|index| index.built()) else {
            return recording.fail(not_refreshed("midx"));
        };
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
        for Wanted { items, log_q } in wanted {
            recording.push(SoftmaxLogQ {
                groups: draw.groups,
                logits: self.logits.values.clone(),
                catalogue: self.items,
                log_z: self.log_z.clone(),
                items: items.clone(),
                output: log_q.clone(),
            });
        }
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
            index.refresh(engine, catalogue, &vec![1.0; self.items], rng, step).await.map(Some)
        })
    }

    fn index(&self) -> Option<&MidxIndex> {
        self.index.as_ref()
    }

    fn observes(&self) -> bool {
        self.index.as_ref().is_some_and(MidxIndex::observes)
    }

    fn observe(&self, recording: &mut Recording, queries: &Buffer<f32>, rows: usize) {
        if let Some(index) = &self.index {
            index.observe(recording, queries, rows);
        }
    }

    fn needs_refresh(&self) -> bool {
        true
    }

    fn is_ready(&self) -> bool {
        self.index.is_some()
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
}
