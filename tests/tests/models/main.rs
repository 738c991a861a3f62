//! Systems beside Mult-VAE against truth in float64, from a run to its checkpoint and recommendations.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

mod bpr;
mod elsa;
mod ials;
mod linear;
mod linear_path;
mod mf;
mod runs;

use fastvae::{
    data::{self, Csr, Dataset, Split, SplitOptions, SyntheticOptions},
    engine::Engine,
    event::Event,
    model::{AnyModel, ModelConfig, ModelKind},
    rank::{RankOptions, rank},
    run::{Memory, Run, RunConfig, Saves, Setup, checkpoint::Context},
    state::{State, TensorData},
};
use pollster::block_on;

const ITEMS: usize = 110;

fn set() -> Dataset {
    set_of(150)
}

fn set_of(users: u32) -> Dataset {
    let options =
        SyntheticOptions { users, items: ITEMS as u32, shortest: 5, longest: 30, ..Default::default() };
    data::synthetic(&options).unwrap()
}

fn config_of(model: ModelConfig) -> RunConfig {
    let split = SplitOptions { validation_users: 30, ..Default::default() };
    let mut config = RunConfig { split, model: model.clone(), ..RunConfig::of(model.kind()) };
    if model.kind().uses("proposal", "kind") {
        // The set has fewer items than the defaults have negatives.
        (config.proposal.negatives, config.proposal.codewords) = (40, 4);
    }
    config
}

/// A finished run.
struct Trained {
    split: Split,
    context: Context,
    storage: Memory,
}

fn train(config: RunConfig) -> Trained {
    train_on(&Engine::cpu(), &set(), config)
}

fn train_on(engine: &Engine, set: &Dataset, config: RunConfig) -> Trained {
    let split = data::split(set, &config.split).unwrap();
    let context = Context::new(config, set);
    let setup =
        Setup { engine: engine.clone(), context: context.clone(), split: &split, saves: Saves::default() };
    let mut run = block_on(Run::start(setup, || Ok(Memory::default()))).unwrap();
    while block_on(run.next()).unwrap().is_some() {}
    let metrics = block_on(run.measure()).unwrap();
    run.finish(&metrics).unwrap();
    Trained { split, context, storage: run.into_storage() }
}

impl Trained {
    fn model(&self) -> AnyModel {
        let state = self.storage.model.as_ref().unwrap();
        AnyModel::from_state(&Engine::cpu(), &self.context.config.model, ITEMS, state).unwrap()
    }

    /// Scores of all items for each test user, by item.
    fn scores(&self) -> Vec<Vec<f32>> {
        scores(&self.model(), &self.split.test.fold_in)
    }
}

fn scores(model: &AnyModel, histories: &Csr) -> Vec<Vec<f32>> {
    scores_on(&Engine::cpu(), model, histories)
}

fn scores_on(engine: &Engine, model: &AnyModel, histories: &Csr) -> Vec<Vec<f32>> {
    let options = RankOptions { mask_seen: false, ..RankOptions::default() };
    let ranking = block_on(rank(engine, model, histories, ITEMS, &options)).unwrap();
    (0..histories.rows())
        .map(|user| {
            let mut scores = vec![f32::NAN; ITEMS];
            for (item, score) in ranking.row(user).iter().zip(&ranking.scores[user * ITEMS..]) {
                scores[*item as usize] = *score;
            }
            scores
        })
        .collect()
}

#[track_caller]
fn assert_close(found: &[Vec<f32>], want: &[Vec<f64>], tolerance: f64) {
    assert_eq!(found.len(), want.len());
    for (user, (found, want)) in found.iter().zip(want).enumerate() {
        for (item, (found, want)) in found.iter().zip(want).enumerate() {
            let difference = (f64::from(*found) - want).abs();
            assert!(
                difference <= tolerance * (1.0 + want.abs()),
                "user {user}, item {item}: {found}, not {want}"
            );
        }
    }
}

/// Users x items, of zeros and ones.
fn dense(rows: &Csr) -> Vec<Vec<f64>> {
    let row = |items: &[u32]| {
        let mut row = vec![0.0; ITEMS];
        items.iter().for_each(|&item| row[item as usize] = 1.0);
        row
    };
    rows.iter().map(row).collect()
}

/// `A' B`.
fn transposed_product(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut product = vec![vec![0.0; b[0].len()]; a[0].len()];
    for (a, b) in a.iter().zip(b) {
        for (a, row) in a.iter().zip(&mut product).filter(|(a, _)| **a != 0.0) {
            row.iter_mut().zip(b).for_each(|(sum, b)| *sum += a * b);
        }
    }
    product
}

fn product(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let line = |row: &Vec<f64>| {
        (0..b[0].len()).map(|column| row.iter().zip(b).map(|(x, b)| x * b[column]).sum()).collect()
    };
    a.iter().map(line).collect()
}

/// Solves `A X = B` by elimination with pivots.
fn solved(mut a: Vec<Vec<f64>>, mut b: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n = a.len();
    for column in 0..n {
        let pivot = (column..n).max_by(|&x, &y| a[x][column].abs().total_cmp(&a[y][column].abs())).unwrap();
        a.swap(column, pivot);
        b.swap(column, pivot);
        for row in (0..n).filter(|&row| row != column) {
            let factor = a[row][column] / a[column][column];
            let (from_a, from_b) = (a[column].clone(), b[column].clone());
            a[row].iter_mut().zip(from_a).for_each(|(to, from)| *to -= factor * from);
            b[row].iter_mut().zip(from_b).for_each(|(to, from)| *to -= factor * from);
        }
    }
    for row in 0..n {
        let scale = a[row][row];
        b[row].iter_mut().for_each(|value| *value /= scale);
    }
    b
}

fn identity(n: usize) -> Vec<Vec<f64>> {
    (0..n).map(|row| (0..n).map(|column| f64::from(u8::from(row == column))).collect()).collect()
}

/// A tensor of the model, rows x width.
fn table(state: &State, name: &str) -> Vec<Vec<f64>> {
    let tensor = &state.tensors[name];
    let TensorData::F32(values) = &tensor.data else { panic!("`{name}` holds integers") };
    values.chunks_exact(tensor.shape[1]).map(|row| row.iter().copied().map(f64::from).collect()).collect()
}

fn transposed(a: &[Vec<f64>]) -> Vec<Vec<f64>> {
    (0..a[0].len()).map(|column| a.iter().map(|row| row[column]).collect()).collect()
}

#[track_caller]
fn assert_table(found: &[Vec<f64>], want: &[Vec<f64>], tolerance: f64) {
    let found: Vec<Vec<f32>> = found.iter().map(|row| row.iter().map(|&x| x as f32).collect()).collect();
    assert_close(&found, want, tolerance);
}
