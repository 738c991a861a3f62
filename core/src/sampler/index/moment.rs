//! What the index knows of the queries: their second moment, gathered on the device as training goes.

use std::cell::Cell;

use crate::{
    Result,
    engine::{Buffer, Engine, Recording},
    kernels::{MatMul, View},
};

/// Share of an observation that the next one leaves: the last ten or so count.
const KEPT: f32 = 0.9;

/// `S`, a running mean of `q q'` over batches of queries, width x width.
pub struct SecondMoment {
    width: usize,
    value: Buffer<f32>,
    /// Whether anything has been seen; nothing is a matrix of zeros.
    begun: Cell<bool>,
}

impl SecondMoment {
    /// Of nothing yet.
    ///
    /// # Errors
    /// If the engine cannot hold it.
    pub fn new(engine: &Engine, width: usize) -> Result<Self> {
        let value = engine.zeros("second moment of queries", width * width)?;
        Ok(Self { width, value, begun: Cell::new(false) })
    }

    /// Takes up `rows` queries of width `width`.
    pub fn observe(&self, recording: &mut Recording, queries: &Buffer<f32>, rows: usize) {
        let queries = View::rows(queries, self.width);
        let value = View::rows(&self.value, self.width);
        let mut product =
            MatMul::new(self.width, self.width, rows, queries.clone().transposed(), queries, value);
        let begun = self.begun.replace(true);
        product.beta = if begun { KEPT } else { 0.0 };
        product.alpha = (1.0 - product.beta) / rows.max(1) as f32;
        recording.push(product);
    }

    /// Width x width; zeros before the first observation.
    pub fn buffer(&self) -> &Buffer<f32> {
        &self.value
    }

    /// Puts a kept one back.
    pub fn restore(&self, engine: &Engine, value: &[f32]) {
        self.begun.set(value.iter().any(|&x| x != 0.0));
        engine.write(&self.value, 0, value);
    }
}
