//! The kernels of the network's options against f64.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::{
    engine::Engine,
    kernels::{
        Gate, GateBackward, Mixture, MixtureDivergence, MixtureDivergenceBackward, SwishNorm,
        SwishNormBackward,
    },
};
use tests::{
    assert_close,
    device::{numbers, read, run, unwritten, upload, wide},
    engines,
};

/// Rows and columns: fewer and more columns than a workgroup has threads, and more rows than a grid axis.
const SHAPES: [(usize, usize); 5] = [(1, 1), (7, 5), (6, 345), (345, 64), (65_537, 1)];

/// A row of the layer in f64: the output.
fn swish_norm(x: &[f64], gain: &[f64], shift: &[f64]) -> Vec<f64> {
    let swish: Vec<f64> = x.iter().map(|x| x / (1.0 + (-x).exp())).collect();
    let mean = swish.iter().sum::<f64>() / x.len() as f64;
    let variance = swish.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
    let deviation = (variance + f64::from(SwishNorm::EPSILON)).sqrt();
    let of = |(d, x): (usize, &f64)| (1.0 + gain[d]) * (x - mean) / deviation + shift[d];
    swish.iter().enumerate().map(of).collect()
}

/// A layer on an engine after its forward pass, with what went in.
struct Layer {
    product: Vec<f32>,
    skip: Vec<f32>,
    gain: Vec<f32>,
    shift: Vec<f32>,
    kernel: SwishNorm,
}

impl Layer {
    fn run(engine: &Engine, rows: usize, width: usize) -> Self {
        let mut product = numbers(0, rows * width);
        // Beyond where the exponential function of f32 overflows.
        product[0] = -100.0;
        let (skip, gain, shift) = (numbers(1, rows * width), numbers(2, width), numbers(3, width));
        let kernel = || SwishNorm {
            product: upload(engine, &product),
            skip: upload(engine, &skip),
            gain: upload(engine, &gain),
            shift: upload(engine, &shift),
            rows,
            width,
            output: unwritten(engine, rows * width),
            normalised: unwritten(engine, rows * width),
            scale: unwritten(engine, rows),
            sum: unwritten(engine, rows * width),
        };
        let kernel = kernel();
        let shared = SwishNorm {
            product: kernel.product.clone(),
            skip: kernel.skip.clone(),
            gain: kernel.gain.clone(),
            shift: kernel.shift.clone(),
            output: kernel.output.clone(),
            normalised: kernel.normalised.clone(),
            scale: kernel.scale.clone(),
            sum: kernel.sum.clone(),
            ..kernel
        };
        run(engine, shared);
        Self { product, skip, gain, shift, kernel }
    }

    /// x of a row, in f64.
    fn x(&self, row: usize) -> Vec<f64> {
        let range = row * self.kernel.width..(row + 1) * self.kernel.width;
        let pairs = self.product[range.clone()].iter().zip(&self.skip[range]);
        pairs.map(|(product, skip)| f64::from(*product) + f64::from(*skip)).collect()
    }
}

#[test]
fn swish_and_normalisation() {
    for engine in engines() {
        for (rows, width) in SHAPES {
            let layer = Layer::run(engine, rows, width);
            let (gain, shift) = (wide(&layer.gain), wide(&layer.shift));
            let output: Vec<f64> =
                (0..rows).flat_map(|row| swish_norm(&layer.x(row), &gain, &shift)).collect();
            let sum: Vec<f64> = output.iter().zip(wide(&layer.skip)).map(|(x, y)| x + y).collect();
            let x: Vec<f64> = (0..rows).flat_map(|row| layer.x(row)).collect();
            let name = format!("{rows} x {width}, {}", engine.describe());
            assert_close(&name, &read(engine, &layer.kernel.product), &x, 1e-6, 1e-6);
            assert_close(&name, &read(engine, &layer.kernel.output), &output, 2e-5, 1e-5);
            assert_close(&name, &read(engine, &layer.kernel.sum), &sum, 2e-5, 1e-5);
        }
    }
}

