//! Options of the network that are off by default: each against float64, on both engines, and through a resume.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

mod item_rows;
mod truth;

use fastvae::{
    config::{Activation, Autoencoder, Config, Decoder, HiddenLayer, KlWeights, Prior, ProposalKind},
    data::{self, Csr, EvaluationSet, SplitOptions, SyntheticOptions},
    engine::Engine,
    evaluate::evaluate,
    event::Event,
    state::{State, TensorData},
    train::Trainer,
};
use pollster::block_on;
use tests::{assert_close, device::wide, engines};
use truth::Truth;

fn small() -> (Config, Csr, EvaluationSet) {
    let options = SyntheticOptions { users: 120, items: 110, shortest: 6, longest: 30, ..Default::default() };
    let set = data::synthetic(&options).unwrap();
    let split = SplitOptions { validation_users: 30, ..Default::default() };
    let split = data::split(&set, &split).unwrap();
    let mut config = Config::default();
    (config.model.hidden, config.model.latent, config.model.linear) = (16, 6, 0);
    (config.proposal.negatives, config.proposal.codewords) = (12, 4);
    (config.training.epochs, config.training.batch, config.training.anneal_steps) = (4, 32, 6);
    (config, split.train, split.validation)
}

fn start(engine: &Engine, config: &Config) -> Trainer {
    let (_, train, validation) = small();
    block_on(Trainer::new(engine.clone(), config, &train, Some(&validation))).unwrap()
}

fn floats<'a>(state: &'a State, name: &str) -> &'a [f32] {
    match &state.tensors[name].data {
        TensorData::F32(values) => values,
        TensorData::U32(_) => panic!("{name} holds integers"),
    }
}

/// Trains to the end, with the state after every event at which a run may stop.
fn states(trainer: &mut Trainer) -> Vec<State> {
    let mut states = Vec::new();
    while block_on(trainer.next()).unwrap().is_some() {
        if !trainer.has_events() {
            states.push(block_on(trainer.state()).unwrap());
        }
    }
    states
}

/// A run that stops at any point ends with the same bits.
#[track_caller]
fn goes_on(engine: &Engine, config: &Config) {
    let (_, train, validation) = small();
    let states = states(&mut start(engine, config));
    let last = states.last().unwrap();
    for state in states.iter().step_by(3) {
        let resumed = Trainer::resume(engine.clone(), config, &train, Some(&validation), state);
        let mut trainer = block_on(resumed).unwrap();
        while block_on(trainer.next()).unwrap().is_some() {}
        let ended = block_on(trainer.state()).unwrap();
        let (epoch, step) = (state.progress.epoch, state.progress.step_in_epoch);
        assert!(
            ended.tensors == last.tensors,
            "resumed after {epoch} epochs and {step} steps, {}",
            engine.describe()
        );
    }
}

/// The mean of the parameters over epochs is what is evaluated and saved, and training does not see it.
#[test]
fn means_over_epochs() {
    let decay = 0.6f32;
    for engine in engines() {
        for kind in [ProposalKind::Uniform, ProposalKind::MidxPopularity] {
            let (mut config, ..) = small();
            config.proposal.kind = kind;
            let mut ends = states(&mut start(engine, &config));
            ends.retain(|state| state.progress.step_in_epoch == 0 && state.progress.epoch > 0);
            ends.dedup_by_key(|state| state.progress.epoch);
            config.training.average = decay;
            let mut trainer = start(engine, &config);
            let mut found = Vec::new();
            while let Some(event) = block_on(trainer.next()).unwrap() {
                if let Event::Evaluated { metrics, .. } = event {
                    found.push(metrics["ndcg@50"]);
                }
            }
            let (_, _, validation) = small();
            let last = block_on(evaluate(engine, &trainer.model(), &validation, &[50])).unwrap();
            assert_eq!(found.last(), last.means().unwrap().get("ndcg@50"));

            let state = block_on(trainer.state()).unwrap();
            let plain = ends.last().unwrap();
            let model = state.clone().into_model();
            assert_eq!(
                model.tensors.keys().collect::<Vec<_>>(),
                plain.clone().into_model().tensors.keys().collect::<Vec<_>>()
            );
            for (name, tensor) in &plain.clone().into_model().tensors {
                assert!(state.tensors[name] == *tensor, "{name} of training");
                let epochs: Vec<u32> = ends.iter().map(|state| state.progress.epoch).collect();
                assert_eq!(epochs.last(), Some(&4));
                let weight = |epoch: u32| f64::from(decay).powi((4 - epoch) as i32);
                let mut want = vec![0.0; tensor.data.len()];
                for (state, epoch) in ends.iter().zip(&epochs) {
                    let values = wide(floats(state, name));
                    want.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight(*epoch) * value);
                }
                let total: f64 = epochs.iter().map(|epoch| weight(*epoch)).sum();
                want.iter_mut().for_each(|sum| *sum /= total);
                assert_close(&format!("mean of {name}"), floats(&model, name), &want, 1e-6, 1e-5);
            }
            goes_on(engine, &config);
        }
    }
}

