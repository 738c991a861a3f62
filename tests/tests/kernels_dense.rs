//! Sums, activations, the latent code and Adam on tensors against f64.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::kernels::{
    Activation, ActivationBackward, Adam, AdamStep, ColumnSum, Parameter, Reparameterise,
    ReparameteriseBackward, RunningMean, SumLoss, WeighDivergence, WeighDivergenceBackward,
};
use tests::{
    assert_close,
    device::{numbers, read, run, unwritten, upload, wide},
    engines,
};

const ACTIVATIONS: [Activation; 3] = [Activation::None, Activation::Tanh, Activation::Relu];

/// More elements than one axis of workgroups of 64 threads holds.
const PAST_A_GRID_AXIS: usize = 65_536 * 64 + 1;

fn activate(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::None => x,
        Activation::Tanh => x.tanh(),
        Activation::Relu => x.max(0.0),
    }
}

#[test]
fn column_sums() {
    for engine in engines() {
        for (rows, columns) in [(1, 1), (7, 345), (345, 7), (256, 200), (0, 3), (4099, 5), (2, 65_537)] {
            let values = numbers(0, rows * columns);
            let offset = 3;
            let output = upload(engine, &vec![7.0; offset + columns + 1]);
            let values_in = upload(engine, &values);
            run(engine, ColumnSum { values: values_in, rows, columns, offset, output: output.clone() });
            let mut want = vec![7.0; offset + columns + 1];
            for c in 0..columns {
                want[offset + c] = (0..rows).map(|r| f64::from(values[r * columns + c])).sum();
            }
            let tolerance = 1e-6 * (1.0 + rows as f64);
            assert_close(&format!("{rows} x {columns}"), &read(engine, &output), &want, tolerance, 1e-5);
        }
    }
}

#[test]
fn gradients_through_activations() {
    for engine in engines() {
        for activation in ACTIVATIONS {
            for len in [1, 7, 345, PAST_A_GRID_AXIS] {
                let output: Vec<f32> =
                    numbers(0, len).iter().map(|&x| activate(activation, f64::from(x)) as f32).collect();
                let before = numbers(1, len + 1);
                let want = output.iter().zip(&before).map(|(&y, &g)| {
                    let (y, g) = (f64::from(y), f64::from(g));
                    match activation {
                        Activation::None => g,
                        Activation::Tanh => g * (1.0 - y * y),
                        Activation::Relu => {
                            if y > 0.0 {
                                g
                            } else {
                                0.0
                            }
                        }
                    }
                });
                let want: Vec<f64> = want.chain([f64::from(before[len])]).collect();
                let gradient = upload(engine, &before);
                let output = upload(engine, &output);
                run(engine, ActivationBackward { activation, output, gradient: gradient.clone(), len });
                assert_close(&format!("{activation:?}, {len}"), &read(engine, &gradient), &want, 1e-6, 1e-5);
            }
        }
    }
}

/// Settings of Adam in f64.
struct Settings {
    rate: f64,
    betas: (f64, f64),
    epsilon: f64,
    decay: f64,
    l2: f64,
}

impl Settings {
    fn at(&self, t: i32) -> AdamStep {
        AdamStep {
            rate: (self.rate / (1.0 - self.betas.0.powi(t))) as f32,
            beta1: self.betas.0 as f32,
            beta2: self.betas.1 as f32,
            root: (1.0 / (1.0 - self.betas.1.powi(t)).sqrt()) as f32,
            epsilon: self.epsilon as f32,
            keep: (1.0 - self.rate * self.decay) as f32,
            l2: self.l2 as f32,
        }
    }

    /// Kingma and Ba's algorithm 1, with decay as in Loshchilov and Hutter's AdamW.
    fn apply(&self, t: i32, gradient: f64, value: &mut f64, first: &mut f64, second: &mut f64) {
        let gradient = gradient + self.l2 * *value;
        *first = self.betas.0 * *first + (1.0 - self.betas.0) * gradient;
        *second = self.betas.1 * *second + (1.0 - self.betas.1) * gradient * gradient;
        let corrected = (*first / (1.0 - self.betas.0.powi(t)), *second / (1.0 - self.betas.1.powi(t)));
        *value -= self.rate * self.decay * *value;
        *value -= self.rate * corrected.0 / (corrected.1.sqrt() + self.epsilon);
    }
}

