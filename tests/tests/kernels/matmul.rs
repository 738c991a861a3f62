use fastvae::{
    engine::Engine,
    kernels::{Activation, MatMul, View},
};
use tests::{assert_close, engines};

use super::{numbers, read, run, unwritten};

fn view(engine: &Engine, values: &[f32], width: usize) -> View {
    View::rows(&engine.upload("operand", values).unwrap(), width)
}

/// A B in f64, row-major.
fn product(
    m: usize,
    n: usize,
    k: usize,
    a: impl Fn(usize, usize) -> f32,
    b: impl Fn(usize, usize) -> f32,
) -> Vec<f64> {
    let cell = |r, c| (0..k).map(|i| f64::from(a(r, i)) * f64::from(b(i, c))).sum();
    (0..m * n).map(|index| cell(index / n, index % n)).collect()
}

#[test]
fn matches_f64_at_every_edge() {
    for engine in engines() {
        for (m, n, k) in
            [(1, 1, 1), (7, 1, 7), (1, 7, 345), (7, 345, 7), (345, 7, 1), (13, 66, 200), (2, 3, 0)]
        {
            let (a, b) = (numbers(0, m * k), numbers(1, k * n));
            let c = unwritten(engine, m * n);
            run(engine, MatMul::new(m, n, k, view(engine, &a, k), view(engine, &b, n), View::rows(&c, n)));
            let want = product(m, n, k, |r, i| a[r * k + i], |i, c| b[i * n + c]);
            assert_close(&format!("{m} x {n} x {k}"), &read(engine, &c), &want, 1e-5, 1e-5);
        }
    }
}

/// More blocks than one axis of a dispatch holds: 65,535 workgroups of 64 threads with 4 rows each.
#[test]
fn goes_past_a_grid_axis() {
    for engine in engines() {
        let m = 65_536 * 64 * 4 + 5;
        let a = numbers(0, m);
        let c = unwritten(engine, m);
        run(engine, MatMul::new(m, 1, 1, view(engine, &a, 1), view(engine, &[2.0], 1), View::rows(&c, 1)));
        let want: Vec<f32> = a.iter().map(|a| 2.0 * a).collect();
        assert_close("doubled", &read(engine, &c), &want, 0.0, 0.0);
    }
}

#[test]
fn transposes_parts_and_sums() {
    let (m, n, k) = (6, 9, 10);
    for engine in engines() {
        let (a, b, before) = (numbers(0, 20 * 12), numbers(1, 11 * 13), numbers(2, m * n));
        // A is the transpose of rows 3.. and columns 2.. of a 20 x 12 matrix, B a part of an 11 x 13 one.
        let left = view(engine, &a, 12).from_row(3).from_column(2).transposed();
        let right = view(engine, &b, 13).from_row(1).from_column(4);
        let c = engine.upload("c", &before).unwrap();
        let product = product(m, n, k, |r, i| a[(3 + i) * 12 + 2 + r], |i, c| b[(1 + i) * 13 + 4 + c]);
        let matmul = MatMul { alpha: 0.5, beta: 2.0, ..MatMul::new(m, n, k, left, right, View::rows(&c, n)) };
        run(engine, matmul);
        let want: Vec<f64> =
            product.iter().zip(&before).map(|(p, b)| 0.5 * p + 2.0 * f64::from(*b)).collect();
        assert_close("alpha, beta", &read(engine, &c), &want, 1e-5, 1e-5);
    }
}

#[test]
fn adds_the_bias_then_activates() {
    let (m, n, k) = (5, 7, 3);
    for engine in engines() {
        for activation in [Activation::None, Activation::Tanh, Activation::Relu] {
            let (a, b, bias) = (numbers(0, m * k), numbers(1, k * n), numbers(2, n + 2));
            let c = unwritten(engine, m * n);
            let mut matmul =
                MatMul::new(m, n, k, view(engine, &a, k), view(engine, &b, n), View::rows(&c, n));
            matmul.bias = Some(engine.upload("bias", &bias).unwrap());
            matmul.bias_offset = 2;
            matmul.activation = activation;
            run(engine, matmul);
            let mut want = product(m, n, k, |r, i| a[r * k + i], |i, c| b[i * n + c]);
            for (index, value) in want.iter_mut().enumerate() {
                *value += f64::from(bias[2 + index % n]);
                *value = match activation {
                    Activation::None => *value,
                    Activation::Tanh => value.tanh(),
                    Activation::Relu => value.max(0.0),
                };
            }
            assert_close(&format!("{activation:?}"), &read(engine, &c), &want, 1e-5, 1e-5);
        }
    }
}

/// The result overwrites whatever was there, even where tanh of a large value would overflow an exponent.
#[test]
fn tanh_saturates() {
    for engine in engines() {
        let c = unwritten(engine, 2);
        let mut matmul =
            MatMul::new(2, 1, 1, view(engine, &[1e4, -1e4], 1), view(engine, &[1.0], 1), View::rows(&c, 1));
        matmul.activation = Activation::Tanh;
        run(engine, matmul);
        assert_close("tanh", &read(engine, &c), &[1.0, -1.0], 1e-6, 0.0);
    }
}
