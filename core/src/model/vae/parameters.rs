//! Parameters with their moments: initialised, saved and restored.

use std::collections::BTreeMap;

use super::Values;
#[cfg(feature = "baselines")]
use super::stack::StackParameters;
#[cfg(feature = "baselines")]
use crate::engine::Buffer;
use crate::{
    Error, Result,
    config::{Decoder, MultVaeConfig},
    engine::{Engine, Recording},
    kernels::{Normal, Parameter, Table},
    rng::{Rng, Stream},
    state::{FrozenTensor, State, Tensor, TensorData},
};

/// A dense layer: `y = x weight + bias`, weight inputs x outputs.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Inputs x outputs.
    pub weight: Parameter,
    /// Outputs.
    pub bias: Parameter,
    /// Width of x.
    pub inputs: usize,
    /// Width of y.
    pub outputs: usize,
}

/// All trained parameters.
pub struct Parameters {
    /// Encoder rows, M x H, or M x 2H with gates. They may be the item rows.
    pub encoder: Table,
    /// H, or 2H with gates.
    pub encoder_bias: Parameter,
    /// The encoder's other hidden layers.
    #[cfg(feature = "baselines")]
    pub stack: StackParameters,
    /// H -> 2D, or D without a distribution.
    pub to_latent: Layer,
    /// D -> H, for the dense decoder.
    pub to_hidden: Option<Layer>,
    /// Item rows, M x width.
    pub items: Table,
    /// M x 1.
    pub item_bias: Option<Table>,
}

/// Names and shapes of all trained tensors, in the order in which they are initialised.
pub(super) fn shapes(config: &MultVaeConfig, items: usize) -> Vec<(&'static str, Vec<usize>)> {
    let (hidden, latent) = (config.hidden, config.latent);
    let encoder = config.encoder_width();
    let mut shapes = Vec::new();
    if !config.is_tied() {
        shapes.push(("encoder", vec![items, encoder]));
    }
    shapes.push(("encoder_bias", vec![encoder]));
    shapes.push(("to_latent", vec![config.last_width(), config.encoded_width()]));
    shapes.push(("to_latent_bias", vec![config.encoded_width()]));
    if config.decoder == Decoder::Dense {
        shapes.push(("to_hidden", vec![latent, hidden]));
        shapes.push(("to_hidden_bias", vec![hidden]));
    }
    shapes.push(("items", vec![items, config.item_width()]));
    if config.item_bias {
        shapes.push(("item_bias", vec![items]));
    }
    #[cfg(feature = "baselines")]
    shapes.extend(super::stack::shapes(config));
    shapes
}

pub(super) fn parameter(engine: &Engine, label: &'static str, len: usize) -> Result<Parameter> {
    Ok(Parameter {
        value: engine.zeros(label, len)?,
        first: engine.zeros("first moments", len)?,
        second: engine.zeros("second moments", len)?,
    })
}

fn table(engine: &Engine, label: &'static str, rows: usize, width: usize) -> Result<Table> {
    let parameter = parameter(engine, label, rows * width)?;
    Ok(Table { parameter, last_step: engine.zeros("last steps", rows)?, rows, width })
}

pub(super) fn layer(engine: &Engine, label: &'static str, inputs: usize, outputs: usize) -> Result<Layer> {
    let (weight, bias) =
        (parameter(engine, label, inputs * outputs)?, parameter(engine, "layer bias", outputs)?);
    Ok(Layer { weight, bias, inputs, outputs })
}

impl Parameters {
    /// Zeros everywhere.
    fn zeros(engine: &Engine, config: &MultVaeConfig, items: usize) -> Result<Self> {
        let (hidden, latent) = (config.hidden, config.latent);
        let encoder = config.encoder_width();
        let item_rows = table(engine, "items", items, config.item_width())?;
        Ok(Self {
            encoder: match config.is_tied() {
                true => item_rows.clone(),
                false => table(engine, "encoder", items, encoder)?,
            },
            encoder_bias: parameter(engine, "encoder bias", encoder)?,
            #[cfg(feature = "baselines")]
            stack: StackParameters::zeros(engine, config)?,
            to_latent: layer(engine, "to latent", config.last_width(), config.encoded_width())?,
            to_hidden: match config.decoder {
                Decoder::Dense => Some(layer(engine, "to hidden", latent, hidden)?),
                Decoder::Direct => None,
            },
            items: item_rows,
            item_bias: if config.item_bias { Some(table(engine, "item bias", items, 1)?) } else { None },
        })
    }

    /// New parameters: matrices are normal with variance `2 / (inputs + outputs)` (Glorot and Bengio, 2010),
    /// biases zero.
    ///
    /// # Errors
    /// If the engine cannot hold them.
    pub fn initialise(engine: &Engine, config: &MultVaeConfig, items: usize, rng: Rng) -> Result<Self> {
        let parameters = Self::zeros(engine, config, items)?;
        let mut recording = Recording::new();
        for (step, (name, shape)) in shapes(config, items).into_iter().enumerate() {
            let [rows, width] = shape[..] else { continue };
            recording.push(Normal {
                output: parameters.named(name).value.clone(),
                rows,
                width,
                scale: (2.0 / (rows + width) as f32).sqrt(),
                rng,
                stream: Stream::Init,
                step: step as u32,
            });
        }
        engine.run(&recording)?;
        Ok(parameters)
    }

