//! The kernels of the network's options against f64.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::{
    engine::Engine,
    kernels::{SwishNorm, SwishNormBackward},
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
