//! Options of the network that are off by default: each against float64, on both engines, and through a resume.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::{
    config::{Activation, Autoencoder, Config, Decoder, HiddenLayer, KlWeights, Method, Prior, ProposalKind},
    data::{self, Csr, EvaluationSet, SplitOptions, SyntheticOptions},
    engine::Engine,
    evaluate::evaluate,
    event::Event,
    rng::{Rng, Stream, below, normal_pair},
    state::{State, TensorData},
    train::Trainer,
};
use std::collections::BTreeMap;

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

type Tensors = BTreeMap<String, Vec<f64>>;

/// The loss of the first step of a run whose only batch has all users, in float64: the full softmax, without dropout.
struct Truth {
    config: Config,
    train: Csr,
    /// The user of each row of the batch.
    order: Vec<u32>,
    /// B x D.
    noise: Vec<f64>,
}

impl Truth {
    fn new(change: impl Fn(&mut Config)) -> Self {
        let (users, items) = (13, 17);
        let row =
            |user: u32| (0..items).filter(move |item| (item * (user + 3) + user * user) % 7 < 2 + user % 3);
        let rows: Vec<Vec<u32>> = (0..users).map(|user| row(user).collect()).collect();
        let mut config = Config::default();
        Method::Full.apply(&mut config);
        (config.model.hidden, config.model.latent, config.model.linear, config.model.dropout) =
            (5, 3, 0, 0.0);
        (config.training.epochs, config.training.batch) = (2, users as usize);
        (config.training.beta, config.training.anneal_steps) = (0.7, 0);
        change(&mut config);
        let rng = Rng::new(config.training.seed);
        let mut order: Vec<u32> = (0..users).collect();
        for i in (1..users).rev() {
            order.swap(i as usize, below(rng.block(Stream::Shuffle, 0, 0, i)[0], i + 1) as usize);
        }
        let latent = config.model.latent;
        let noise = (0..users as usize * latent).map(|at| {
            let words = rng.block(Stream::Noise, 1, (at / latent) as u32, (at % latent / 4) as u32);
            let pair = at % latent % 4 / 2 * 2;
            let [even, odd] = normal_pair(words[pair], words[pair + 1]);
            f64::from(if at % latent % 2 == 0 { even } else { odd })
        });
        let noise = noise.collect();
        Self { config, train: Csr::from_rows(&rows, items).unwrap(), order, noise }
    }

    fn start(&self, engine: &Engine) -> Trainer {
        block_on(Trainer::new(engine.clone(), &self.config, &self.train, None)).unwrap()
    }

