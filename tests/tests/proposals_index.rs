//! Every form of index: its draws, their log q, and its restoration.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::{
    config::{CodewordWeights, Initialisation, Kmeans, ProposalConfig, ProposalKind, Quantisation},
    proposal::index::IndexState,
};
use tests::{
    Proposals, assert_close,
    device::{narrow, numbers, read},
    engines, fixture,
    index::{ITEMS, QUANTISATIONS, USERS, WIDTH, World, directed, dot, name},
    statistics::{assert_drawn_from, histogram},
};

/// Small indices of every form.
fn forms() -> Vec<ProposalConfig> {
    let mut forms = Vec::new();
    for quantisation in QUANTISATIONS {
        for (codebooks, codewords) in [(2, 6), (3, 4), (4, 3)] {
            for kind in [ProposalKind::Midx, ProposalKind::MidxUniform, ProposalKind::MidxPopularity] {
                forms.push(ProposalConfig {
                    kind,
                    quantisation,
                    codebooks,
                    codewords,
                    ..ProposalConfig::default()
                });
            }
        }
    }
    for (codebooks, codeword_weights, initialisation) in [
        (2, CodewordWeights::Count, Initialisation::Random),
        (3, CodewordWeights::Root, Initialisation::PlusPlus),
        (5, CodewordWeights::Even, Initialisation::Random),
    ] {
        forms.push(ProposalConfig {
            quantisation: Quantisation::Residual,
            kmeans: Kmeans::Balanced,
            codebooks,
            codeword_weights,
            initialisation,
            codewords: 5,
            ..ProposalConfig::default()
        });
    }
    forms
}

#[test]
fn log_q_is_that_of_the_codewords_and_draws_follow_it() {
    const CANDIDATES: usize = 8000;
    for engine in engines() {
        for config in forms() {
            let world = World::normal(engine, &config).settled();
            let name = name(engine, &config);
            for group_size in [1, 2] {
                let drawn = world.sample(CANDIDATES, group_size, 7);
                for user in 0..USERS {
                    let group = user / group_size;
                    let members: Vec<Vec<f64>> = (group * group_size..USERS.min((group + 1) * group_size))
                        .map(|u| world.truth(config.kind, u))
                        .collect();
                    let want: Vec<f64> = (0..ITEMS)
                        .map(|item| {
                            (members.iter().map(|q| q[item].exp()).sum::<f64>() / members.len() as f64).ln()
                        })
                        .collect();
                    let got = &drawn.log_q[user * ITEMS..][..ITEMS];
                    assert_close(&name, got, &want, 2e-5, 1e-5);
                    let total: f64 = got.iter().map(|&q| f64::from(q).exp()).sum();
                    assert!((total - 1.0).abs() <= 1e-5, "{name}: probabilities sum to {total}");
                    let span = group * CANDIDATES..(group + 1) * CANDIDATES;
                    let probabilities: Vec<f64> = want.iter().map(|q| q.exp()).collect();
                    let counts = histogram(drawn.negatives[span.clone()].iter().copied(), ITEMS);
                    assert_drawn_from(&name, &counts, &probabilities);
                    for (item, got) in drawn.negatives[span.clone()].iter().zip(&drawn.negative_log_q[span]) {
                        let want = want[*item as usize];
                        assert!((f64::from(*got) - want).abs() <= 4e-5, "{name}: item {item}: {got}, {want}");
                    }
                }
            }
        }
    }
}

/// `mean over draws of exp(o_j - log q_j) = sum over items of exp(o_i)`, within five standard errors.
#[test]
fn draws_and_log_q_give_the_partition_function() {
    // Software adapters stop loops of a thread after 65,536 iterations.
    const CANDIDATES: usize = 8000;
    for engine in engines() {
        for config in forms() {
            let world = World::normal(engine, &config).settled();
            let drawn = world.sample(CANDIDATES, 1, 3);
            for user in 0..USERS {
                let span = user * CANDIDATES..(user + 1) * CANDIDATES;
                let estimates: Vec<f64> = drawn.negatives[span.clone()]
                    .iter()
                    .zip(&drawn.negative_log_q[span])
                    .map(|(&item, &log_q)| (world.logit(user, item as usize) - f64::from(log_q)).exp())
                    .collect();
                let want: f64 = (0..ITEMS).map(|item| world.logit(user, item).exp()).sum();
                let n = estimates.len() as f64;
                let mean = estimates.iter().sum::<f64>() / n;
                let variance = estimates.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
                let error = (variance / n).sqrt();
                let name = name(engine, &config);
                assert!(
                    (mean - want).abs() <= 5.0 * error + 2e-5 * want,
                    "{name}: {mean} +- {error}, want {want}"
                );
                assert!(error < 0.05 * want, "{name}: {want} +- {error} shows nothing");
            }
        }
    }
}

