//! Bayesian personalised ranking: a table of users and one of items, trained on pairs of items (Rendle et al., 2009).

use std::{collections::BTreeMap, sync::Arc};

use super::{
    AnyModel, Scorer, Scoring,
    fit::{Defaults, Fit, FitInputs, ModelSettings},
    host::{FoldIn, shuffled},
};
use crate::{
    Error, Result,
    config::{Kind, setting::settings},
    data::Csr,
    engine::{Buffer, Engine, Recording},
    kernels::Normal,
    optimizer::Optimizer,
    proposal::Catalogue,
    rng::{Rng, Stream, below},
    simd,
    state::{FrozenTensor, State},
};

settings! {
    /// Bayesian personalised ranking.
    pub struct BprConfig in "model" {
        /// Dimensions of the vectors of users and items, d.
        factors: usize = 64, "D", Kind::Integer(1, 1 << 16);
        /// Weight of the squared norms, in every update of a vector.
        regularisation: f32 = 0.005, "LAMBDA", Kind::Real(0.0, 1e3);
    }
}

/// A score is the inner product of a vector of the user and one of the item, plus the item's bias. For an item i of the
/// history and one j outside of it, drawn uniformly, the loss is `-ln sigma(s_i - s_j)` (Rendle et al., "BPR: Bayesian
/// Personalized Ranking from Implicit Feedback", UAI 2009).
///
/// The vector of a history, known or new, is trained from zero with the items fixed.
#[derive(Clone)]
pub struct Bpr {
    regularisation: f32,
    /// M x d.
    items: Buffer<f32>,
    /// M.
    bias: Buffer<f32>,
    /// M.
    count: usize,
    /// d.
    width: usize,
}

/// Interactions of a step, after which a run can be stopped.
const STEP: usize = 1 << 16;
/// Passes over a history that is folded in, and the learning rate of the first one.
const PASSES: u32 = 30;
const FOLD_IN_RATE: f32 = 0.1;

/// An item outside of a history, uniformly: the draws of (step, row) in order, until one is outside. `None` if the
/// history has every item.
fn outside(history: &[u32], items: usize, rng: Rng, step: u32, row: u32) -> Option<u32> {
    if history.len() >= items {
        return None;
    }
    let draws = (0u32..).flat_map(|block| rng.block(Stream::Negatives, step, row, block));
    draws.map(|word| below(word, items as u32)).find(|item| history.binary_search(item).is_err())
}

/// `sigma(-x)` and `-ln sigma(x)`.
fn logistic(x: f32) -> (f32, f64) {
    let x = f64::from(x);
    let slope = 1.0 / (1.0 + x.exp());
    // The larger of the two exponents is subtracted.
    let loss = (-x.abs()).exp().ln_1p() + (-x).max(0.0);
    (slope as f32, loss)
}

/// Two different rows of a table.
fn two(table: &mut [f32], width: usize, a: u32, b: u32) -> (&mut [f32], &mut [f32]) {
    let (low, high) = (a.min(b) as usize, a.max(b) as usize);
    let (before, after) = table.split_at_mut(high * width);
    let (low, high) = (&mut before[low * width..][..width], &mut after[..width]);
    if a < b { (low, high) } else { (high, low) }
}

impl ModelSettings for BprConfig {
    type Model = Bpr;

    fn uses(section: &str, key: &str) -> bool {
        match section {
            "optimizer" => matches!(key, "learning-rate" | "schedule"),
            "training" => matches!(key, "epochs" | "seed" | "patience" | "evaluate-every" | "metric"),
            _ => false,
        }
    }

    fn set_defaults(Defaults { optimizer, training, .. }: Defaults<'_>) {
        optimizer.learning_rate = 0.1;
        training.epochs = 60;
        training.evaluate_every = 5;
    }

    fn load(&self, engine: &Engine, items: usize, state: &State) -> Result<Bpr> {
        let values = state.values("items", &[items, self.factors])?;
        Ok(Bpr {
            regularisation: self.regularisation,
            items: engine.upload("item vectors", values)?,
            bias: engine.upload("item biases", state.values("item_bias", &[items])?)?,
            count: items,
            width: self.factors,
        })
    }

    fn fit(&self, inputs: &FitInputs<'_>) -> Result<Option<Box<dyn Fit>>> {
        Ok(Some(Box::new(BprFit::new(self, inputs)?)))
    }
}

/// Stochastic gradient descent over the interactions in random order, one after the other.
struct BprFit {
    model: Bpr,
    train: Csr,
    /// The user of each interaction.
    user_of: Vec<u32>,
    optimizer: Optimizer,
    rng: Rng,
    steps_per_epoch: u32,
    /// Interactions in the order of an epoch, and which epoch.
    order: (Option<u32>, Vec<u32>),
    /// N x d.
    users: Buffer<f32>,
}

impl BprFit {
    fn new(config: &BprConfig, inputs: &FitInputs<'_>) -> Result<Self> {
        let FitInputs { engine, train, training, optimizer, state } = *inputs;
        let (width, rng) = (config.factors, Rng::new(training.seed));
        let table = |rows: usize, name: &str, label: &'static str, step: u32| -> Result<Buffer<f32>> {
            if let Some(state) = state {
                return engine.upload(label, state.values(name, &[rows, width])?);
            }
            let output = engine.zeros(label, rows * width)?;
            let (scale, stream) = (0.1 / (width as f32).sqrt(), Stream::Init);
            let mut recording = Recording::new();
            recording.push(Normal { output: output.clone(), rows, width, scale, rng, stream, step });
            engine.run(&recording)?;
            Ok(output)
        };
        let (users, count) = (train.rows(), train.columns());
        let model = Bpr {
            regularisation: config.regularisation,
            items: table(count, "items", "item vectors", 1)?,
            bias: match state {
                Some(state) => engine.upload("item biases", state.values("item_bias", &[count])?)?,
                None => engine.zeros("item biases", count)?,
            },
            count,
            width,
        };
        let steps_per_epoch = train.nnz().div_ceil(STEP) as u32;
        Ok(Self {
            model,
            user_of: train.iter().zip(0..).flat_map(|(row, user)| row.iter().map(move |_| user)).collect(),
            train: train.clone(),
            optimizer: Optimizer::new(optimizer, training.epochs, steps_per_epoch),
            rng,
            steps_per_epoch,
            order: (None, Vec::new()),
            users: table(users, "fit.users", "user vectors", 0)?,
        })
    }
}

