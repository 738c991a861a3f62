//! Matrix factorisation by steps of the gradient, against the same descent in float64.

use fastvae::{
    config::{Objective, RowUpdates, Schedule},
    model::{MfConfig, Scorer},
    run::Saved,
    run::checkpoint::Checkpoint,
};
use tests::engines;

use super::*;

const FACTORS: usize = 5;

/// Adam in float64 on a table, with decoupled weight decay.
struct Adam {
    first: Vec<Vec<f64>>,
    second: Vec<Vec<f64>>,
    decay: f64,
}

impl Adam {
    fn new(table: &[Vec<f64>], decay: f64) -> Self {
        let zeros = vec![vec![0.0; table[0].len()]; table.len()];
        Self { first: zeros.clone(), second: zeros, decay }
    }

    fn apply(&mut self, table: &mut [Vec<f64>], gradient: &[Vec<f64>], step: i32, rate: f64) {
        let (beta1, beta2) = (f64::from(0.9f32), f64::from(0.999f32));
        for (row, gradient) in gradient.iter().enumerate() {
            for (column, g) in gradient.iter().enumerate() {
                let (m, v) = (&mut self.first[row][column], &mut self.second[row][column]);
                *m = beta1 * *m + (1.0 - beta1) * g;
                *v = beta2 * *v + (1.0 - beta2) * g * g;
                let (m, v) = (*m / (1.0 - beta1.powi(step)), *v / (1.0 - beta2.powi(step)));
                table[row][column] -= rate * (m / (v.sqrt() + 1e-8) + self.decay * table[row][column]);
            }
        }
    }
}

/// Items with the bias as a last column, and users with a last column of ones.
fn with_column(table: &[Vec<f64>], column: impl Fn(usize) -> f64) -> Vec<Vec<f64>> {
    table.iter().enumerate().map(|(row, values)| [&values[..], &[column(row)]].concat()).collect()
}

/// d loss / d logit of the softmax over all items, and the loss, for each history.
fn softmax(histories: &Csr, logits: &[Vec<f64>]) -> (Vec<Vec<f64>>, f64) {
    let mut loss = 0.0;
    let of_user = |(history, logits): (&[u32], &Vec<f64>)| {
        let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_sum = top + logits.iter().map(|logit| (logit - top).exp()).sum::<f64>().ln();
        let mut gradient: Vec<f64> =
            logits.iter().map(|logit| history.len() as f64 * (logit - log_sum).exp()).collect();
        for &item in history {
            gradient[item as usize] -= 1.0;
            loss += log_sum - logits[item as usize];
        }
        gradient
    };
    let gradients = histories.iter().zip(logits).map(of_user).collect();
    (gradients, loss)
}

fn floats(state: &State, name: &str) -> Vec<f64> {
    let TensorData::F32(values) = &state.tensors[name].data else { panic!("`{name}` holds integers") };
    values.iter().copied().map(f64::from).collect()
}

fn config(rows: RowUpdates) -> RunConfig {
    let mut config = config_of(ModelConfig::Mf(MfConfig { factors: FACTORS, item_bias: true }));
    (config.objective.kind, config.optimizer.row_updates) = (Objective::FullSoftmax, rows);
    (config.optimizer.learning_rate, config.optimizer.schedule) = (0.05, Schedule::Constant);
    (config.training.epochs, config.training.batch) = (4, 1000);
    config.split.validation_users = 0;
    config
}

