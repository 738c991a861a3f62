//! Matrix products of every layout against f64.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::{
    engine::Engine,
    kernels::{Activation, Division, MatMul, Tiles, View},
};
use proptest::{prelude::*, test_runner::TestRunner};
use tests::{
    assert_close, assert_equal,
    device::{integers, numbers, read, run, unwritten, upload, wide},
    engines,
};

const ACTIVATIONS: [Activation; 3] = [Activation::None, Activation::Tanh, Activation::Relu];

fn activate(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::None => x,
        Activation::Tanh => x.tanh(),
        Activation::Relu => x.max(0.0),
    }
}

/// The layout of a matrix in memory.
#[derive(Clone, Copy, Debug)]
struct Layout {
    rows: usize,
    columns: usize,
    offset: usize,
    row: usize,
    column: usize,
}

impl Layout {
    /// Row-major or its transpose, after `offset` elements, with `padding` elements after each line.
    fn new(rows: usize, columns: usize, transposed: bool, offset: usize, padding: usize) -> Self {
        let (row, column) = if transposed { (1, rows + padding) } else { (columns + padding, 1) };
        Self { rows, columns, offset, row, column }
    }

    fn at(&self, row: usize, column: usize) -> usize {
        self.offset + row * self.row + column * self.column
    }

    fn len(&self) -> usize {
        self.offset + (self.rows + 1) * self.row.max(1) + (self.columns + 1) * self.column.max(1)
    }

    fn view(&self, engine: &Engine, values: &[f32]) -> View {
        View { buffer: upload(engine, values), offset: self.offset, row: self.row, column: self.column }
    }
}

#[derive(Clone, Copy, Debug)]
struct Product {
    a: Layout,
    b: Layout,
    c: Layout,
    alpha: f32,
    beta: f32,
    bias: Option<usize>,
    activation: Activation,
    division: Option<Division>,
}

impl Product {
    fn plain(m: usize, n: usize, k: usize) -> Self {
        Self {
            a: Layout::new(m, k, false, 0, 0),
            b: Layout::new(k, n, false, 0, 0),
            c: Layout::new(m, n, false, 0, 0),
            alpha: 1.0,
            beta: 0.0,
            bias: None,
            activation: Activation::None,
            division: None,
        }
    }

    fn check(&self, engine: &Engine) {
        let Self { a, b, c, alpha, beta, bias, activation, division } = *self;
        let (m, n, k) = (c.rows, c.columns, a.columns);
        let (left, right) = (numbers(0, a.len()), numbers(1, b.len()));
        let bias_values = numbers(2, bias.unwrap_or(0) + n);
        // With beta = 0, the previous content of C has no effect, even if it is NaN.
        let before = numbers(3, c.len());
        let mut start = before.clone();
        let mut want = wide(&before);
        for row in 0..m {
            for column in 0..n {
                let products =
                    (0..k).map(|i| f64::from(left[a.at(row, i)]) * f64::from(right[b.at(i, column)]));
                let mut sum = f64::from(alpha) * products.sum::<f64>();
                if beta == 0.0 {
                    start[c.at(row, column)] = f32::NAN;
                } else {
                    sum += f64::from(beta) * f64::from(before[c.at(row, column)]);
                }
                sum += bias.map_or(0.0, |offset| f64::from(bias_values[offset + column]));
                want[c.at(row, column)] = activate(activation, sum);
            }
        }
        let result = c.view(engine, &start);
        let output = result.buffer.clone();
        run(
            engine,
            MatMul {
                alpha,
                beta,
                bias: bias.map(|_| upload(engine, &bias_values)),
                bias_offset: bias.unwrap_or(0),
                activation,
                division,
                ..MatMul::new(m, n, k, a.view(engine, &left), b.view(engine, &right), result)
            },
        );
        let tolerance = 1e-6 * (1.0 + f64::from(alpha.abs())) * (4 + k) as f64;
        assert_close(&format!("{self:?}"), &read(engine, &output), &want, tolerance, 1e-5);
    }
}

#[test]
fn matmul_at_odd_sizes() {
    for engine in engines() {
        for (m, n, k) in [
            (1, 1, 1),
            (7, 1, 7),
            (1, 7, 345),
            (7, 345, 7),
            (345, 7, 1),
            (65, 67, 129),
            (3, 5, 0),
            (256, 64, 200),
        ] {
            Product::plain(m, n, k).check(engine);
        }
    }
}

#[test]
fn matmul_of_nothing_leaves_the_result() {
    for engine in engines() {
        for (m, n) in [(0, 3), (3, 0)] {
            Product::plain(m, n, 4).check(engine);
        }
    }
}