/// Rounded to f32 like a kernel's arguments: the rounding of .999 changes 1 - .999 by a factor of 1.3e-5.
fn betas(first: f32, second: f32) -> (f64, f64) {
    (first.into(), second.into())
}

#[test]
fn adam_over_several_steps() {
    let plain = || Settings { rate: 1e-2, betas: betas(0.9, 0.999), epsilon: 1e-8, decay: 0.0, l2: 0.0 };
    for (name, settings) in [
        ("plain", plain()),
        ("decoupled", Settings { decay: 0.1, ..plain() }),
        ("coupled", Settings { l2: 0.05, betas: betas(0.8, 0.95), ..plain() }),
        ("both, large epsilon", Settings { decay: 0.2, l2: 0.01, epsilon: 1e-2, ..plain() }),
    ] {
        for engine in engines() {
            for (offset, len) in [(0, 1), (3, 7), (11, 345), (5, 8192 * 2 + 3)] {
                let total = offset + len + 2;
                let start = numbers(9, total);
                let parameter = Parameter {
                    value: upload(engine, &start),
                    first: upload(engine, &vec![0.0; total]),
                    second: upload(engine, &vec![0.0; total]),
                };
                let (mut value, mut first, mut second) = (wide(&start), vec![0.0; total], vec![0.0; total]);
                for t in 1..=20 {
                    let gradient = numbers(t as u32 + 20, len);
                    for i in 0..len {
                        let at = offset + i;
                        let gradient = f64::from(gradient[i]);
                        settings.apply(t, gradient, &mut value[at], &mut first[at], &mut second[at]);
                    }
                    let (gradient, parameter) = (upload(engine, &gradient), parameter.clone());
                    run(engine, Adam { gradient, parameter, offset, len, step: settings.at(t) });
                }
                let name = |what: &str| format!("{name}, {len} from {offset}: {what}");
                assert_close(&name("value"), &read(engine, &parameter.value), &value, 2e-5, 1e-5);
                assert_close(&name("first"), &read(engine, &parameter.first), &first, 1e-6, 1e-5);
                assert_close(&name("second"), &read(engine, &parameter.second), &second, 1e-7, 1e-5);
            }
        }
    }
}

/// A weight without gradient or momentum does not change: 0 / (0 + epsilon) is 0.
#[test]
fn adam_leaves_what_has_no_gradient() {
    for engine in engines() {
        let len = PAST_A_GRID_AXIS;
        let settings = Settings { rate: 1e-3, betas: betas(0.9, 0.999), epsilon: 1e-8, decay: 0.0, l2: 0.0 };
        let zeros = vec![0.0; len];
        let start = numbers(0, len);
        let parameter = Parameter {
            value: upload(engine, &start),
            first: upload(engine, &zeros),
            second: upload(engine, &zeros),
        };
        let value = parameter.value.clone();
        let mut gradient = zeros;
        gradient[len - 1] = 1.0;
        let gradient = upload(engine, &gradient);
        run(engine, Adam { gradient, parameter, offset: 0, len, step: settings.at(1) });
        let mut want = wide(&start);
        want[len - 1] -= 1e-3;
        assert_close("values", &read(engine, &value), &want, 1e-6, 0.0);
    }
}

#[test]
fn running_means() {
    for engine in engines() {
        for len in [1, 7, 345, 8192 * 2 + 3, PAST_A_GRID_AXIS] {
            let mean = upload(engine, &vec![0.0; len + 1]);
            let mut want = vec![0.0; len + 1];
            for (t, weight) in [1.0, 0.5, 0.3].into_iter().enumerate() {
                let value = numbers(t as u32, len);
                for (mean, value) in want.iter_mut().zip(&value) {
                    *mean += f64::from(weight) * (f64::from(*value) - *mean);
                }
                let (mean, value) = (mean.clone(), upload(engine, &value));
                run(engine, RunningMean { mean: mean.clone(), value: value.clone(), len, weight });
                if t == 0 {
                    assert_eq!(read(engine, &mean)[..len], read(engine, &value), "a weight of 1 copies");
                }
            }
            assert_close(&format!("{len}"), &read(engine, &mean), &want, 1e-6, 1e-6);
        }
    }
}

