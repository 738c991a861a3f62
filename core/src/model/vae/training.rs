//! Mult-VAE in training.

use std::collections::BTreeMap;

use super::{Activations, Gradients, Mode, MultVae, Parameters, Pass, Values};
#[cfg(feature = "baselines")]
use super::{
    LinearPath,
    divergence::{Divergence, Latent},
};
#[cfg(feature = "baselines")]
use crate::model::ImplicitSlim;
use crate::{
    Result,
    config::MultVaeConfig,
    data::Csr,
    engine::{Buffer, Engine, Recording},
    kernels::{Groups, ItemLists, RankOne, Table, Transpose},
    model::{AnyModel, Batch, Sizes, Start, TableSize, TrainStep, Trainable, TrainableSettings},
    optimizer::{DenseGradient, RowGradient},
    state::FrozenTensor,
};

/// The network with Adam's moments, and the buffers of a step.
pub struct MultVaeTraining {
    config: MultVaeConfig,
    parameters: Parameters,
    forward: Activations,
    gradients: Gradients,
    encoder_lists: ItemLists,
    #[cfg(feature = "baselines")]
    linear: Option<LinearPath>,
    #[cfg(feature = "baselines")]
    divergence: Option<Divergence>,
}

impl MultVaeTraining {
    /// Creates a network with random parameters and a linear path of this training set, or both from a state.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for a linear path if the library was built without what fits it;
    /// [`crate::Error::Data`] if the state does not fit the settings; [`crate::Error::Device`] if the engine
    /// cannot hold it.
    pub fn new(
        engine: &Engine,
        config: &MultVaeConfig,
        sizes: Sizes,
        start: Start<'_>,
        train: &Csr,
    ) -> Result<Self> {
        #[cfg(not(feature = "baselines"))]
        {
            let _ = train;
            if config.linear > 0 {
                let problem = "this program cannot fit a linear path; take 0";
                return Err(crate::Error::setting("linear", problem));
            }
        }
        let Sizes { items, users, entries } = sizes;
        let samples = config.latent_samples;
        let parameters = match start {
            Start::Random(rng) => Parameters::initialise(engine, config, items, rng)?,
            Start::State(state) => Parameters::restore(engine, config, items, state)?,
        };
        Ok(Self {
            forward: Activations::new(engine, config, users, entries, samples)?,
            gradients: Gradients::new(engine, config, users, samples)?,
            encoder_lists: ItemLists::new(engine, entries, items)?,
            #[cfg(feature = "baselines")]
            linear: match start {
                Start::Random(rng) => LinearPath::fit(engine, config, train, rng)?,
                Start::State(state) => LinearPath::from_state(engine, items, state)?,
            },
            #[cfg(feature = "baselines")]
            divergence: Divergence::new(engine, config, sizes, (start, &parameters), train)?,
            parameters,
            config: config.clone(),
        })
    }
}

impl MultVaeTraining {
    fn model_of(&self, values: Values) -> AnyModel {
        AnyModel::MultVae(MultVae {
            config: self.config.clone(),
            items: self.parameters.items.rows,
            values,
            #[cfg(feature = "baselines")]
            linear: self.linear.clone(),
            #[cfg(not(feature = "baselines"))]
            linear: None,
            joined: None,
        })
    }
}

impl TrainableSettings for MultVaeConfig {
    fn width(&self) -> (&'static str, usize) {
        Self::width(self)
    }

    fn samples(&self) -> usize {
        self.latent_samples
    }

    #[cfg(feature = "baselines")]
    fn check_options(&self) -> Result<()> {
        Self::check_options(self)
    }

    fn check_sizes(&self, items: usize, _: usize, rows: usize) -> Result<()> {
        Self::check_sizes(self, items, rows)
    }

    fn tables(&self, items: usize, _: usize) -> Vec<TableSize> {
        let widths =
            [("hidden", self.encoder_width()), ("item row", self.item_width()), ("linear", self.linear)];
        widths.map(|(what, width)| TableSize { of: "items", rows: items, what, width }).into()
    }

    fn training(
        &self,
        engine: &Engine,
        sizes: Sizes,
        start: Start<'_>,
        train: &Csr,
    ) -> Result<Box<dyn Trainable>> {
        Ok(Box::new(MultVaeTraining::new(engine, self, sizes, start, train)?))
    }
}

impl Trainable for MultVaeTraining {
    fn samples(&self) -> usize {
        self.config.latent_samples
    }

    fn items(&self) -> &Table {
        &self.parameters.items
    }

    fn item_bias(&self) -> Option<&Table> {
        self.parameters.item_bias.as_ref()
    }

    fn own_tables(&self) -> Vec<&Table> {
        if self.parameters.is_tied() { Vec::new() } else { vec![&self.parameters.encoder] }
    }

    fn queries(&self) -> &Buffer<f32> {
        self.forward.queries()
    }

    fn query_gradients(&self) -> &Buffer<f32> {
        &self.gradients.queries
    }

    fn divergence(&self) -> &Buffer<f32> {
        &self.forward.kl
    }

