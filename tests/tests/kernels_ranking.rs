//! k-means, and the k best items of a user.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::{
    engine::Engine,
    kernels::{KmeansAssign, KmeansUpdate, MaskSeen, Points, TopK},
    rng::Rng,
};
use proptest::{prelude::*, test_runner::TestRunner};
use tests::{
    assert_close, assert_equal, csr,
    device::{integers, numbers, read, run, unset, unwritten, upload},
    engines,
};

/// Points as columns of a wider matrix.
struct Cloud {
    values: Vec<f32>,
    count: usize,
    stride: usize,
    column: usize,
    dimensions: usize,
}

impl Cloud {
    fn new(count: usize, dimensions: usize, column: usize) -> Self {
        let stride = dimensions + 2 * column;
        Self { values: numbers(0, count * stride), count, stride, column, dimensions }
    }

    fn point(&self, i: usize) -> &[f32] {
        &self.values[i * self.stride + self.column..][..self.dimensions]
    }

    fn points(&self, engine: &Engine) -> Points {
        let Self { count, stride, column, dimensions, .. } = *self;
        Points { values: upload(engine, &self.values), count, stride, column, dimensions }
    }

    fn assign(&self, engine: &Engine, codewords: &[f32]) -> Vec<u32> {
        let codes = unset(engine, self.count);
        let kernel = KmeansAssign {
            points: self.points(engine),
            codewords: upload(engine, codewords),
            crowding: None,
            k: codewords.len() / self.dimensions,
            codes: codes.clone(),
        };
        run(engine, kernel);
        read(engine, &codes)
    }

    fn update(&self, engine: &Engine, codes: &[u32], k: usize, step: u32) -> Vec<f32> {
        let codewords = unwritten(engine, k * self.dimensions);
        let kernel = KmeansUpdate {
            points: self.points(engine),
            weights: None,
            codes: upload(engine, codes),
            k,
            rng: Rng::new(6),
            step,
            codewords: codewords.clone(),
            balance: None,
        };
        run(engine, kernel);
        read(engine, &codewords)
    }
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum()
}

const CLOUDS: [(usize, usize, usize, usize); 8] = [
    // Points, dimensions, columns outside of the view on either side, codewords.
    (1, 1, 0, 1),
    (7, 3, 2, 7),
    (345, 7, 0, 16),
    (64, 345, 1, 5),
    (1000, 16, 16, 128),
    (9001, 5, 0, 3),
    (65_537, 1, 0, 2),
    (40_000, 2, 1, 128),
];

#[test]
fn points_get_their_nearest_codeword() {
    for engine in engines() {
        for (count, dimensions, column, k) in CLOUDS {
            let cloud = Cloud::new(count, dimensions, column);
            let codewords = numbers(9, k * dimensions);
            let codes = cloud.assign(engine, &codewords);
            let codeword = |code: usize| &codewords[code * dimensions..][..dimensions];
            let name = format!("{count} points, {dimensions} dimensions, {k} codewords");
            assert!(codes.iter().all(|&code| (code as usize) < k), "{name}: codes below K");
            // Distances and not codes are compared, because rounding decides between codewords at almost equal
            // distances.
            let got: Vec<f64> =
                (0..count).map(|i| distance(cloud.point(i), codeword(codes[i] as usize))).collect();
            let nearest = |i: usize| {
                (0..k).map(|c| distance(cloud.point(i), codeword(c))).fold(f64::INFINITY, f64::min)
            };
            let want: Vec<f64> = (0..count).map(nearest).collect();
            assert_close(&name, &got, &want, 1e-5, 1e-5);
        }
    }
}

/// Small integers, so that distances are exact and ties are ties.
#[test]
fn the_smaller_codeword_wins_ties() {
    for engine in engines() {
        let values: Vec<f32> = integers(1, 345 * 2, 5).iter().map(|&x| x as f32).collect();
        let cloud = Cloud { values, count: 345, stride: 2, column: 0, dimensions: 2 };
        let codewords: Vec<f32> = integers(2, 40 * 2, 5).iter().map(|&x| x as f32).collect();
        let nearest = |i: usize| {
            let distances = codewords.chunks(2).map(|codeword| distance(cloud.point(i), codeword));
            let best = distances.enumerate().fold((0, f64::INFINITY), |best, (code, distance)| {
                if distance < best.1 { (code, distance) } else { best }
            });
            best.0 as u32
        };
        let want: Vec<u32> = (0..345).map(nearest).collect();
        assert_equal("codes", &cloud.assign(engine, &codewords), &want);
    }
}

