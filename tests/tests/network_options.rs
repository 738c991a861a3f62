//! Options of the network that are off by default: each against float64, on both engines, and through a resume.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::{
    config::{Config, ProposalKind},
    data::{self, Csr, EvaluationSet, SplitOptions, SyntheticOptions},
    engine::Engine,
    evaluate::evaluate,
    event::Event,
    state::{State, TensorData},
    train::Trainer,
};
use pollster::block_on;
use tests::{assert_close, device::wide, engines};

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