/// Every step is over all users. Their vectors, those of the items and the biases follow Adam; afterwards, a training
/// user has the vector of the table, and anybody else one that is folded in.
#[test]
fn the_softmax_follows_its_gradient_on_both_engines() {
    for engine in engines() {
        for rows in [RowUpdates::Dense, RowUpdates::Replay, RowUpdates::Lazy] {
            let run = train_on(engine, &set(), config(rows));
            let setup = Setup {
                engine: engine.clone(),
                context: run.context.clone(),
                split: &run.split,
                saves: Saves::default(),
            };
            let mut start = block_on(Run::start(setup, || Ok(Memory::default()))).unwrap();
            block_on(start.save()).unwrap();
            let start = start.into_storage().last.unwrap();
            let train = &run.split.train;
            // The last column of an item is its bias, and that of a user is 1 and stays so.
            let bias = floats(&start, "item_bias");
            let mut users = with_column(&table(&start, "users"), |_| 1.0);
            let mut items = with_column(&table(&start, "items"), |item| bias[item]);
            let decay = f64::from(run.context.config.optimizer.weight_decay);
            assert!(decay > 0.0);
            let (mut of_users, mut of_items) = (Adam::new(&users, decay), Adam::new(&items, decay));
            let mut losses = Vec::new();
            for step in 1..=4 {
                let (gradient, loss) = softmax(train, &product(&users, &transposed(&items)));
                losses.push(loss / train.rows() as f64);
                let scaled = |rows: Vec<Vec<f64>>| -> Vec<Vec<f64>> {
                    rows.into_iter()
                        .map(|row| row.into_iter().map(|g| g / train.rows() as f64).collect())
                        .collect()
                };
                let mut to_users = scaled(product(&gradient, &items));
                to_users.iter_mut().for_each(|row| row[FACTORS] = 0.0);
                let to_items = scaled(transposed_product(&gradient, &users));
                of_users.apply(&mut users, &to_users, step, f64::from(0.05f32));
                users.iter_mut().for_each(|row| row[FACTORS] = 1.0);
                of_items.apply(&mut items, &to_items, step, f64::from(0.05f32));
            }
            let last = run.storage.last.as_ref().unwrap();
            let found = with_column(&table(last, "users"), |_| 1.0);
            assert_table(&found, &users, 2e-4);
            let bias = floats(last, "item_bias");
            let found = with_column(&table(last, "items"), |item| bias[item]);
            assert_table(&found, &items, 2e-4);
            let epochs = &run.storage.metrics.as_ref().unwrap().epochs;
            for (epoch, want) in epochs.iter().zip(losses) {
                assert!((epoch.loss - want).abs() < 1e-4 * want, "{}, not {want}", epoch.loss);
            }

            let model = AnyModel::from_state(
                engine,
                &run.context.config.model,
                ITEMS,
                run.storage.model.as_ref().unwrap(),
            );
            let model = model.unwrap();
            let known = model.known_users(train).unwrap();
            assert!(known.iter().all(Option::is_some));
            let of_train = scores_on(engine, &model, train);
            assert_close(&of_train, &product(&found_users(last, &known), &transposed(&found)), 1e-4);

            // Known users and others in one call, and users without a history.
            let mut rows: Vec<Vec<u32>> = train.iter().take(6).map(<[u32]>::to_vec).collect();
            rows.splice(2..2, [vec![1, 5, 9], vec![], vec![3]]);
            let histories = Csr::from_rows(&rows, ITEMS as u32).unwrap();
            let mut folded = vec![vec![0.0; FACTORS + 1]; rows.len()];
            folded.iter_mut().for_each(|row| row[FACTORS] = 1.0);
            let mut adam = Adam::new(&folded, 1.0);
            for step in 1..=25 {
                let (gradient, _) = softmax(&histories, &product(&folded, &transposed(&found)));
                let mut gradient = product(&gradient, &found);
                gradient.iter_mut().for_each(|row| row[FACTORS] = 0.0);
                let done = f64::from(step - 1) / 25.0;
                let share = 0.01 + 0.99 * 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
                adam.apply(&mut folded, &gradient, step, f64::from(0.1f32) * share);
                folded.iter_mut().for_each(|row| row[FACTORS] = 1.0);
            }
            let known = model.known_users(&histories).unwrap();
            assert_eq!(
                known.iter().map(Option::is_some).collect::<Vec<_>>()[1..6],
                [true, false, false, false, true]
            );
            for (row, user) in known.iter().enumerate() {
                if let Some(user) = user {
                    folded[row] = with_column(&table(last, "users"), |_| 1.0)[*user as usize].clone();
                }
            }
            let want = product(&folded, &transposed(&found));
            assert_close(&scores_on(engine, &model, &histories), &want, 2e-3);
        }
    }
}

/// The vectors of training users, with a last column of ones.
fn found_users(state: &State, known: &[Option<u32>]) -> Vec<Vec<f64>> {
    let users = with_column(&table(state, "users"), |_| 1.0);
    known.iter().flatten().map(|&user| users[user as usize].clone()).collect()
}

/// Every system, on both engines, stopped within an epoch: the same bits as without a stop.
#[test]
fn a_resumed_run_ends_in_the_same_bits_on_both_engines() {
    for engine in engines() {
        for kind in [
            ModelKind::Mf,
            ModelKind::Warp,
            ModelKind::Aobpr,
            ModelKind::Dns,
            ModelKind::Pris,
            ModelKind::SelfAdversarial,
        ] {
            let mut config = config_of(ModelConfig::new(kind));
            (config.training.epochs, config.training.batch) = (2, 40);
            let whole = train_on(engine, &set(), config.clone());
            let setup = || Setup {
                engine: engine.clone(),
                context: whole.context.clone(),
                split: &whole.split,
                saves: Saves::default(),
            };
            let mut run = block_on(Run::start(setup(), || Ok(Memory::default()))).unwrap();
            let mut events = 0;
            while events < 9 || !run.can_stop() {
                block_on(run.next()).unwrap().expect("the run is longer");
                events += 1;
            }
            let storage = block_on(run.stop()).unwrap();
            let save = Checkpoint { context: whole.context.clone(), state: storage.last.clone().unwrap() };
            let saved = Saved::new(save, &config, "run".as_ref(), false).unwrap();
            let mut run = block_on(Run::resume(setup(), saved, storage)).unwrap();
            while block_on(run.next()).unwrap().is_some() {}
            let storage = run.into_storage();
            let (now, before) = (storage.last.unwrap(), whole.storage.last.as_ref().unwrap());
            assert!(now.tensors == before.tensors, "{} on {}", kind.name(), engine.describe());
        }
    }
}

/// Pairs need negatives, and a save belongs to its users.
#[test]
fn what_does_not_fit_is_refused() {
    let mut config = config_of(ModelConfig::new(ModelKind::Pris));
    config.objective.kind = Objective::FullSoftmax;
    let error = config.validate(ITEMS).unwrap_err().to_string();
    assert!(error.starts_with("objective.kind: the model compares pairs"), "{error}");

    let mut config = self::config(RowUpdates::Replay);
    config.training.epochs = 1;
    let mut run = train(config.clone());
    let mut state = run.storage.last.take().unwrap();
    let Some(TensorData::U32(hashes)) = state.tensors.get_mut("user_histories").map(|t| &mut t.data) else {
        panic!("no hashes")
    };
    hashes[3] ^= 1;
    state.progress.finished = false;
    config.training.epochs = 2;
    let mut context = run.context.clone();
    context.config = config.clone();
    let saved =
        Saved::new(Checkpoint { context: context.clone(), state }, &config, "run".as_ref(), false).unwrap();
    let setup = Setup { engine: Engine::cpu(), context, split: &run.split, saves: Saves::default() };
    let error = block_on(Run::resume(setup, saved, Memory::default())).err().unwrap().to_string();
    assert!(error.contains("the training users of the state are not those of this data"), "{error}");
}
