//! Implicit alternating least squares: a matrix of users times a matrix of items (Hu et al., 2008; Rendle et al.,
//! 2021), solved by blocks of dimensions (iALS++).

mod row;
mod wrmf;

use std::{collections::BTreeMap, sync::Arc};

use self::row::{LeastSquares, Scratch, update};
use super::{
    AnyModel, Scorer, Scoring,
    fit::{Defaults, Fit, FitInputs, ModelSettings},
    host::{FoldIn, by_item},
};
use crate::{
    Error, Result,
    config::{Kind, setting::settings},
    data::Csr,
    engine::{Buffer, Engine, Recording, parallel},
    kernels::{MatMul, Normal, View},
    proposal::Catalogue,
    rng::{Rng, Stream},
    simd,
    state::{FrozenTensor, State},
};

pub use wrmf::WrmfConfig;

settings! {
    /// Implicit alternating least squares.
    pub struct IalsConfig in "model" {
        /// Dimensions of the vectors of users and items, d.
        factors: usize = 128, "D", Kind::Integer(1, 1 << 16);
        /// Weight of the squared norms.
        regularisation: f32 = 0.01, "LAMBDA", Kind::Real(f32::MIN_POSITIVE as f64, 1e9);
        /// How the weight of a vector's norm grows with its number of interactions: 0 is the same weight for all.
        regularisation_exponent: f32 = 1.0, "NU", Kind::Real(0.0, 2.0);
        /// Weight of a pair that was not observed; an observed one has 1 more.
        unobserved_weight: f32 = 0.1, "ALPHA", Kind::Real(1e-9, 1e3);
        /// Dimensions that are solved together; as many as `factors`: exact alternating least squares.
        block: usize = 64, "B", Kind::Integer(1, 1 << 16);
    }
}

/// A score is the inner product of a vector of the user and one of the item. They minimise
///
/// `sum over observed (s_ui - 1)^2 + alpha sum over all s_ui^2 + lambda (sum_u (n_u + alpha M)^nu |w_u|^2 + sum_i (n_i +
/// alpha N)^nu |h_i|^2)`
///
/// with n_u and n_i the numbers of interactions (Rendle et al., "Revisiting the Performance of iALS on Item
/// Recommendation Benchmarks", RecSys 2022). The vector of a history, known or new, is the one that minimises its part
/// of the sum.
#[derive(Clone)]
pub struct Ials {
    objective: Objective,
    /// Item vectors, M x d.
    items: Buffer<f32>,
    /// M.
    count: usize,
    /// `alpha H' H`, d x d.
    gram: Arc<Vec<f32>>,
}

/// The weights of the objective.
#[derive(Clone, Copy, Debug)]
struct Objective {
    /// d.
    factors: usize,
    /// lambda.
    regularisation: f32,
    /// nu.
    exponent: f32,
    /// alpha.
    unobserved: f32,
}

impl Objective {
    /// The weight of the squared norm of a vector with `observed` interactions, of `all` possible ones.
    fn norm_weight(&self, observed: usize, all: usize) -> f32 {
        let amount = observed as f64 + f64::from(self.unobserved) * all as f64;
        (f64::from(self.regularisation) * amount.powf(self.exponent.into())) as f32
    }

    /// `alpha T' T` for a table T of `rows` rows, d x d.
    fn gram(&self, engine: &Engine, table: &Buffer<f32>, rows: usize) -> Result<Vec<f32>> {
        let width = self.factors;
        let output = engine.zeros("gram", width * width)?;
        let (a, b) = (View::rows(table, width).transposed(), View::rows(table, width));
        let mut product = MatMul::new(width, width, rows, a, b, View::rows(&output, width));
        product.alpha = self.unobserved;
        let mut recording = Recording::new();
        recording.push(product);
        engine.run(&recording)?;
        let gram = output.read().to_vec();
        Ok(gram)
    }
}

impl IalsConfig {
    fn objective(&self) -> Objective {
        Objective {
            factors: self.factors,
            regularisation: self.regularisation,
            exponent: self.regularisation_exponent,
            unobserved: self.unobserved_weight,
        }
    }
}