#[test]
fn matmul_with_strides_factors_bias_and_activation() {
    let layouts = (any::<bool>(), 0usize..5, 0usize..4);
    let case = (
        (1usize..24, 1usize..24, 0usize..40),
        (layouts.clone(), layouts.clone(), layouts),
        prop_oneof![Just(1.0f32), Just(-0.5), Just(0.0)],
        prop_oneof![Just(0.0f32), Just(1.0), Just(0.25)],
        prop::option::of(0usize..6),
        0usize..3,
    );
    let config = ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() };
    for engine in engines() {
        let mut runner = TestRunner::new_with_rng(config.clone(), fixed_rng());
        runner
            .run(&case, |((m, n, k), (a, b, c), alpha, beta, bias, activation)| {
                let product = Product {
                    a: Layout::new(m, k, a.0, a.1, a.2),
                    b: Layout::new(k, n, b.0, b.1, b.2),
                    c: Layout::new(m, n, c.0, c.1, c.2),
                    alpha,
                    beta,
                    bias,
                    activation: ACTIVATIONS[activation],
                    division: None,
                };
                product.check(engine);
                Ok(())
            })
            .unwrap();
    }
}

/// Every shape of tiles, whatever the adapter would choose, at sizes around the border of each tile, with k whole and
/// in parts; layout, factors, bias and activation vary from product to product.
#[test]
fn matmul_at_the_borders_of_tiles() {
    const SIDES: [usize; 11] = [1, 3, 4, 31, 32, 33, 63, 64, 65, 127, 129];
    const DEPTHS: [usize; 12] = [1, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 300];
    let divisions = [Tiles::Direct, Tiles::Small, Tiles::Medium, Tiles::Large]
        .into_iter()
        .flat_map(|tiles| [32, 96, 320].map(|depth| Division { tiles, depth }));
    let divisions: Vec<_> = divisions.collect();
    let count = SIDES.len() * SIDES.len();
    let choices: Vec<_> = (0..14).map(|stream| integers(stream, count, 144)).collect();
    for engine in engines() {
        for index in 0..count {
            let choice = |stream: usize, end: usize| choices[stream][index] as usize % end;
            let layout = |stream, rows, columns| {
                let transposed = choice(stream, 2) == 1;
                Layout::new(rows, columns, transposed, choice(stream + 1, 5), choice(stream + 2, 4))
            };
            let (m, n, k) = (SIDES[index / 11], SIDES[index % 11], DEPTHS[choice(0, 12)]);
            let product = Product {
                a: layout(1, m, k),
                b: layout(4, k, n),
                c: layout(7, m, n),
                alpha: [1.0, -0.5][choice(10, 2)],
                beta: [0.0, 1.0, 0.25][choice(11, 3)],
                bias: [None, Some(0), Some(5)][choice(12, 3)],
                activation: ACTIVATIONS[choice(13, 3)],
                division: None,
            };
            // The division has no effect on the CPU.
            let divisions = if engine.is_cpu() { &divisions[..1] } else { &divisions[..] };
            for tiles in divisions.chunks(3) {
                // Each shape with one of the depths.
                Product { division: Some(tiles[index % tiles.len()]), ..product }.check(engine);
            }
        }
    }
}

/// The sums of all parts are in order, so two runs have the same bits.
#[test]
fn divided_products_are_reproducible() {
    for engine in engines() {
        let (m, n, k) = (70, 40, 1000);
        let (a, b) = (upload(engine, &numbers(0, m * k)), upload(engine, &numbers(1, k * n)));
        for tiles in [Tiles::Small, Tiles::Medium, Tiles::Large] {
            let product = || {
                let c = unwritten(engine, m * n);
                let (a, b) = (View::rows(&a, k), View::rows(&b, n));
                let product = MatMul::new(m, n, k, a, b, View::rows(&c, n));
                run(engine, MatMul { division: Some(Division { tiles, depth: 128 }), ..product });
                read(engine, &c)
            };
            assert_equal(&format!("{tiles:?}"), &product(), &product());
        }
    }
}

fn fixed_rng() -> proptest::test_runner::TestRng {
    proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha)
}

/// A saturated tanh is 1, and not the quotient of two infinities.
#[test]
fn matmul_saturates() {
    for engine in engines() {
        let inputs = [-1e30f32, -500.0, -44.5, 0.0, 44.5, 89.0, 500.0, 1e30];
        let output = unwritten(engine, inputs.len());
        let one = View::rows(&upload(engine, &[1.0]), 1);
        let columns = View::rows(&upload(engine, &inputs), inputs.len());
        let matmul = MatMul::new(1, inputs.len(), 1, one, columns, View::rows(&output, inputs.len()));
        run(engine, MatMul { activation: Activation::Tanh, ..matmul });
        let want = inputs.map(|x| f64::from(x).tanh());
        assert_close("tanh", &read(engine, &output), &want, 1e-6, 1e-6);
    }
}

/// More blocks than one axis of a dispatch can have: 65,535 workgroups of 64 threads with 4 rows each.
#[test]
fn matmul_past_a_grid_axis() {
    for engine in engines() {
        let m = 65_536 * 64 * 4 + 5;
        let a: Vec<f32> = (0..m).map(|i| (i % 1000) as f32).collect();
        let c = unwritten(engine, m);
        let (left, right) = (View::rows(&upload(engine, &a), 1), View::rows(&upload(engine, &[2.0]), 1));
        run(engine, MatMul::new(m, 1, 1, left, right, View::rows(&c, 1)));
        let want: Vec<f32> = a.iter().map(|a| 2.0 * a).collect();
        assert_equal(&engine.describe(), &read(engine, &c), &want);
    }
}
