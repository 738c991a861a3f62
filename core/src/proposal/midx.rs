//! MIDX_Uni and MIDX_Pop (paper, theorems 5.1 and 5.2): a cell is drawn given the query, then an item of the
//! cell by its fixed weight.

use super::{Draw, MidxIndex, Proposal, Structure, Wanted, indexed::Indexed};
use crate::{
    Result,
    config::ProposalConfig,
    engine::{Buffer, Engine, Recording},
    kernels::{
        MatMul, MidxDraw, MidxLogQ, MidxNormalise, MidxOccupiedDraw, MidxOccupiedLogQ, MidxOccupiedNormalise,
        View,
    },
};

/// q(i) ~ w_i exp(bias_i + q . codewords of i).
pub struct Midx {
    index: Indexed,
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
            index: Indexed::new(config, counts, weights),
            scores: engine.zeros("codeword scores", queries * scores)?,
            log_psi: engine.zeros("log psi", queries * blocks)?,
            log_z: engine.zeros("log partition", queries)?,
        })
    }
}

impl Proposal for Midx {
    fn prepare(&self, recording: &mut Recording, draw: &Draw<'_>) {
        let Some(index) = self.index.get(recording) else { return };
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
        let Some(index) = self.index.get(recording) else { return };
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
        let Some(index) = self.index.get(recording) else { return };
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

    fn structures(&self) -> Vec<&dyn Structure> {
        vec![&self.index]
    }

    fn structures_mut(&mut self) -> Vec<&mut dyn Structure> {
        vec![&mut self.index]
    }
}
