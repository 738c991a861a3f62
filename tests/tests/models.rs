//! Systems beside Mult-VAE against truth in float64, from a run to its checkpoint and recommendations.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::path::Path;

use fastvae::{
    data::{self, Csr, Dataset, Split, SplitOptions, SyntheticOptions},
    engine::Engine,
    event::Event,
    model::{
        AnyModel, BprConfig, EaseConfig, ElsaConfig, IalsConfig, ItemKnnConfig, ModelConfig, ModelKind, Scorer,
        WrmfConfig,
    },
    rank::{RankOptions, rank},
    recommend::{Filter, Recommender},
    rng::{Rng, Stream, below},
    run::{
        Memory, Run, RunConfig, Saved, Saves, Setup,
        checkpoint::{self, Checkpoint, Context},
    },
    state::{State, TensorData},
};
use pollster::block_on;

const ITEMS: usize = 110;

fn set() -> Dataset {
    let options =
        SyntheticOptions { users: 150, items: ITEMS as u32, shortest: 5, longest: 30, ..Default::default() };
    data::synthetic(&options).unwrap()
}

fn config_of(model: ModelConfig) -> RunConfig {
    let split = SplitOptions { validation_users: 30, ..Default::default() };
    RunConfig { split, model: model.clone(), ..RunConfig::of(model.kind()) }
}

/// A finished run.
struct Trained {
    split: Split,
    context: Context,
    storage: Memory,
}

