//! MIDX_Uni and MIDX_Pop (paper, theorems 5.1 and 5.2): a cell is drawn given the query, then an item of the
//! cell by its fixed weight.

use super::{BoxFuture, Catalogue, Draw, IndexReport, MidxIndex, Proposal, Wanted, not_refreshed};
use crate::{
    Result,
    config::ProposalConfig,
    engine::{Buffer, Engine, Recording},
    kernels::{
        MatMul, MidxDraw, MidxLogQ, MidxNormalise, MidxOccupiedDraw, MidxOccupiedLogQ, MidxOccupiedNormalise,
        View,
    },
    rng::Rng,
    state::{State, StatePart},
};

/// q(i) ~ w_i exp(bias_i + q . codewords of i).
pub struct Midx {
    weights: Vec<f64>,
    config: ProposalConfig,
    /// Training interactions of each item.
    counts: Vec<u32>,
    index: Option<MidxIndex>,
    /// R x m K.
    scores: Buffer<f32>,
    /// R x blocks of cells.
    log_psi: Buffer<f32>,
    /// R.
    log_z: Buffer<f32>,
}

impl Midx {
    /// Weights of one give MIDX_Uni, popularities MIDX_Pop. `queries` is the largest number of query rows in
    /// a step.
    ///
    /// # Errors
    /// If the engine cannot hold the tables.
    pub fn new(
        engine: &Engine,
        config: &ProposalConfig,
        counts: &[u32],
        weights: Vec<f64>,
        queries: usize,
    ) -> Result<Self> {
        let scores = config.codebooks * config.codewords;
        let (_, blocks) = MidxIndex::capacity(config, weights.len());
        Ok(Self {
            weights,
            config: config.clone(),
            counts: counts.to_vec(),
            index: None,
            scores: engine.zeros("codeword scores", queries * scores)?,
            log_psi: engine.zeros("log psi", queries * blocks)?,
            log_z: engine.zeros("log partition", queries)?,
        })
    }
}

impl Proposal for Midx {
    fn prepare(&self, recording: &mut Recording, draw: &Draw<'_>) {
        let Some(index) = self.index.as_ref().filter(|index| index.built()) else {
            return recording.fail(not_refreshed("midx"));
        };
        let (rows, cells) = (draw.groups.rows(), index.cells());
        let columns = cells.codebooks * cells.codewords;
        let width = index.stacked().len() / columns;
        recording.push(MatMul::new(
            rows,
            columns,
            width,
            View::rows(draw.queries, width),
            View::rows(index.stacked(), width).transposed(),
            View::rows(&self.scores, columns),
        ));
        let (scores, cells) = (self.scores.clone(), cells.clone());
        let (log_psi, log_z) = (self.log_psi.clone(), self.log_z.clone());
        if cells.codebooks == 2 {
            recording.push(MidxNormalise { scores, rows, cells, log_psi, log_z });
        } else {
            recording.push(MidxOccupiedNormalise { scores, rows, cells, log_psi, log_z });
        }
    }

    fn draw(&self, recording: &mut Recording, draw: &Draw<'_>, negatives: &Buffer<u32>) {
        let Some(index) = self.index.as_ref().filter(|index| index.built()) else {
            return recording.fail(not_refreshed("midx"));
        };
        let (groups, rng, step) = (draw.groups, draw.rng, draw.step);
        let (scores, cells, negatives) = (self.scores.clone(), index.cells().clone(), negatives.clone());
        let (log_psi, log_z) = (self.log_psi.clone(), self.log_z.clone());
        if cells.codebooks == 2 {
            recording.push(MidxDraw { groups, scores, log_psi, log_z, cells, rng, step, negatives });
        } else {
            recording.push(MidxOccupiedDraw { groups, scores, log_psi, log_z, cells, rng, step, negatives });
        }
    }

    fn log_q(&self, recording: &mut Recording, draw: &Draw<'_>, wanted: &[Wanted]) {
        let Some(index) = self.index.as_ref().filter(|index| index.built()) else {
            return recording.fail(not_refreshed("midx"));
        };
        for Wanted { items, log_q } in wanted {
            let (groups, cells, items, output) =
                (draw.groups, index.cells().clone(), items.clone(), log_q.clone());
            let (scores, log_z) = (self.scores.clone(), self.log_z.clone());
            if cells.codebooks == 2 {
                recording.push(MidxLogQ { groups, scores, log_z, cells, items, output });
            } else {
                recording.push(MidxOccupiedLogQ { groups, scores, log_z, cells, items, output });
            }
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
            index.refresh(engine, catalogue, &self.weights, rng, step).await.map(Some)
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
