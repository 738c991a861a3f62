//! The first kernels of a step: the batch's histories, dropout, the bag of item rows, noise.

use fastvae::{
    engine::Engine,
    kernels::{Activation, DropoutDense, DropoutInput, EncodeRows, GatherBatch, Normal},
    rng::{Rng, Stream},
};
use tests::{
    assert_close, assert_equal, csr,
    device::{integers, numbers, read, run, unset, unwritten, upload},
    engines, engines_and_divisions,
    statistics::assert_drawn_from,
};

/// Histories of 0 to `longest` - 1 items.
fn histories(users: usize, longest: u32, items: u32) -> Vec<Vec<u32>> {
    let lengths = integers(1, users, longest);
    (0..users).map(|user| integers(100 + user as u32, lengths[user] as usize, items)).collect()
}

#[test]
fn histories_lie_side_by_side() {
    for engine in engines() {
        for (users, batch, longest) in [(1, 1, 2), (345, 7, 20), (50, 345, 70), (3, 2, 700), (40, 65_537, 3)]
        {
            let histories = histories(users, longest, 1000);
            let (offsets, items) = csr(&histories);
            let picked = integers(2, batch, users as u32);
            let of_batch: Vec<Vec<u32>> =
                picked.iter().map(|&user| histories[user as usize].clone()).collect();
            let (batch_offsets, want) = csr(&of_batch);
            // Nothing is written beyond the entries.
            let (out, rows) = (unset(engine, want.len() + 3), unset(engine, want.len() + 3));
            let history_items = if items.is_empty() { unset(engine, 1) } else { upload(engine, &items) };
            let kernel = GatherBatch {
                users: upload(engine, &picked),
                history_offsets: upload(engine, &offsets),
                history_items,
                batch_offsets: upload(engine, &batch_offsets),
                batch,
                entries: want.len(),
                items: out.clone(),
                rows: rows.clone(),
            };
            run(engine, kernel);
            let rest = [u32::MAX; 3];
            let name = format!("{batch} of {users} users");
            assert_equal(&name, &read(engine, &out), &[&want[..], &rest].concat());
            let of_row = of_batch.iter().enumerate();
            let want_rows: Vec<u32> = of_row.flat_map(|(row, items)| vec![row as u32; items.len()]).collect();
            assert_equal(&name, &read(engine, &rows), &[&want_rows[..], &rest].concat());
        }
    }
}

fn dropout_input(engine: &Engine, offsets: &[u32], probability: f32, seed: u64, step: u32) -> Vec<f32> {
    let entries = offsets[offsets.len() - 1] as usize;
    let weights = unwritten(engine, entries);
    let kernel = DropoutInput {
        batch_offsets: upload(engine, offsets),
        batch: offsets.len() - 1,
        entries,
        probability,
        rng: Rng::new(seed),
        step,
        weights: weights.clone(),
    };
    run(engine, kernel);
    read(engine, &weights)
}

#[test]
fn input_dropout_keeps_its_share_scaled_up() {
    for engine in engines() {
        for probability in [0.0f32, 0.25, 0.5, 0.9] {
            let (offsets, _) = csr(&histories(345, 150, 9));
            let weights = dropout_input(engine, &offsets, probability, 3, 8);
            let mut kept = 0;
            for row in offsets.windows(2) {
                let weights = &weights[row[0] as usize..row[1] as usize];
                let scale = 1.0 / ((1.0 - f64::from(probability)) * f64::from(row[1] - row[0]).sqrt());
                let want: Vec<f64> = weights.iter().map(|&w| if w == 0.0 { 0.0 } else { scale }).collect();
                assert_close("weight", weights, &want, 0.0, 1e-6);
                kept += weights.iter().filter(|&&w| w != 0.0).count() as u64;
            }
            let dropped = weights.len() as u64 - kept;
            let share = f64::from(probability);
            if probability == 0.0 {
                assert_eq!(dropped, 0);
            } else {
                assert_drawn_from(&format!("p = {probability}"), &[dropped, kept], &[share, 1.0 - share]);
            }
        }
    }
}

/// Dropout of an entry is independent of the next entry, the next user and the next step.
#[test]
fn input_dropout_is_independent_and_reproducible() {
    const LEN: usize = 2001;
    for engine in engines() {
        let offsets = [0, LEN as u32, 2 * LEN as u32];
        let now = dropout_input(engine, &offsets, 0.5, 7, 1);
        assert_equal("again", &dropout_input(engine, &offsets, 0.5, 7, 1), &now);
        let (first, second) = now.split_at(LEN);
        let other = |seed, step| dropout_input(engine, &offsets, 0.5, seed, step)[..LEN].to_vec();
        for (name, a, b) in [
            ("entries", &first[1..], &first[..LEN - 1]),
            ("blocks", &first[4..], &first[..LEN - 4]),
            ("users", first, second),
            ("steps", first, &other(7, 2)),
            ("seeds", first, &other(8, 1)),
        ] {
            let mut counts = [0; 4];
            for (&a, &b) in a.iter().zip(b) {
                counts[usize::from(a > 0.0) * 2 + usize::from(b > 0.0)] += 1;
            }
            assert_drawn_from(name, &counts, &[0.25; 4]);
        }
    }
}

