//! The full softmax of a step: loss, gradients of item rows and queries, and the update of the item rows.

use super::inputs::StepInputs;
use crate::{
    Result,
    engine::{Buffer, Engine, Recording},
    kernels::{Adam, ColumnSum, MatMul, SoftmaxAccumulate, SoftmaxGradient, View},
    model::{Batch, Trainable},
    optimizer::DenseGradient,
};

/// The most logits of a step that are stored whole (64 MiB). If they fit, the second sweep need not compute
/// them again, which saves a quarter of the products of a step.
const STORED_LOGITS: usize = 1 << 24;
/// Logits per block of items on the CPU: a block fits a second-level cache.
const CPU_BLOCK_LOGITS: usize = 1 << 18;
/// Logits per block of items on a GPU: a block (32 MiB) occupies a large one and fits its second-level cache.
const GPU_BLOCK_LOGITS: usize = 1 << 23;

/// The buffers of the loss.
pub struct FullSoftmax {
    logits: Buffer<f32>,
    maximum: Buffer<f32>,
    sum: Buffer<f32>,
    /// The gradients of the item rows of a block, or of all item rows.
    rows_gradient: Buffer<f32>,
    bias_gradient: Option<Buffer<f32>>,
    /// Items per block.
    block: usize,
    /// Whether the gradients of all items are stored; otherwise each block is updated at once.
    stored: bool,
}

impl FullSoftmax {
    /// For at most `rows` query rows.
    ///
    /// # Errors
    /// If the engine cannot hold the buffers.
    pub fn new(engine: &Engine, model: &dyn Trainable, rows: usize, stored: bool) -> Result<Self> {
        let (items, width) = (model.items().rows, model.items().width);
        let logits = if engine.is_cpu() { CPU_BLOCK_LOGITS } else { GPU_BLOCK_LOGITS };
        let block = if rows * items <= STORED_LOGITS { items } else { (logits / rows).max(64).min(items) };
        let gradients = if stored { items } else { block };
        let has_bias = model.item_bias().is_some();
        Ok(Self {
            logits: engine.zeros("logits of a block", rows * block)?,
            maximum: engine.zeros("largest logits", rows)?,
            sum: engine.zeros("partition sums", rows)?,
            rows_gradient: engine.zeros("item gradients", gradients * width)?,
            bias_gradient: if has_bias { Some(engine.zeros("bias gradients", gradients)?) } else { None },
            block,
            stored,
        })
    }

    /// The gradients of all item rows and biases, if they are stored.
    pub fn gradients(&self, model: &dyn Trainable) -> Vec<DenseGradient> {
        let (items, gradient) = (model.items(), self.rows_gradient.clone());
        let parameter = items.parameter.clone();
        let mut gradients = vec![DenseGradient { gradient, parameter, len: items.rows * items.width }];
        if let (Some(bias), Some(gradient)) = (model.item_bias(), &self.bias_gradient) {
            let (gradient, parameter) = (gradient.clone(), bias.parameter.clone());
            gradients.push(DenseGradient { gradient, parameter, len: items.rows });
        }
        gradients
    }

    /// Appends the full softmax in two sweeps over blocks of items; the second updates each block's rows.
    /// With a single block, the second sweep reuses its logits. If gradients are exchanged, it stores them
    /// instead.
    pub fn record(
        &self,
        recording: &mut Recording,
        inputs: &StepInputs<'_>,
        batch: &Batch,
        nll: &Buffer<f32>,
    ) {
        let Self { logits, maximum, sum, rows_gradient, bias_gradient, block, stored } = self;
        let (model, adam, samples) = (inputs.model, inputs.step.update.adam, inputs.model.samples());
        let (rows, width, items) = (batch.users * samples, model.items().width, model.items().rows);
        let (queries, query_gradients) = (model.queries(), model.query_gradients());
        let table = &model.items().parameter;
        let bias = model.item_bias().map(|bias| &bias.parameter);
        let blocks = || (0..items).step_by(*block).map(|start| (start, (*block).min(items - start)));
        let score = |start: usize, count: usize| {
            let rows_of_block = View::rows(&table.value, width).skip_rows(start).transposed();
            let mut product = MatMul::new(
                rows,
                count,
                width,
                View::rows(queries, width),
                rows_of_block,
                View::rows(logits, count),
            );
            product.bias = bias.map(|bias| bias.value.clone());
            product.bias_offset = start;
            product
        };
        for (start, count) in blocks() {
            recording.push(score(start, count));
            recording.push(SoftmaxAccumulate {
                logits: logits.clone(),
                rows,
                block: count,
                first: start == 0,
                maximum: maximum.clone(),
                sum: sum.clone(),
            });
        }
        for (start, count) in blocks() {
            if *block < items {
                recording.push(score(start, count));
            }
            recording.push(SoftmaxGradient {
                logits: logits.clone(),
                batch: batch.users,
                samples,
                block: count,
                block_start: start,
                maximum: maximum.clone(),
                sum: sum.clone(),
                batch_offsets: batch.offsets.clone(),
                batch_items: batch.items.clone(),
                scale: 1.0 / (samples * inputs.step.users) as f32,
                nll: nll.clone(),
            });
            let mut to_queries = MatMul::new(
                rows,
                width,
                count,
                View::rows(logits, count),
                View::rows(&table.value, width).skip_rows(start),
                View::rows(query_gradients, width),
            );
            to_queries.beta = if start == 0 { 0.0 } else { 1.0 };
            recording.push(to_queries);
            recording.push(MatMul::new(
                count,
                width,
                rows,
                View::rows(logits, count).transposed(),
                View::rows(queries, width),
                View::rows(rows_gradient, width).skip_rows(if *stored { start } else { 0 }),
            ));
            if let Some(bias_gradient) = bias_gradient {
                recording.push(ColumnSum {
                    values: logits.clone(),
                    rows,
                    columns: count,
                    offset: if *stored { start } else { 0 },
                    output: bias_gradient.clone(),
                });
            }
            if *stored {
                continue;
            }
            recording.push(Adam {
                gradient: rows_gradient.clone(),
                parameter: table.clone(),
                offset: start * width,
                len: count * width,
                step: adam,
            });
            if let (Some(bias), Some(bias_gradient)) = (bias, bias_gradient) {
                recording.push(Adam {
                    gradient: bias_gradient.clone(),
                    parameter: bias.clone(),
                    offset: start,
                    len: count,
                    step: adam,
                });
            }
        }
    }
}
