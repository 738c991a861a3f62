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

    let encoder = graph.table("encoder", hidden, state.values("encoder", &[items, hidden])?);
    let encoder_bias = graph.floats("encoder_bias", &[hidden], state.values("encoder_bias", &[hidden])?);
    let sum = graph.sum_of_rows(&encoder);
    // Rows of zeros for no history, instead of a division by zero.
    let (count, one) = (graph.count(), graph.floats("one", &[], vec![1.0]));
    let count = graph.operator("Max", &[&count, &one]);
    let norm = graph.operator("Sqrt", &[&count]);
    let bag = graph.operator("Div", &[&sum, &norm]);
    let bag = graph.operator("Add", &[&bag, &encoder_bias]);
    let bag = graph.activation(config.activation, bag);

    // Of each row, the weights of the mean come before those of the variance, if there is one.
    let encoded = config.encoded_width();
    let to_latent = state.values("to_latent", &[hidden, encoded])?.chunks_exact(encoded);
    let to_mean: Vec<f32> = to_latent.flat_map(|row| &row[..latent]).copied().collect();
    let to_mean = graph.floats("to_mean", &[hidden, latent], to_mean);
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
