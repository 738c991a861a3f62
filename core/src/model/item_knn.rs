//! Neighbours by cosine: an item is recommended for the items of a history that it often occurs with.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    AnyModel, Scorer, Scoring,
    fit::{ClosedForm, Fit, FitInputs, ModelSettings, Parameters},
    host::{HostScoring, by_item},
};
use crate::{
    Error, Result,
    config::{Kind, setting::settings},
    data::Csr,
    engine::{Engine, parallel},
    state::{FrozenTensor, State},
    watch,
};

settings! {
    /// Neighbours of items.
    pub struct ItemKnnConfig in "model" {
        /// Neighbours of an item: those with the largest similarity.
        neighbours: usize = 200, "K", Kind::Integer(1, u32::MAX as u64);
        /// Added to the denominator of the cosine, so that rare items are less similar to all others.
        shrinkage: f32 = 20.0, "S", Kind::Real(0.0, 1e9);
    }
}

/// The score of item i for a history is the sum of the similarities between i and those of its neighbours that
/// are in the history.
///
/// The similarity of two items that n_i and n_j users have, and c_ij users both, is `c_ij / (sqrt(n_i n_j) +
/// shrinkage)` (Sarwar et al., 2001).
#[derive(Clone)]
pub struct ItemKnn {
    /// The neighbours of each item, most similar first.
    neighbours: Arc<Lists>,
    /// For each item, the items that have it as a neighbour.
    followers: Arc<Lists>,
}

/// Lists of items with weights.
#[derive(Default)]
struct Lists {
    /// Offset of each list, M + 1.
    offsets: Vec<u32>,
    items: Vec<u32>,
    weights: Vec<f32>,
}

impl Lists {
    fn of(&self, item: usize) -> impl Iterator<Item = (u32, f32)> {
        let range = self.offsets[item] as usize..self.offsets[item + 1] as usize;
        self.items[range.clone()].iter().copied().zip(self.weights[range].iter().copied())
    }

    fn from_rows(rows: &[Vec<(u32, f32)>]) -> Result<Self> {
        let mut lists = Self { offsets: vec![0], ..Self::default() };
        for row in rows {
            lists.items.extend(row.iter().map(|(item, _)| item));
            lists.weights.extend(row.iter().map(|(_, weight)| weight));
            let end = u32::try_from(lists.items.len()).map_err(|_| {
                Error::setting("neighbours", "they are more than this program addresses; take fewer")
            })?;
            lists.offsets.push(end);
        }
        Ok(lists)
    }

    /// The lists in which each item occurs.
    fn transposed(&self) -> Self {
        let count = self.offsets.len() - 1;
        let mut offsets = vec![0u32; count + 1];
        for &item in &self.items {
            offsets[item as usize + 1] += 1;
        }
        for item in 0..count {
            offsets[item + 1] += offsets[item];
        }
        let (mut items, mut weights) = (vec![0; self.items.len()], vec![0.0; self.items.len()]);
        let mut next = offsets.clone();
        for list in 0..count {
            for (item, weight) in self.of(list) {
                let at = &mut next[item as usize];
                (items[*at as usize], weights[*at as usize]) = (list as u32, weight);
                *at += 1;
            }
        }
        Self { offsets, items, weights }
    }
}

impl ItemKnn {
    fn new(neighbours: Lists) -> Self {
        Self { followers: Arc::new(neighbours.transposed()), neighbours: Arc::new(neighbours) }
    }

    fn compute(config: &ItemKnnConfig, train: &Csr) -> Result<Self> {
        let (items, counts, users_of) = (train.columns(), train.column_counts(), by_item(train)?);
        let most = config.neighbours.min(items - 1);
        let shrinkage = f64::from(config.shrinkage);
        watch::begin("finding neighbours", "items", items as u64);
        let mut rows = vec![Vec::new(); items];
        parallel::for_each_chunk_with(
            &mut rows,
            1,
            || vec![0u32; items],
            |together, item, row| {
                if watch::is_stopping() {
                    return;
                }
                let mut touched = Vec::new();
                for &user in users_of.row(item) {
                    for &other in train.row(user as usize) {
                        let count = &mut together[other as usize];
                        if *count == 0 {
                            touched.push(other);
                        }
                        *count += 1;
                    }
                }
                let similarity = |other: u32| {
                    let product = f64::from(counts[item]) * f64::from(counts[other as usize]);
                    (f64::from(together[other as usize]) / (product.sqrt() + shrinkage)) as f32
                };
                let mut all: Vec<(u32, f32)> = touched
                    .iter()
                    .filter(|&&other| other as usize != item)
                    .map(|&other| (other, similarity(other)))
                    .collect();
                touched.iter().for_each(|&other| together[other as usize] = 0);
                // Equal similarities are ordered by item, so that the result does not depend on the order of users.
                let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
                if all.len() > most && most > 0 {
                    all.select_nth_unstable_by(most - 1, order);
                }
                all.truncate(most);
                all.sort_unstable_by(order);
                row[0] = all;
                watch::advance(1);
            },
        );
        watch::check()?;
        Lists::from_rows(&rows).map(Self::new)
    }
}

