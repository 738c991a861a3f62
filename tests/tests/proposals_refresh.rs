//! Refreshes of the index: kernels, reports, balance, and reproducibility.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::{
    config::{CodewordWeights, Kmeans, ProposalConfig, Quantisation},
    engine::Engine,
    kernels::{AddCodewords, Balance, GatherRows, KmeansAssign, KmeansUpdate, Points, ResidualNorms},
    proposal::index::IndexState,
    rng::Rng,
};
use tests::{
    assert_close,
    device::{integers, numbers, read, run, unset, unwritten, upload},
    engines,
    index::{ITEMS, QUANTISATIONS, WIDTH, World, directed, dot, name},
    statistics::histogram,
};

/// The numbers of a refresh's report agree with f64.
#[test]
fn reports_tell_the_truth() {
    for engine in engines() {
        for quantisation in QUANTISATIONS {
            for codebooks in [2, 3] {
                let config =
                    ProposalConfig { quantisation, codebooks, codewords: 5, ..ProposalConfig::default() };
                let mut world = World::normal(engine, &config);
                let before = world.refresh(0);
                assert_eq!(before.logit_error, None);
                let queries = directed(8, 50, WIDTH);
                world.observe(&queries);
                let report = world.refresh(1);
                let (kept, name) = (world.installed(), name(engine, &config));
                let residual = |item: usize| -> Vec<f32> {
                    (0..WIDTH)
                        .map(|d| {
                            let words = kept.codes[item * codebooks..][..codebooks].iter().enumerate();
                            let sum: f32 =
                                words.map(|(b, &c)| kept.codewords[(b * 5 + c as usize) * WIDTH + d]).sum();
                            world.table[item * WIDTH + d] - sum
                        })
                        .collect()
                };
                let residuals: Vec<Vec<f32>> = (0..ITEMS).map(residual).collect();
                let norms: Vec<f64> = residuals.iter().map(|r| dot(r, r)).collect();
                let distortion = norms.iter().sum::<f64>() / ITEMS as f64;
                let largest = norms.iter().copied().fold(0.0, f64::max).sqrt();
                assert_close(
                    &name,
                    &[report.distortion, report.largest_residual],
                    &[distortion, largest],
                    0.0,
                    1e-4,
                );
                let mut cells: Vec<&[u32]> = kept.codes.chunks(codebooks).collect();
                cells.sort_unstable();
                cells.dedup();
                assert_eq!(report.occupied_cells, cells.len(), "{name}");
                let seen: f64 = residuals
                    .iter()
                    .flat_map(|r| queries.chunks(WIDTH).map(move |q| dot(q, r).powi(2)))
                    .sum::<f64>()
                    / (ITEMS * 50) as f64;
                match report.logit_error {
                    None => assert_eq!(quantisation, Quantisation::Product),
                    Some(error) => assert_close(&name, &[error], &[seen.sqrt()], 0.0, 2e-2),
                }
            }
        }
    }
}

/// With the same number of codewords, query-aware quantisation has a smaller error of logits than product
/// quantisation, and
/// residual quantisation the smallest.
#[test]
fn knowing_the_queries_pays() {
    let engine = &Engine::cpu();
    let queries = directed(8, 200, WIDTH);
    let error = |quantisation| {
        let config = ProposalConfig { quantisation, codewords: 8, ..ProposalConfig::default() };
        let mut world = World::normal(engine, &config);
        world.refresh(0);
        world.observe(&queries);
        world.refresh(1);
        world.refresh(2);
        let kept = world.installed();
        let of_item = |item: usize| {
            let residual: Vec<f32> = (0..WIDTH)
                .map(|d| {
                    let word = |b: usize| (b * 8 + kept.codes[item * 2 + b] as usize) * WIDTH + d;
                    world.table[item * WIDTH + d] - kept.codewords[word(0)] - kept.codewords[word(1)]
                })
                .collect();
            queries.chunks(WIDTH).map(|q| dot(q, &residual).powi(2)).sum::<f64>()
        };
        (0..ITEMS).map(of_item).sum::<f64>() / (ITEMS * 200) as f64
    };
    let errors = QUANTISATIONS.map(error);
    assert!(errors[1] < 0.7 * errors[0] && errors[2] < 0.9 * errors[1], "{errors:?}");
}

