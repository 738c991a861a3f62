//! The hidden layers of the encoder: more than one, RecVAE's blocks of swish and normalisation, or gated layers.

use super::{
    Values,
    backward::{LayerGradient, LayerPass, activation_backward, bias_gradient, dense},
    parameters::{Layer, parameter},
};
use crate::{
    Result,
    config::{HiddenLayer, MultVaeConfig},
    engine::{Buffer, Engine, Recording},
    kernels::{Gate, GateBackward, MatMul, Parameter, SwishNorm, SwishNormBackward, View},
    optimizer::DenseGradient,
};

/// The names of the layers after the first and of their biases.
pub(super) const LAYERS: [[&str; 2]; crate::config::Layers::MOST] = [
    ["layer_2", "layer_2_bias"],
    ["layer_3", "layer_3_bias"],
    ["layer_4", "layer_4_bias"],
    ["layer_5", "layer_5_bias"],
    ["layer_6", "layer_6_bias"],
    ["layer_7", "layer_7_bias"],
    ["layer_8", "layer_8_bias"],
];

/// The names of what scales and shifts the normalised outputs of each layer.
pub(super) const NORMS: [[&str; 2]; LAYERS.len() + 1] = [
    ["norm_1_gain", "norm_1_shift"],
    ["norm_2_gain", "norm_2_shift"],
    ["norm_3_gain", "norm_3_shift"],
    ["norm_4_gain", "norm_4_shift"],
    ["norm_5_gain", "norm_5_shift"],
    ["norm_6_gain", "norm_6_shift"],
    ["norm_7_gain", "norm_7_shift"],
    ["norm_8_gain", "norm_8_shift"],
];

/// Names and shapes of the tensors.
pub(super) fn shapes(config: &MultVaeConfig) -> Vec<(&'static str, Vec<usize>)> {
    let widths = config.encoder_widths();
    let mut shapes = Vec::new();
    for (pair, [weight, bias]) in widths.windows(2).zip(LAYERS) {
        let outputs = config.product_width(pair[1]);
        shapes.extend([(weight, vec![pair[0], outputs]), (bias, vec![outputs])]);
    }
    for (&width, names) in widths.iter().zip(NORMS).filter(|_| config.has_blocks()) {
        shapes.extend(names.map(|name| (name, vec![width])));
    }
    shapes
}

/// The trained parameters.
pub(super) struct StackParameters {
    /// The layers after the first.
    layers: Vec<Layer>,
    /// With blocks, of each layer: what is added to a gain of 1, and the shift.
    norms: Vec<[Parameter; 2]>,
}

impl StackParameters {
    /// Zeros everywhere.
    pub fn zeros(engine: &Engine, config: &MultVaeConfig) -> Result<Self> {
        let widths = config.encoder_widths();
        let layer = |pair: &[usize]| {
            super::parameters::layer(engine, "layer", pair[0], config.product_width(pair[1]))
        };
        let norm =
            |&width: &usize| Ok([parameter(engine, "gain", width)?, parameter(engine, "shift", width)?]);
        Ok(Self {
            layers: widths.windows(2).map(layer).collect::<Result<_>>()?,
            norms: widths.iter().filter(|_| config.has_blocks()).map(norm).collect::<Result<_>>()?,
        })
    }

    /// The parameter of a name.
    pub fn named(&self, name: &str) -> Option<&Parameter> {
        let layers = self.layers.iter().map(|layer| [&layer.weight, &layer.bias]).zip(LAYERS);
        let norms = self.norms.iter().map(|[gain, shift]| [gain, shift]).zip(NORMS);
        let pairs = layers.chain(norms).flat_map(|(parameters, names)| names.into_iter().zip(parameters));
        pairs.into_iter().find(|(known, _)| *known == name).map(|(_, parameter)| parameter)
    }

    /// All of them.
    pub fn all(&mut self) -> impl Iterator<Item = &mut Parameter> {
        let layers = self.layers.iter_mut().flat_map(|layer| [&mut layer.weight, &mut layer.bias]);
        layers.chain(self.norms.iter_mut().flatten())
    }
}

/// The value buffers.
#[derive(Clone, Debug)]
pub(super) struct StackValues {
    layers: Vec<[Buffer<f32>; 2]>,
    norms: Vec<[Buffer<f32>; 2]>,
}

