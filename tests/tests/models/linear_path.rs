//! The linear path beside the network.

use fastvae::{
    config::MultVaeConfig,
    data::SplitOptions,
    model::Scorer,
    recommend::Recommender,
    run::{Saved, checkpoint::Checkpoint},
    state::Tensor,
};

use super::*;

fn config(linear: usize) -> RunConfig {
    let network = MultVaeConfig {
        hidden: 12,
        latent: 5,
        linear,
        linear_weight: 4.0,
        linear_regularisation: 3.0,
        ..Default::default()
    };
    let mut config = config_of(network.into());
    (config.training.epochs, config.training.batch) = (2, 64);
    (config.proposal.negatives, config.proposal.codewords) = (20, 4);
    config
}

/// The tensors of A (M x l) and of the diagonal of D.
fn tensors(state: &State) -> (&[f32], &[f32]) {
    let floats = |name: &str| match &state.tensors[name].data {
        TensorData::F32(values) => &values[..],
        TensorData::U32(_) => unreachable!("{name} holds floats"),
    };
    (floats("linear"), floats("linear_scale"))
}

/// The scores are those of the same network without the path, plus `x A A' D`.
#[test]
fn its_scores_are_added_to_those_of_the_network() {
    let (with, without) = (train(config(7)), train(config(0)));
    let (table, scale) = tensors(with.storage.model.as_ref().unwrap());
    assert_eq!(table.len(), 7 * ITEMS);
    let network = without.scores();
    let want: Vec<Vec<f64>> = with
        .split
        .test
        .fold_in
        .iter()
        .zip(&network)
        .map(|(history, network)| {
            let mut sum = [0.0f64; 7];
            for &item in history {
                let row = &table[item as usize * 7..][..7];
                sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
            }
            let score = |item: usize| {
                let row = &table[item * 7..][..7];
                let product: f64 = sum.iter().zip(row).map(|(sum, value)| sum * f64::from(*value)).sum();
                f64::from(network[item]) + f64::from(scale[item]) * product
            };
            (0..ITEMS).map(score).collect()
        })
        .collect();
    assert_close(&with.scores(), &want, 1e-4);
    let parts = with.model().trained_part();
    let network: Vec<Vec<f64>> =
        network.iter().map(|row| row.iter().map(|&score| f64::from(score)).collect()).collect();
    assert_close(&scores(&parts, &with.split.test.fold_in), &network, 1e-6);
}

/// A query times an item vector is the score: what export and search by nearest neighbours rely on.
#[test]
fn one_inner_product_has_both_parts() {
    let trained = train(config(7));
    let model = trained.model();
    let checkpoint =
        Checkpoint { context: trained.context.clone(), state: trained.storage.model.clone().unwrap() };
    let recommender = Recommender::new(checkpoint, Engine::cpu()).unwrap();
    let histories = &trained.split.test.fold_in;
    let queries = block_on(recommender.queries(histories)).unwrap();
    let vectors = block_on(recommender.item_rows()).unwrap();
    assert_eq!(model.item_vectors().unwrap().width, 12 + 7);
    let want: Vec<Vec<f64>> = queries
        .rows()
        .map(|query| {
            let score = |row: &[f32]| query.iter().zip(row).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            vectors.rows().map(score).collect()
        })
        .collect();
    assert_close(&scores(&model, histories), &want, 1e-4);
}

/// Enough users to know for sure which of two weights is better.
const USERS: u32 = 1500;

/// With 20 columns whose weight follows the validation users, beside a network that learns too fast to be good.
fn following() -> RunConfig {
    let mut config = config(20);
    config.split = SplitOptions { validation_users: 1000, ..config.split };
    (config.training.epochs, config.optimizer.learning_rate) = (6, 0.1);
    let ModelConfig::MultVae(network) = &mut config.model else { unreachable!("the model of `config`") };
    network.linear_weight = 0.0;
    config
}

/// NDCG@50 of the validation users.
fn validate(trained: &Trained, state: &State) -> f64 {
    let config = &trained.context.config.model;
    let model = AnyModel::from_state(&Engine::cpu(), config, ITEMS, state).unwrap();
    let set = &trained.split.validation;
    let metrics = block_on(fastvae::evaluate::evaluate(&Engine::cpu(), &model, set, &[50])).unwrap();
    metrics.means().unwrap()["ndcg@50"]
}

/// The validation users are ranked with both parts while the network is trained, as after it.
#[test]
fn a_run_is_measured_with_it() {
    let mut config = config(20);
    config.split = SplitOptions { validation_users: 150, ..config.split };
    for (users, config) in [(150, config), (USERS, following())] {
        let trained = train_on(&Engine::cpu(), &set_of(users), config);
        let metrics = trained.storage.metrics.as_ref().unwrap();
        let best = metrics.epochs.iter().find(|epoch| Some(epoch.epoch) == metrics.best_epoch).unwrap();
        let again = validate(&trained, trained.storage.model.as_ref().unwrap());
        assert!((best.validation.as_ref().unwrap()["ndcg@50"] - again).abs() < 1e-6, "{again}");
    }
}

