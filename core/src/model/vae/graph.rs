//! The network as a graph of ONNX: the mean of the latent code, without dropout or noise.

use std::borrow::Cow;

use super::linear_path;
use crate::{
    Result,
    config::{Decoder, MultVaeConfig},
    onnx::Builder,
    state::State,
};

/// The operators of [`Activations::record`](super::forward::Activations::record) and of the products with item vectors.
///
/// # Errors
/// [`crate::Error::Data`] if a tensor is missing or has the wrong shape.
pub(super) fn graph<'a>(config: &MultVaeConfig, items: usize, state: &'a State) -> Result<Builder<'a>> {
    let (hidden, latent, width) = (config.hidden, config.latent, config.item_width());
    let mut graph = Builder::new(items);

    let encoded = config.encoder_width();
    let encoder = graph.table("encoder", encoded, state.values(config.encoder_table(), &[items, encoded])?);
    let encoder_bias = graph.floats("encoder_bias", &[encoded], state.values("encoder_bias", &[encoded])?);
    let sum = graph.sum_of_rows(&encoder);
    // Rows of zeros for no history, instead of a division by zero.
    let (count, one) = (graph.count(), graph.floats("one", &[], vec![1.0]));
    let count = graph.operator("Max", &[&count, &one]);
    let norm = graph.operator("Sqrt", &[&count]);
    let bag = graph.operator("Div", &[&sum, &norm]);
    let bag = graph.operator("Add", &[&bag, &encoder_bias]);
    let (last, hidden_layers) = (config.last_width(), config.encoder_widths());
    let mut sum = None;
    let mut bag = block(&mut graph, config, state, 0, bag, &mut sum)?;
    for (i, pair) in hidden_layers.windows(2).enumerate() {
        let [weight, bias] = super::stack::LAYERS[i];
        let shape = [pair[0], config.product_width(pair[1])];
        let values = state.values(weight, &shape)?;
        let weight = graph.floats(weight, &shape, values);
        let bias = graph.floats(bias, &shape[1..], state.values(bias, &shape[1..])?);
        let product = graph.dense(&bag, &weight, &bias);
        bag = block(&mut graph, config, state, i + 1, product, &mut sum)?;
    }

    // Of each row, the weights of the mean come before those of the variance, if there is one.
    let encoded = config.encoded_width();
    let to_latent = state.values("to_latent", &[last, encoded])?.chunks_exact(encoded);
    let to_mean: Vec<f32> = to_latent.flat_map(|row| &row[..latent]).copied().collect();
    let to_mean = graph.floats("to_mean", &[last, latent], to_mean);
    let bias = &state.values("to_latent_bias", &[encoded])?[..latent];
    let bias = graph.floats("to_mean_bias", &[latent], bias);
    let mean = graph.dense(&bag, &to_mean, &bias);

    let query = match config.decoder {
        Decoder::Direct => mean,
        Decoder::Dense => {
            let weight = state.values("to_hidden", &[latent, hidden])?;
            let weight = graph.floats("to_hidden", &[latent, hidden], weight);
            let bias = graph.floats("to_hidden_bias", &[hidden], state.values("to_hidden_bias", &[hidden])?);
            let decoded = graph.dense(&mean, &weight, &bias);
            graph.activation(config.decoder_activation, decoded)
        }
    };

    let rows = state.values("items", &[items, width])?;
    let (query, width, rows) = match linear_path::tensors(items, state)? {
        None => (query, width, Cow::Borrowed(rows)),
        Some((table, scale)) => {
            let outputs = linear_path::outputs(table, scale);
            let linear = table.len() / items.max(1);
            let table = graph.table("linear", linear, table);
            let sums = graph.sum_of_rows(&table);
            let rows = super::joined(rows, width, &outputs);
            (graph.joined(&[&query, &sums]), width + linear, Cow::Owned(rows))
        }
    };
    let vectors = graph.floats("items", &[items, width], rows);
    let bias = match config.item_bias {
        true => Some(graph.floats("item_bias", &[items], state.values("item_bias", &[items])?)),
        false => None,
    };
    let scores = graph.products(&query, &vectors, bias.as_deref());
    graph.scores(&scores);
    graph.query(&query, width);
    Ok(graph)
}

/// What follows the product of hidden layer `i`: its activation, its gate, or RecVAE's block, with the sum of the outputs
/// of the layers before.
fn block<'a>(
    graph: &mut Builder<'a>,
    config: &MultVaeConfig,
    state: &'a State,
    i: usize,
    product: String,
    sum: &mut Option<String>,
) -> Result<String> {
    if config.is_gated() {
        let width = config.encoder_widths()[i];
        let (value, gate) = (graph.columns(&product, 0..width), graph.columns(&product, width..2 * width));
        let open = graph.operator("Sigmoid", &[&gate]);
        return Ok(graph.operator("Mul", &[&value, &open]));
    }
    if !config.has_blocks() {
        return Ok(graph.activation(config.activation, product));
    }
    let width = config.hidden;
    let x = match &*sum {
        Some(sum) => graph.operator("Add", &[&product, sum]),
        None => product,
    };
    let open = graph.operator("Sigmoid", &[&x]);
    let swish = graph.operator("Mul", &[&x, &open]);
    let share = graph.floats(&format!("share_{i}"), &[], vec![1.0 / width as f32]);
    let total = graph.sum_of_columns(&swish);
    let mean = graph.operator("Mul", &[&total, &share]);
    let off = graph.operator("Sub", &[&swish, &mean]);
    let squares = graph.operator("Mul", &[&off, &off]);
    let total = graph.sum_of_columns(&squares);
    let variance = graph.operator("Mul", &[&total, &share]);
    let epsilon = graph.floats(&format!("epsilon_{i}"), &[], vec![crate::kernels::SwishNorm::EPSILON]);
    let variance = graph.operator("Add", &[&variance, &epsilon]);
    let deviation = graph.operator("Sqrt", &[&variance]);
    let normalised = graph.operator("Div", &[&off, &deviation]);
    let [gain, shift] = super::stack::NORMS[i];
    let gains: Vec<f32> = state.values(gain, &[width])?.iter().map(|gain| 1.0 + gain).collect();
    let gain = graph.floats(gain, &[width], gains);
    let shift = graph.floats(shift, &[width], state.values(shift, &[width])?);
    let output = graph.operator("Mul", &[&normalised, &gain]);
    let output = graph.operator("Add", &[&output, &shift]);
    *sum = Some(match &*sum {
        Some(sum) => graph.operator("Add", &[sum, &output]),
        None => output.clone(),
    });
    Ok(output)
}