impl Ials {
    fn load(objective: Objective, engine: &Engine, items: usize, state: &State) -> Result<Self> {
        let values = state.values("items", &[items, objective.factors])?;
        Self::new(objective, engine, engine.upload("item vectors", values)?, items)
    }

    fn new(objective: Objective, engine: &Engine, items: Buffer<f32>, count: usize) -> Result<Self> {
        let gram = Arc::new(objective.gram(engine, &items, count)?);
        Ok(Self { objective, items, count, gram })
    }
}

impl ModelSettings for IalsConfig {
    type Model = Ials;

    fn uses(section: &str, key: &str) -> bool {
        uses(section, key)
    }

    fn set_defaults(Defaults { training, .. }: Defaults<'_>) {
        training.epochs = 16;
    }

    fn load(&self, engine: &Engine, items: usize, state: &State) -> Result<Ials> {
        Ials::load(self.objective(), engine, items, state)
    }

    fn fit(&self, inputs: &FitInputs<'_>) -> Result<Option<Box<dyn Fit>>> {
        let fit = IalsFit::new(self.objective(), self.block, inputs, AnyModel::Ials)?;
        Ok(Some(Box::new(fit)))
    }
}

fn uses(section: &str, key: &str) -> bool {
    section == "training" && matches!(key, "epochs" | "seed" | "patience" | "evaluate-every" | "metric")
}

/// Alternates between the vectors of users and those of items. An epoch has two steps: all users, then all items.
struct IalsFit {
    objective: Objective,
    block: usize,
    engine: Engine,
    /// N x M, and the same by item.
    train: Csr,
    by_item: Csr,
    /// N x d.
    users: Buffer<f32>,
    /// M x d.
    items: Buffer<f32>,
    wrap: fn(Ials) -> AnyModel,
}

impl IalsFit {
    fn new(
        objective: Objective,
        block: usize,
        inputs: &FitInputs<'_>,
        wrap: fn(Ials) -> AnyModel,
    ) -> Result<Self> {
        let FitInputs { engine, train, training, state, .. } = *inputs;
        let width = objective.factors;
        let table = |rows: usize, name: &str, label: &'static str, step: u32| -> Result<Buffer<f32>> {
            if let Some(state) = state {
                return engine.upload(label, state.values(name, &[rows, width])?);
            }
            let table = engine.zeros(label, rows * width)?;
            let mut recording = Recording::new();
            recording.push(Normal {
                output: table.clone(),
                rows,
                width,
                scale: 0.1 / (width as f32).sqrt(),
                rng: Rng::new(training.seed),
                stream: Stream::Init,
                step,
            });
            engine.run(&recording)?;
            Ok(table)
        };
        Ok(Self {
            objective,
            block: block.min(width),
            users: table(train.rows(), "fit.users", "user vectors", 0)?,
            items: table(train.columns(), "items", "item vectors", 1)?,
            engine: engine.clone(),
            train: train.clone(),
            by_item: by_item(train)?,
            wrap,
        })
    }

    /// Improves every vector of one side, given the other side.
    fn sweep(&self, lists: &Csr, vectors: &Buffer<f32>, others: &Buffer<f32>) -> Result<()> {
        let (objective, block, width) = (&self.objective, self.block, self.objective.factors);
        let gram = objective.gram(&self.engine, others, lists.columns())?;
        let others = others.read();
        parallel::for_each_chunk_with(
            &mut vectors.write()[..],
            width,
            || Scratch::new(block),
            |scratch, row, vector| {
                let observed = lists.row(row);
                let norm = objective.norm_weight(observed.len(), lists.columns());
                let problem = LeastSquares { observed, others: &others, gram: &gram, norm };
                update(vector, &problem, block, scratch);
            },
        );
        Ok(())
    }

    /// The objective, divided by the number of users.
    fn loss(&self) -> Result<f64> {
        let width = self.objective.factors;
        let (users, items) = (self.users.read(), self.items.read());
        let mut parts = vec![0.0f64; self.train.rows()];
        parallel::for_each_chunk(&mut parts, 1, |user, part| {
            let vector = &users[user * width..][..width];
            let error = |&item: &u32| {
                let score = simd::dispatch(
                    #[inline(always)]
                    || simd::dot(vector, &items[item as usize * width..][..width]),
                );
                f64::from(score - 1.0).powi(2)
            };
            part[0] = self.train.row(user).iter().map(error).sum();
        });
        let norms = |lists: &Csr, table: &[f32]| -> f64 {
            let rows = table.chunks_exact(width).enumerate().map(|(row, vector)| {
                let norm: f64 = vector.iter().map(|&x| f64::from(x).powi(2)).sum();
                f64::from(self.objective.norm_weight(lists.row(row).len(), lists.columns())) * norm
            });
            rows.sum()
        };
        let observed: f64 = parts.iter().sum();
        let regularisation = norms(&self.train, &users) + norms(&self.by_item, &items);
        drop((users, items));
        // The sum of all squared scores is the inner product of the two tables' Gram matrices.
        let (of_users, of_items) = (
            self.objective.gram(&self.engine, &self.users, self.train.rows())?,
            self.objective.gram(&self.engine, &self.items, self.train.columns())?,
        );
        let all: f64 = of_users.iter().zip(&of_items).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        // Both Gram matrices have the factor alpha, and the objective has it once.
        let all = all / f64::from(self.objective.unobserved);
        Ok((observed + all + regularisation) / self.train.rows() as f64)
    }
}

