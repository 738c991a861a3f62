//! The kernels that measure a device: a copy, and multiply-adds.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::kernels::{CopyValues, MultiplyAdd};
use tests::{
    device::{numbers, read, run, unwritten, upload},
    engines,
};

#[test]
fn copies_are_whole_and_end_at_their_length() {
    for engine in engines() {
        for len in [0, 4, 1024, 345_124] {
            let values = numbers(0, len + 4);
            let output = unwritten(engine, len + 4);
            run(engine, CopyValues { input: upload(engine, &values), output: output.clone(), len });
            let got = read(engine, &output);
            assert_eq!(got[..len], values[..len], "{}", engine.describe());
            assert!(got[len..].iter().all(|value| value.is_nan()), "{}", engine.describe());
        }
    }
}

#[test]
fn multiply_adds_are_those_of_the_formula() {
    for engine in engines() {
        for (len, rounds, factor, addend) in [(1, 1, 0.5, 1.0), (345, 3, -0.9, 0.25), (7, 0, 2.0, 3.0)] {
            let start = numbers(1, len);
            let values = upload(engine, &start);
            let kernel = MultiplyAdd { values: values.clone(), len, rounds, factor, addend };
            assert_eq!(kernel.flops(), (256 * rounds * len) as f64);
            run(engine, kernel);
            for (got, x) in read(engine, &values).into_iter().zip(start) {
                let sequence = |c: u32| {
                    (0..8 * rounds)
                        .fold(f64::from(x) + f64::from(c), |x, _| f64::from(factor) * x + f64::from(addend))
                };
                let want: f64 = (0..16).map(sequence).sum();
                let near = (f64::from(got) - want).abs() <= 1e-5 + 1e-5 * want.abs();
                assert!(near, "{}: {got} instead of {want}", engine.describe());
            }
        }
    }
}