/// `z` and `kl` in f64 (paper, section 6).
fn reparameterise(posterior: &[f64], noise: &[f32], batch: usize, latent: usize) -> (Vec<f64>, Vec<f64>) {
    let mean = |b: usize, d: usize| posterior[b * 2 * latent + d];
    let log_variance = |b: usize, d: usize| posterior[b * 2 * latent + latent + d];
    let codes = noise.iter().enumerate().map(|(at, &eps)| {
        let (b, d) = (at / latent % batch, at % latent);
        mean(b, d) + f64::from(eps) * (log_variance(b, d) / 2.0).exp()
    });
    let kl = (0..batch).map(|b| {
        let term = |d| 1.0 + log_variance(b, d) - mean(b, d).powi(2) - log_variance(b, d).exp();
        -0.5 * (0..latent).map(term).sum::<f64>()
    });
    (codes.collect(), kl.collect())
}

const POSTERIORS: [(usize, usize, usize); 5] = [(1, 1, 1), (7, 5, 3), (345, 7, 1), (6, 345, 2), (256, 32, 1)];

#[test]
fn codes_and_divergence() {
    for engine in engines() {
        for (batch, latent, samples) in POSTERIORS.into_iter().chain([(65_537, 1, 1)]) {
            let posterior = numbers(0, batch * 2 * latent);
            let noise = numbers(1, samples * batch * latent);
            let (codes, kl) = (unwritten(engine, noise.len()), unwritten(engine, batch));
            let kernel = Reparameterise {
                posterior: upload(engine, &posterior),
                noise: upload(engine, &noise),
                batch,
                latent,
                samples,
                codes: codes.clone(),
                kl: kl.clone(),
            };
            run(engine, kernel);
            let want = reparameterise(&wide(&posterior), &noise, batch, latent);
            let name = format!("batch {batch}, latent {latent}, samples {samples}");
            assert_close(&name, &read(engine, &codes), &want.0, 1e-5, 1e-5);
            assert_close(&name, &read(engine, &kl), &want.1, 1e-5 * latent as f64, 1e-5);
        }
    }
}

#[test]
fn posterior_gradient_by_central_differences() {
    for engine in engines() {
        for (batch, latent, samples) in POSTERIORS {
            let posterior = numbers(0, batch * 2 * latent);
            let noise = numbers(1, samples * batch * latent);
            let code_gradient = numbers(2, noise.len());
            for beta in [0.0, 0.2] {
                let gradient = unwritten(engine, posterior.len());
                let kernel = ReparameteriseBackward {
                    posterior: upload(engine, &posterior),
                    noise: upload(engine, &noise),
                    code_gradient: upload(engine, &code_gradient),
                    batch,
                    latent,
                    samples,
                    weight: beta / batch as f32,
                    posterior_gradient: gradient.clone(),
                };
                run(engine, kernel);
                let want = differences(&posterior, &noise, &code_gradient, f64::from(beta), (batch, latent));
                let name = format!("batch {batch}, latent {latent}, samples {samples}, beta {beta}");
                assert_close(&name, &read(engine, &gradient), &want, 2e-5, 1e-5);
            }
        }
    }
}

/// Central differences of `code_gradient . z + beta / B sum kl`. An element of the posterior affects only the codes
/// and the
/// divergence of its own column, so only that column is computed.
fn differences(
    posterior: &[f32],
    noise: &[f32],
    code_gradient: &[f32],
    beta: f64,
    (batch, latent): (usize, usize),
) -> Vec<f64> {
    let objective = |mean: f64, log_variance: f64, b: usize, d: usize| {
        let at = |s: usize| (s * batch + b) * latent + d;
        let samples = 0..noise.len() / (batch * latent);
        let (noise, weight): (Vec<f32>, Vec<f32>) =
            samples.map(|s| (noise[at(s)], code_gradient[at(s)])).unzip();
        let (codes, kl) = reparameterise(&[mean, log_variance], &noise, 1, 1);
        let linear: f64 = codes.iter().zip(&weight).map(|(z, &g)| z * f64::from(g)).sum();
        linear + beta / batch as f64 * kl[0]
    };
    let h = 1e-5;
    (0..posterior.len())
        .map(|at| {
            let (b, column) = (at / (2 * latent), at % (2 * latent));
            let d = column % latent;
            let mean = f64::from(posterior[b * 2 * latent + d]);
            let log_variance = f64::from(posterior[b * 2 * latent + latent + d]);
            let (dm, dv) = if column < latent { (h, 0.0) } else { (0.0, h) };
            let above = objective(mean + dm, log_variance + dv, b, d);
            (above - objective(mean - dm, log_variance - dv, b, d)) / (2.0 * h)
        })
        .collect()
}