#[test]
fn codewords_become_means() {
    for engine in engines() {
        for (count, dimensions, column, k) in CLOUDS {
            let cloud = Cloud::new(count, dimensions, column);
            let codes = integers(3, count, k as u32);
            let codewords = cloud.update(engine, &codes, k, 2);
            for code in 0..k {
                let members: Vec<usize> = (0..count).filter(|&i| codes[i] as usize == code).collect();
                let got = &codewords[code * dimensions..][..dimensions];
                let name = format!("{count} points, {k} codewords: codeword {code}");
                if members.is_empty() {
                    assert!((0..count).any(|i| cloud.point(i) == got), "{name} has no points: one of them");
                    continue;
                }
                let mean = |d: usize| {
                    let sum: f64 = members.iter().map(|&i| f64::from(cloud.point(i)[d])).sum();
                    sum / members.len() as f64
                };
                assert_close(&name, got, &(0..dimensions).map(mean).collect::<Vec<_>>(), 1e-5, 1e-5);
            }
        }
    }
}

/// Codewords without points are replaced by different points, and by other ones in another step.
#[test]
fn empty_codewords_start_anew() {
    for engine in engines() {
        let (count, k) = (345, 16);
        let cloud = Cloud::new(count, 4, 1);
        let codes = vec![3; count];
        let seeds = |step: u32| -> Vec<usize> {
            let codewords = cloud.update(engine, &codes, k, step);
            let point_of = |codeword: &[f32]| (0..count).find(|&i| cloud.point(i) == codeword);
            let empty = codewords.chunks(4).enumerate().filter(|(code, _)| *code != 3);
            empty
                .map(|(code, codeword)| point_of(codeword).unwrap_or_else(|| panic!("codeword {code}")))
                .collect()
        };
        let now = seeds(1);
        assert_eq!(seeds(1), now, "the same step, the same points");
        assert_ne!(seeds(2), now, "another step, other points");
        let distinct: std::collections::BTreeSet<usize> = now.iter().copied().collect();
        assert!(distinct.len() > k / 2, "{now:?}");
    }
}

/// Lloyd's iterations never increase the distortion.
#[test]
fn iterations_lower_the_error() {
    for engine in engines() {
        let cloud = Cloud::new(600, 6, 0);
        let mut codewords: Vec<f32> = cloud.values[..8 * 6].to_vec();
        let mut before = f64::INFINITY;
        for step in 0..12 {
            let codes = cloud.assign(engine, &codewords);
            let error = |i: usize| distance(cloud.point(i), &codewords[codes[i] as usize * 6..][..6]);
            let total: f64 = (0..600).map(error).sum();
            assert!(total <= before * (1.0 + 1e-6), "iteration {step}: {total} after {before}");
            before = total;
            codewords = cloud.update(engine, &codes, 8, step);
        }
    }
}

#[test]
fn seen_and_forbidden_items_are_masked() {
    for engine in engines() {
        for (rows, items) in [(1, 1), (7, 345), (345, 7), (65_537, 2)] {
            for with_rule in [false, true] {
                let scores = numbers(0, rows * items);
                let m = items as u32;
                let spans = integers(1, rows, m + 1).into_iter().zip(integers(2, rows, m));
                let seen: Vec<Vec<u32>> =
                    spans.map(|(length, start)| (0..length).map(|i| (start + i) % m).collect()).collect();
                let allowed = integers(3, items, 3);
                let (offsets, list) = csr(&seen);
                let buffer = upload(engine, &scores);
                let kernel = MaskSeen {
                    scores: buffer.clone(),
                    rows,
                    items,
                    offsets: upload(engine, &offsets),
                    seen: if list.is_empty() { unset(engine, 1) } else { upload(engine, &list) },
                    allowed: with_rule.then(|| upload(engine, &allowed)),
                };
                run(engine, kernel);
                let mut want = scores.clone();
                for (row, seen) in seen.iter().enumerate() {
                    seen.iter().for_each(|&item| want[row * items + item as usize] = f32::NEG_INFINITY);
                    for (item, &allowed) in allowed.iter().enumerate() {
                        if with_rule && allowed == 0 {
                            want[row * items + item] = f32::NEG_INFINITY;
                        }
                    }
                }
                assert_equal(&format!("{rows} x {items}, rule {with_rule}"), &read(engine, &buffer), &want);
            }
        }
    }
}