    /// The parameters and moments of a state.
    ///
    /// # Errors
    /// [`Error::Data`] if a tensor is missing or has the wrong shape.
    pub fn restore(engine: &Engine, config: &MultVaeConfig, items: usize, state: &State) -> Result<Self> {
        let parameters = Self::zeros(engine, config, items)?;
        for (name, shape) in shapes(config, items) {
            let parameter = parameters.named(name);
            engine.write(&parameter.value, 0, state.values(name, &shape)?)?;
            engine.write(&parameter.first, 0, state.values(&format!("{name}.first"), &shape)?)?;
            engine.write(&parameter.second, 0, state.values(&format!("{name}.second"), &shape)?)?;
        }
        for (name, table) in parameters.tables() {
            let name = format!("{name}.last_step");
            match state.tensors.get(&name) {
                Some(Tensor { data: TensorData::U32(steps), .. }) if steps.len() == items => {
                    engine.write(&table.last_step, 0, steps)?;
                }
                _ => return Err(Error::Data(format!("tensor `{name}` is missing or of another size"))),
            }
        }
        Ok(parameters)
    }

    /// The parameters and their moments, for a [`State`].
    pub(crate) fn frozen(&self, config: &MultVaeConfig) -> BTreeMap<String, FrozenTensor<'static>> {
        let mut tensors = BTreeMap::new();
        for (name, shape) in shapes(config, self.encoder.rows) {
            let parameter = self.named(name);
            for (suffix, buffer) in
                [("", &parameter.value), (".first", &parameter.first), (".second", &parameter.second)]
            {
                tensors.insert(format!("{name}{suffix}"), FrozenTensor::on_engine(shape.clone(), buffer));
            }
        }
        for (name, table) in self.tables() {
            let steps = FrozenTensor::on_engine(vec![table.rows], &table.last_step);
            tensors.insert(format!("{name}.last_step"), steps);
        }
        tensors
    }

    /// Frees Adam's moments; the parameters can still rank.
    ///
    /// # Errors
    /// If the device is lost.
    pub(crate) fn forget_moments(&mut self, engine: &Engine) -> Result<()> {
        let nothing = engine.zeros("no moments", 1)?;
        let layers = [Some(&mut self.to_latent), self.to_hidden.as_mut()].into_iter().flatten();
        let layers = layers.flat_map(|layer| [&mut layer.weight, &mut layer.bias]);
        let tables =
            [Some(&mut self.encoder), Some(&mut self.items), self.item_bias.as_mut()].into_iter().flatten();
        let tables = tables.map(|table| &mut table.parameter);
        #[cfg(feature = "baselines")]
        let layers = layers.chain(self.stack.all());
        for parameter in layers.chain(tables).chain([&mut self.encoder_bias]) {
            (parameter.first, parameter.second) = (nothing.clone(), nothing.clone());
        }
        Ok(())
    }

    /// Whether encoder and decoder share the item rows.
    pub fn is_tied(&self) -> bool {
        cfg!(feature = "baselines") && self.encoder.parameter.value.is(&self.items.parameter.value)
    }

    /// The tables of which a step updates only the touched rows.
    pub fn tables(&self) -> Vec<(&'static str, &Table)> {
        let mut tables = vec![("items", &self.items)];
        if !self.is_tied() {
            tables.push(("encoder", &self.encoder));
        }
        tables.extend(self.item_bias.iter().map(|bias| ("item_bias", bias)));
        tables
    }

    /// The value buffers, shared with the parameters, so they change with later steps.
    pub fn values(&self, config: &MultVaeConfig) -> Values {
        Values::of(config, |name| self.named(name).value.clone())
    }

    /// The same by the names of their tensors.
    #[cfg(feature = "baselines")]
    pub fn by_name(&self, config: &MultVaeConfig) -> BTreeMap<String, Buffer<f32>> {
        let named = shapes(config, self.encoder.rows).into_iter();
        named.map(|(name, _)| (name.to_owned(), self.named(name).value.clone())).collect()
    }

    /// The values of the encoder by the names of their tensors.
    #[cfg(feature = "baselines")]
    pub fn encoder_values(&self, config: &MultVaeConfig) -> BTreeMap<&'static str, Buffer<f32>> {
        let decodes = |name: &str| name.starts_with("to_hidden") || name.starts_with("item");
        let encodes = |name: &&str| *name == config.encoder_table() || !decodes(name);
        let names = shapes(config, self.encoder.rows).into_iter().map(|(name, _)| name);
        names.filter(encodes).map(|name| (name, self.named(name).value.clone())).collect()
    }

    /// The parameter of a tensor of [`shapes`].
    pub fn named(&self, name: &str) -> &Parameter {
        #[cfg(feature = "baselines")]
        if let Some(parameter) = self.stack.named(name) {
            return parameter;
        }
        let hidden = |part: fn(&Layer) -> &Parameter| self.to_hidden.as_ref().map(part);
        let found = match name {
            "encoder" => Some(&self.encoder.parameter),
            "encoder_bias" => Some(&self.encoder_bias),
            "to_latent" => Some(&self.to_latent.weight),
            "to_latent_bias" => Some(&self.to_latent.bias),
            "to_hidden" => hidden(|l| &l.weight),
            "to_hidden_bias" => hidden(|l| &l.bias),
            "items" => Some(&self.items.parameter),
            _ => self.item_bias.as_ref().map(|b| &b.parameter),
        };
        found.expect("names come from `shapes`, which lists what the configuration has")
    }
}
