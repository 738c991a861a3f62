//! The same list for everybody: items by the number of users who have them.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    AnyModel, Scorer, Scoring,
    fit::{ClosedForm, Fit, FitInputs, ModelSettings, Parameters},
    host::HostScoring,
};
use crate::{
    Result,
    config::setting::settings,
    engine::Engine,
    state::{FrozenTensor, State},
};

settings! {
    /// Popularity has no settings.
    pub struct PopularityConfig in "model" {}
}

/// Scores every item by the number of training users who have it.
#[derive(Clone)]
pub struct Popularity {
    /// M.
    counts: Arc<Vec<f32>>,
}

impl ModelSettings for PopularityConfig {
    type Model = Popularity;

    fn uses(section: &str, key: &str) -> bool {
        section == "training" && matches!(key, "seed" | "metric")
    }

    fn load(&self, _: &Engine, items: usize, state: &State) -> Result<Popularity> {
        Ok(Popularity { counts: Arc::new(state.values("popularity", &[items])?.to_vec()) })
    }

    #[cfg(feature = "onnx")]
    fn graph<'a>(&self, items: usize, state: &'a State) -> Result<Option<crate::onnx::Builder<'a>>> {
        let mut graph = crate::onnx::Builder::new(items);
        let counts = graph.floats("popularity", &[items], state.values("popularity", &[items])?);
        // Nothing of a history but its row.
        let length = graph.count();
        let zero = graph.operator("Sub", &[&length, &length]);
        let scores = graph.operator("Add", &[&zero, &counts]);
        graph.scores(&scores);
        Ok(Some(graph))
    }

    fn fit(&self, inputs: &FitInputs<'_>) -> Result<Option<Box<dyn Fit>>> {
        let train = inputs.train.clone();
        let compute = move || {
            let counts = train.column_counts().iter().map(|&count| count as f32).collect();
            Ok(Popularity { counts: Arc::new(counts) })
        };
        let items = inputs.train.columns();
        Ok(Some(Box::new(ClosedForm::new(items, AnyModel::Popularity, compute))))
    }
}

impl Parameters for Popularity {
    fn tensors(&self) -> BTreeMap<String, FrozenTensor<'_>> {
        [("popularity".to_owned(), FrozenTensor::floats(vec![self.counts.len()], &self.counts))].into()
    }
}

impl Scorer for Popularity {
    fn items(&self) -> usize {
        self.counts.len()
    }

    fn scoring(&self, _: &Engine, _: usize, _: usize) -> Result<Box<dyn Scoring>> {
        let counts = self.counts.clone();
        let score = move |_: &[u32], scores: &mut [f32]| scores.copy_from_slice(&counts);
        Ok(Box::new(HostScoring { items: self.items(), score: Arc::new(score) }))
    }

    fn relates_items(&self) -> bool {
        false
    }
}