/// The same seed and history give the same bits, also after the state was saved and restored.
#[test]
fn refreshes_are_reproducible_and_survive_a_restore() {
    for engine in engines() {
        for quantisation in QUANTISATIONS {
            for (codebooks, codeword_weights, kmeans) in
                [(2, CodewordWeights::Even, Kmeans::Plain), (3, CodewordWeights::Root, Kmeans::Balanced)]
            {
                let config = ProposalConfig {
                    quantisation,
                    codebooks,
                    codeword_weights,
                    kmeans,
                    codewords: 6,
                    ..ProposalConfig::default()
                };
                let name = name(engine, &config);
                let mut world = World::normal(engine, &config).settled();
                let again = World::normal(engine, &config).settled();
                assert_eq!(world.installed(), again.installed(), "{name}");
                let mut restored = World::normal(engine, &config);
                let moment = read(engine, world.proposal.index().unwrap().moments());
                restored.restore(world.installed(), &moment).unwrap();
                for other in [&world, &restored] {
                    other.observe(&directed(12, 40, WIDTH));
                }
                assert_eq!(world.refresh(5), restored.refresh(5), "{name}");
                assert_eq!(world.installed(), restored.installed(), "{name}");
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let engine = &Engine::cpu();
    let config = ProposalConfig { codewords: 4, ..ProposalConfig::default() };
    let mut world = World::normal(engine, &config);
    world.refresh(0);
    let kept = world.installed().clone();
    let moments = vec![0.0; WIDTH * (WIDTH + 1)];
    for wrong in [
        IndexState { codes: kept.codes[1..].to_vec(), ..kept.clone() },
        IndexState { codes: vec![4; kept.codes.len()], ..kept.clone() },
        IndexState { log_weights: Vec::new(), ..kept.clone() },
        IndexState { crowding: vec![1.0; 8], ..kept.clone() },
    ] {
        assert!(world.restore(&wrong, &moments).is_err());
    }
    assert!(world.restore(&kept, &moments[1..]).is_err());
}

/// Balanced codewords have more even numbers of items than plain ones, at some cost in distortion.
#[test]
fn balanced_codewords_have_about_the_same() {
    for engine in engines() {
        for quantisation in QUANTISATIONS {
            let of = |kmeans| {
                let codeword_weights = CodewordWeights::Even;
                let config = ProposalConfig {
                    kmeans,
                    quantisation,
                    codeword_weights,
                    codewords: 10,
                    ..ProposalConfig::default()
                };
                let mut world = World::uneven(engine, &config).settled();
                let distortion = world.refresh(2).distortion;
                let largest = |book: usize| {
                    let codes = world.installed().codes.iter().skip(book).step_by(2);
                    let counts = histogram(codes.copied(), 10);
                    counts.into_iter().max().unwrap()
                };
                (largest(0), largest(1), distortion)
            };
            let (plain, balanced) = (of(Kmeans::Plain), of(Kmeans::Balanced));
            let name = format!("{quantisation:?}, {}", engine.describe());
            println!("{name}: largest codewords and distortion, plain {plain:?}, balanced {balanced:?}");
            let share = ITEMS as u64 / 10;
            assert!(plain.0 > 2 * share, "{name}: nothing to balance");
            assert!(balanced.0 < 3 * share / 2 && balanced.1 < 3 * share / 2, "{name}");
            assert!(balanced.2 < 4.0 * plain.2, "{name}: at any cost");
        }
    }
}

/// Points are assigned to the nearest codeword, codewords are subtracted and added in place, and norms are those of
/// residuals.
#[test]
fn the_kernels_of_a_refresh() {
    for engine in engines() {
        for (count, stride, column, dimensions, k) in [(1, 3, 1, 2, 1), (7, 5, 0, 5, 4), (345, 9, 2, 6, 17)] {
            let values = numbers(1, count * stride);
            let points =
                |values: &[f32]| Points { values: upload(engine, values), count, stride, column, dimensions };
            let point = |i: usize| &values[i * stride + column..][..dimensions];
            let codewords = numbers(2, k * dimensions);
            let word = |code: u32| &codewords[code as usize * dimensions..][..dimensions];
            let name = format!("{}: {count} points", engine.describe());

            let factors: Vec<f32> = numbers(7, k).iter().map(|x| x * x + 0.3).collect();
            for factors in [None, Some(factors)] {
                let codes = unset(engine, count);
                run(
                    engine,
                    KmeansAssign {
                        points: points(&values),
                        codewords: upload(engine, &codewords),
                        crowding: factors.as_ref().map(|factors| upload(engine, factors)),
                        k,
                        codes: codes.clone(),
                    },
                );
                for (i, &code) in read(engine, &codes).iter().enumerate() {
                    let cost = |code: u32| {
                        let apart: Vec<f32> = point(i).iter().zip(word(code)).map(|(a, b)| a - b).collect();
                        let factor = factors.as_ref().map_or(1.0, |factors| factors[code as usize]);
                        0.5 * f64::from(factor) * dot(&apart, &apart)
                    };
                    let best = (0..k as u32).map(cost).fold(f64::INFINITY, f64::min);
                    assert!(cost(code) <= best + 1e-5, "{name}: point {i}");
                }
            }

            let codes = integers(4, count, k as u32);
            let weights: Vec<f32> = numbers(3, count).iter().map(|x| x * x + 0.1).collect();
            let means = unwritten(engine, k * dimensions);
            let crowding = upload(engine, &vec![2.0; k]);
            run(
                engine,
                KmeansUpdate {
                    points: points(&values),
                    weights: Some(upload(engine, &weights)),
                    codes: upload(engine, &codes),
                    k,
                    rng: Rng::new(1),
                    step: 0,
                    codewords: means.clone(),
                    balance: Some(Balance { crowding: crowding.clone(), even_weight: 3.0 }),
                },
            );
            let crowding = read(engine, &crowding);
            for (code, got) in read(engine, &means).chunks(dimensions).enumerate() {
                let members: Vec<usize> = (0..count).filter(|&i| codes[i] as usize == code).collect();
                let mass: f64 = members.iter().map(|&i| f64::from(weights[i])).sum();
                let mean = |d: usize| {
                    members.iter().map(|&i| f64::from(weights[i]) * f64::from(point(i)[d])).sum::<f64>()
                        / mass
                };
                let grown = (2.0 * (mass / 3.0).sqrt()).clamp(1.0 / 16.0, 16.0);
                let want = if members.is_empty() { 1.0 } else { grown };
                assert_close(&name, &crowding[code..=code], &[want], 0.0, 1e-5);
                if !members.is_empty() {
                    let want: Vec<f64> = (0..dimensions).map(mean).collect();
                    assert_close(&name, got, &want, 1e-5, 1e-5);
                }
            }
            let moved = points(&values);
            run(
                engine,
                AddCodewords {
                    points: moved.clone(),
                    codes: upload(engine, &codes),
                    codewords: upload(engine, &codewords),
                    k,
                    scale: -0.5,
                },
            );
            let mut want = values.clone();
            for (i, &code) in codes.iter().enumerate() {
                let row = &mut want[i * stride + column..][..dimensions];
                row.iter_mut().zip(word(code)).for_each(|(x, c)| *x -= 0.5 * c);
            }
            assert_close(&name, &read(engine, &moved.values), &want, 1e-6, 1e-6);

            let rows = integers(5, 2 * count, count as u32);
            let output = unwritten(engine, rows.len() * dimensions);
            run(
                engine,
                GatherRows {
                    points: points(&values),
                    rows: upload(engine, &rows),
                    len: rows.len(),
                    output: output.clone(),
                },
            );
            let want: Vec<f32> = rows.iter().flat_map(|&row| point(row as usize)).copied().collect();
            assert_close(&name, &read(engine, &output), &want, 0.0, 0.0);

            for codebooks in [0, 1, 3] {
                let rows = integers(6, count * codebooks, k as u32);
                let norms = unwritten(engine, count);
                run(
                    engine,
                    ResidualNorms {
                        points: points(&values),
                        codewords: upload(engine, &codewords),
                        rows: if rows.is_empty() { upload(engine, &[0]) } else { upload(engine, &rows) },
                        codebooks,
                        norms: norms.clone(),
                    },
                );
                let want: Vec<f64> = (0..count)
                    .map(|i| {
                        let mut rest: Vec<f64> = point(i).iter().map(|&x| f64::from(x)).collect();
                        for &row in &rows[i * codebooks..][..codebooks] {
                            rest.iter_mut().zip(word(row)).for_each(|(x, c)| *x -= f64::from(*c));
                        }
                        rest.iter().map(|x| x * x).sum()
                    })
                    .collect();
                assert_close(&name, &read(engine, &norms), &want, 1e-5, 1e-5);
            }
        }
    }
}