/// Codewords and codes of the fixtures, installed as from a checkpoint.
#[test]
fn the_fixtures_hold_for_any_number_of_codebooks() {
    for engine in engines() {
        for file in ["proposals_2x4", "proposals_2x16", "proposals_4x3"] {
            let truth: Proposals = fixture(file);
            let (m, k, width) = (truth.codebooks, truth.codewords, truth.hidden);
            let part = width / m;
            let mut codewords = vec![0.0; m * k * width];
            for book in 0..m {
                for (code, codeword) in truth.centroids.at(book).chunks(part).enumerate() {
                    let start = (book * k + code) * width + book * part;
                    codewords[start..start + part].copy_from_slice(&narrow(codeword));
                }
            }
            for (kind, want) in [
                (ProposalKind::Midx, &truth.log_q.midx),
                (ProposalKind::MidxUniform, &truth.log_q.midx_uniform),
                (ProposalKind::MidxPopularity, &truth.log_q.midx_popularity),
            ] {
                let config = ProposalConfig {
                    kind,
                    codebooks: m,
                    codewords: k,
                    quantisation: Quantisation::Product,
                    ..ProposalConfig::default()
                };
                let weight = |count: u32| match kind {
                    ProposalKind::MidxPopularity => f64::from(count).ln_1p().ln(),
                    _ => 0.0,
                };
                let kept = IndexState {
                    codewords: codewords.clone(),
                    codes: truth.codes.iter().flatten().copied().collect(),
                    log_weights: truth.counts.iter().map(|&count| weight(count) as f32).collect(),
                    ..IndexState::default()
                };
                let (table, queries) = (narrow(&truth.q.data), narrow(&truth.queries.data));
                let mut world = World::new(engine, &config, table, vec![0.0; truth.items], queries);
                world.restore(&kept, &vec![0.0; width * (width + 1)]).unwrap();
                let drawn = world.sample(6000, 1, 5);
                let name = format!("{file}: {}", name(engine, &config));
                assert_close(&name, &drawn.log_q, &want.data, 2e-5, 1e-5);
                for (user, want) in want.data.chunks(truth.items).enumerate() {
                    let counts =
                        histogram(drawn.negatives[user * 6000..][..6000].iter().copied(), truth.items);
                    let probabilities: Vec<f64> = want.iter().map(|q| q.exp()).collect();
                    assert_drawn_from(&name, &counts, &probabilities);
                }
            }
        }
    }
}

/// Identical rows, two kinds of rows for many codewords, logits of plus and minus 80, items of weight 0.
#[test]
fn odd_catalogues_make_no_trouble() {
    let alike = vec![0.5; ITEMS * WIDTH];
    let (here, there) = (numbers(5, WIDTH), numbers(6, WIDTH));
    let two: Vec<f32> =
        (0..ITEMS).flat_map(|i| if i % 3 == 0 { here.clone() } else { there.clone() }).collect();
    let queries = directed(1, USERS, WIDTH);
    let mut huge = numbers(2, ITEMS * WIDTH);
    let largest = (0..USERS * ITEMS)
        .map(|at| dot(&queries[at % USERS * WIDTH..][..WIDTH], &huge[at / USERS * WIDTH..][..WIDTH]).abs())
        .fold(0.0, f64::max);
    huge.iter_mut().for_each(|x| *x *= (80.0 / largest) as f32);
    for engine in engines() {
        for (what, table) in [("alike", &alike), ("two kinds", &two), ("huge", &huge)] {
            for quantisation in QUANTISATIONS {
                for (codebooks, codewords) in [(2, 40), (3, 10)] {
                    for kind in [ProposalKind::Midx, ProposalKind::MidxUniform, ProposalKind::MidxPopularity]
                    {
                        let config = ProposalConfig {
                            kind,
                            quantisation,
                            codebooks,
                            codewords,
                            ..ProposalConfig::default()
                        };
                        let bias = vec![0.0; ITEMS];
                        let mut world =
                            World::new(engine, &config, table.clone(), bias, queries.clone()).settled();
                        let report = world.refresh(2);
                        let name = format!("{what}: {}", name(engine, &config));
                        assert!(
                            report.occupied_cells >= 1 && report.largest_cell <= ITEMS,
                            "{name}: {report:?}"
                        );
                        if what == "alike" {
                            assert_eq!((report.occupied_cells, report.largest_cell), (1, ITEMS), "{name}");
                            assert!(
                                report.logit_error.is_none_or(|error| error < 1e-3),
                                "{name}: {report:?}"
                            );
                        }
                        let drawn = world.sample(2000, 1, 4);
                        for user in 0..USERS {
                            let want = world.truth(kind, user);
                            let got = &drawn.log_q[user * ITEMS..][..ITEMS];
                            assert_close(&name, got, &want, 3e-4, 1e-5);
                            let total: f64 = got.iter().map(|&q| f64::from(q).exp()).sum();
                            assert!((total - 1.0).abs() <= 1e-4, "{name}: probabilities sum to {total}");
                            let improbable = (drawn.negatives[user * 2000..][..2000].iter())
                                .filter(|&&item| want[item as usize] < -25.0)
                                .count();
                            assert_eq!(improbable, 0, "{name}: draws of next to no probability");
                        }
                    }
                }
            }
        }
    }
}