    /// Mean and log variance of a user's latent code.
    fn posterior(&self, tensors: &Tensors, user: usize) -> Vec<f64> {
        let history = self.train.row(user);
        let hidden = self.config.model.hidden;
        let mut sum = tensors["encoder_bias"].clone();
        for &item in history {
            let row = &tensors["encoder"][item as usize * hidden..][..hidden];
            sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x / (history.len() as f64).sqrt());
        }
        let model = &self.config.model;
        let block = |x: Vec<f64>, i: usize, before: &[f64]| -> Vec<f64> {
            match model.hidden_layer {
                HiddenLayer::Plain => x.iter().map(|x| x.tanh()).collect(),
                HiddenLayer::SwishNorm => {
                    let swish: Vec<f64> =
                        x.iter().zip(before).map(|(x, y)| (x + y) / (1.0 + (-(x + y)).exp())).collect();
                    let mean = swish.iter().sum::<f64>() / swish.len() as f64;
                    let variance = swish.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / swish.len() as f64;
                    let (gain, shift) =
                        (&tensors[&format!("norm_{i}_gain")], &tensors[&format!("norm_{i}_shift")]);
                    let of = |(d, x): (usize, &f64)| {
                        (1.0 + gain[d]) * (x - mean) / (variance + 0.1f32 as f64).sqrt() + shift[d]
                    };
                    swish.iter().enumerate().map(of).collect()
                }
            }
        };
        let mut before = vec![0.0; hidden];
        let mut hidden = block(sum, 1, &before);
        for i in 2..model.layers.widths().len() + 2 {
            before.iter_mut().zip(&hidden).for_each(|(sum, x)| *sum += x);
            let name = format!("layer_{i}");
            let product = dense(&hidden, &tensors[&name], &tensors[&format!("{name}_bias")]);
            hidden = block(product, i, &before);
        }
        dense(&hidden, &tensors["to_latent"], &tensors["to_latent_bias"])
    }

    fn loss(&self, tensors: &Tensors, start: &Tensors) -> f64 {
        let (model, users) = (&self.config.model, self.order.len());
        let mean_length = self.train.nnz() as f64 / users as f64;
        let mut loss = 0.0;
        for (row, &user) in self.order.iter().enumerate() {
            let history = self.train.row(user as usize);
            let posterior = self.posterior(tensors, user as usize);
            let (mean, log_variance) = posterior.split_at(model.latent);
            let noise = &self.noise[row * model.latent..];
            let code: Vec<f64> = match model.autoencoder {
                Autoencoder::Variational => mean
                    .iter()
                    .zip(log_variance)
                    .zip(noise)
                    .map(|((m, v), e)| m + e * (v / 2.0).exp())
                    .collect(),
                Autoencoder::Denoising => mean.to_vec(),
            };
            let query = match model.decoder {
                Decoder::Dense => dense(&code, &tensors["to_hidden"], &tensors["to_hidden_bias"]),
                Decoder::Direct => code,
            };
            let logits: Vec<f64> = tensors["items"]
                .chunks_exact(query.len())
                .zip(&tensors["item_bias"])
                .map(|(row, bias)| bias + row.iter().zip(&query).map(|(x, y)| x * y).sum::<f64>())
                .collect();
            let log_sum = logits.iter().map(|logit| logit.exp()).sum::<f64>().ln();
            let nll: f64 = history.iter().map(|&item| log_sum - logits[item as usize]).sum();
            let previous = self.posterior(start, user as usize);
            let kl: f64 = match (model.autoencoder, model.prior) {
                (Autoencoder::Denoising, _) => 0.0,
                (_, Prior::Normal) => {
                    mean.iter().zip(log_variance).map(|(m, v)| -0.5 * (1.0 + v - m * m - v.exp())).sum()
                }
                (_, Prior::Composite) => {
                    let latent = 0..model.latent;
                    let normal = |z: f64, m: f64, v: f64| (-0.5 * (v + (z - m).powi(2) / v.exp())).exp();
                    let of = |d: usize| {
                        let z = mean[d] + noise[d] * (log_variance[d] / 2.0).exp();
                        let prior = 0.15 * normal(z, 0.0, 0.0)
                            + 0.75 * normal(z, previous[d], previous[model.latent + d])
                            + 0.1 * normal(z, 0.0, 10.0);
                        normal(z, mean[d], log_variance[d]).ln() - prior.ln()
                    };
                    latent.map(of).sum()
                }
            };
            let weight = match model.kl_weights {
                KlWeights::Equal => 1.0,
                KlWeights::Interactions => history.len() as f64 / mean_length,
            };
            loss += (nll + f64::from(self.config.training.beta) * weight * kl) / users as f64;
        }
        loss
    }

    /// The loss and all gradients of the first step against central differences.
    #[track_caller]
    fn check(&self) {
        for engine in engines() {
            let mut trainer = self.start(engine);
            let start = block_on(trainer.state()).unwrap().into_model();
            let mut tensors: Tensors =
                start.tensors.keys().map(|name| (name.clone(), wide(floats(&start, name)))).collect();
            let before = tensors.clone();
            let mut found = None;
            while trainer.progress().step < 1 || found.is_none() {
                match block_on(trainer.next()).unwrap().unwrap() {
                    Event::Losses { parts, .. } => {
                        found = Some(parts["nll"][0] + self.config.training.beta * parts["kl"][0]);
                    }
                    _ if trainer.progress().step == 1 => drop(block_on(trainer.state()).unwrap()),
                    _ => {}
                }
            }
            let place = engine.describe();
            assert_close(&place, &[found.unwrap()], &[self.loss(&tensors, &before)], 1e-5, 1e-5);
            let state = block_on(trainer.state()).unwrap();
            let names: Vec<String> = tensors.keys().cloned().collect();
            for name in names {
                let mut want = Vec::new();
                for at in 0..tensors[&name].len() {
                    let mut moved = |by: f64| {
                        let value = tensors[&name][at];
                        tensors.get_mut(&name).unwrap()[at] = value + by;
                        let loss = self.loss(&tensors, &before);
                        tensors.get_mut(&name).unwrap()[at] = value;
                        loss
                    };
                    want.push((moved(1e-5) - moved(-1e-5)) / 2e-5);
                }
                // Adam's first moment after one step.
                let gradient: Vec<f32> = floats(&state, &format!("{name}.first"))
                    .iter()
                    .map(|first| first / (1.0 - self.config.optimizer.beta1))
                    .collect();
                assert_close(&format!("gradient of {name}, {place}"), &gradient, &want, 2e-5, 1e-4);
            }
        }
    }
}

/// `x weight + bias`.
fn dense(x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let mut output = bias.to_vec();
    for (x, row) in x.iter().zip(weight.chunks_exact(bias.len())) {
        output.iter_mut().zip(row).for_each(|(sum, weight)| *sum += x * weight);
    }
    output
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
