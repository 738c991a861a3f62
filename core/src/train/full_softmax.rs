//! The full softmax of a step: loss, gradients of item rows and queries, and the update of the item rows.

use super::{
    inputs::StepInputs,
    sweeps::{Sweep, Sweeps},
};
use crate::{
    Result,
    engine::{Buffer, Engine, Recording},
    kernels::{Adam, ColumnSum, MatMul, View},
    model::{Batch, Trainable},
    optimizer::DenseGradient,
};
#[cfg(feature = "baselines")]
use crate::{kernels::AddRowGradients, optimizer::RowGradient};

/// The buffers of the loss.
pub struct FullSoftmax {
    sweeps: Sweeps,
    /// The gradients of the item rows of a block, or of all item rows.
    rows_gradient: Buffer<f32>,
    bias_gradient: Option<Buffer<f32>>,
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
        let sweeps = Sweeps::new(engine, rows, items)?;
        let gradients = if stored { items } else { sweeps.block() };
        let has_bias = model.item_bias().is_some();
        Ok(Self {
            sweeps,
            rows_gradient: engine.zeros("item gradients", gradients * width)?,
            bias_gradient: if has_bias { Some(engine.zeros("bias gradients", gradients)?) } else { None },
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

    /// Appends the kernels that add a model's gradients of item rows to those that are stored.
    #[cfg(feature = "baselines")]
    pub fn add(&self, recording: &mut Recording, model: Vec<RowGradient>) {
        for RowGradient { lists, tables } in model {
            for (table, gradient) in tables {
                recording.push(AddRowGradients {
                    lists: lists.clone(),
                    gradient,
                    width: table.width,
                    places: None,
                    output: self.rows_gradient.clone(),
                });
            }
        }
    }

    /// Appends the full softmax in two sweeps over blocks of items; the second updates each block's rows.
    /// With a single block, the second sweep reuses its logits. If gradients are to be stored, it stores them
    /// instead.
    pub fn record(
        &self,
        recording: &mut Recording,
        inputs: &StepInputs<'_>,
        batch: &Batch,
        nll: &Buffer<f32>,
    ) {
        let Self { sweeps, rows_gradient, bias_gradient, stored } = self;
        let (model, adam, samples) = (inputs.model, inputs.step.update.adam, inputs.model.samples());
        let (rows, width) = (batch.users * samples, model.items().width);
        let table = &model.items().parameter;
        let bias = model.item_bias().map(|bias| &bias.parameter);
        let sweep = Sweep {
            batch,
            samples,
            queries: model.queries(),
            query_gradients: model.query_gradients(),
            catalogue: &model.catalogue(),
            scale: 1.0 / (samples * inputs.step.users) as f32,
            nll,
        };
        sweeps.record(recording, &sweep, |recording, logits, start, count| {
            recording.push(MatMul::new(
                count,
                width,
                rows,
                View::rows(logits, count).transposed(),
                View::rows(model.queries(), width),
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
                return;
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
        });
    }
}