/// Central differences of `gradient . output` by x, with what later layers add to the gradient and without.
#[test]
fn gradient_of_swish_and_normalisation() {
    for engine in engines() {
        for (rows, width) in SHAPES {
            for last in [false, true] {
                let layer = Layer::run(engine, rows, width);
                let (by_layer, later) = (numbers(4, rows * width), numbers(5, rows * width));
                let (gradient, skip_gradient) = (upload(engine, &by_layer), upload(engine, &later));
                let terms = [unwritten(engine, rows * width), unwritten(engine, rows * width)];
                let backward = SwishNormBackward {
                    product: layer.kernel.product.clone(),
                    normalised: layer.kernel.normalised.clone(),
                    scale: layer.kernel.scale.clone(),
                    gain: layer.kernel.gain.clone(),
                    rows,
                    width,
                    last,
                    gradient: gradient.clone(),
                    skip_gradient: skip_gradient.clone(),
                    gain_terms: terms[0].clone(),
                    shift_terms: terms[1].clone(),
                };
                run(engine, backward);
                let later: Vec<f64> = wide(&later).iter().map(|x| if last { 0.0 } else { *x }).collect();
                let of_output: Vec<f64> = wide(&by_layer).iter().zip(&later).map(|(x, y)| x + y).collect();
                let (gain, shift) = (wide(&layer.gain), wide(&layer.shift));
                let (mut want, mut gain_terms) = (Vec::new(), Vec::new());
                for (row, of_output) in of_output.chunks_exact(width).enumerate() {
                    let x = layer.x(row);
                    let value = |x: &[f64], gain: &[f64]| -> f64 {
                        swish_norm(x, gain, &shift).iter().zip(of_output).map(|(x, y)| x * y).sum()
                    };
                    let h = 1e-5;
                    for d in 0..width {
                        let moved = |by: f64| {
                            let mut x = x.clone();
                            x[d] += by;
                            value(&x, &gain)
                        };
                        want.push((moved(h) - moved(-h)) / (2.0 * h));
                    }
                    let plain = swish_norm(&x, &vec![0.0; width], &vec![0.0; width]);
                    gain_terms.extend(plain.iter().zip(of_output).map(|(n, g)| n * g));
                }
                let sums: Vec<f64> = want.iter().zip(&later).map(|(x, y)| x + y).collect();
                let name = format!("{rows} x {width}, last {last}, {}", engine.describe());
                assert_close(&name, &read(engine, &gradient), &want, 5e-5, 1e-4);
                assert_close(&name, &read(engine, &skip_gradient), &sums, 5e-5, 1e-4);
                assert_close(&name, &read(engine, &terms[0]), &gain_terms, 2e-5, 1e-5);
                assert_close(&name, &read(engine, &terms[1]), &of_output, 1e-6, 1e-6);
            }
        }
    }
}

/// Users, latent dimensions and samples.
const CODES: [(usize, usize, usize); 5] = [(1, 1, 1), (7, 5, 3), (345, 7, 1), (6, 345, 2), (65_537, 1, 1)];

/// log q(z) - log p(z) at the code of one sample of one latent dimension, in f64.
fn log_ratio([mean, log_variance]: [f64; 2], previous: [f64; 2], noise: f64) -> f64 {
    let z = mean + noise * (log_variance / 2.0).exp();
    let log_normal =
        |mean: f64, log_variance: f64| -0.5 * (log_variance + (z - mean).powi(2) * (-log_variance).exp());
    let parts = [(0.15, [0.0, 0.0]), (0.75, previous), (0.1, [0.0, 10.0])];
    let logs = parts.map(|(weight, [mean, log_variance])| f64::ln(weight) + log_normal(mean, log_variance));
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_prior = top + logs.iter().map(|log| (log - top).exp()).sum::<f64>().ln();
    log_normal(mean, log_variance) - log_prior
}

