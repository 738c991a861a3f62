//! Backpropagation from the gradient of the queries to the encoder's rows.

#[cfg(feature = "baselines")]
use super::stack::StackGradients;
use super::{Activations, Layer, Parameters};
use crate::{
    Result,
    config::{Decoder, DropoutOn, MultVaeConfig},
    engine::{Buffer, Engine, Recording},
    kernels::{
        Activation, ActivationBackward, ColumnSum, DropoutDense, MatMul, Parameter, ReparameteriseBackward,
        View,
    },
    model::{Batch, TrainStep},
    optimizer::DenseGradient,
};

/// Gradients of one step.
pub struct Gradients {
    /// d loss / d query, R x width: the input of backpropagation.
    pub queries: Buffer<f32>,
    /// d loss / d code, R x D, for the dense decoder.
    codes: Option<Buffer<f32>>,
    /// d loss / d posterior, B x 2D.
    pub posterior: Buffer<f32>,
    /// d loss / d (sum of item rows), B x H, or B x 2H with gates: the result of backpropagation.
    pub hidden: Buffer<f32>,
    #[cfg(feature = "baselines")]
    stack: StackGradients,
    encoder_bias: Buffer<f32>,
    to_latent: LayerGradient,
    to_hidden: Option<LayerGradient>,
}

/// A network and what it computed from a batch: what gradients are taken of.
pub struct Pass<'a> {
    pub config: &'a MultVaeConfig,
    pub parameters: &'a Parameters,
    pub forward: &'a Activations,
}

/// A dense layer in a backward pass over `rows` rows.
pub(super) struct LayerPass<'a> {
    pub layer: &'a Layer,
    pub rows: usize,
    /// Rows x inputs.
    pub input: &'a Buffer<f32>,
    /// Rows x outputs.
    pub output_gradient: &'a Buffer<f32>,
    /// Rows x inputs; written.
    pub input_gradient: &'a Buffer<f32>,
}

/// The gradients of a [`Layer`].
pub(super) struct LayerGradient {
    /// Inputs x outputs.
    weight: Buffer<f32>,
    /// Outputs.
    bias: Buffer<f32>,
}

impl LayerGradient {
    pub fn new(engine: &Engine, inputs: usize, outputs: usize) -> Result<Self> {
        Ok(Self {
            weight: engine.zeros("layer gradient", inputs * outputs)?,
            bias: engine.zeros("layer bias gradient", outputs)?,
        })
    }

    /// Appends `input' = output' W^T`, `W' = input^T output'` and `b' = column sums of output'`.
    pub fn record(&self, recording: &mut Recording, pass: &LayerPass<'_>) {
        let LayerPass { layer, rows, input, output_gradient, input_gradient } = *pass;
        let (inputs, outputs) = (layer.inputs, layer.outputs);
        recording.push(MatMul::new(
            rows,
            inputs,
            outputs,
            View::rows(output_gradient, outputs),
            View::rows(&layer.weight.value, outputs).transposed(),
            View::rows(input_gradient, inputs),
        ));
        recording.push(MatMul::new(
            inputs,
            outputs,
            rows,
            View::rows(input, inputs).transposed(),
            View::rows(output_gradient, outputs),
            View::rows(&self.weight, outputs),
        ));
        bias_gradient(recording, output_gradient, rows, outputs, &self.bias);
    }

    pub fn dense(&self, layer: &Layer) -> [DenseGradient; 2] {
        let (weight, bias) = (&layer.weight, &layer.bias);
        [dense(&self.weight, weight, layer.inputs * layer.outputs), dense(&self.bias, bias, layer.outputs)]
    }
}

impl Gradients {
    /// Allocates the gradients for batches of `users` users.
    ///
    /// # Errors
    /// If the engine cannot hold them.
    pub fn new(engine: &Engine, config: &MultVaeConfig, users: usize, samples: usize) -> Result<Self> {
        let (rows, hidden, latent) = (users * samples, config.hidden, config.latent);
        let decoded = config.decoder == Decoder::Dense;
        let first = engine.zeros("hidden gradients", users * config.encoder_width())?;
        Ok(Self {
            #[cfg(feature = "baselines")]
            stack: StackGradients::new(engine, config, users, &first)?,
            queries: engine.zeros("query gradients", rows * config.item_width())?,
            codes: if decoded { Some(engine.zeros("code gradients", rows * latent)?) } else { None },
            posterior: engine.zeros("posterior gradients", users * 2 * latent)?,
            hidden: first,
            encoder_bias: engine.zeros("encoder bias gradient", config.encoder_width())?,
            to_latent: LayerGradient::new(engine, config.last_width(), config.encoded_width())?,
            to_hidden: if decoded { Some(LayerGradient::new(engine, latent, hidden)?) } else { None },
        })
    }

