//! Proposals: their log q against enumeration in f64, and their draws against their own log q.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::kernels::{Groups, ItemsOf};
use tests::{
    Proposals, assert_close, assert_equal,
    device::{integers, numbers, read, upload},
    engines, fixture,
    midx::{Index, Midx, TWO_BOOKS, exp, log_sum_exp, scores},
    static_draw::draw_static,
    statistics::{assert_drawn_from, histogram},
};

#[test]
fn midx_follows_the_fixtures() {
    for engine in engines() {
        for name in TWO_BOOKS {
            let truth: Proposals = fixture(name);
            let stages = truth.stages.as_ref().unwrap();
            for (variant, weights, log_q, stage) in [
                ("uniform", vec![1.0; truth.items], &truth.log_q.midx_uniform, &stages.midx_uniform),
                ("popularity", truth.popularity(), &truth.log_q.midx_popularity, &stages.midx_popularity),
            ] {
                let index = Index::of_fixture(&truth, weights);
                let midx = Midx::new(engine, &index, scores(&truth));
                let name = format!("{}: {name}, {variant}", engine.describe());
                midx.check_stages(&name, stage);
                // Every item as an entry of the batch, and as a candidate of every row.
                let groups = midx.alone(truth.items);
                assert_close(&name, &midx.log_q_of_all(groups), &log_q.data, 1e-5, 1e-6);
                let all: Vec<u32> = (0..midx.rows).flat_map(|_| 0..truth.items as u32).collect();
                let candidates = ItemsOf::Candidates(upload(engine, &all));
                assert_close(&name, &midx.log_q(groups, candidates, all.len()), &log_q.data, 1e-5, 1e-6);
                midx.check_draws(&name, 11);
            }
        }
    }
}

/// One codeword, one item, odd numbers, more cells than items.
#[test]
fn midx_at_odd_sizes() {
    for engine in engines() {
        for (stream, (k, items, rows)) in [
            (1, 1, 1),
            (1, 345, 7),
            (7, 1, 3),
            (7, 345, 5),
            (16, 29, 7),
            (128, 345, 3),
            (256, 2000, 3),
            (3, 5, 65_537),
        ]
        .into_iter()
        .enumerate()
        {
            let index = Index::random(stream as u32, k, items);
            let midx = Midx::new(engine, &index, numbers(40, rows * 2 * k));
            let name = format!("{}: K {k}, M {items}", engine.describe());
            let want: Vec<f64> = (0..rows).flat_map(|row| midx.truth(row)).collect();
            assert_close(&name, &midx.log_q_of_all(midx.alone(1)), &want, 2e-5, 1e-5);
            if items == 1 {
                assert!(midx.draw(midx.alone(17), 1, 0).iter().all(|&item| item == 0), "{name}");
            } else if rows < 10 {
                midx.check_draws(&name, 12);
            }
        }
    }
}

/// Scores of plus and minus 80: nothing overflows, also where the cell with the best scores is empty.
#[test]
fn midx_with_huge_scores() {
    for engine in engines() {
        let (k, items) = (7, 60);
        let mut index = Index::random(3, k, items);
        index.weights[0] = 0.0;
        let far = |row: usize| {
            let sign = integers(70 + row as u32, 2 * k, 2);
            let near = numbers(80 + row as u32, 2 * k);
            sign.iter()
                .zip(near)
                .map(|(&sign, x)| if sign == 0 { 79.0 + x } else { x - 79.0 })
                .collect::<Vec<_>>()
        };
        let midx = Midx::new(engine, &index, (0..5).flat_map(far).collect());
        let name = format!("{}: huge scores", engine.describe());
        let want: Vec<f64> = (0..5).flat_map(|row| midx.truth(row)).collect();
        assert_close(&name, &midx.log_q_of_all(midx.alone(1)), &want, 1e-4, 1e-6);
        midx.check_draws(&name, 13);

        // With k1 = 0 only the cell k2 = 1 has items, with k1 = 1 the cells 2 and 3, with k1 = 2 none. The best pair
        // of
        // scores, 160 above all others, belongs to an empty cell.
        let index =
            Index { k: 4, cell_of: vec![1, 1, 4 + 2, 4 + 3, 12 + 1], weights: vec![1.0, 2.0, 1.0, 3.0, 0.5] };
        let midx = Midx::new(engine, &index, vec![0.5, 0.0, 80.0, -1.0, 80.0, -80.0, -79.0, -80.5]);
        assert_close("empty best", &midx.log_q_of_all(midx.alone(1)), &midx.truth(0), 1e-4, 1e-6);
        let log_psi = read(engine, &midx.log_psi);
        // Shaders compute without infinities.
        let nothing = if engine.is_cpu() { f32::NEG_INFINITY } else { f32::MIN };
        assert_eq!(log_psi[2], nothing, "a row of empty cells weighs nothing");
        midx.check_draws("empty best", 14);
    }
}

