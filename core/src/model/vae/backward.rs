//! Backpropagation from the gradient of the queries to the encoder's rows.

use super::{Activations, Layer, Parameters};
use crate::{
    Result,
    config::{Decoder, DropoutOn, ModelConfig},
    engine::{Buffer, Engine, Recording},
    kernels::{
        Activation, ActivationBackward, Adam, AdamStep, ColumnSum, DropoutDense, MatMul, Parameter,
        ReparameteriseBackward, View,
    },
    model::Batch,
    rng::Rng,
};

/// Gradients of one step.
pub struct Gradients {
    /// d loss / d query, R x width: the input of backpropagation.
    pub queries: Buffer<f32>,
    /// d loss / d code, R x D, for the dense decoder.
    codes: Option<Buffer<f32>>,
    posterior: Buffer<f32>,
    /// d loss / d (sum of item rows), B x H: the result of backpropagation.
    pub hidden: Buffer<f32>,
    to_latent: Buffer<f32>,
    to_hidden: Buffer<f32>,
    bias: Buffer<f32>,
}

/// The inputs of backpropagation for one step.
#[derive(Clone, Copy)]
pub struct Step {
    /// Adam's coefficients.
    pub adam: AdamStep,
    /// Weight of the KL divergence.
    pub beta: f32,
    /// The run's random numbers.
    pub rng: Rng,
    /// Step of the run.
    pub step: u32,
}

impl Gradients {
    /// Allocates the gradients for batches of `users` users.
    ///
    /// # Errors
    /// If the engine cannot hold them.
    pub fn new(engine: &Engine, config: &ModelConfig, users: usize, samples: usize) -> Result<Self> {
        let (rows, hidden, latent) = (users * samples, config.hidden, config.latent);
        Ok(Self {
            queries: engine.zeros("query gradients", rows * config.item_width())?,
            codes: match config.decoder {
                Decoder::Dense => Some(engine.zeros("code gradients", rows * latent)?),
                Decoder::Direct => None,
            },
            posterior: engine.zeros("posterior gradients", users * 2 * latent)?,
            hidden: engine.zeros("hidden gradients", users * hidden)?,
            to_latent: engine.zeros("layer gradient", hidden * 2 * latent)?,
            to_hidden: engine.zeros("layer gradient", latent * hidden)?,
            bias: engine.zeros("bias gradient", hidden.max(2 * latent))?,
        })
    }

    /// Appends backpropagation through the dense layers down to [`Gradients::hidden`], and the updates of
    /// those layers. The gradient of a layer's input is computed before the layer is updated.
    pub fn record(
        &self,
        recording: &mut Recording,
        config: &ModelConfig,
        parameters: &Parameters,
        forward: &Activations,
        batch: &Batch,
        samples: usize,
        step: Step,
    ) {
        let (users, rows) = (batch.users, batch.users * samples);
        let (hidden, latent) = (config.hidden, config.latent);
        if let (Some(layer), Some(codes), Some(decoded)) =
            (&parameters.to_hidden, &self.codes, &forward.decoded)
        {
            activation_backward(recording, config.decoder_activation, decoded, &self.queries, rows * hidden);
            self.layer(
                recording,
                layer,
                &forward.codes,
                &self.queries,
                Some(codes),
                &self.to_hidden,
                rows,
                step.adam,
            );
        }
        recording.push(ReparameteriseBackward {
            posterior: forward.posterior.clone(),
            noise: forward.noise.clone(),
            code_gradient: self.codes.as_ref().unwrap_or(&self.queries).clone(),
            batch: users,
            latent,
            samples,
            beta: step.beta,
            posterior_gradient: self.posterior.clone(),
        });
        self.layer(
            recording,
            &parameters.to_latent,
            &forward.hidden,
            &self.posterior,
            Some(&self.hidden),
            &self.to_latent,
            users,
            step.adam,
        );
        activation_backward(recording, config.activation, &forward.hidden, &self.hidden, users * hidden);
        if config.dropout_on == DropoutOn::Bag && config.dropout > 0.0 {
            recording.push(DropoutDense {
                values: self.hidden.clone(),
                rows: users,
                width: hidden,
                probability: config.dropout,
                activation: Activation::None,
                rng: step.rng,
                step: step.step,
            });
        }
        self.bias(recording, &self.hidden, users, hidden, &parameters.encoder_bias, step.adam);
    }

    /// Computes `input' = output' W^T`, then `W' = input^T output'` and `b' = column sums`, and applies the
    /// last two.
    fn layer(
        &self,
        recording: &mut Recording,
        layer: &Layer,
        input: &Buffer<f32>,
        output_gradient: &Buffer<f32>,
        input_gradient: Option<&Buffer<f32>>,
        weight_gradient: &Buffer<f32>,
        rows: usize,
        adam: AdamStep,
    ) {
        let (inputs, outputs) = (layer.inputs, layer.outputs);
        if let Some(input_gradient) = input_gradient {
            recording.push(MatMul::new(
                rows,
                inputs,
                outputs,
                View::rows(output_gradient, outputs),
                View::rows(&layer.weight.value, outputs).transposed(),
                View::rows(input_gradient, inputs),
            ));
        }
        recording.push(MatMul::new(
            inputs,
            outputs,
            rows,
            View::rows(input, inputs).transposed(),
            View::rows(output_gradient, outputs),
            View::rows(weight_gradient, outputs),
        ));
        recording.push(Adam {
            gradient: weight_gradient.clone(),
            parameter: layer.weight.clone(),
            offset: 0,
            len: inputs * outputs,
            step: adam,
        });
        self.bias(recording, output_gradient, rows, outputs, &layer.bias, adam);
    }

    fn bias(
        &self,
        recording: &mut Recording,
        gradient: &Buffer<f32>,
        rows: usize,
        columns: usize,
        bias: &Parameter,
        adam: AdamStep,
    ) {
        recording.push(ColumnSum { values: gradient.clone(), rows, columns, output: self.bias.clone() });
        recording.push(Adam {
            gradient: self.bias.clone(),
            parameter: bias.clone(),
            offset: 0,
            len: columns,
            step: adam,
        });
    }
}

fn activation_backward(
    recording: &mut Recording,
    activation: Activation,
    output: &Buffer<f32>,
    gradient: &Buffer<f32>,
    len: usize,
) {
    if activation != Activation::None {
        recording.push(ActivationBackward {
            activation,
            output: output.clone(),
            gradient: gradient.clone(),
            len,
        });
    }
}
