//! Mult-VAE: the variational autoencoder of Liang et al. (WWW 2018), forward and backward, as kernels.

mod backward;
#[cfg(feature = "baselines")]
mod divergence;
mod forward;
#[cfg(feature = "onnx")]
mod graph;
mod linear_path;
mod parameters;
#[cfg(feature = "baselines")]
mod stack;
mod training;

use super::{Batch, Scorer, Scoring, TrainableSettings, fit::ModelSettings, record_products};
use crate::{
    Result,
    config::{Decoder, MultVaeConfig},
    engine::{Buffer, Engine, Recording},
    kernels::{MatMul, View},
    proposal::Catalogue,
    state::State,
};
use backward::{Gradients, Pass};
use forward::{Activations, Mode};
pub(crate) use linear_path::TENSORS as LINEAR_PATH;
use linear_path::{LinearPath, Sums};
use parameters::{Layer, Parameters};

/// A trained network: parameters without an optimiser, ready to rank.
#[derive(Clone)]
pub struct MultVae {
    config: MultVaeConfig,
    /// M.
    items: usize,
    values: Values,
    linear: Option<LinearPath>,
    /// With a linear path, the item vectors of both parts side by side, M x (width + l), unless the network is still
    /// being trained.
    joined: Option<Buffer<f32>>,
}

/// The value buffers of a network.
#[derive(Clone, Debug)]
struct Values {
    /// Encoder rows, M x H, or M x 2H with gates.
    encoder: Buffer<f32>,
    /// H, or 2H with gates.
    encoder_bias: Buffer<f32>,
    /// The encoder's other hidden layers.
    #[cfg(feature = "baselines")]
    stack: stack::StackValues,
    /// H x 2D, or H x D without a distribution.
    to_latent: Buffer<f32>,
    /// 2D or D.
    to_latent_bias: Buffer<f32>,
    /// D x H and H; the dense decoder's layer.
    to_hidden: Option<(Buffer<f32>, Buffer<f32>)>,
    /// Item rows, M x H or M x D.
    items: Buffer<f32>,
    /// M.
    item_bias: Option<Buffer<f32>>,
}

impl Values {
    /// The buffers of all tensors of a network; `of` returns them by the names of [`parameters::shapes`].
    fn of(config: &MultVaeConfig, of: impl Fn(&'static str) -> Buffer<f32>) -> Self {
        Self {
            encoder: of(config.encoder_table()),
            encoder_bias: of("encoder_bias"),
            #[cfg(feature = "baselines")]
            stack: stack::StackValues::of(config, &of),
            to_latent: of("to_latent"),
            to_latent_bias: of("to_latent_bias"),
            to_hidden: match config.decoder {
                Decoder::Dense => Some((of("to_hidden"), of("to_hidden_bias"))),
                Decoder::Direct => None,
            },
            items: of("items"),
            item_bias: config.item_bias.then(|| of("item_bias")),
        }
    }
}

impl ModelSettings for MultVaeConfig {
    type Model = MultVae;

    const NEEDS_CPU: bool = false;

    fn uses(_: &str, _: &str) -> bool {
        true
    }

    fn trainable(&self) -> Option<&dyn TrainableSettings> {
        Some(self)
    }

    fn load(&self, engine: &Engine, items: usize, state: &State) -> Result<MultVae> {
        MultVae::from_state(engine, self, items, state)
    }

    #[cfg(feature = "onnx")]
    fn graph<'a>(&self, items: usize, state: &'a State) -> Result<Option<crate::onnx::Builder<'a>>> {
        graph::graph(self, items, state).map(Some)
    }
}

impl MultVaeConfig {
    /// Width of item rows and queries.
    pub fn item_width(&self) -> usize {
        match self.decoder {
            Decoder::Dense => self.hidden,
            Decoder::Direct => self.latent,
        }
    }

    /// Number of trained parameters of a network over `items` items.
    pub fn parameter_count(&self, items: usize) -> usize {
        parameters::shapes(self, items).iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }
}

impl MultVae {
    /// Uploads the parameters of a state.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for options that do not work together;
    /// [`crate::Error::Data`] if a tensor is missing or has the wrong shape; [`crate::Error::Device`] if the engine
    /// cannot hold them.
    pub fn from_state(engine: &Engine, config: &MultVaeConfig, items: usize, state: &State) -> Result<Self> {
        config.check_sizes(items, 1)?;
        #[cfg(feature = "baselines")]
        config.check_options()?;
        let mut buffers = Vec::new();
        for (name, shape) in parameters::shapes(config, items) {
            buffers.push((name, engine.upload(name, state.values(name, &shape)?)?));
        }
        let of = |name| buffers.iter().find(|(known, _)| *known == name).map(|(_, buffer)| buffer.clone());
        let values = Values::of(config, |name| of(name).expect("`shapes` lists what the configuration has"));
        let linear = LinearPath::from_state(engine, items, state)?;
        let joined = match linear_path::tensors(items, state)? {
            Some((table, scale)) => {
                let width = config.item_width();
                let rows = state.values("items", &[items, width])?;
                let joined = joined(rows, width, &linear_path::outputs(table, scale));
                Some(engine.upload("joined item vectors", &joined)?)
            }
            None => None,
        };
        Ok(Self { config: config.clone(), items, values, linear, joined })
    }