impl ModelSettings for ItemKnnConfig {
    type Model = ItemKnn;

    fn uses(section: &str, key: &str) -> bool {
        section == "training" && matches!(key, "seed" | "metric")
    }

    fn load(&self, _: &Engine, items: usize, state: &State) -> Result<ItemKnn> {
        let integers = |name: &str| {
            let found = state.integers(name)?.map(<[u32]>::to_vec);
            found.ok_or_else(|| Error::Data(format!("tensor `{name}` is missing")))
        };
        let (offsets, neighbours) = (integers("neighbour_offsets")?, integers("neighbour_items")?);
        let weights = state.values("neighbour_weights", &[neighbours.len()])?.to_vec();
        let sound = offsets.len() == items + 1
            && offsets[0] == 0
            && offsets.is_sorted()
            && offsets[items] as usize == neighbours.len()
            && neighbours.iter().all(|&item| (item as usize) < items);
        if !sound {
            return Err(Error::Data(format!("its lists of neighbours are not those of {items} items")));
        }
        Ok(ItemKnn::new(Lists { offsets, items: neighbours, weights }))
    }

    /// A weight for every pair of items, most of them zero: a graph of operators has no sparse lists.
    #[cfg(feature = "onnx")]
    fn graph<'a>(&self, items: usize, state: &'a State) -> Result<Option<crate::onnx::Builder<'a>>> {
        let model = self.load(&Engine::cpu(), items, state)?;
        let pairs = (items as u64).checked_mul(items as u64);
        crate::memory::check(
            pairs.and_then(|pairs| pairs.checked_mul(2 * 4)),
            &format!(
                "a weight for every pair of items, {items} x {items} x 4 bytes, twice while they are written"
            ),
            "`core` leaves fewer items",
        )?;
        let mut weights = vec![0.0; items * items];
        for (item, row) in weights.chunks_exact_mut(items).enumerate() {
            model.followers.of(item).for_each(|(other, weight)| row[other as usize] += weight);
        }
        let mut graph = crate::onnx::Builder::new(items);
        let weights = graph.table("weights", items, weights);
        let scores = graph.sum_of_rows(&weights);
        graph.scores(&scores);
        Ok(Some(graph))
    }

    fn fit(&self, inputs: &FitInputs<'_>) -> Result<Option<Box<dyn Fit>>> {
        let (config, train) = (self.clone(), inputs.train.clone());
        let parameters = train.columns() * config.neighbours.min(train.columns() - 1);
        let compute = move || ItemKnn::compute(&config, &train);
        Ok(Some(Box::new(ClosedForm::new(parameters, AnyModel::ItemKnn, compute))))
    }
}

impl Parameters for ItemKnn {
    fn tensors(&self) -> BTreeMap<String, FrozenTensor<'_>> {
        let Lists { offsets, items, weights } = &*self.neighbours;
        [
            ("neighbour_offsets".to_owned(), FrozenTensor::integers(vec![offsets.len()], offsets)),
            ("neighbour_items".to_owned(), FrozenTensor::integers(vec![items.len()], items)),
            ("neighbour_weights".to_owned(), FrozenTensor::floats(vec![weights.len()], weights)),
        ]
        .into()
    }
}

impl Scorer for ItemKnn {
    fn items(&self) -> usize {
        self.neighbours.offsets.len() - 1
    }

    fn scoring(&self, _: &Engine, _: usize, _: usize) -> Result<Box<dyn Scoring>> {
        let followers = self.followers.clone();
        let score = move |history: &[u32], scores: &mut [f32]| {
            scores.fill(0.0);
            for &seen in history {
                for (item, weight) in followers.of(seen as usize) {
                    scores[item as usize] += weight;
                }
            }
        };
        Ok(Box::new(HostScoring { items: self.items(), score: Arc::new(score) }))
    }
}