/// All items in one cell, within which draws follow the weights.
#[test]
fn midx_with_one_giant_cell() {
    for engine in engines() {
        let items = 5000;
        let weights = integers(5, items, 40).iter().map(|&count| f64::from(count).ln_1p()).collect();
        let index = Index { k: 4, cell_of: vec![2 * 4 + 3; items], weights };
        let midx = Midx::new(engine, &index, numbers(6, 2 * 8));
        midx.check_draws("one cell", 15);
        let want: Vec<f64> = (0..2).flat_map(|row| midx.truth(row)).collect();
        assert_close("one cell", &midx.log_q_of_all(midx.alone(1)), &want, 2e-5, 1e-5);
    }
}

/// `mean over draws of exp(o_j - log q_j) = sum over items of exp(o_i)`, within five standard errors.
#[test]
fn draws_and_log_q_give_the_partition_function() {
    for engine in engines() {
        for name in TWO_BOOKS {
            let mut truth: Proposals = fixture(name);
            // Scaled to the logits of trained models: with a larger variance, few items would make up the partition
            // function, and
            // the standard error would be too large for the test to fail.
            truth.queries.data.iter_mut().for_each(|x| *x *= 0.4);
            for weights in [vec![1.0; truth.items], truth.popularity()] {
                let index = Index::of_fixture(&truth, weights);
                let midx = Midx::new(engine, &index, scores(&truth));
                let groups = midx.alone(20_000);
                let draws = midx.draw(groups, 5, 3);
                let log_q = midx.log_q(groups, ItemsOf::Candidates(upload(engine, &draws)), draws.len());
                for row in 0..midx.rows {
                    let query = truth.queries.at(row);
                    let logit =
                        |item: usize| query.iter().zip(truth.q.at(item)).map(|(a, b)| a * b).sum::<f64>();
                    let span = row * groups.candidates..(row + 1) * groups.candidates;
                    let drawn = draws[span.clone()].iter().zip(&log_q[span]);
                    let estimates: Vec<f64> =
                        drawn.map(|(&j, &log_q)| (logit(j as usize) - f64::from(log_q)).exp()).collect();
                    // Items of weight 0 are never drawn.
                    let reachable = (0..truth.items).filter(|&i| index.weights[i] > 0.0);
                    let partition: f64 = reachable.map(|i| logit(i).exp()).sum();
                    assert_mean(&format!("{name}, row {row}"), &estimates, partition);
                }
            }
        }
    }
}

#[track_caller]
fn assert_mean(name: &str, values: &[f64], want: f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let error = (variance / n).sqrt();
    let off = (mean - want).abs();
    assert!(
        off <= 5.0 * error + 1e-5 * want,
        "{name}: mean {mean}, want {want}: {} standard errors",
        off / error
    );
    assert!(error < 0.05 * want, "{name}: {want} +- {error} shows nothing");
}