#[test]
fn divergence_from_the_composite_prior_and_its_gradient() {
    for engine in engines() {
        for (batch, latent, samples) in CODES {
            let (posterior, mut previous) = (numbers(0, batch * 2 * latent), numbers(1, batch * 2 * latent));
            // A code far out under a narrow previous posterior, whose density is 0 in f32.
            previous[latent] = -8.0;
            let noise = numbers(2, samples * batch * latent);
            let half = |values: &[f32], at: usize| {
                let (b, d) = (at / latent % batch, at % latent);
                [0, latent].map(|half| f64::from(values[b * 2 * latent + half + d]))
            };
            let codes: Vec<f32> = (0..noise.len())
                .map(|at| {
                    let [mean, log_variance] = half(&posterior, at);
                    (mean + f64::from(noise[at]) * (log_variance / 2.0).exp()) as f32
                })
                .collect();
            let mixture = Mixture {
                posterior: upload(engine, &posterior),
                previous: upload(engine, &previous),
                noise: upload(engine, &noise),
                codes: upload(engine, &codes),
                batch,
                latent,
                samples,
            };
            let kl = unwritten(engine, batch);
            run(engine, MixtureDivergence { codes: mixture.clone(), kl: kl.clone() });
            let mut want = vec![0.0; batch];
            for (at, noise) in noise.iter().enumerate() {
                let ratio = log_ratio(half(&posterior, at), half(&previous, at), f64::from(*noise));
                want[at / latent % batch] += ratio / samples as f64;
            }
            let name = format!("batch {batch}, latent {latent}, samples {samples}, {}", engine.describe());
            assert_close(&name, &read(engine, &kl), &want, 2e-5 * latent as f64, 1e-4);

            let lengths: Vec<u32> = (0..batch as u32).map(|b| b * 7 % 11).collect();
            let mut offsets = vec![0];
            lengths.iter().for_each(|length| offsets.push(offsets[offsets.len() - 1] + length));
            let before = numbers(3, posterior.len());
            let gradient = upload(engine, &before);
            let (each, share, weight) = (0.5f32, 0.3f32, 0.02f32);
            run(
                engine,
                MixtureDivergenceBackward {
                    codes: mixture,
                    batch_offsets: upload(engine, &offsets),
                    each,
                    share,
                    weight,
                    posterior_gradient: gradient.clone(),
                },
            );
            let mut want = wide(&before);
            for (at, noise) in noise.iter().enumerate() {
                let (b, d) = (at / latent % batch, at % latent);
                let of_user = f64::from(each) + f64::from(share) * f64::from(lengths[b]);
                for column in 0..2 {
                    let moved = |by: f64| {
                        let mut own = half(&posterior, at);
                        own[column] += by;
                        log_ratio(own, half(&previous, at), f64::from(*noise))
                    };
                    let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                    want[b * 2 * latent + column * latent + d] +=
                        f64::from(weight) * of_user * slope / samples as f64;
                }
            }
            assert_close(&name, &read(engine, &gradient), &want, 5e-5, 1e-4);
        }
    }
}

/// value * sigmoid(gate), and its derivatives by both.
fn gated(value: f64, gate: f64) -> [f64; 3] {
    let open = 1.0 / (1.0 + (-gate).exp());
    [value * open, open, value * open * (1.0 - open)]
}

#[test]
fn gates_and_their_gradients() {
    for engine in engines() {
        for (rows, width) in SHAPES {
            let mut product = numbers(0, 2 * rows * width);
            // Gates beyond where the exponential function of f32 overflows.
            product[width] = -100.0;
            product[2 * rows * width - 1] = 100.0;
            let of_output = numbers(1, rows * width);
            let (on_engine, output) = (upload(engine, &product), unwritten(engine, rows * width));
            let product_gradient = unwritten(engine, 2 * rows * width);
            run(engine, Gate { product: on_engine.clone(), rows, width, output: output.clone() });
            run(
                engine,
                GateBackward {
                    product: on_engine,
                    output_gradient: upload(engine, &of_output),
                    rows,
                    width,
                    product_gradient: product_gradient.clone(),
                },
            );
            let (mut want, mut of_product) = (Vec::new(), Vec::new());
            for (row, of_output) in wide(&product).chunks(2 * width).zip(wide(&of_output).chunks(width)) {
                let cells: Vec<_> = (0..width).map(|d| gated(row[d], row[width + d])).collect();
                want.extend(cells.iter().map(|[output, ..]| *output));
                of_product.extend(cells.iter().zip(of_output).map(|([_, by_value, _], g)| by_value * g));
                of_product.extend(cells.iter().zip(of_output).map(|([.., by_gate], g)| by_gate * g));
            }
            let name = format!("{rows} x {width}, {}", engine.describe());
            assert_close(&name, &read(engine, &output), &want, 2e-6, 2e-6);
            assert_close(&name, &read(engine, &product_gradient), &of_product, 2e-6, 2e-6);
        }
    }
}