impl StackValues {
    /// The buffers that `of` returns by the names of [`shapes`].
    pub fn of(config: &MultVaeConfig, of: impl Fn(&'static str) -> Buffer<f32>) -> Self {
        let count = config.encoder_widths().len();
        let norms = if config.has_blocks() { count } else { 0 };
        Self {
            layers: LAYERS[..count - 1].iter().map(|names| names.map(&of)).collect(),
            norms: NORMS[..norms].iter().map(|names| names.map(&of)).collect(),
        }
    }
}

/// What the layers compute, for up to B users; each vector has the layers in order, B x width of the layer.
pub(super) struct Stack {
    /// The products; with gates B x 2 width. Plain layers apply the activation in the same kernel, so that these are their
    /// outputs.
    products: Vec<Buffer<f32>>,
    outputs: Vec<Buffer<f32>>,
    blocks: Option<Blocks>,
}

struct Blocks {
    normalised: Vec<Buffer<f32>>,
    /// B of each layer.
    scales: Vec<Buffer<f32>>,
    /// The sums of the outputs before each layer, and of all.
    sums: Vec<Buffer<f32>>,
}

impl Stack {
    /// `None` for a single plain layer, whose kernels the caller has. `first` is the product of the first layer, which the
    /// caller computes.
    pub fn new(
        engine: &Engine,
        config: &MultVaeConfig,
        users: usize,
        first: &Buffer<f32>,
    ) -> Result<Option<Self>> {
        let widths = config.encoder_widths();
        if widths.len() == 1 && config.hidden_layer == HiddenLayer::Plain {
            return Ok(None);
        }
        let tables = |label| -> Result<Vec<Buffer<f32>>> {
            widths.iter().map(|width| engine.zeros(label, users * width)).collect()
        };
        let later = widths[1..]
            .iter()
            .map(|&width| engine.zeros("products of layers", users * config.product_width(width)));
        let products: Vec<_> = std::iter::once(Ok(first.clone())).chain(later).collect::<Result<_>>()?;
        if config.is_gated() {
            return Ok(Some(Self { products, outputs: tables("output of a layer")?, blocks: None }));
        }
        if !config.has_blocks() {
            return Ok(Some(Self { outputs: products.clone(), products, blocks: None }));
        }
        let mut sums = tables("sums of layers")?;
        sums.push(engine.zeros("sums of layers", users * config.hidden)?);
        let scales = widths.iter().map(|_| engine.zeros("scales of rows", users));
        let blocks =
            Blocks { normalised: tables("normalised layer")?, scales: scales.collect::<Result<_>>()?, sums };
        Ok(Some(Self { products, outputs: tables("output of a layer")?, blocks: Some(blocks) }))
    }

    /// The output of the last layer.
    pub fn output(&self) -> &Buffer<f32> {
        &self.outputs[self.outputs.len() - 1]
    }