#[test]
fn divergences_weighted_by_interactions() {
    for engine in engines() {
        for (batch, latent) in [(1, 1), (7, 5), (345, 7), (6, 345), (70_001, 1)] {
            let lengths: Vec<u32> = (0..batch as u32).map(|b| b * 7 % 11).collect();
            let mut offsets = vec![0];
            lengths.iter().for_each(|length| offsets.push(offsets[offsets.len() - 1] + length));
            let (share, weight) = (0.3f32, 0.02f32);
            let (posterior, kl_before) = (numbers(0, batch * 2 * latent), numbers(1, batch + 1));
            let (batch_offsets, kl) = (upload(engine, &offsets), upload(engine, &kl_before));
            run(
                engine,
                WeighDivergence { batch_offsets: batch_offsets.clone(), batch, share, kl: kl.clone() },
            );
            let weights: Vec<f64> = lengths.iter().map(|&n| f64::from(share) * f64::from(n)).collect();
            let of_users = wide(&kl_before);
            let want: Vec<f64> =
                of_users.iter().zip(weights.iter().chain([&1.0])).map(|(kl, w)| kl * w).collect();
            let name = format!("batch {batch}, latent {latent}");
            assert_close(&name, &read(engine, &kl), &want, 1e-6, 1e-6);

            let before = numbers(2, posterior.len());
            let gradient = upload(engine, &before);
            let kernel = WeighDivergenceBackward {
                batch_offsets,
                posterior: upload(engine, &posterior),
                batch,
                latent,
                share,
                weight,
                posterior_gradient: gradient.clone(),
            };
            run(engine, kernel);
            let want: Vec<f64> = (0..posterior.len())
                .map(|at| {
                    let (user, value) = (at / (2 * latent), f64::from(posterior[at]));
                    let of_kl = if at / latent % 2 == 0 { value } else { 0.5 * (value.exp() - 1.0) };
                    f64::from(before[at]) + f64::from(weight) * weights[user] * of_kl
                })
                .collect();
            assert_close(&name, &read(engine, &gradient), &want, 1e-5, 1e-5);
        }
    }
}

#[test]
fn mean_losses_land_in_their_slot() {
    for engine in engines() {
        // Samples, users, users of the whole batch, slot; a process may have none of the users.
        for (samples, batch, whole, slot) in [
            (1, 1, 1, 0),
            (1, 7, 7, 2),
            (3, 115, 115, 1),
            (1, 70_001, 70_001, 3),
            (3, 5, 12, 0),
            (1, 0, 2, 1),
        ] {
            let rows = samples * batch;
            let (nll, kl) = (numbers(0, rows), numbers(1, batch));
            let before = [7.0f32; 10];
            let losses = upload(engine, &before);
            let kernel = SumLoss {
                nll: upload(engine, if rows == 0 { &[f32::NAN] } else { &nll }),
                samples,
                kl: upload(engine, if batch == 0 { &[f32::NAN] } else { &kl }),
                batch,
                whole,
                slot,
                losses: losses.clone(),
            };
            run(engine, kernel);
            let mut want = wide(&before);
            want[2 * slot] = wide(&nll).iter().sum::<f64>() / (samples * whole) as f64;
            want[2 * slot + 1] = wide(&kl).iter().sum::<f64>() / whole as f64;
            assert_close(&format!("{rows} rows"), &read(engine, &losses), &want, 1e-6, 1e-5);
        }
    }
}
