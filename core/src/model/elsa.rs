//! ELSA: EASE's idea with weights of low rank, for catalogues of any size (Vančura et al., 2022).

use std::{collections::BTreeMap, sync::Arc};

use super::{
    AnyModel, Batch, Scorer, Scoring,
    fit::{Defaults, Fit, FitInputs, ModelSettings},
    host::shuffled,
    record_products,
};
use crate::{
    Error, Result,
    config::{Kind, setting::settings},
    data::Csr,
    engine::{Buffer, Engine, Recording, parallel},
    kernels::{Activation, Adam, EncodeRows, HostRows, MatMul, Normal, Parameter, View},
    optimizer::Optimizer,
    proposal::Catalogue,
    rng::{Rng, Stream},
    simd,
    state::{FrozenTensor, State},
};

settings! {
    /// ELSA.
    pub struct ElsaConfig in "model" {
        /// Dimensions of the item vectors, d.
        factors: usize = 256, "D", Kind::Integer(1, 1 << 16);
    }
}

/// The scores of a history x are `x (A A' - I)`, where the rows of A have unit norm, so that the diagonal of the weights
/// is zero (Vančura et al., "Scalable Linear Shallow Autoencoder for Collaborative Filtering", RecSys 2022).
#[derive(Clone)]
pub struct Elsa {
    /// A, M x d.
    vectors: Buffer<f32>,
    /// M.
    items: usize,
    /// d.
    width: usize,
}

impl Elsa {
    fn catalogue(&self) -> Catalogue {
        Catalogue { table: self.vectors.clone(), bias: None, items: self.items, width: self.width }
    }
}

impl ModelSettings for ElsaConfig {
    type Model = Elsa;

    fn uses(section: &str, key: &str) -> bool {
        match section {
            "optimizer" => matches!(key, "learning-rate" | "schedule" | "beta1" | "beta2" | "epsilon"),
            "training" => {
                matches!(key, "epochs" | "batch" | "seed" | "patience" | "evaluate-every" | "metric")
            }
            _ => false,
        }
    }

    fn set_defaults(Defaults { optimizer, training, .. }: Defaults<'_>) {
        optimizer.learning_rate = 0.03;
        training.epochs = 10;
    }

    fn load(&self, engine: &Engine, items: usize, state: &State) -> Result<Elsa> {
        let values = state.values("items", &[items, self.factors])?;
        Ok(Elsa { vectors: engine.upload("item vectors", values)?, items, width: self.factors })
    }

    #[cfg(feature = "onnx")]
    fn graph<'a>(&self, items: usize, state: &'a State) -> Result<Option<crate::onnx::Builder<'a>>> {
        let mut graph = crate::onnx::Builder::new(items);
        let vectors = state.values("items", &[items, self.factors])?;
        let table = graph.table("items", self.factors, vectors);
        let query = graph.sum_of_rows(&table);
        let products = graph.products(&query, &table, None);
        // The term of the identity.
        let mask = graph.mask();
        let own = graph.operator("Neg", &[&mask]);
        let scores = graph.add_at_history(&products, &own);
        graph.scores(&scores);
        graph.query(&query, self.factors);
        Ok(Some(graph))
    }

    fn fit(&self, inputs: &FitInputs<'_>) -> Result<Option<Box<dyn Fit>>> {
        Ok(Some(Box::new(ElsaFit::new(self.factors, inputs)?)))
    }
}

/// Minimises `mean over users of |y / |y| - x / |x||^2` with `y = x (A A' - I)`, where A is W with rows scaled to unit
/// norm, by Adam on W.
struct ElsaFit {
    engine: Engine,
    model: Elsa,
    train: Csr,
    optimizer: Optimizer,
    rng: Rng,
    /// Users of a step, B.
    batch: usize,
    steps_per_epoch: u32,
    /// W, M x d.
    weights: Parameter,
    /// Users in the order of an epoch, and which epoch.
    order: (Option<u32>, Vec<u32>),
    /// `x A` and its gradient, B x d.
    queries: Buffer<f32>,
    query_gradients: Buffer<f32>,
    /// y, then d loss / d y: B x M.
    scores: Buffer<f32>,
    /// d loss / d A, then d loss / d W: M x d.
    gradient: Buffer<f32>,
}