#[test]
fn masks_are_the_same_on_every_engine() {
    let (offsets, _) = csr(&histories(300, 40, 9));
    let many: Vec<u32> = (0..=65_537).collect();
    for offsets in [&offsets, &many] {
        let kept = |engine: &Engine| {
            let weights = dropout_input(engine, offsets, 0.3, u64::MAX - 1, 5);
            weights.iter().map(|&w| u32::from(w != 0.0)).collect::<Vec<_>>()
        };
        let want = kept(&Engine::cpu());
        for engine in engines() {
            assert_equal(&engine.describe(), &kept(engine), &want);
        }
    }
}

#[test]
fn dense_dropout_scales_activates_and_repeats_itself() {
    for engine in engines() {
        for (rows, width) in [(1, 1), (7, 345), (345, 7), (64, 200), (65_537, 1)] {
            for (probability, activation) in [
                (0.5f32, Activation::Tanh),
                (0.5, Activation::None),
                (0.2, Activation::Relu),
                (0.0, Activation::None),
            ] {
                let before = numbers(0, rows * width);
                let dropout = |values: &[f32], activation| {
                    let buffer = upload(engine, values);
                    let rng = Rng::new(4);
                    let values = buffer.clone();
                    run(engine, DropoutDense { values, rows, width, probability, activation, rng, step: 6 });
                    read(engine, &buffer)
                };
                // Applied to ones, the result is the mask; on gradients, the same step has the same mask.
                let mask = dropout(&vec![1.0; rows * width], Activation::None);
                let scale = 1.0 / (1.0 - f64::from(probability));
                let dropped = mask.iter().filter(|&&m| m == 0.0).count() as u64;
                let want: Vec<f64> = mask.iter().map(|&m| if m == 0.0 { 0.0 } else { scale }).collect();
                let name = format!("{rows} x {width}, p = {probability}");
                assert_close(&name, &mask, &want, 0.0, 1e-6);
                if probability == 0.0 {
                    assert_eq!(dropped, 0, "{name}");
                } else if rows * width > 1000 {
                    let share = f64::from(probability);
                    let counts = [dropped, mask.len() as u64 - dropped];
                    assert_drawn_from(&name, &counts, &[share, 1.0 - share]);
                }
                let want: Vec<f64> = before
                    .iter()
                    .zip(&want)
                    .map(|(&x, scale)| match activation {
                        Activation::None => f64::from(x) * scale,
                        Activation::Tanh => (f64::from(x) * scale).tanh(),
                        Activation::Relu => (f64::from(x) * scale).max(0.0),
                    })
                    .collect();
                assert_close(&name, &dropout(&before, activation), &want, 1e-6, 1e-5);
            }
        }
    }
}

#[test]
fn bags_of_item_rows() {
    for engine in engines_and_divisions() {
        for (users, longest, hidden) in [(1, 2, 1), (7, 20, 345), (345, 9, 7), (5, 700, 200), (65_537, 2, 1)]
        {
            for activation in [Activation::None, Activation::Tanh, Activation::Relu] {
                let (offsets, items) = csr(&histories(users, longest, 53));
                let entries = items.len();
                let table = numbers(0, 53 * hidden);
                let bias = numbers(1, hidden);
                let mut weights: Vec<f32> = numbers(2, entries).iter().map(|w| 0.2 * w).collect();
                weights.iter_mut().step_by(3).for_each(|weight| *weight = 0.0);
                let output = unwritten(engine, users * hidden);
                let none = entries == 0;
                let kernel = EncodeRows {
                    batch_offsets: upload(engine, &offsets),
                    items: if none { unset(engine, 1) } else { upload(engine, &items) },
                    weights: if none { unwritten(engine, 1) } else { upload(engine, &weights) },
                    table: upload(engine, &table),
                    bias: upload(engine, &bias),
                    batch: users,
                    hidden,
                    activation,
                    output: output.clone(),
                };
                run(engine, kernel);
                let mut want = Vec::with_capacity(users * hidden);
                for span in offsets.windows(2) {
                    for column in 0..hidden {
                        let terms = (span[0] as usize..span[1] as usize).map(|entry| {
                            f64::from(weights[entry])
                                * f64::from(table[items[entry] as usize * hidden + column])
                        });
                        let sum = f64::from(bias[column]) + terms.sum::<f64>();
                        want.push(match activation {
                            Activation::None => sum,
                            Activation::Tanh => sum.tanh(),
                            Activation::Relu => sum.max(0.0),
                        });
                    }
                }
                let name = format!("{users} users, width {hidden}, {activation:?}");
                assert_close(&name, &read(engine, &output), &want, 1e-5, 1e-5);
            }
        }
    }
}

