//! The first step of a run in float64.

use std::collections::BTreeMap;

use fastvae::{
    config::{Autoencoder, Config, Decoder, HiddenLayer, KlWeights, Method, Prior},
    data::Csr,
    engine::Engine,
    event::Event,
    rng::{Rng, Stream, below, normal_pair},
    train::Trainer,
};
use pollster::block_on;
use tests::{assert_close, device::wide, engines};

use super::floats;

type Tensors = BTreeMap<String, Vec<f64>>;

/// The loss of the first step of a run whose only batch has all users, in float64: the full softmax, without dropout.
pub struct Truth {
    config: Config,
    train: Csr,
    /// The user of each row of the batch.
    order: Vec<u32>,
    /// B x D.
    noise: Vec<f64>,
}

impl Truth {
    pub fn new(change: impl Fn(&mut Config)) -> Self {
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
        let mut sum = tensors["encoder_bias"].clone();
        let hidden = sum.len();
        for &item in history {
            let table = if self.config.model.tied_items { "items" } else { "encoder" };
            let row = &tensors[table][item as usize * hidden..][..hidden];
            sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x / (history.len() as f64).sqrt());
        }
        let model = &self.config.model;
        let block = |x: Vec<f64>, i: usize, before: &[f64]| -> Vec<f64> {
            match model.hidden_layer {
                HiddenLayer::Plain => x.iter().map(|x| x.tanh()).collect(),
                HiddenLayer::Gated => {
                    let (values, gates) = x.split_at(x.len() / 2);
                    values.iter().zip(gates).map(|(value, gate)| value / (1.0 + (-gate).exp())).collect()
                }
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
    pub fn check(&self) {
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