/// An item of weight 0 is never drawn and has log q of minus infinity; the other probabilities sum to one.
#[test]
fn items_of_no_weight_are_never_drawn() {
    for engine in engines() {
        for codebooks in [2, 3] {
            let config = ProposalConfig {
                kind: ProposalKind::MidxUniform,
                codebooks,
                codewords: 4,
                quantisation: Quantisation::Product,
                ..ProposalConfig::default()
            };
            let mut world = World::normal(engine, &config);
            world.refresh(0);
            let mut kept = world.installed().clone();
            kept.log_weights.iter_mut().step_by(2).for_each(|w| *w = f32::NEG_INFINITY);
            world.restore(&kept, &[0.0; WIDTH * (WIDTH + 1)]).unwrap();
            let drawn = world.sample(4000, 1, 4);
            assert!(drawn.negatives.iter().all(|item| item % 2 == 1));
            for of_user in drawn.log_q.chunks(ITEMS) {
                assert!(of_user.iter().step_by(2).all(|&q| q == f32::NEG_INFINITY));
                let total: f64 = of_user.iter().map(|&q| f64::from(q).exp()).sum();
                assert!((total - 1.0).abs() <= 1e-5, "{total}");
            }
        }
    }
}

/// The same index on two engines: draws differ only where a random number lies at the edge of a running sum.
#[test]
fn the_engines_draw_the_same_but_at_the_edges() {
    // Software adapters stop a thread's loops after 65,536 rounds.
    const CANDIDATES: usize = 8000;
    let engines = engines();
    for codebooks in [2, 3] {
        for kind in [ProposalKind::Midx, ProposalKind::MidxPopularity] {
            let quantisation = Quantisation::Residual;
            let config =
                ProposalConfig { kind, codebooks, quantisation, codewords: 8, ..ProposalConfig::default() };
            let first = World::normal(engines[0], &config).settled();
            let want = first.sample(CANDIDATES, 1, 9).negatives;
            for engine in &engines[1..] {
                let mut other = World::normal(engine, &config);
                let moment = read(engines[0], first.proposal.index().unwrap().moments());
                other.restore(first.installed(), &moment).unwrap();
                let got = other.sample(CANDIDATES, 1, 9).negatives;
                let different = want.iter().zip(&got).filter(|(a, b)| a != b).count();
                println!("{}: {different} of {} draws differ", name(engine, &config), want.len());
                assert!(different * 2000 <= want.len(), "{different} of {}", want.len());
            }
        }
    }
}

/// 256 codewords per codebook, the largest number that the kernels support.
#[test]
fn the_largest_codebooks() {
    let items = 2000;
    for engine in engines() {
        for codebooks in [2, 3] {
            let config = ProposalConfig {
                codebooks,
                codewords: 256,
                quantisation: Quantisation::Residual,
                first_iterations: 3,
                ..ProposalConfig::default()
            };
            let bias = vec![0.0; items];
            let world =
                World::new(engine, &config, numbers(2, items * WIDTH), bias, directed(1, USERS, WIDTH))
                    .settled();
            let drawn = world.sample(8000, 1, 2);
            for user in 0..USERS {
                let want = world.truth(config.kind, user);
                let name = name(engine, &config);
                assert_close(&name, &drawn.log_q[user * items..][..items], &want, 3e-5, 1e-5);
                let counts = histogram(drawn.negatives[user * 8000..][..8000].iter().copied(), items);
                let probabilities: Vec<f64> = want.iter().map(|q| q.exp()).collect();
                assert_drawn_from(&name, &counts, &probabilities);
            }
        }
    }
}