impl ElsaFit {
    fn new(width: usize, inputs: &FitInputs<'_>) -> Result<Self> {
        let FitInputs { engine, train, training, optimizer, state } = *inputs;
        let (items, users) = (train.columns(), train.rows());
        let batch = training.batch.min(users);
        if batch.checked_mul(items).is_none_or(|scores| scores > u32::MAX as usize) {
            let problem =
                format!("scores of {batch} users x {items} items are too many; take a smaller `batch`");
            return Err(Error::setting("batch", problem));
        }
        let steps_per_epoch = users.div_ceil(batch) as u32;
        let table = |label, name: &str| -> Result<Buffer<f32>> {
            match state {
                Some(state) => engine.upload(label, state.values(name, &[items, width])?),
                None => engine.zeros(label, items * width),
            }
        };
        let weights = Parameter {
            value: table("item weights", "fit.weights")?,
            first: table("first moments", "fit.weights.first")?,
            second: table("second moments", "fit.weights.second")?,
        };
        let rng = Rng::new(training.seed);
        if state.is_none() {
            let mut recording = Recording::new();
            recording.push(Normal {
                output: weights.value.clone(),
                rows: items,
                width,
                scale: (2.0 / (items + width) as f32).sqrt(),
                rng,
                stream: Stream::Init,
                step: 0,
            });
            engine.run(&recording)?;
        }
        let fit = Self {
            model: Elsa { vectors: engine.zeros("item vectors", items * width)?, items, width },
            optimizer: Optimizer::new(optimizer, training.epochs, steps_per_epoch),
            order: (None, Vec::new()),
            queries: engine.zeros("queries", batch * width)?,
            query_gradients: engine.zeros("query gradients", batch * width)?,
            scores: engine.zeros("scores", batch * items)?,
            gradient: engine.zeros("weight gradients", items * width)?,
            engine: engine.clone(),
            train: train.clone(),
            rng,
            batch,
            steps_per_epoch,
            weights,
        };
        fit.normalise();
        Ok(fit)
    }

    /// Writes A: the rows of W at unit norm.
    fn normalise(&self) {
        let (width, weights) = (self.model.width, self.weights.value.read());
        parallel::for_each_chunk(&mut self.model.vectors.write()[..], width, |item, vector| {
            let row = &weights[item * width..][..width];
            let scale = 1.0 / norm(row);
            vector.iter_mut().zip(row).for_each(|(value, weight)| *value = weight * scale);
        });
    }

    /// The users of a step.
    fn users(&mut self, step: u64) -> Vec<u32> {
        let epoch = (step / u64::from(self.steps_per_epoch)) as u32;
        if self.order.0 != Some(epoch) {
            self.order = (Some(epoch), shuffled(self.train.rows(), self.rng, epoch));
        }
        let first = (step % u64::from(self.steps_per_epoch)) as usize * self.batch;
        self.order.1[first..self.train.rows().min(first + self.batch)].to_vec()
    }