/// The model that is saved has the best of the weights that were tried, and the saves say which.
#[test]
fn its_weight_follows_the_validation_users() {
    let trained = train_on(&Engine::cpu(), &set_of(USERS), following());
    let (mut first, mut weight, mut changes) = (0.0, 0.0, 0);
    for event in &trained.storage.events {
        match event {
            Event::Started { linear, .. } => (first, weight) = (linear["weight"], linear["weight"]),
            &Event::Weighed { linear, .. } => {
                assert!(
                    (linear / weight).log2().fract() == 0.0 && linear != weight,
                    "{weight}, then {linear}"
                );
                (weight, changes) = (linear, changes + 1);
            }
            _ => {}
        }
    }
    assert!(changes > 0, "no other weight is better on this set, so the test shows nothing");
    assert_eq!(trained.storage.last.as_ref().unwrap().progress.linear_weight, Some([first, weight]));

    let state = trained.storage.model.as_ref().unwrap();
    let best = validate(&trained, state);
    let tried: f32 = if state.progress.epoch.is_multiple_of(2) { 0.5 } else { 2.0 };
    let mut other = state.clone();
    let TensorData::F32(scale) = &mut other.tensors.get_mut("linear_scale").unwrap().data else {
        unreachable!("it holds floats")
    };
    scale.iter_mut().for_each(|scale| *scale *= tried);
    assert!(best >= validate(&trained, &other));

    let mut given = following();
    let ModelConfig::MultVae(network) = &mut given.model else { unreachable!("the model of `config`") };
    network.linear_weight = 3.0;
    let trained = train_on(&Engine::cpu(), &set_of(USERS), given);
    assert!(!trained.storage.events.iter().any(|event| matches!(event, Event::Weighed { .. })));
    assert_eq!(trained.storage.last.as_ref().unwrap().progress.linear_weight, None);
}

/// A damaged path is named, and nothing is ranked without it.
#[test]
fn a_damaged_path_is_refused() {
    let trained = train(config(7));
    let state = trained.storage.model.as_ref().unwrap();
    let problem = |change: fn(&mut State)| {
        let mut state = state.clone();
        change(&mut state);
        let config = &trained.context.config.model;
        AnyModel::from_state(&Engine::cpu(), config, ITEMS, &state).err().unwrap().to_string()
    };
    let empty = |state: &mut State| {
        let data = TensorData::F32(Vec::new());
        state.tensors.insert("linear".into(), Tensor { shape: vec![ITEMS, 0], data });
    };
    assert!(problem(empty).contains("not a table with columns"));
    let short = |state: &mut State| {
        let data = TensorData::F32(vec![1.0; 7]);
        state.tensors.insert("linear".into(), Tensor { shape: vec![1, 7], data });
    };
    assert!(problem(short).contains("linear"));
    let huge = |state: &mut State| {
        let data = TensorData::F32(vec![f32::MAX; ITEMS]);
        state.tensors.insert("linear_scale".into(), Tensor { shape: vec![ITEMS], data });
        let data = TensorData::F32(vec![2.0; 7 * ITEMS]);
        state.tensors.insert("linear".into(), Tensor { shape: vec![ITEMS, 7], data });
    };
    assert!(problem(huge).contains("not finite"));
    let without = |state: &mut State| drop(state.tensors.remove("linear_scale"));
    assert!(problem(without).contains("linear_scale"));
}

/// It is computed once: a stopped run goes on with the same bits.
#[test]
fn a_run_goes_on_with_the_same_path() {
    for (users, config, events) in [(150, config(9), 4), (USERS, following(), 1), (USERS, following(), 70)] {
        goes_on(&set_of(users), &config, events);
    }
}

fn goes_on(set: &Dataset, config: &RunConfig, events: usize) {
    let whole = train_on(&Engine::cpu(), set, config.clone());
    let setup = || Setup {
        engine: Engine::cpu(),
        context: whole.context.clone(),
        split: &whole.split,
        saves: Saves::default(),
    };
    let mut run = block_on(Run::start(setup(), || Ok(Memory::default()))).unwrap();
    for _ in 0..events {
        block_on(run.next()).unwrap();
    }
    while !run.can_stop() {
        block_on(run.next()).unwrap();
    }
    let storage = block_on(run.stop()).unwrap();
    let save =
        Checkpoint { context: Context::new(config.clone(), set), state: storage.last.clone().unwrap() };
    let saved = Saved::new(save, config, "run".as_ref(), false).unwrap();
    let mut run = block_on(Run::resume(setup(), saved, storage)).unwrap();
    while block_on(run.next()).unwrap().is_some() {}
    let metrics = block_on(run.measure()).unwrap();
    assert_eq!(metrics.test, whole.storage.metrics.as_ref().unwrap().test);
    assert!(run.into_storage().last.unwrap().tensors == whole.storage.last.as_ref().unwrap().tensors);
}