#[test]
fn the_network_without_options() {
    Truth::new(|_| {}).check();
    Truth::new(|config| config.model.decoder = Decoder::Direct).check();
}

#[test]
fn divergences_by_interactions() {
    let change = |config: &mut Config| config.model.kl_weights = KlWeights::Interactions;
    Truth::new(change).check();
    let (mut config, ..) = small();
    change(&mut config);
    engines().into_iter().for_each(|engine| goes_on(engine, &config));
}

#[test]
fn a_code_without_a_distribution() {
    let change = |config: &mut Config| config.model.autoencoder = Autoencoder::Denoising;
    Truth::new(change).check();
    Truth::new(|config| {
        change(config);
        config.model.decoder = Decoder::Direct;
    })
    .check();
    let (mut config, ..) = small();
    change(&mut config);
    engines().into_iter().for_each(|engine| goes_on(engine, &config));
    let refused = |change: fn(&mut Config)| {
        let mut config = config.clone();
        change(&mut config);
        config.validate(110).unwrap_err().to_string()
    };
    assert!(refused(|config| config.model.latent_samples = 2).starts_with("latent-samples: 2 codes"));
    assert!(refused(|config| config.model.kl_weights = KlWeights::Interactions).starts_with("kl-weights"));
    assert!(refused(|config| config.model.prior = Prior::Composite).starts_with("prior"));
}

#[test]
fn several_hidden_layers() {
    for (layers, block) in [
        ("4", HiddenLayer::Plain),
        ("7,2", HiddenLayer::Plain),
        ("", HiddenLayer::SwishNorm),
        ("5,5,5,5", HiddenLayer::SwishNorm),
        ("", HiddenLayer::Gated),
        ("7,2", HiddenLayer::Gated),
    ] {
        let change = |config: &mut Config| {
            (config.model.layers, config.model.hidden_layer) = (layers.parse().unwrap(), block);
        };
        Truth::new(change).check();
        if layers.len() < 4 {
            let (mut config, ..) = small();
            change(&mut config);
            engines().into_iter().for_each(|engine| goes_on(engine, &config));
        }
    }
    let refused = |change: fn(&mut Config)| {
        let (mut config, ..) = small();
        config.model.hidden_layer = HiddenLayer::SwishNorm;
        change(&mut config);
        config.validate(110).unwrap_err().to_string()
    };
    assert!(refused(|config| config.model.layers = "16,8".parse().unwrap()).starts_with("layers: "));
    assert!(refused(|config| config.model.activation = Activation::Relu).starts_with("activation: "));
    let gated = |config: &mut Config| {
        (config.model.hidden_layer, config.model.activation) = (HiddenLayer::Gated, Activation::Relu);
    };
    assert!(refused(gated).contains("`hidden-layer = gated`"));
}

#[test]
fn the_composite_prior() {
    for weights in [KlWeights::Equal, KlWeights::Interactions] {
        let change = |config: &mut Config| {
            (config.model.prior, config.model.kl_weights) = (Prior::Composite, weights);
        };
        Truth::new(change).check();
        let (mut config, ..) = small();
        change(&mut config);
        for engine in engines() {
            goes_on(engine, &config);
            let mut trainer = start(engine, &config);
            let (mut ends, mut within) = (0, 0);
            for state in states(&mut trainer) {
                let same = floats(&state, "previous.encoder") == floats(&state, "encoder");
                let begins = state.progress.step_in_epoch == 0;
                assert_eq!(same, begins, "the copy is that of the last end of an epoch");
                if begins {
                    ends += 1
                } else {
                    within += 1
                };
            }
            assert!(ends >= 4 && within >= 4);
        }
    }
}