    fn record_forward(&self, recording: &mut Recording, batch: &Batch, step: &TrainStep<'_>) {
        let Self { config, parameters, forward, .. } = self;
        recording.push(Transpose {
            positives: batch.items.clone(),
            entries: batch.entries,
            samples: 1,
            negatives: None,
            candidates: 0,
            items: parameters.encoder.rows,
            lists: self.encoder_lists.clone(),
        });
        if !parameters.is_tied() || step.items_lag() {
            step.update.replay(recording, Some(&self.encoder_lists), &parameters.encoder);
        }
        let mode = Mode::Train { rng: step.rng, step: step.step };
        forward.record(recording, config, &parameters.values(config), batch, &mode);
        #[cfg(feature = "baselines")]
        if let Some(divergence) = &self.divergence {
            divergence.record(recording, batch, forward, parameters);
        }
    }

    fn record_backward(&self, recording: &mut Recording, batch: &Batch, step: &TrainStep<'_>) {
        let Self { config, parameters, forward, gradients, .. } = self;
        let (pass, weight) = (Pass { config, parameters, forward }, step.beta / step.users as f32);
        #[cfg(feature = "baselines")]
        if let Some(divergence) = &self.divergence {
            gradients.record_decoder(recording, &pass, batch, 0.0);
            let gradient = &gradients.posterior;
            divergence.record_backward(recording, &Latent { batch, forward, weight, gradient });
            gradients.record_encoder(recording, &pass, batch, step);
            return;
        }
        gradients.record_decoder(recording, &pass, batch, weight);
        gradients.record_encoder(recording, &pass, batch, step);
    }

    fn dense_gradients(&self) -> Vec<DenseGradient> {
        self.gradients.dense(&self.parameters)
    }

    fn row_gradients(&self, batch: &Batch) -> Vec<RowGradient> {
        let gradient = RankOne {
            vectors: self.gradients.hidden.clone(),
            rows: batch.rows.clone(),
            entries: batch.entries,
            positive: self.forward.weights.clone(),
            negative: None,
            groups: Groups { batch: batch.users, samples: 1, size: 1, candidates: 0 },
        };
        let tables = vec![(self.parameters.encoder.clone(), gradient)];
        vec![RowGradient { lists: self.encoder_lists.clone(), tables }]
    }

    #[cfg(feature = "baselines")]
    fn is_tied(&self) -> bool {
        self.parameters.is_tied()
    }

    /// The rows of the encoder and of the decoder.
    #[cfg(feature = "baselines")]
    fn implicit_slim(&self) -> Option<(ImplicitSlim, Vec<Buffer<f32>>)> {
        let step = self.config.implicit_slim()?;
        let tables = std::iter::once(&self.parameters.items).chain(self.own_tables());
        Some((step, tables.map(|table| table.parameter.value.clone()).collect()))
    }

    fn parameters(&self) -> usize {
        let items = self.parameters.items.rows;
        #[cfg(feature = "baselines")]
        let linear = self.linear.as_ref().map_or(0, |linear| items * (linear.width() + 1));
        #[cfg(not(feature = "baselines"))]
        let linear = 0;
        self.config.parameter_count(items) + linear
    }

    #[cfg(feature = "baselines")]
    fn fitted(&self) -> BTreeMap<String, f64> {
        self.linear.as_ref().map(|linear| linear.fitted().clone()).unwrap_or_default()
    }

    #[cfg(feature = "baselines")]
    fn free_linear_weight(&self) -> Option<f64> {
        let fitted = self.linear.as_ref().filter(|_| self.config.linear_weight == 0.0)?.fitted();
        fitted.get("weight").copied()
    }

    #[cfg(feature = "baselines")]
    fn multiply_linear(&mut self, power_of_two: f32) {
        self.linear = self.linear.as_ref().map(|path| path.times(power_of_two));
    }

    fn tensors(&self) -> BTreeMap<String, FrozenTensor<'static>> {
        let tensors = self.parameters.frozen(&self.config);
        #[cfg(feature = "baselines")]
        let tensors = {
            let mut tensors = tensors;
            tensors.extend(self.linear.iter().flat_map(LinearPath::tensors));
            tensors.extend(self.divergence.iter().flat_map(Divergence::tensors));
            tensors
        };
        tensors
    }

    #[cfg(feature = "baselines")]
    fn record_epoch_end(&self, recording: &mut Recording) {
        if let Some(divergence) = &self.divergence {
            divergence.record_epoch_end(recording, &self.parameters);
        }
    }

    fn forget_moments(&mut self, engine: &Engine) -> Result<()> {
        self.parameters.forget_moments(engine)
    }

    fn model(&self) -> AnyModel {
        self.model_of(self.parameters.values(&self.config))
    }

    #[cfg(feature = "baselines")]
    fn values(&self) -> BTreeMap<String, Buffer<f32>> {
        self.parameters.by_name(&self.config)
    }

    #[cfg(feature = "baselines")]
    fn model_with(&self, values: &BTreeMap<String, Buffer<f32>>) -> AnyModel {
        self.model_of(Values::of(&self.config, |name| values[name].clone()))
    }
}