fn train(config: RunConfig) -> Trained {
    let set = set();
    let split = data::split(&set, &config.split).unwrap();
    let context = Context::new(config, &set);
    let setup =
        Setup { engine: Engine::cpu(), context: context.clone(), split: &split, saves: Saves::default() };
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
    let options = RankOptions { mask_seen: false, allowed: None };
    let ranking = block_on(rank(&Engine::cpu(), model, histories, ITEMS, &options)).unwrap();
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

#[test]
fn popularity_counts_training_users() {
    let run = train(config_of(ModelConfig::new(ModelKind::Popularity)));
    let counts: Vec<f64> = run.split.train.column_counts().iter().map(|&count| count.into()).collect();
    assert_close(&run.scores(), &vec![counts; run.split.test.fold_in.rows()], 0.0);
}

#[test]
fn item_knn_sums_cosines_of_neighbours() {
    for (neighbours, shrinkage) in [(5, 0.0), (12, 3.5), (500, 20.0)] {
        let run = train(config_of(ModelConfig::ItemKnn(ItemKnnConfig { neighbours, shrinkage })));
        let x = dense(&run.split.train);
        let together = transposed_product(&x, &x);
        let mut weights = vec![vec![0.0; ITEMS]; ITEMS];
        for item in 0..ITEMS {
            let similarity = |other: usize| {
                let product: f64 = together[item][item] * together[other][other];
                let cosine = together[item][other] / (product.sqrt() + f64::from(shrinkage));
                // Ties are broken on single precision.
                if together[item][other] > 0.0 { f64::from(cosine as f32) } else { 0.0 }
            };
            let mut others: Vec<usize> = (0..ITEMS).filter(|&other| other != item).collect();
            others.sort_by(|&a, &b| similarity(b).total_cmp(&similarity(a)).then(a.cmp(&b)));
            for &other in others.iter().take(neighbours) {
                weights[other][item] = similarity(other);
            }
        }
        assert_close(&run.scores(), &product(&dense(&run.split.test.fold_in), &weights), 1e-5);
    }
}

#[test]
fn ease_solves_its_normal_equations() {
    for lambda in [3.0, 300.0] {
        let run = train(config_of(ModelConfig::Ease(EaseConfig { lambda })));
        let x = dense(&run.split.train);
        let mut gram = transposed_product(&x, &x);
        (0..ITEMS).for_each(|item| gram[item][item] += f64::from(lambda));
        let p = solved(gram, identity(ITEMS));
        let weight = |i: usize, j: usize| if i == j { 0.0 } else { -p[i][j] / p[j][j] };
        let weights: Vec<Vec<f64>> = (0..ITEMS).map(|i| (0..ITEMS).map(|j| weight(i, j)).collect()).collect();
        assert_close(&run.scores(), &product(&dense(&run.split.test.fold_in), &weights), 2e-5);
    }
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

/// Weights of iALS in float64.
struct Ials {
    lambda: f64,
    exponent: f64,
    alpha: f64,
}

impl Ials {
    fn norm_weight(&self, observed: f64, all: usize) -> f64 {
        self.lambda * (observed + self.alpha * all as f64).powf(self.exponent)
    }

    /// The best vectors of the rows of x, given those of its columns.
    fn best(&self, x: &[Vec<f64>], others: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let gram = transposed_product(others, others);
        let of_row = |row: &Vec<f64>| {
            let mut a = gram.clone();
            a.iter_mut().flatten().for_each(|value| *value *= self.alpha);
            let mut b = vec![vec![0.0]; a.len()];
            for (other, _) in others.iter().zip(row).filter(|(_, x)| **x > 0.0) {
                for (i, (line, b)) in a.iter_mut().zip(&mut b).enumerate() {
                    line.iter_mut().zip(other).for_each(|(value, x)| *value += other[i] * x);
                    b[0] += other[i];
                }
            }
            let norm = self.norm_weight(row.iter().sum(), row.len());
            (0..a.len()).for_each(|i| a[i][i] += norm);
            solved(a, b).into_iter().map(|x| x[0]).collect()
        };
        x.iter().map(of_row).collect()
    }

    fn loss(&self, x: &[Vec<f64>], users: &[Vec<f64>], items: &[Vec<f64>]) -> f64 {
        let scores = product(users, &transposed(items));
        let pairs = x.iter().flatten().zip(scores.iter().flatten());
        let errors: f64 = pairs.map(|(x, s)| x * (s - 1.0).powi(2) + self.alpha * s * s).sum();
        let norms = |x: &[Vec<f64>], vectors: &[Vec<f64>]| -> f64 {
            let norm = |vector: &[f64]| vector.iter().map(|v| v * v).sum::<f64>();
            x.iter().zip(vectors).map(|(x, v)| self.norm_weight(x.iter().sum(), x.len()) * norm(v)).sum()
        };
        (errors + norms(x, users) + norms(&transposed(x), items)) / x.len() as f64
    }
}

#[test]
fn ials_alternates_between_least_squares_problems() {
    let ials = IalsConfig {
        factors: 7,
        regularisation: 0.02,
        regularisation_exponent: 0.8,
        unobserved_weight: 0.15,
        block: 7,
    };
    let wrmf = WrmfConfig { factors: 7, regularisation: 0.9, unobserved_weight: 0.15 };
    for (model, truth) in [
        (ModelConfig::Ials(ials), Ials { lambda: 0.02, exponent: 0.8, alpha: 0.15 }),
        (ModelConfig::Wrmf(wrmf), Ials { lambda: 0.9, exponent: 0.0, alpha: 0.15 }),
    ] {
        let mut config = config_of(model);
        config.training.epochs = 2;
        config.split.validation_users = 0;
        let run = train(config);
        let last = run.storage.last.as_ref().unwrap();
        let (users, items) = (table(last, "fit.users"), table(last, "items"));
        let x = dense(&run.split.train);
        // The last step was that of the items, given the users.
        assert_table(&items, &truth.best(&transposed(&x), &users), 1e-4);
        let Some(Event::Epoch { loss, .. }) =
            run.storage.events.iter().rev().find(|event| matches!(event, Event::Epoch { .. }))
        else {
            panic!("no epoch")
        };
        let want = truth.loss(&x, &users, &items);
        assert!((loss - want).abs() < 1e-5 * want, "{loss}, not {want}");
        // A history, known or new, is folded in by one such problem.
        let histories = dense(&run.split.test.fold_in);
        let vectors = truth.best(&histories, &items);
        assert_close(&run.scores(), &product(&vectors, &transposed(&items)), 1e-4);
    }
}

#[track_caller]
fn assert_table(found: &[Vec<f64>], want: &[Vec<f64>], tolerance: f64) {
    let found: Vec<Vec<f32>> = found.iter().map(|row| row.iter().map(|&x| x as f32).collect()).collect();
    assert_close(&found, want, tolerance);
}

/// Blocks reach the same minimum along another way.
#[test]
fn ials_by_blocks_descends() {
    let losses = |block: usize, epochs: u32| -> Vec<f64> {
        let mut config = config_of(ModelConfig::Ials(IalsConfig { factors: 8, block, ..Default::default() }));
        config.training.epochs = epochs;
        let run = train(config);
        let loss = |event: &Event| if let Event::Epoch { loss, .. } = event { Some(*loss) } else { None };
        run.storage.events.iter().filter_map(loss).collect()
    };
    let (whole, blocks) = (losses(8, 12), losses(3, 12));
    assert!(whole.is_sorted_by(|a, b| a >= b) && blocks.is_sorted_by(|a, b| a >= b), "{whole:?}\n{blocks:?}");
    assert!((whole[11] - blocks[11]).abs() < 0.02 * whole[11], "{whole:?}\n{blocks:?}");
}

#[test]
fn elsa_follows_its_gradient() {
    let mut config = config_of(ModelConfig::Elsa(ElsaConfig { factors: 6 }));
    (config.training.epochs, config.training.batch) = (1, 1000);
    (config.optimizer.learning_rate, config.split.validation_users) = (0.05, 0);
    let first = train(config.clone());
    let vectors = table(first.storage.model.as_ref().unwrap(), "items");
    let norm = |row: &[f64]| row.iter().map(|x| x * x).sum::<f64>().sqrt();
    assert!(vectors.iter().all(|row| (norm(row) - 1.0).abs() < 1e-5));
    let unit = |w: &[Vec<f64>]| -> Vec<Vec<f64>> {
        w.iter().map(|row| row.iter().map(|x| x / norm(row)).collect()).collect()
    };
    let scores = |x: &[Vec<f64>], a: &[Vec<f64>]| -> Vec<Vec<f64>> {
        let y = product(&product(x, a), &transposed(a));
        y.iter().zip(x).map(|(y, x)| y.iter().zip(x).map(|(y, x)| y - x).collect()).collect()
    };
    let histories = dense(&first.split.test.fold_in);
    assert_close(&first.scores(), &scores(&histories, &vectors), 1e-5);

    // From the weights after one step, the second step of the run is one of Adam along the numeric gradient.
    let x = dense(&first.split.train);
    let loss = |w: &[Vec<f64>]| -> f64 {
        let rows = scores(&x, &unit(w)).into_iter().zip(&x).map(|(y, x)| {
            let (of_y, of_x) = (norm(&y), norm(x));
            y.iter().zip(x).map(|(y, x)| (y / of_y - x / of_x).powi(2)).sum::<f64>()
        });
        rows.sum::<f64>() / x.len() as f64
    };
    let before = first.storage.last.as_ref().unwrap();
    config.training.epochs = 2;
    config.optimizer.schedule = fastvae::config::Schedule::Constant;
    let second = train(config);
    let after = second.storage.last.as_ref().unwrap();
    let mut w = table(before, "fit.weights");
    let reported = second.storage.events.iter().find_map(|event| match event {
        Event::Epoch { epoch: 2, loss, .. } => Some(*loss),
        _ => None,
    });
    let want = loss(&w);
    assert!((reported.unwrap() - want).abs() < 1e-5 * want, "{reported:?}, not {want}");
    let (first_moments, later) = (table(before, "fit.weights.first"), table(after, "fit.weights.first"));
    for (item, dimension) in [(0, 0), (3, 5), (40, 2), (109, 1)] {
        let at = w[item][dimension];
        let step = 1e-4;
        w[item][dimension] = at + step;
        let above = loss(&w);
        w[item][dimension] = at - step;
        let below = loss(&w);
        w[item][dimension] = at;
        let numeric = (above - below) / (2.0 * step);
        let found = (later[item][dimension] - 0.9 * first_moments[item][dimension]) / 0.1;
        assert!((found - numeric).abs() < 1e-5 + 1e-3 * numeric.abs(), "item {item}: {found}, not {numeric}");
    }
}

/// An item outside of a history: the first such draw.
fn outside(history: &[u32], rng: Rng, step: u32, row: u32) -> usize {
    let words = (0..).flat_map(|block| rng.block(Stream::Negatives, step, row, block));
    let draw = words.map(|word| below(word, ITEMS as u32)).find(|item| !history.contains(item));
    draw.unwrap() as usize
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn bpr_follows_its_gradient() {
    let (rate, lambda) = (0.1, 0.02);
    let mut config = config_of(ModelConfig::Bpr(BprConfig { factors: 5, regularisation: lambda as f32 }));
    (config.training.epochs, config.training.evaluate_every, config.training.seed) = (3, 1, 4);
    (config.optimizer.learning_rate, config.optimizer.schedule) =
        (rate as f32, fastvae::config::Schedule::Constant);
    config.split.validation_users = 0;
    let run = train(config);
    let setup = Setup {
        engine: Engine::cpu(),
        context: run.context.clone(),
        split: &run.split,
        saves: Saves::default(),
    };
    let mut start = block_on(Run::start(setup, || Ok(Memory::default()))).unwrap();
    block_on(start.save()).unwrap();
    let start = start.into_storage().last.unwrap();
    let (mut users, mut items) = (table(&start, "fit.users"), table(&start, "items"));
    let mut bias = vec![0.0; ITEMS];
    let x = &run.split.train;
    let pairs: Vec<(usize, usize)> =
        x.iter().enumerate().flat_map(|(u, row)| row.iter().map(move |&i| (u, i as usize))).collect();
    let rng = Rng::new(4);
    let mut losses = Vec::new();
    for epoch in 0..3u32 {
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, below(rng.block(Stream::Shuffle, epoch, 0, i as u32)[0], i as u32 + 1) as usize);
        }
        let mut loss = 0.0;
        for at in order {
            let (user, liked) = pairs[at];
            let other = outside(x.row(user), rng, epoch, at as u32);
            let (w, up, down) = (users[user].clone(), items[liked].clone(), items[other].clone());
            let difference = dot(&w, &up) - dot(&w, &down) + bias[liked] - bias[other];
            let slope = 1.0 / (1.0 + difference.exp());
            loss += (1.0 + (-difference).exp()).ln();
            for k in 0..5 {
                users[user][k] += rate * (slope * (up[k] - down[k]) - lambda * w[k]);
                items[liked][k] += rate * (slope * w[k] - lambda * up[k]);
                items[other][k] += rate * (-slope * w[k] - lambda * down[k]);
            }
            bias[liked] += rate * (slope - lambda * bias[liked]);
            bias[other] += rate * (-slope - lambda * bias[other]);
        }
        losses.push(loss / pairs.len() as f64);
    }
    let last = run.storage.last.as_ref().unwrap();
    assert_table(&table(last, "items"), &items, 1e-4);
    assert_table(&table(last, "fit.users"), &users, 1e-4);
    let reported = run.storage.metrics.as_ref().unwrap().epochs.iter().map(|epoch| epoch.loss);
    for (found, want) in reported.zip(losses) {
        assert!((found - want).abs() < 1e-5, "{found}, not {want}");
    }

    // A history is folded in by the same rule, from zero, with the items fixed.
    let fold_in = |history: &[u32]| -> Vec<f64> {
        let mut w = vec![0.0; 5];
        for pass in 0..30 {
            let rate = 0.1 * (1.0 - f64::from(pass) / 30.0);
            for (at, &liked) in history.iter().enumerate() {
                let other = outside(history, Rng::new(0), pass, at as u32);
                let (up, down) = (&items[liked as usize], &items[other]);
                let difference = dot(&w, up) - dot(&w, down) + bias[liked as usize] - bias[other];
                let slope = 1.0 / (1.0 + difference.exp());
                (0..5).for_each(|k| w[k] += rate * (slope * (up[k] - down[k]) - lambda * w[k]));
            }
        }
        (0..ITEMS).map(|item| dot(&w, &items[item]) + bias[item]).collect()
    };
    let want: Vec<Vec<f64>> = run.split.test.fold_in.iter().map(fold_in).collect();
    assert_close(&run.scores(), &want, 1e-3);
}

/// Stopped after any step and resumed, a fit ends in the same bits and the same metrics.
#[test]
fn a_fit_by_steps_goes_on_with_the_same_bits() {
    for kind in [ModelKind::Ials, ModelKind::Wrmf, ModelKind::Elsa, ModelKind::Bpr] {
        let mut config = config_of(match kind {
            ModelKind::Ials => ModelConfig::Ials(IalsConfig { factors: 8, block: 3, ..Default::default() }),
            ModelKind::Wrmf => ModelConfig::Wrmf(WrmfConfig { factors: 8, ..Default::default() }),
            ModelKind::Bpr => ModelConfig::Bpr(BprConfig { factors: 8, ..Default::default() }),
            _ => ModelConfig::Elsa(ElsaConfig { factors: 8 }),
        });
        (config.training.epochs, config.training.batch) = (3, 64);
        let whole = train(config.clone());
        let set = set();
        let setup = || Setup {
            engine: Engine::cpu(),
            context: whole.context.clone(),
            split: &whole.split,
            saves: Saves::default(),
        };
        for stop in [2, 3, 4, 6] {
            let mut run = block_on(Run::start(setup(), || Ok(Memory::default()))).unwrap();
            let mut events = 0;
            while events < stop || !run.can_stop() {
                block_on(run.next()).unwrap().expect("the run is longer");
                events += 1;
            }
            let storage = block_on(run.stop()).unwrap();
            let save = Checkpoint {
                context: Context::new(config.clone(), &set),
                state: storage.last.clone().unwrap(),
            };
            let saved = Saved::new(save, &config, "run".as_ref(), false).unwrap();
            let mut run = block_on(Run::resume(setup(), saved, storage)).unwrap();
            while block_on(run.next()).unwrap().is_some() {}
            let metrics = block_on(run.measure()).unwrap();
            assert_eq!(metrics.test, whole.storage.metrics.as_ref().unwrap().test, "{} {stop}", kind.name());
            let storage = run.into_storage();
            assert!(storage.last.unwrap().tensors == whole.storage.last.as_ref().unwrap().tensors);
            assert!(storage.model.unwrap().tensors == whole.storage.model.as_ref().unwrap().tensors);
        }
        let finished =
            Checkpoint { context: whole.context.clone(), state: whole.storage.last.clone().unwrap() };
        let error = Saved::new(finished, &config, "run".as_ref(), true).unwrap_err().to_string();
        assert!(error.contains("is finished after 3 epochs"), "{error}");
    }
}

#[test]
fn settings_are_checked_before_anything_starts() {
    let mut config = config_of(ModelConfig::Elsa(ElsaConfig { factors: 8 }));
    config.optimizer.learning_rate = f32::NAN;
    assert!(config.validate(ITEMS).unwrap_err().to_string().starts_with("learning-rate"));
    let config = config_of(ModelConfig::Ials(IalsConfig { factors: 0, ..Default::default() }));
    assert!(config.validate(ITEMS).unwrap_err().to_string().starts_with("factors: is 0"));
    let mut config = config_of(ModelConfig::new(ModelKind::Ease));
    config.training.metric = "ndgc@50".into();
    assert!(config.validate(ITEMS).unwrap_err().to_string().starts_with("metric"));
}

#[test]
fn a_closed_form_has_no_steps_and_epochs() {
    for kind in [ModelKind::Popularity, ModelKind::ItemKnn, ModelKind::Ease] {
        let run = train(RunConfig { split: config_of(ModelConfig::new(kind)).split, ..RunConfig::of(kind) });
        let names: Vec<&str> = run
            .storage
            .events
            .iter()
            .map(|event| match event {
                Event::Started { steps_per_epoch: 0, users: 150, items: ITEMS, .. } => "started",
                Event::Fitted { .. } => "fitted",
                Event::Evaluated { epoch: 0, best: true, .. } => "evaluated",
                Event::Done { epochs: 0, best_epoch: None, stopped_early: false } => "done",
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(names, ["started", "fitted", "evaluated", "done"], "{}", kind.name());
        let metrics = run.storage.metrics.as_ref().unwrap();
        let validation = metrics.closed_form.as_ref().unwrap().validation.as_ref().unwrap();
        assert!(metrics.epochs.is_empty() && metrics.best_epoch.is_none());
        assert!(validation["ndcg@50"] > 0.0 && metrics.test["ndcg@50"] > 0.0);
        assert!(run.storage.last.is_none(), "there is nothing to go on with");
        // Settings that the model does not use are not written.
        assert!(metrics.config.get("proposal").is_none() && metrics.config["model"]["kind"] == kind.name());
    }
}

/// Every kind but Mult-VAE, small.
fn all() -> Vec<RunConfig> {
    let others =
        ModelKind::NAMED.into_iter().map(|(_, kind)| kind).filter(|kind| *kind != ModelKind::MultVae);
    others.map(|kind| config_of(ModelConfig::new(kind))).collect()
}

#[test]
fn a_checkpoint_brings_the_same_model_back() {
    for config in all() {
        let kind = config.model.kind();
        let run = train(config);
        let bytes = checkpoint::to_bytes(&run.context, run.storage.model.as_ref().unwrap()).unwrap();
        let read = checkpoint::from_bytes(Path::new("model"), &bytes).unwrap();
        assert_eq!(read.context.config, run.context.config);
        let model =
            AnyModel::from_state(&Engine::cpu(), &read.context.config.model, ITEMS, &read.state).unwrap();
        assert_eq!(model.kind(), kind);
        assert_eq!(scores(&model, &run.split.test.fold_in), run.scores(), "{}", kind.name());

        let recommender = Recommender::new(read, Engine::cpu()).unwrap();
        let best = block_on(recommender.recommend(&[[3u32, 8, 21]], 5, &Filter::default())).unwrap();
        assert!(best[0].len() == 5 && best[0].iter().all(|one| ![3, 8, 21].contains(&one.item)));
        let similar = block_on(recommender.similar(7, 4));
        if model.relates_items() {
            let similar = similar.unwrap();
            assert!(similar.len() == 4 && similar.iter().all(|one| one.item != 7), "{}", kind.name());
            assert!(similar.is_sorted_by(|a, b| a.score >= b.score), "{}", kind.name());
        } else {
            let error = similar.unwrap_err().to_string();
            assert!(error.contains("popularity does not relate items"), "{error}");
        }
    }
}

#[test]
fn a_damaged_state_is_refused() {
    for config in all() {
        let run = train(config);
        let kind = run.context.config.model.kind().name();
        let load = |state: &State| {
            AnyModel::from_state(&Engine::cpu(), &run.context.config.model, ITEMS, state).map(drop)
        };
        let model = run.storage.model.as_ref().unwrap();
        for name in model.tensors.keys() {
            let mut lost = model.clone();
            lost.tensors.remove(name);
            let error = load(&lost).expect_err(kind).to_string();
            assert!(error.contains(&format!("`{name}` is missing")), "{kind}: {error}");
            let mut cut = model.clone();
            let tensor = cut.tensors.get_mut(name).unwrap();
            match &mut tensor.data {
                TensorData::F32(values) => values.truncate(values.len() - 1),
                TensorData::U32(values) => values.truncate(values.len() - 1),
            }
            tensor.shape = vec![tensor.data.len()];
            assert!(load(&cut).is_err(), "{kind}: {name} cut short");
        }
    }
    let mut run = train(config_of(ModelConfig::new(ModelKind::ItemKnn)));
    let state = run.storage.model.as_mut().unwrap();
    let Some(TensorData::U32(items)) = state.tensors.get_mut("neighbour_items").map(|t| &mut t.data) else {
        panic!("no neighbours")
    };
    items[3] = ITEMS as u32;
    let loaded = AnyModel::from_state(&Engine::cpu(), &run.context.config.model, ITEMS, state);
    assert!(loaded.err().unwrap().to_string().contains("lists of neighbours"));
}

#[test]
fn a_header_and_settings_of_two_kinds_are_refused() {
    let run = train(config_of(ModelConfig::new(ModelKind::Popularity)));
    let state = run.storage.model.clone().unwrap();
    let bytes = checkpoint::to_bytes(&run.context, &state).unwrap();
    let (from, to) = (br#"\"kind\":\"popularity\",\"config\""#, br#"\"kind\":\"mult-vae\"  ,\"config\""#);
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    let mut changed = bytes.clone();
    changed[at..at + from.len()].copy_from_slice(to);
    let error = checkpoint::from_bytes(Path::new("m"), &changed).unwrap_err().to_string();
    assert!(error.contains("it says it holds a mult-vae"), "{error}");
}

#[test]
fn models_of_the_cpu_refuse_a_gpu() {
    let run = train(config_of(ModelConfig::new(ModelKind::ItemKnn)));
    for engine in tests::engines().into_iter().filter(|engine| !engine.is_cpu()) {
        let error = run.model().scoring(engine, 1, 1).err().unwrap().to_string();
        assert!(error.starts_with("engine: a model of kind item-knn ranks on the CPU"), "{error}");
        let setup = Setup {
            engine: engine.clone(),
            context: run.context.clone(),
            split: &run.split,
            saves: Saves::default(),
        };
        let started = block_on(Run::start(setup, || Ok(Memory::default())));
        let error = started.err().unwrap().to_string();
        assert!(error.starts_with("engine: item-knn is fitted on the CPU"), "{error}");
    }
}