impl Fit for IalsFit {
    fn steps_per_epoch(&self) -> Option<u32> {
        Some(2)
    }

    fn step(&mut self, step: u64) -> Result<f64> {
        if step.is_multiple_of(2) {
            self.sweep(&self.train, &self.users, &self.items)?;
            return Ok(0.0);
        }
        self.sweep(&self.by_item, &self.items, &self.users)?;
        let loss = self.loss()?;
        if !loss.is_finite() {
            return Err(Error::Data(format!(
                "the vectors of epoch {} are not finite numbers; take a larger `regularisation`",
                step / 2 + 1
            )));
        }
        Ok(loss)
    }

    fn parameters(&self) -> usize {
        (self.train.rows() + self.train.columns()) * self.objective.factors
    }

    fn model(&self) -> Result<AnyModel> {
        let model = Ials::new(self.objective, &self.engine, self.items.clone(), self.train.columns())?;
        Ok((self.wrap)(model))
    }

    fn tensors(&self) -> BTreeMap<String, FrozenTensor<'_>> {
        let width = self.objective.factors;
        let tensor = |rows: usize, table| FrozenTensor::on_engine(vec![rows, width], table);
        [
            ("items".to_owned(), tensor(self.train.columns(), &self.items)),
            ("fit.users".to_owned(), tensor(self.train.rows(), &self.users)),
        ]
        .into()
    }

    fn retire(&mut self) {}
}

impl Scorer for Ials {
    fn items(&self) -> usize {
        self.count
    }

    fn scoring(&self, engine: &Engine, users: usize, _: usize) -> Result<Box<dyn Scoring>> {
        let Self { objective, items, count, gram } = self.clone();
        let width = objective.factors;
        let fold_in = move |history: &[u32], vector: &mut [f32]| {
            vector.fill(0.0);
            let norm = objective.norm_weight(history.len(), count);
            let problem = LeastSquares { observed: history, others: &items.read(), gram: &gram, norm };
            update(vector, &problem, width, &mut Scratch::new(width));
        };
        let queries = engine.zeros("user vectors", users * width)?;
        Ok(Box::new(FoldIn { catalogue: self.catalogue(), queries, fold_in: Arc::new(fold_in) }))
    }

    fn item_vectors(&self) -> Option<Catalogue> {
        Some(self.catalogue())
    }
}

impl Ials {
    fn catalogue(&self) -> Catalogue {
        Catalogue { table: self.items.clone(), bias: None, items: self.count, width: self.objective.factors }
    }
}
