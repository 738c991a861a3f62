//! EASE: a linear model with a weight for every pair of items, in closed form (Steck, 2019).

mod inverse;

use std::collections::BTreeMap;

use super::{
    AnyModel, Batch, Scorer, Scoring,
    fit::{ClosedForm, Fit, FitInputs, ModelSettings, Parameters},
    host::by_item,
};
use crate::{
    Error, Result,
    config::{Kind, setting::settings},
    data::Csr,
    engine::{Buffer, Engine, Recording, parallel},
    kernels::{Activation, EncodeRows},
    memory,
    state::{FrozenTensor, State},
    watch,
};

settings! {
    /// EASE.
    pub struct EaseConfig in "model" {
        /// Weight of the squared norm of the item weights; larger sets take a larger one.
        lambda: f32 = 300.0, "LAMBDA", Kind::Real(f32::MIN_POSITIVE as f64, 1e9);
    }
}

/// The scores of a history x are `x B`. B minimises `||X - X B||^2 + lambda ||B||^2` with a diagonal of zeros: with
/// `P = (X' X + lambda I)^-1`, `B_ij = -P_ij / P_jj` for i != j (Steck, "Embarrassingly Shallow Autoencoders for
/// Sparse Data", WWW 2019, equation 8).
#[derive(Clone)]
pub struct Ease {
    /// B, M x M: row i holds what item i of a history adds to the scores.
    weights: Buffer<f32>,
    /// M.
    items: usize,
}

impl Ease {
    fn compute(engine: &Engine, lambda: f32, train: &Csr) -> Result<Self> {
        let items = train.columns();
        let weights = engine.zeros("item weights", items * items)?;
        gram(&weights, lambda, train)?;
        inverse::negate_inverse(engine, &weights, items)?;
        let mut matrix = weights.write();
        // The matrix is -P, so that B_ij = -P_ij / P_jj is a quotient with the negated diagonal.
        let scale: Vec<f32> = (0..items).map(|item| -1.0 / matrix[item * items + item]).collect();
        parallel::for_each_chunk(&mut matrix[..], items, |item, row| {
            row.iter_mut().zip(&scale).for_each(|(weight, scale)| *weight *= scale);
            row[item] = 0.0;
        });
        if !matrix.iter().all(|weight| weight.is_finite()) {
            return Err(inverse::singular());
        }
        drop(matrix);
        Ok(Self { weights, items })
    }
}

/// Writes the lower triangle of `X' X + lambda I`, M x M.
fn gram(matrix: &Buffer<f32>, lambda: f32, train: &Csr) -> Result<()> {
    let (items, users_of) = (train.columns(), by_item(train)?);
    watch::begin("counting pairs", "items", items as u64);
    parallel::for_each_chunk(&mut matrix.write()[..], items, |item, row| {
        if watch::is_stopping() {
            return;
        }
        for &user in users_of.row(item) {
            for &other in train.row(user as usize).iter().take_while(|&&other| other as usize <= item) {
                row[other as usize] += 1.0;
            }
        }
        row[item] += lambda;
        watch::advance(1);
    });
    watch::check()
}

impl ModelSettings for EaseConfig {
    type Model = Ease;

    fn uses(section: &str, key: &str) -> bool {
        section == "training" && matches!(key, "seed" | "metric")
    }

    fn load(&self, engine: &Engine, items: usize, state: &State) -> Result<Ease> {
        let weights = state.values("weights", &[items, items])?;
        Ok(Ease { weights: engine.upload("item weights", weights)?, items })
    }

    #[cfg(feature = "onnx")]
    fn graph<'a>(&self, items: usize, state: &'a State) -> Result<Option<crate::onnx::Builder<'a>>> {
        let mut graph = crate::onnx::Builder::new(items);
        let weights = graph.table("weights", items, state.values("weights", &[items, items])?);
        let scores = graph.sum_of_rows(&weights);
        graph.scores(&scores);
        Ok(Some(graph))
    }

    fn fit(&self, inputs: &FitInputs<'_>) -> Result<Option<Box<dyn Fit>>> {
        let (engine, train, lambda) = (inputs.engine.clone(), inputs.train.clone(), self.lambda);
        let items = train.columns();
        check_memory(items)?;
        let compute = move || Ease::compute(&engine, lambda, &train);
        Ok(Some(Box::new(ClosedForm::new(items * (items - 1), AnyModel::Ease, compute))))
    }
}

/// Fails unless the matrix fits in memory twice, as when it is read back from its file.
fn check_memory(items: usize) -> Result<()> {
    let bytes = (items as u64).checked_mul(items as u64).and_then(|pairs| pairs.checked_mul(2 * 4));
    let sum =
        format!("a weight for every pair of items, {items} x {items} x 4 bytes, twice while it is read back");
    memory::check(
        bytes,
        &sum,
        "`model.kind = elsa` has the same idea at a low rank, and `core` leaves fewer items",
    )
    .map_err(|error| match error {
        Error::Data(problem) => Error::setting("model.kind", problem),
        other => other,
    })
}

impl Parameters for Ease {
    fn tensors(&self) -> BTreeMap<String, FrozenTensor<'_>> {
        let shape = vec![self.items, self.items];
        [("weights".to_owned(), FrozenTensor::on_engine(shape, &self.weights))].into()
    }
}

impl Scorer for Ease {
    fn items(&self) -> usize {
        self.items
    }

    fn scoring(&self, engine: &Engine, _: usize, entries: usize) -> Result<Box<dyn Scoring>> {
        Ok(Box::new(Sums {
            model: self.clone(),
            ones: engine.upload("ones", &vec![1.0; entries.max(1)])?,
            zeros: engine.zeros("no bias", self.items)?,
        }))
    }
}

/// Sums rows of B.
struct Sums {
    model: Ease,
    /// E.
    ones: Buffer<f32>,
    /// M.
    zeros: Buffer<f32>,
}

impl Scoring for Sums {
    fn record_scores(&self, recording: &mut Recording, batch: &Batch, scores: &Buffer<f32>) {
        recording.push(EncodeRows {
            batch_offsets: batch.offsets.clone(),
            items: batch.items.clone(),
            weights: self.ones.clone(),
            table: self.model.weights.clone(),
            bias: self.zeros.clone(),
            batch: batch.users,
            hidden: self.model.items,
            activation: Activation::None,
            output: scores.clone(),
        });
    }
}