fn normal(engine: &Engine, rows: usize, width: usize, scale: f32, stream: Stream, step: u32) -> Vec<f32> {
    let output = unwritten(engine, rows * width);
    let rng = Rng::new(99);
    run(engine, Normal { output: output.clone(), rows, width, scale, rng, stream, step });
    read(engine, &output)
}

/// Asserts the mean of values with unit variance, within five standard errors.
#[track_caller]
fn assert_moment(name: &str, values: impl Iterator<Item = f64>, want: f64, deviation: f64) {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
    let bound = 5.0 * deviation / f64::sqrt(n);
    assert!((sum / n - want).abs() <= bound, "{name}: {} for {want}, allowed +-{bound}", sum / n);
}

#[test]
fn noise_is_standard_normal() {
    for engine in engines() {
        let (rows, width) = (601, 345);
        let noise = normal(engine, rows, width, 1.0, Stream::Noise, 3);
        let x = || noise.iter().map(|&x| f64::from(x));
        // Moments of the standard normal, and the standard deviations of their terms.
        assert_moment("mean", x(), 0.0, 1.0);
        assert_moment("variance", x().map(|x| x * x), 1.0, 2f64.sqrt());
        assert_moment("skewness", x().map(|x| x.powi(3)), 0.0, 15f64.sqrt());
        assert_moment("kurtosis", x().map(|x| x.powi(4)), 3.0, 96f64.sqrt());
        let mut counts = vec![0u64; 64];
        x().for_each(|x| counts[((normal_cdf(x) * 64.0) as usize).min(63)] += 1);
        assert_drawn_from("quantiles", &counts, &[1.0 / 64.0; 64]);

        let product = |name: &str, lag: usize| {
            assert_moment(name, x().zip(x().skip(lag)).map(|(a, b)| a * b), 0.0, 1.0)
        };
        product("neighbours", 1);
        product("two apart", 2);
        product("blocks", 4);
        product("rows", width);
        // The two numbers of a Box and Muller pair have the same radius; a product of squares would reveal a
        // dependence.
        let squares = x().zip(x().skip(1)).map(|(a, b)| (a * a - 1.0) * (b * b - 1.0));
        assert_moment("squares of neighbours", squares, 0.0, 2.0);
        for (name, other) in [
            ("steps", normal(engine, rows, width, 1.0, Stream::Noise, 4)),
            ("streams", normal(engine, rows, width, 1.0, Stream::Init, 3)),
        ] {
            let products = x().zip(&other).map(|(a, &b)| a * f64::from(b));
            assert_moment(name, products, 0.0, 1.0);
        }
    }
}

/// Phi, from the regularised incomplete gamma function.
fn normal_cdf(x: f64) -> f64 {
    let half = 0.5 * statrs::function::gamma::gamma_lr(0.5, x * x / 2.0);
    if x < 0.0 { 0.5 - half } else { 0.5 + half }
}

/// A value depends only on seed, stream, step, row and column, and not on the shape of the matrix or the engine.
#[test]
fn noise_is_reproducible() {
    let want = normal(&Engine::cpu(), 9, 345, 1.0, Stream::Noise, 1);
    for engine in engines() {
        let noise = normal(engine, 9, 345, 1.0, Stream::Noise, 1);
        assert_equal("again", &normal(engine, 9, 345, 1.0, Stream::Noise, 1), &noise);
        assert_close(&engine.describe(), &noise, &want, 2e-5, 2e-5);
        for (rows, width) in [(1, 1), (7, 7), (3, 345)] {
            let part = normal(engine, rows, width, 0.25, Stream::Noise, 1);
            let whole = |i: usize| 0.25 * f64::from(noise[i / width * 345 + i % width]);
            let whole: Vec<f64> = (0..rows * width).map(whole).collect();
            assert_close("part", &part, &whole, 0.0, 1e-6);
        }
        let many = normal(engine, 65_537, 1, 1.0, Stream::Noise, 1);
        assert!(many.iter().all(|x| x.is_finite()), "one past a grid axis");
        assert_close(
            "first column",
            &many[..9],
            &noise.iter().copied().step_by(345).collect::<Vec<_>>(),
            0.0,
            1e-6,
        );
    }
}
