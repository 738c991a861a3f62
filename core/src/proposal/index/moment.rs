//! The moments of the queries, accumulated on the device during training.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{
    Result,
    engine::{Buffer, Engine, Recording},
    kernels::{ColumnSum, MatMul, View},
};

/// Decay of the running means at each observation: about the last ten observations count.
const DECAY: f32 = 0.9;

/// Running means of `q q'` and of `q` over batches of queries: `width` rows of the former, then one of the
/// latter.
pub struct Moments {
    width: usize,
    /// (Width + 1) x width.
    value: Buffer<f32>,
    sum: Buffer<f32>,
    one: Buffer<f32>,
    /// Whether any query was observed; until then all values are zero.
    begun: AtomicBool,
}

impl Moments {
    /// Moments without any observation.
    ///
    /// # Errors
    /// If the engine cannot hold them.
    pub fn new(engine: &Engine, width: usize) -> Result<Self> {
        Ok(Self {
            width,
            value: engine.zeros("moments of queries", (width + 1) * width)?,
            sum: engine.zeros("sum of queries", width)?,
            one: engine.upload("one", &[1.0])?,
            begun: AtomicBool::new(false),
        })
    }

    /// Adds `rows` queries of width `width` to the means.
    pub fn observe(&self, recording: &mut Recording, queries: &Buffer<f32>, rows: usize) {
        let width = self.width;
        let beta = if self.begun.swap(true, Ordering::Relaxed) { DECAY } else { 0.0 };
        let alpha = (1.0 - beta) / rows.max(1) as f32;
        let (each, value) = (View::rows(queries, width), View::rows(&self.value, width));
        let second = MatMul::new(width, width, rows, each.clone().transposed(), each, value.clone());
        recording.push(MatMul { alpha, beta, ..second });
        recording.push(ColumnSum {
            values: queries.clone(),
            rows,
            columns: width,
            offset: 0,
            output: self.sum.clone(),
        });
        let (one, sum) = (View::rows(&self.one, 1), View::rows(&self.sum, width));
        let first = MatMul::new(1, width, 1, one, sum, value.skip_rows(width));
        recording.push(MatMul { alpha, beta, ..first });
    }

    /// (Width + 1) x width; zeros before the first observation.
    pub fn buffer(&self) -> &Buffer<f32> {
        &self.value
    }

    /// Restores the moments of a saved run.
    ///
    /// # Errors
    /// If they are more numbers than these moments have.
    pub fn restore(&self, engine: &Engine, value: &[f32]) -> Result<()> {
        self.begun.store(value.iter().any(|&x| x != 0.0), Ordering::Relaxed);
        engine.write(&self.value, 0, value)
    }
}