    /// Appends all that follows the product of the first layer.
    pub fn record(&self, recording: &mut Recording, config: &MultVaeConfig, values: &Values, users: usize) {
        let StackValues { layers, norms } = &values.stack;
        let widths = config.encoder_widths();
        for (i, &width) in widths.iter().enumerate() {
            if i > 0 {
                let ([weight, bias], before) = (&layers[i - 1], widths[i - 1]);
                let outputs = config.product_width(width);
                let mut product = MatMul::new(
                    users,
                    outputs,
                    before,
                    View::rows(&self.outputs[i - 1], before),
                    View::rows(weight, outputs),
                    View::rows(&self.products[i], outputs),
                );
                product.bias = Some(bias.clone());
                product.activation = config.hidden_activation();
                recording.push(product);
            }
            if config.is_gated() {
                let (product, output) = (self.products[i].clone(), self.outputs[i].clone());
                recording.push(Gate { product, rows: users, width, output });
            }
            if let Some(blocks) = &self.blocks {
                let [gain, shift] = &norms[i];
                recording.push(SwishNorm {
                    product: self.products[i].clone(),
                    skip: blocks.sums[i].clone(),
                    gain: gain.clone(),
                    shift: shift.clone(),
                    rows: users,
                    width,
                    output: self.outputs[i].clone(),
                    normalised: blocks.normalised[i].clone(),
                    scale: blocks.scales[i].clone(),
                    sum: blocks.sums[i + 1].clone(),
                });
            }
        }
    }
}

/// The gradients of a [`Stack`] and of its parameters.
pub(super) struct StackGradients {
    layers: Vec<LayerGradient>,
    norms: Vec<[Buffer<f32>; 2]>,
    /// Of the outputs, B x width. Without gates, those of the products take their place.
    outputs: Vec<Buffer<f32>>,
    /// Of the products.
    products: Vec<Buffer<f32>>,
    /// With blocks: the sum of the gradients of the products of later layers, and what users contribute to the
    /// gradients of gain and shift; B x H each.
    terms: Option<[Buffer<f32>; 3]>,
}

impl StackGradients {
    /// `first` is the gradient of the product of the first layer.
    pub fn new(engine: &Engine, config: &MultVaeConfig, users: usize, first: &Buffer<f32>) -> Result<Self> {
        let widths = config.encoder_widths();
        let layer = |pair: &[usize]| LayerGradient::new(engine, pair[0], config.product_width(pair[1]));
        let zeros = |len: usize| engine.zeros("gradients of a layer", len);
        let later = widths[1..].iter().map(|&width| zeros(users * config.product_width(width)));
        let products: Vec<_> = std::iter::once(Ok(first.clone())).chain(later).collect::<Result<_>>()?;
        let norm = |&width: &usize| Ok([zeros(width)?, zeros(width)?]);
        let all = users * config.hidden;
        Ok(Self {
            layers: widths.windows(2).map(layer).collect::<Result<_>>()?,
            norms: widths.iter().filter(|_| config.has_blocks()).map(norm).collect::<Result<_>>()?,
            outputs: match config.is_gated() {
                true => widths.iter().map(|width| zeros(users * width)).collect::<Result<_>>()?,
                false => products.clone(),
            },
            products,
            terms: if config.has_blocks() { Some([zeros(all)?, zeros(all)?, zeros(all)?]) } else { None },
        })
    }

    /// The gradient of the output of the last layer, from which [`StackGradients::record`] goes on.
    pub fn output(&self) -> &Buffer<f32> {
        &self.outputs[self.outputs.len() - 1]
    }

    /// Appends backpropagation to the product of the first layer.
    pub fn record(
        &self,
        recording: &mut Recording,
        config: &MultVaeConfig,
        parameters: &StackParameters,
        forward: &Stack,
        users: usize,
    ) {
        let widths = config.encoder_widths();
        for (i, &width) in widths.iter().enumerate().rev() {
            let gradient = &self.outputs[i];
            if let (Some(blocks), Some([later, gain_terms, shift_terms])) = (&forward.blocks, &self.terms) {
                recording.push(SwishNormBackward {
                    product: forward.products[i].clone(),
                    normalised: blocks.normalised[i].clone(),
                    scale: blocks.scales[i].clone(),
                    gain: parameters.norms[i][0].value.clone(),
                    rows: users,
                    width,
                    last: i + 1 == widths.len(),
                    gradient: gradient.clone(),
                    skip_gradient: later.clone(),
                    gain_terms: gain_terms.clone(),
                    shift_terms: shift_terms.clone(),
                });
                for (terms, sum) in [gain_terms, shift_terms].into_iter().zip(&self.norms[i]) {
                    bias_gradient(recording, terms, users, width, sum);
                }
            } else if config.is_gated() {
                recording.push(GateBackward {
                    product: forward.products[i].clone(),
                    output_gradient: gradient.clone(),
                    rows: users,
                    width,
                    product_gradient: self.products[i].clone(),
                });
            } else {
                let output = &forward.outputs[i];
                activation_backward(recording, config.activation, output, gradient, users * width);
            }
            if i > 0 {
                let pass = LayerPass {
                    layer: &parameters.layers[i - 1],
                    rows: users,
                    input: &forward.outputs[i - 1],
                    output_gradient: &self.products[i],
                    input_gradient: &self.outputs[i - 1],
                };
                self.layers[i - 1].record(recording, &pass);
            }
        }
    }

    /// The gradients of all parameters.
    pub fn dense(&self, parameters: &StackParameters) -> Vec<DenseGradient> {
        let layers = self.layers.iter().zip(&parameters.layers);
        let layers = layers.flat_map(|(gradient, layer)| gradient.dense(layer));
        let norms = self.norms.iter().flatten().zip(parameters.norms.iter().flatten());
        let norms = norms.map(|(gradient, parameter)| dense(gradient, parameter, gradient.len()));
        layers.chain(norms).collect()
    }
}
