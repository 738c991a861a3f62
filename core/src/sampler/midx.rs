//! MIDX_Uni and MIDX_Pop (paper, theorems 5.1 and 5.2): the index picks a cell by the query, a fixed
//! weight picks an item of the cell.

use super::{Catalogue, Draw, IndexReport, LocalFuture, MidxIndex, Proposal, Samples, index::Kept};
use crate::{
    Result,
    config::LossConfig,
    engine::{Buffer, Engine, Recording},
    kernels::{MatMul, MidxDraw, MidxLogQ, MidxNormalise, View},
    rng::Rng,
};

/// q(i) ~ w_i exp(bias_i + q . codewords of i).
pub struct Midx {
    weights: Vec<f64>,
    codewords: usize,
    first_iterations: u32,
    refresh_iterations: u32,
    index: Option<MidxIndex>,
    /// R x 2K.
    scores: Buffer<f32>,
    /// R x K.
    log_psi: Buffer<f32>,
    /// R.
    log_z: Buffer<f32>,
}

impl Midx {
    /// Weights of one give MIDX_Uni, popularities MIDX_Pop. `rows` is the most query rows of a step.
    ///
    /// # Errors
    /// If the engine cannot hold its tables.
    pub fn new(engine: &Engine, config: &LossConfig, weights: Vec<f64>, rows: usize) -> Result<Self> {
        let k = config.codewords;
        Ok(Self {
            weights,
            codewords: k,
            first_iterations: config.first_iterations,
            refresh_iterations: config.refresh_iterations,
            index: None,
            scores: engine.zeros("codeword scores", rows * 2 * k)?,
            log_psi: engine.zeros("log psi", rows * k)?,
            log_z: engine.zeros("log partition", rows)?,
        })
    }
}

impl Proposal for Midx {
    fn draw(&self, recording: &mut Recording, draw: &Draw<'_>, negatives: &Buffer<u32>) {
        let Some(index) = &self.index else { return };
        let (k, rows, cells) = (self.codewords, draw.groups.rows(), index.cells());
        let width = index.stacked().len() / (2 * k);
        recording.push(MatMul::new(
            rows,
            2 * k,
            width,
            View::rows(draw.queries, width),
            View::rows(index.stacked(), width).transposed(),
            View::rows(&self.scores, 2 * k),
        ));
        recording.push(MidxNormalise {
            scores: self.scores.clone(),
            rows,
            cells: cells.clone(),
            log_psi: self.log_psi.clone(),
            log_z: self.log_z.clone(),
        });
        recording.push(MidxDraw {
            groups: draw.groups,
            scores: self.scores.clone(),
            log_psi: self.log_psi.clone(),
            log_z: self.log_z.clone(),
            cells: cells.clone(),
            rng: draw.rng,
            step: draw.step,
            negatives: negatives.clone(),
        });
    }

    fn log_q(&self, recording: &mut Recording, draw: &Draw<'_>, samples: &Samples) {
        let Some(index) = &self.index else { return };
        for (items, output) in draw.lookups(samples) {
            recording.push(MidxLogQ {
                groups: draw.groups,
                scores: self.scores.clone(),
                log_z: self.log_z.clone(),
                cells: index.cells().clone(),
                items,
                output: output.clone(),
            });
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
            let iterations =
                if self.index.is_some() { self.refresh_iterations } else { self.first_iterations };
            let index = match &mut self.index {
                Some(index) => index,
                None => self.index.insert(MidxIndex::new(
                    engine,
                    catalogue.items,
                    catalogue.width,
                    self.codewords,
                )?),
            };
            index.refresh(engine, catalogue, &self.weights, iterations, rng, step).await.map(Some)
        })
    }

    fn index(&self) -> Option<&MidxIndex> {
        self.index.as_ref()
    }

    fn restore(&mut self, engine: &Engine, kept: Kept) -> Result<()> {
        self.index = Some(MidxIndex::restore(engine, self.weights.len(), self.codewords, kept)?);
        Ok(())
    }
}