    /// Turns `x A A'` into the gradient of the loss with respect to y; returns the mean loss of the users.
    fn differentiate(&self, users: &[u32]) -> f64 {
        let (items, count) = (self.model.items, users.len() as f64);
        let history = |row: usize| self.train.row(users[row] as usize);
        let mut scores = self.scores.write();
        let scores = &mut scores[..users.len() * items];
        parallel::for_each_chunk(scores, items, |row, y| {
            history(row).iter().for_each(|&item| y[item as usize] -= 1.0);
        });
        // |y|, and the sum of y over the history.
        let mut sums = vec![(0.0f64, 0.0f64); users.len()];
        parallel::for_each_chunk(&mut sums, 1, |row, sums| {
            let y = &scores[row * items..][..items];
            let hits = history(row).iter().map(|&item| f64::from(y[item as usize])).sum();
            sums[0] = (f64::from(norm(y)), hits);
        });
        // |y/|y| - x/|x||^2 = 2 - 2 cosine, whose gradient is 2 (cosine y/|y| - x/|x|) / |y|.
        let cosine = |row: usize| sums[row].1 / (sums[row].0 * (history(row).len() as f64).sqrt());
        parallel::for_each_chunk(scores, items, |row, y| {
            let length = sums[row].0;
            let of_y = (2.0 * cosine(row) / (length * length * count)) as f32;
            let of_x = (2.0 / (length * (history(row).len() as f64).sqrt() * count)) as f32;
            y.iter_mut().for_each(|y| *y *= of_y);
            history(row).iter().for_each(|&item| y[item as usize] -= of_x);
        });
        (0..users.len()).map(|row| 2.0 - 2.0 * cosine(row)).sum::<f64>() / count
    }

    /// Adds the gradient by way of the queries, and turns the gradient of A into that of W.
    fn finish_gradient(&self, users: &[u32]) {
        let width = self.model.width;
        let (mut gradient, of_queries) = (self.gradient.write(), self.query_gradients.read());
        for (row, &user) in users.iter().enumerate() {
            let of_query = &of_queries[row * width..][..width];
            for &item in self.train.row(user as usize) {
                simd::axpy(1.0, of_query, &mut gradient[item as usize * width..][..width]);
            }
        }
        let (vectors, weights) = (self.model.vectors.read(), self.weights.value.read());
        parallel::for_each_chunk(&mut gradient[..], width, |item, gradient| {
            let vector = &vectors[item * width..][..width];
            let (along, scale) = (simd::dot(vector, gradient), 1.0 / norm(&weights[item * width..][..width]));
            gradient.iter_mut().zip(vector).for_each(|(g, a)| *g = (*g - along * a) * scale);
        });
    }
}

/// The Euclidean norm; tiny for a vector of zeros, which has no direction.
fn norm(vector: &[f32]) -> f32 {
    simd::dispatch(
        #[inline(always)]
        || simd::dot(vector, vector).sqrt().max(1e-20),
    )
}

/// Sums of item vectors over the histories of a batch, B x d.
fn bags(
    engine: &Engine,
    train: &Csr,
    users: &[u32],
    model: &Elsa,
    output: &Buffer<f32>,
) -> Result<EncodeRows> {
    let batch = train.select(users)?;
    Ok(EncodeRows {
        batch_offsets: engine.upload("offsets", batch.offsets())?,
        items: engine.upload("items", batch.items())?,
        weights: engine.upload("ones", &vec![1.0; batch.nnz()])?,
        table: model.vectors.clone(),
        bias: engine.zeros("no bias", model.width)?,
        batch: users.len(),
        hidden: model.width,
        activation: Activation::None,
        output: output.clone(),
    })
}

impl Fit for ElsaFit {
    fn steps_per_epoch(&self) -> Option<u32> {
        Some(self.steps_per_epoch)
    }