    /// The mean of the latent code of a history, D.
    ///
    /// # Errors
    /// If the engine cannot hold the buffers, or is lost.
    pub async fn code(&self, engine: &Engine, history: &[u32]) -> Result<Vec<f32>> {
        let forward = Activations::new(engine, &self.config, 1, history.len(), 1)?;
        let batch = Batch::of_one(engine, history)?;
        let mut recording = Recording::new();
        forward.record(&mut recording, &self.config, &self.values, &batch, &Mode::Rank);
        engine.run(&recording)?;
        engine.read_range(forward.encoded(&self.config), 0..self.config.latent).await
    }

    /// The network alone.
    pub(super) fn network(&self) -> Self {
        Self { linear: None, joined: None, ..self.clone() }
    }

    /// The model with the scores of its linear path multiplied by a power of two, to be ranked with. It shares the
    /// buffers.
    #[cfg(feature = "baselines")]
    pub(super) fn with_linear_times(self, power_of_two: f32) -> Self {
        Self { linear: self.linear.map(|path| path.times(power_of_two)), ..self }
    }

    /// The item vectors of the network.
    fn catalogue(&self) -> Catalogue {
        Catalogue {
            table: self.values.items.clone(),
            bias: self.values.item_bias.clone(),
            items: self.items,
            width: self.config.item_width(),
        }
    }
}

/// Rows of `width` numbers, each followed by a row of the second table, which has as many rows.
fn joined(rows: &[f32], width: usize, others: &[f32]) -> Vec<f32> {
    let count = (rows.len() / width.max(1)).max(1);
    let pairs = rows.chunks_exact(width).zip(others.chunks_exact((others.len() / count).max(1)));
    pairs.flat_map(|(row, other)| row.iter().chain(other)).copied().collect()
}

impl Scorer for MultVae {
    fn items(&self) -> usize {
        self.items
    }

    fn scoring(&self, engine: &Engine, users: usize, entries: usize) -> Result<Box<dyn Scoring>> {
        let linear = self.linear.as_ref();
        Ok(Box::new(MultVaeScoring {
            model: self.clone(),
            forward: Activations::new(engine, &self.config, users, entries, 1)?,
            linear: linear.map(|path| Sums::new(engine, path, users, entries)).transpose()?,
            joined: match (linear, &self.joined) {
                (Some(path), Some(_)) => {
                    Some(Joined::new(engine, users, self.config.item_width(), path.width())?)
                }
                _ => None,
            },
        }))
    }

    /// `None` while a network with a linear path is being trained; its [`AnyModel::trained_part`](super::AnyModel::trained_part) has some.
    fn item_vectors(&self) -> Option<Catalogue> {
        match (&self.linear, &self.joined) {
            (None, _) => Some(self.catalogue()),
            (Some(linear), Some(joined)) => {
                let network = self.catalogue();
                Some(Catalogue { table: joined.clone(), width: network.width + linear.width(), ..network })
            }
            (Some(_), None) => None,
        }
    }
}

/// Scores histories with the network, without dropout or noise, and with the linear path.
struct MultVaeScoring {
    model: MultVae,
    forward: Activations,
    linear: Option<Sums>,
    joined: Option<Joined>,
}

/// The queries of the two parts side by side.
struct Joined {
    /// B x (width + l).
    queries: Buffer<f32>,
    /// The identity, which copies a part to its columns: as large as the wider part.
    identity: Buffer<f32>,
    widths: [usize; 2],
}

impl Joined {
    fn new(engine: &Engine, users: usize, width: usize, linear: usize) -> Result<Self> {
        let size = width.max(linear);
        let mut identity = vec![0.0; size * size];
        identity.iter_mut().step_by(size + 1).for_each(|value| *value = 1.0);
        Ok(Self {
            queries: engine.zeros("joined queries", users * (width + linear))?,
            identity: engine.upload("identity", &identity)?,
            widths: [width, linear],
        })
    }

    /// Appends the copies of the two parts.
    fn record(&self, recording: &mut Recording, users: usize, parts: [&Buffer<f32>; 2]) {
        let [width, linear] = self.widths;
        let identity = || View::rows(&self.identity, width.max(linear));
        for (part, columns, first) in [(parts[0], width, 0), (parts[1], linear, width)] {
            let place = View::rows(&self.queries, width + linear).skip_columns(first);
            recording.push(MatMul::new(
                users,
                columns,
                columns,
                View::rows(part, columns),
                identity(),
                place,
            ));
        }
    }
}

impl Scoring for MultVaeScoring {
    fn record_scores(&self, recording: &mut Recording, batch: &Batch, scores: &Buffer<f32>) {
        let MultVae { config, values, .. } = &self.model;
        self.forward.record(recording, config, values, batch, &Mode::Rank);
        record_products(recording, batch.users, self.forward.queries(), &self.model.catalogue(), scores);
        if let Some(linear) = &self.linear {
            linear.record_scores(recording, batch, scores);
        }
    }

    fn record_queries(&self, recording: &mut Recording, batch: &Batch) -> Option<Buffer<f32>> {
        let MultVae { config, values, .. } = &self.model;
        self.forward.record(recording, config, values, batch, &Mode::Rank);
        match (&self.linear, &self.joined) {
            (None, _) => Some(self.forward.queries().clone()),
            (Some(linear), Some(joined)) => {
                let sums = linear.record(recording, batch);
                joined.record(recording, batch.users, [self.forward.queries(), sums]);
                Some(joined.queries.clone())
            }
            (Some(_), None) => None,
        }
    }
}