/// The k best by a full sort; NaN and masked items are left out.
fn by_sorting(scores: &[f32], items: usize, k: usize) -> (Vec<u32>, Vec<f32>) {
    let (mut ids, mut values) = (Vec::new(), Vec::new());
    for row in scores.chunks(items) {
        let mut order: Vec<u32> =
            (0..items as u32).filter(|&i| row[i as usize] > f32::NEG_INFINITY).collect();
        // The sort is stable, and `partial_cmp` treats -0 and 0 as equal.
        order.sort_by(|&a, &b| row[b as usize].partial_cmp(&row[a as usize]).expect("no NaN is left"));
        for place in 0..k {
            ids.push(order.get(place).copied().unwrap_or(u32::MAX));
            values.push(order.get(place).map_or(f32::NEG_INFINITY, |&item| row[item as usize]));
        }
    }
    (ids, values)
}

fn check_top_k(engine: &Engine, scores: &[f32], items: usize, k: usize) {
    let rows = scores.len() / items;
    let (ids, values) = (unset(engine, rows * k), unwritten(engine, rows * k));
    let kernel =
        TopK { scores: upload(engine, scores), rows, items, k, ids: ids.clone(), values: values.clone() };
    run(engine, kernel);
    let want = by_sorting(scores, items, k);
    let name = format!("{}: {rows} x {items}, k = {k}", engine.describe());
    assert_equal(&name, &read(engine, &ids), &want.0);
    assert_equal(&name, &read(engine, &values), &want.1);
}

#[test]
fn the_k_best_by_score_then_id() {
    for engine in engines() {
        for (rows, items, k) in [
            (1, 1, 1),
            (7, 345, 50),
            (3, 345, 345),
            (3, 345, 346),
            (5, 7, 20),
            (2, 20_011, 100),
            (2, 20_011, 1),
            (65_537, 2, 1),
        ] {
            let distinct = numbers(0, rows * items);
            check_top_k(engine, &distinct, items, k);
            // Coarse scores have ties at every rank, including the last.
            let coarse: Vec<f32> = distinct.iter().map(|x| x.round()).collect();
            check_top_k(engine, &coarse, items, k);
            if rows > 1000 {
                // Many rows, to test the grid; the cases after this one differ within a row.
                continue;
            }
            check_top_k(engine, &vec![-3.5; rows * items], items, k);
            let rising: Vec<f32> = (0..rows * items).map(|i| i as f32).collect();
            check_top_k(engine, &rising, items, k);
            let mut holes = distinct;
            holes.iter_mut().step_by(3).for_each(|score| *score = f32::NEG_INFINITY);
            holes.iter_mut().skip(1).step_by(5).for_each(|score| *score = f32::NAN);
            holes.iter_mut().skip(2).step_by(7).for_each(|score| *score = f32::INFINITY);
            check_top_k(engine, &holes, items, k);
            check_top_k(engine, &vec![f32::NEG_INFINITY; rows * items], items, k);
            check_top_k(engine, &vec![f32::NAN; rows * items], items, k);
        }
    }
}

#[test]
fn the_k_best_of_any_scores() {
    let score = prop_oneof![
        6 => (-4i32..4).prop_map(|x| x as f32),
        3 => -1e30f32..1e30,
        1 => prop::sample::select(vec![0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN]),
    ];
    let case = (1usize..200).prop_flat_map(move |items| {
        (prop::collection::vec(score.clone(), items * 2), Just(items), 1usize..60)
    });
    let config = ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() };
    let rng =
        || proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    for engine in engines() {
        let mut runner = TestRunner::new_with_rng(config.clone(), rng());
        runner
            .run(&case, |(scores, items, k)| {
                check_top_k(engine, &scores, items, k);
                Ok(())
            })
            .unwrap();
    }
}