    /// Appends backpropagation from the queries to the encoder's output: [`Gradients::posterior`], where each user's
    /// divergence has the weight `weight`, or the codes.
    pub fn record_decoder(&self, recording: &mut Recording, pass: &Pass<'_>, batch: &Batch, weight: f32) {
        let Pass { config, parameters, forward } = *pass;
        let samples = config.latent_samples;
        let (users, rows) = (batch.users, batch.users * samples);
        let (hidden, latent) = (config.hidden, config.latent);
        if let (Some(layer), Some(codes), Some(decoded), Some(gradient)) =
            (&parameters.to_hidden, &self.codes, &forward.decoded, &self.to_hidden)
        {
            activation_backward(recording, config.decoder_activation, decoded, &self.queries, rows * hidden);
            let pass = LayerPass {
                layer,
                rows,
                input: &forward.codes,
                output_gradient: &self.queries,
                input_gradient: codes,
            };
            gradient.record(recording, &pass);
        }
        if config.is_variational() {
            recording.push(ReparameteriseBackward {
                posterior: forward.posterior.clone(),
                noise: forward.noise.clone(),
                code_gradient: self.codes().clone(),
                batch: users,
                latent,
                samples,
                weight,
                posterior_gradient: self.posterior.clone(),
            });
        }
    }

    /// d loss / d code, R x D.
    fn codes(&self) -> &Buffer<f32> {
        self.codes.as_ref().unwrap_or(&self.queries)
    }

    /// Appends backpropagation from the encoder's output to [`Gradients::hidden`].
    pub fn record_encoder(
        &self,
        recording: &mut Recording,
        pass: &Pass<'_>,
        batch: &Batch,
        step: &TrainStep<'_>,
    ) {
        let Pass { config, parameters, forward } = *pass;
        let (users, hidden) = (batch.users, config.encoder_width());
        let layer = LayerPass {
            layer: &parameters.to_latent,
            rows: users,
            input: forward.last_hidden(),
            output_gradient: if config.is_variational() { &self.posterior } else { self.codes() },
            input_gradient: self.last_hidden(),
        };
        self.to_latent.record(recording, &layer);
        self.record_hidden(recording, pass, users);
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
        bias_gradient(recording, &self.hidden, users, hidden, &self.encoder_bias);
    }

    /// The gradient of the encoder's last hidden layer.
    fn last_hidden(&self) -> &Buffer<f32> {
        #[cfg(feature = "baselines")]
        return self.stack.output();
        #[cfg(not(feature = "baselines"))]
        &self.hidden
    }

    /// Appends backpropagation from the output of the last hidden layer to the product of the first.
    fn record_hidden(&self, recording: &mut Recording, pass: &Pass<'_>, users: usize) {
        let Pass { config, forward, .. } = *pass;
        #[cfg(feature = "baselines")]
        if let Some(stack) = &forward.stack {
            self.stack.record(recording, config, &pass.parameters.stack, stack, users);
            return;
        }
        let len = users * config.hidden;
        activation_backward(recording, config.activation, &forward.hidden, &self.hidden, len);
    }

    /// The gradients of all parameters outside of tables.
    pub fn dense(&self, parameters: &Parameters) -> Vec<DenseGradient> {
        let mut gradients = Vec::new();
        if let (Some(gradient), Some(layer)) = (&self.to_hidden, &parameters.to_hidden) {
            gradients.extend(gradient.dense(layer));
        }
        #[cfg(feature = "baselines")]
        gradients.extend(self.stack.dense(&parameters.stack));
        gradients.extend(self.to_latent.dense(&parameters.to_latent));
        gradients.push(dense(&self.encoder_bias, &parameters.encoder_bias, self.encoder_bias.len()));
        gradients
    }
}

pub(super) fn dense(gradient: &Buffer<f32>, parameter: &Parameter, len: usize) -> DenseGradient {
    DenseGradient { gradient: gradient.clone(), parameter: parameter.clone(), len }
}

pub(super) fn bias_gradient(
    recording: &mut Recording,
    output_gradient: &Buffer<f32>,
    rows: usize,
    columns: usize,
    output: &Buffer<f32>,
) {
    let (values, output) = (output_gradient.clone(), output.clone());
    recording.push(ColumnSum { values, rows, columns, offset: 0, output });
}

pub(super) fn activation_backward(
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
