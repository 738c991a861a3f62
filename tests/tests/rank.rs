//! Ranking serves any scorer: here one that writes a dense matrix of scores and has no item vectors, as
//! neighbourhood models and EASE do.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::{
    Result,
    data::{Csr, EvaluationSet},
    engine::{Buffer, Engine, Recording},
    evaluate::evaluate,
    kernels::{Activation, EncodeRows},
    model::{Batch, Scorer, Scoring},
    rank::{RankOptions, rank},
};
use pollster::block_on;
use tests::{device::numbers, engines};

/// The score of an item is the sum of its weights with the items of the history.
struct Neighbours {
    /// M x M.
    weights: Buffer<f32>,
    items: usize,
}

/// The buffers of [`Neighbours`].
struct Sums {
    weights: Buffer<f32>,
    ones: Buffer<f32>,
    bias: Buffer<f32>,
    items: usize,
}

impl Scorer for Neighbours {
    fn items(&self) -> usize {
        self.items
    }

    fn scoring(&self, engine: &Engine, _: usize, entries: usize) -> Result<Box<dyn Scoring>> {
        Ok(Box::new(Sums {
            weights: self.weights.clone(),
            ones: engine.upload("ones", &vec![1.0; entries.max(1)])?,
            bias: engine.zeros("bias", self.items)?,
            items: self.items,
        }))
    }
}

impl Scoring for Sums {
    fn record_scores(&self, recording: &mut Recording, batch: &Batch, scores: &Buffer<f32>) {
        recording.push(EncodeRows {
            batch_offsets: batch.offsets.clone(),
            items: batch.items.clone(),
            weights: self.ones.clone(),
            table: self.weights.clone(),
            bias: self.bias.clone(),
            batch: batch.users,
            hidden: self.items,
            activation: Activation::None,
            output: scores.clone(),
        });
    }
}

/// The k best items of a user, by a full sort.
fn truth(weights: &[f32], items: usize, history: &[u32], k: usize, left_out: &[u32]) -> Vec<u32> {
    let score = |item: u32| -> f32 {
        history.iter().map(|&seen| weights[seen as usize * items + item as usize]).sum()
    };
    let mut order: Vec<u32> = (0..items as u32).filter(|item| !left_out.contains(item)).collect();
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
    order.truncate(k);
    order
}

#[test]
fn dense_scores_are_masked_and_ranked() {
    // More users than are ranked at once, including some without a history.
    let (items, users, k) = (61usize, 1100usize, 7usize);
    let weights: Vec<f32> = numbers(3, items * items);
    let rows: Vec<Vec<u32>> =
        (0..users).map(|u| (0..u % 5).map(|e| ((u * 13 + e * 29) % items) as u32).collect()).collect();
    let histories = Csr::from_rows(&rows, items as u32).unwrap();
    let even: Vec<bool> = (0..items).map(|item| item % 2 == 0).collect();
    for engine in engines() {
        let model = Neighbours { weights: engine.upload("weights", &weights).unwrap(), items };
        assert!(model.item_vectors().is_none());
        let batch = Batch::of_one(engine, &rows[4]).unwrap();
        let scoring = model.scoring(engine, 1, 4).unwrap();
        assert!(scoring.record_queries(&mut Recording::new(), &batch).is_none());
        let seen = RankOptions::default();
        let all = RankOptions { mask_seen: false, ..RankOptions::default() };
        let some = RankOptions { allowed: Some(even.clone()), ..RankOptions::default() };
        for (options, mask_seen, allowed) in [(seen, true, false), (all, false, false), (some, true, true)] {
            let ranking = block_on(rank(engine, &model, &histories, k, &options)).unwrap();
            for user in (0..users).filter(|user| user % 5 > 0) {
                let history = histories.row(user);
                let mut left_out = if mask_seen { history.to_vec() } else { Vec::new() };
                left_out.extend((0..items as u32).filter(|item| allowed && item % 2 == 1));
                let want = truth(&weights, items, history, k, &left_out);
                assert_eq!(ranking.row(user), want, "user {user}, {}", engine.describe());
            }
        }
    }
}

#[test]
fn any_scorer_is_evaluated() {
    let items = 12usize;
    // Item i recommends item i + 1 and no other.
    let mut weights = vec![0.0; items * items];
    for item in 0..items {
        weights[item * items + (item + 1) % items] = 1.0;
    }
    let column =
        |shift: u32| Csr::from_rows(&(0..8).map(|u| vec![u + shift]).collect::<Vec<_>>(), 12).unwrap();
    let set = EvaluationSet { users: (0..8).collect(), fold_in: column(0), held_out: column(1), skipped: 0 };
    for engine in engines() {
        let model = Neighbours { weights: engine.upload("weights", &weights).unwrap(), items };
        let means = block_on(evaluate(engine, &model, &set, &[1, 3])).unwrap().means().unwrap();
        assert_eq!((means["ndcg@1"], means["recall@3"]), (1.0, 1.0), "{}", engine.describe());
        let wrong = EvaluationSet { held_out: column(2), ..set.clone() };
        let means = block_on(evaluate(engine, &model, &wrong, &[1])).unwrap().means().unwrap();
        assert_eq!(means["ndcg@1"], 0.0);
    }
}