impl Fit for BprFit {
    fn steps_per_epoch(&self) -> Option<u32> {
        Some(self.steps_per_epoch)
    }

    fn step(&mut self, step: u64) -> Result<f64> {
        let epoch = (step / u64::from(self.steps_per_epoch)) as u32;
        if self.order.0 != Some(epoch) {
            self.order = (Some(epoch), shuffled(self.train.nnz(), self.rng, epoch));
        }
        let Bpr { regularisation, width, count, .. } = self.model;
        let rate = self.optimizer.rate(step + 1) as f32;
        let first = (step % u64::from(self.steps_per_epoch)) as usize * STEP;
        let chunk = &self.order.1[first..self.train.nnz().min(first + STEP)];
        let (mut users, mut items) = (self.users.write(), self.model.items.write());
        let mut bias = self.model.bias.write();
        let mut loss = 0.0;
        simd::dispatch(
            #[inline(always)]
            || {
                for &at in chunk {
                    let (user, liked) = (self.user_of[at as usize] as usize, self.train.items()[at as usize]);
                    let Some(other) = outside(self.train.row(user), count, self.rng, epoch, at) else {
                        continue;
                    };
                    let vector = &mut users[user * width..][..width];
                    let (up, down) = two(&mut items, width, liked, other);
                    let score = simd::dot(vector, up) - simd::dot(vector, down);
                    let (slope, cost) = logistic(score + bias[liked as usize] - bias[other as usize]);
                    loss += cost;
                    for ((w, up), down) in vector.iter_mut().zip(up).zip(down) {
                        let before = *w;
                        *w += rate * (slope * (*up - *down) - regularisation * *w);
                        *up += rate * (slope * before - regularisation * *up);
                        *down -= rate * (slope * before + regularisation * *down);
                    }
                    bias[liked as usize] += rate * (slope - regularisation * bias[liked as usize]);
                    bias[other as usize] -= rate * (slope + regularisation * bias[other as usize]);
                }
            },
        );
        if !loss.is_finite() {
            let (epoch, step, learning_rate) = (epoch + 1, step + 1, rate);
            return Err(Error::Diverged { epoch, step, loss: loss as f32, learning_rate });
        }
        Ok(loss / self.train.nnz() as f64)
    }

    fn parameters(&self) -> usize {
        (self.train.rows() + self.model.count) * self.model.width + self.model.count
    }

    fn model(&self) -> Result<AnyModel> {
        Ok(AnyModel::Bpr(self.model.clone()))
    }

    fn tensors(&self) -> BTreeMap<String, FrozenTensor<'_>> {
        let Bpr { items, bias, count, width, .. } = &self.model;
        [
            ("items".to_owned(), FrozenTensor::on_engine(vec![*count, *width], items)),
            ("item_bias".to_owned(), FrozenTensor::on_engine(vec![*count], bias)),
            ("fit.users".to_owned(), FrozenTensor::on_engine(vec![self.train.rows(), *width], &self.users)),
        ]
        .into()
    }

    fn retire(&mut self) {}
}

impl Bpr {
    fn catalogue(&self) -> Catalogue {
        let Self { items, bias, count, width, .. } = self.clone();
        Catalogue { table: items, bias: Some(bias), items: count, width }
    }

    /// Trains the vector of a history from zero, with the items fixed. The draws depend on the place in the history
    /// alone, so a history always has the same vector.
    fn fold_in(&self, history: &[u32], vector: &mut [f32]) {
        let (items, bias) = (self.items.read(), self.bias.read());
        let row = |item: u32| &items[item as usize * self.width..][..self.width];
        vector.fill(0.0);
        simd::dispatch(
            #[inline(always)]
            || {
                for pass in 0..PASSES {
                    let rate = FOLD_IN_RATE * (1.0 - pass as f32 / PASSES as f32);
                    for (at, &liked) in (0..).zip(history) {
                        let Some(other) = outside(history, self.count, Rng::new(0), pass, at) else { return };
                        let (up, down) = (row(liked), row(other));
                        let score = simd::dot(vector, up) - simd::dot(vector, down);
                        let (slope, _) = logistic(score + bias[liked as usize] - bias[other as usize]);
                        for ((w, up), down) in vector.iter_mut().zip(up).zip(down) {
                            *w += rate * (slope * (up - down) - self.regularisation * *w);
                        }
                    }
                }
            },
        );
    }
}

impl Scorer for Bpr {
    fn items(&self) -> usize {
        self.count
    }

    fn scoring(&self, engine: &Engine, users: usize, _: usize) -> Result<Box<dyn Scoring>> {
        let model = self.clone();
        Ok(Box::new(FoldIn {
            catalogue: self.catalogue(),
            queries: engine.zeros("user vectors", users * self.width)?,
            fold_in: Arc::new(move |history, vector| model.fold_in(history, vector)),
        }))
    }

    fn item_vectors(&self) -> Option<Catalogue> {
        Some(self.catalogue())
    }
}