/// If users share candidates, log q is that of their mixture, its probabilities sum to one, and the draws follow it;
/// also
/// if group sizes divide neither the batch nor the candidates, and if there are fewer candidates than users.
#[test]
fn shared_candidates_follow_their_mixture() {
    for engine in engines() {
        let index = Index::random(8, 5, 41);
        for (batch, samples, group_size, candidates, spread) in [
            (7, 2, 3, 10, 1.0f32),
            (6, 1, 6, 4, 1.0),
            (5, 1, 2, 7, 1.0),
            (4, 1, 4, 1, 60.0),
            (8, 1, 8, 2, 40.0),
        ] {
            let scores = numbers(90, samples * batch * 10).iter().map(|x| x * spread).collect();
            let midx = Midx::new(engine, &index, scores);
            let groups = Groups { batch, samples, size: group_size, candidates };
            let name = format!("{}: {groups:?}", engine.describe());
            let mixture = |group: usize| -> Vec<f64> {
                let rows = groups.rows_of(group);
                let size = rows.len();
                let members: Vec<(f64, Vec<f64>)> = rows
                    .enumerate()
                    .map(|(member, row)| ((member..candidates).step_by(size).count() as f64, midx.truth(row)))
                    .filter(|(drawn, _)| *drawn > 0.0)
                    .collect();
                let of = |item: usize| -> Vec<f64> {
                    members
                        .iter()
                        .map(|(drawn, log_q)| (drawn / candidates as f64).ln() + log_q[item])
                        .collect()
                };
                (0..41).map(|item| log_sum_exp(&of(item))).collect()
            };
            let want: Vec<f64> = (0..groups.rows()).flat_map(|row| mixture(groups.of_row(row))).collect();
            let got = midx.log_q_of_all(groups);
            assert_close(&name, &got, &want, 1e-5 + 2e-6 * f64::from(spread), 1e-5);
            for of_row in got.chunks(41) {
                let total: f64 = of_row.iter().map(|&log_q| f64::from(log_q).exp()).sum();
                assert_close(&name, &[total], &[1.0], 3e-5 * f64::from(spread), 0.0);
            }
            let draws: Vec<Vec<u32>> = (0..400).map(|step| midx.draw(groups, 21, step)).collect();
            for group in 0..groups.count() {
                let pooled =
                    draws.iter().flat_map(|draws| draws[group * candidates..][..candidates].to_vec());
                let counts = histogram(pooled, 41);
                if spread == 1.0 {
                    assert_drawn_from(&format!("{name}, group {group}"), &counts, &exp(&mixture(group)));
                }
                for (item, &count) in counts.iter().enumerate() {
                    assert!(
                        count == 0 || mixture(group)[item] > -25.0,
                        "{name}: item {item} of group {group}"
                    );
                }
            }
            // Candidates have the same log q as entries.
            let log_q = midx.log_q(groups, ItemsOf::Candidates(upload(engine, &draws[0])), groups.total());
            let want: Vec<f64> = (draws[0].iter().enumerate())
                .map(|(at, &item)| mixture(at / candidates)[item as usize])
                .collect();
            assert_close(&name, &log_q, &want, 1e-5 + 2e-6 * f64::from(spread), 1e-5);
        }
    }
}

/// Draws of different slots, users and steps are independent; repeated draws are equal.
#[test]
fn draws_are_independent_and_reproducible() {
    const SLOTS: usize = 6000;
    for engine in engines() {
        let items = 29;
        let index = Index::random(2, 4, items);
        let midx = Midx::new(engine, &index, numbers(31, 2 * 8));
        let midx_draw = |step: u32| midx.draw(midx.alone(SLOTS), 77, step);
        let uniform = vec![1.0 / items as f64; items];
        let static_draw = |step: u32| draw_static(engine, midx.alone(SLOTS), items, None, 77, step);
        let midx_q = [exp(&midx.truth(0)), exp(&midx.truth(1))];
        let static_q = [uniform.clone(), uniform];
        type Draw<'a> = &'a dyn Fn(u32) -> Vec<u32>;
        for (name, draw, q) in
            [("midx", &midx_draw as Draw<'_>, &midx_q), ("static", &static_draw as Draw<'_>, &static_q)]
        {
            let (now, later) = (draw(4), draw(5));
            assert_equal(name, &draw(4), &now);
            let (first, second) = now.split_at(SLOTS);
            let pairs = |what: &str, a: &[u32], b: &[u32], p: &[f64], q: &[f64]| {
                let joint: Vec<u32> = a.iter().zip(b).map(|(&a, &b)| a * items as u32 + b).collect();
                let expected: Vec<f64> = p.iter().flat_map(|p| q.iter().map(move |q| p * q)).collect();
                assert_drawn_from(&format!("{name}: {what}"), &histogram(joint, items * items), &expected);
            };
            pairs("next slots", &first[..SLOTS - 1], &first[1..], &q[0], &q[0]);
            pairs("slots one block of threads apart", &first[..SLOTS - 64], &first[64..], &q[0], &q[0]);
            pairs("users", first, second, &q[0], &q[1]);
            pairs("steps", first, &later[..SLOTS], &q[0], &q[0]);
        }
    }
}