    fn step(&mut self, step: u64) -> Result<f64> {
        let users = self.users(step);
        let (count, items, width) = (users.len(), self.model.items, self.model.width);
        let mut forward = Recording::new();
        forward.push(bags(&self.engine, &self.train, &users, &self.model, &self.queries)?);
        record_products(&mut forward, count, &self.queries, &self.model.catalogue(), &self.scores);
        self.engine.run(&forward)?;
        let loss = self.differentiate(&users);
        if !loss.is_finite() {
            let (epoch, step) = ((step / u64::from(self.steps_per_epoch)) as u32 + 1, step + 1);
            let learning_rate = self.optimizer.rate(step) as f32;
            return Err(Error::Diverged { epoch, step, loss: loss as f32, learning_rate });
        }

        let mut backward = Recording::new();
        let (scores, vectors) = (View::rows(&self.scores, items), View::rows(&self.model.vectors, width));
        let (queries, of_queries) =
            (View::rows(&self.queries, width), View::rows(&self.query_gradients, width));
        let gradient = View::rows(&self.gradient, width);
        backward.push(MatMul::new(items, width, count, scores.clone().transposed(), queries, gradient));
        backward.push(MatMul::new(count, width, items, scores, vectors, of_queries));
        self.engine.run(&backward)?;
        self.finish_gradient(&users);

        let mut update = Recording::new();
        update.push(Adam {
            gradient: self.gradient.clone(),
            parameter: self.weights.clone(),
            offset: 0,
            len: items * width,
            step: self.optimizer.step(step + 1),
        });
        self.engine.run(&update)?;
        self.normalise();
        Ok(loss / f64::from(self.steps_per_epoch))
    }

    fn parameters(&self) -> usize {
        self.model.items * self.model.width
    }

    fn model(&self) -> Result<AnyModel> {
        Ok(AnyModel::Elsa(self.model.clone()))
    }

    fn tensors(&self) -> BTreeMap<String, FrozenTensor<'_>> {
        let tensor = |buffer| FrozenTensor::on_engine(vec![self.model.items, self.model.width], buffer);
        let Parameter { value, first, second } = &self.weights;
        [
            ("items".to_owned(), tensor(&self.model.vectors)),
            ("fit.weights".to_owned(), tensor(value)),
            ("fit.weights.first".to_owned(), tensor(first)),
            ("fit.weights.second".to_owned(), tensor(second)),
        ]
        .into()
    }

    fn retire(&mut self) {}
}

impl Scorer for Elsa {
    fn items(&self) -> usize {
        self.items
    }

    fn scoring(&self, engine: &Engine, users: usize, entries: usize) -> Result<Box<dyn Scoring>> {
        Ok(Box::new(Products {
            model: self.clone(),
            ones: engine.upload("ones", &vec![1.0; entries.max(1)])?,
            zeros: engine.zeros("no bias", self.width)?,
            queries: engine.zeros("queries", users * self.width)?,
        }))
    }

    fn item_vectors(&self) -> Option<Catalogue> {
        Some(self.catalogue())
    }
}

/// Sums item vectors and multiplies the sums with the item vectors.
struct Products {
    model: Elsa,
    /// E.
    ones: Buffer<f32>,
    /// d.
    zeros: Buffer<f32>,
    /// B x d.
    queries: Buffer<f32>,
}

impl Scoring for Products {
    fn record_scores(&self, recording: &mut Recording, batch: &Batch, scores: &Buffer<f32>) {
        self.record_queries(recording, batch);
        record_products(recording, batch.users, &self.queries, &self.model.catalogue(), scores);
        // The term of the identity.
        let own = |history: &[u32], scores: &mut [f32]| {
            history.iter().for_each(|&item| scores[item as usize] -= 1.0);
        };
        recording.push(HostRows {
            offsets: batch.offsets.clone(),
            items: batch.items.clone(),
            rows: batch.users,
            width: self.model.items,
            function: Arc::new(own),
            output: scores.clone(),
        });
    }

    fn record_queries(&self, recording: &mut Recording, batch: &Batch) -> Option<Buffer<f32>> {
        recording.push(EncodeRows {
            batch_offsets: batch.offsets.clone(),
            items: batch.items.clone(),
            weights: self.ones.clone(),
            table: self.model.vectors.clone(),
            bias: self.zeros.clone(),
            batch: batch.users,
            hidden: self.model.width,
            activation: Activation::None,
            output: self.queries.clone(),
        });
        Some(self.queries.clone())
    }
}
