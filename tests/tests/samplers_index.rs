//! The index in all its forms: what it draws, what it says of its draws, and what a refresh makes of it.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::{
    config::{CodewordWeights, Initialisation, Loss, LossConfig, Quantisation},
    engine::{Engine, Recording},
    kernels::Groups,
    rng::Rng,
    sampler::{Catalogue, Draw, IndexReport, Proposal, Samples, build, index::Kept},
};
use pollster::block_on;
use tests::{
    Proposals, assert_close,
    device::{integers, narrow, numbers, read, unset, unwritten, upload},
    engines, fixture,
    statistics::{assert_drawn_from, histogram},
};

const WIDTH: usize = 12;
const ITEMS: usize = 300;
const USERS: usize = 3;
const QUANTISATIONS: [Quantisation; 3] =
    [Quantisation::Product, Quantisation::QueryAware, Quantisation::Residual];

/// Item vectors, biases, counts and queries, and a proposal over them.
struct World<'a> {
    engine: &'a Engine,
    table: Vec<f32>,
    bias: Vec<f32>,
    queries: Vec<f32>,
    width: usize,
    proposal: Box<dyn Proposal>,
    catalogue: Catalogue,
}

/// What a proposal did: its draws, user by user, log q of these, and log q of every item for every user.
struct Drawn {
    negatives: Vec<u32>,
    negative_log_q: Vec<f32>,
    log_q: Vec<f32>,
}

impl<'a> World<'a> {
    fn new(
        engine: &'a Engine,
        config: &LossConfig,
        table: Vec<f32>,
        bias: Vec<f32>,
        queries: Vec<f32>,
    ) -> Self {
        let (items, width) = (bias.len(), table.len() / bias.len());
        let counts: Vec<u32> = (0..items as u32).map(|i| i * i % 97).collect();
        let catalogue =
            Catalogue { table: upload(engine, &table), bias: Some(upload(engine, &bias)), items, width };
        let users = queries.len() / width;
        let mut proposal = build(engine, config, &counts, users).unwrap().unwrap();
        proposal.attach(&catalogue);
        Self { engine, table, bias, queries, width, proposal, catalogue }
    }

    fn normal(engine: &'a Engine, config: &LossConfig) -> Self {
        let (table, bias) = (numbers(2, ITEMS * WIDTH), numbers(4, ITEMS));
        Self::new(engine, config, table, bias, directed(1, USERS, WIDTH))
    }

    fn users(&self) -> usize {
        self.queries.len() / self.width
    }

    fn refresh(&mut self, step: u32) -> IndexReport {
        block_on(self.proposal.refresh(self.engine, &self.catalogue, Rng::new(3), step)).unwrap().unwrap()
    }

    fn observe(&self, queries: &[f32]) {
        let mut recording = Recording::new();
        self.proposal.observe(&mut recording, &upload(self.engine, queries), queries.len() / self.width);
        self.engine.run(&recording).unwrap();
    }

    /// Built, shown queries, and built again for them.
    fn settled(mut self) -> Self {
        self.refresh(0);
        self.observe(&directed(1, 64, self.width));
        self.refresh(1);
        self
    }

    fn kept(&self) -> &Kept {
        self.proposal.index().unwrap().kept()
    }

    fn sample(&self, candidates: usize, share: usize, step: u32) -> Drawn {
        let (engine, items, users) = (self.engine, self.bias.len(), self.users());
        let groups = Groups { batch: users, samples: 1, share, candidates };
        let entries = users * items;
        let batch_items: Vec<u32> = (0..entries).map(|e| (e % items) as u32).collect();
        let batch_rows: Vec<u32> = (0..entries).map(|e| (e / items) as u32).collect();
        let samples = Samples {
            negatives: unset(engine, groups.total()),
            negative_log_q: unwritten(engine, groups.total()),
            positive_log_q: unwritten(engine, entries),
        };
        let mut recording = Recording::new();
        let draw = Draw {
            queries: &upload(engine, &self.queries),
            groups,
            batch_items: &upload(engine, &batch_items),
            batch_rows: &upload(engine, &batch_rows),
            entries,
            rng: Rng::new(11),
            step,
        };
        self.proposal.record(&mut recording, &draw, &samples);
        engine.run(&recording).unwrap();
        Drawn {
            negatives: read(engine, &samples.negatives),
            negative_log_q: read(engine, &samples.negative_log_q),
            log_q: read(engine, &samples.positive_log_q),
        }
    }

    fn logit(&self, user: usize, item: usize) -> f64 {
        let (query, row) = (&self.queries[user * self.width..], &self.table[item * self.width..]);
        dot(&query[..self.width], &row[..self.width]) + f64::from(self.bias[item])
    }

    /// log q of every item for a user: by enumeration of what the index keeps, or the softmax.
    fn truth(&self, loss: Loss, user: usize) -> Vec<f64> {
        let kept = self.kept();
        let items = self.bias.len();
        let books = kept.codes.len() / items;
        let k = kept.codewords.len() / (books * self.width);
        let query = &self.queries[user * self.width..][..self.width];
        let score = |item: usize| {
            let codes = &kept.codes[item * books..][..books];
            let words = codes.iter().enumerate().map(|(book, &code)| book * k + code as usize);
            words.map(|word| dot(query, &kept.codewords[word * self.width..][..self.width])).sum::<f64>()
                + f64::from(kept.log_weights[item])
        };
        normalised(
            (0..items)
                .map(|item| if loss == Loss::Midx { self.logit(user, item) } else { score(item) })
                .collect(),
        )
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn normalised(logits: Vec<f64>) -> Vec<f64> {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_z = top + logits.iter().map(|o| (o - top).exp()).sum::<f64>().ln();
    logits.into_iter().map(|o| o - log_z).collect()
}

/// Queries of which a few directions hold most, as a decoder from a narrow code makes them.
fn directed(stream: u32, rows: usize, width: usize) -> Vec<f32> {
    let (codes, map) = (numbers(stream, rows * 4), numbers(77, 4 * width));
    let value = |at: usize| {
        let (row, column) = (at / width, at % width);
        0.4 * (0..4).map(|d| codes[row * 4 + d] * map[d * width + column] / (1 + d) as f32).sum::<f32>()
    };
    (0..rows * width).map(value).collect()
}

/// Every form of index that there is, small.
fn forms() -> Vec<LossConfig> {
    let mut forms = Vec::new();
    for quantisation in QUANTISATIONS {
        for (codebooks, codewords) in [(2, 6), (3, 4), (4, 3)] {
            for loss in [Loss::Midx, Loss::MidxUniform, Loss::MidxPopularity] {
                forms.push(LossConfig { loss, quantisation, codebooks, codewords, ..LossConfig::default() });
            }
        }
    }
    for (codebooks, codeword_weights, initialisation) in [
        (2, CodewordWeights::Count, Initialisation::Random),
        (3, CodewordWeights::Root, Initialisation::PlusPlus),
        (5, CodewordWeights::Even, Initialisation::Random),
    ] {
        let quantisation = Quantisation::Residual;
        forms.push(LossConfig {
            quantisation,
            codebooks,
            codeword_weights,
            initialisation,
            codewords: 5,
            ..LossConfig::default()
        });
    }
    forms
}

fn name(engine: &Engine, config: &LossConfig) -> String {
    format!(
        "{:?}, {:?}, {} books of {}, {}",
        config.loss,
        config.quantisation,
        config.codebooks,
        config.codewords,
        engine.describe()
    )
}

#[test]
fn log_q_is_that_of_the_codewords_and_draws_follow_it() {
    const CANDIDATES: usize = 8000;
    for engine in engines() {
        for config in forms() {
            let world = World::normal(engine, &config).settled();
            let name = name(engine, &config);
            for share in [1, 2] {
                let drawn = world.sample(CANDIDATES, share, 7);
                for user in 0..USERS {
                    let group = user / share;
                    let members: Vec<Vec<f64>> = (group * share..USERS.min((group + 1) * share))
                        .map(|u| world.truth(config.loss, u))
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
    // Software adapters stop a thread's loops after 65,536 rounds.
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

/// Codewords and codes of the fixtures, put in place as a checkpoint does it.
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
            for (loss, want) in [
                (Loss::Midx, &truth.log_q.midx),
                (Loss::MidxUniform, &truth.log_q.midx_uniform),
                (Loss::MidxPopularity, &truth.log_q.midx_popularity),
            ] {
                let config = LossConfig {
                    loss,
                    codebooks: m,
                    codewords: k,
                    quantisation: Quantisation::Product,
                    ..LossConfig::default()
                };
                let weight = |count: u32| match loss {
                    Loss::MidxPopularity => f64::from(count).ln_1p().ln(),
                    _ => 0.0,
                };
                let kept = Kept {
                    codewords: codewords.clone(),
                    codes: truth.codes.iter().flatten().copied().collect(),
                    log_weights: truth.counts.iter().map(|&count| weight(count) as f32).collect(),
                    ..Kept::default()
                };
                let (table, queries) = (narrow(&truth.q.data), narrow(&truth.queries.data));
                let mut world = World::new(engine, &config, table, vec![0.0; truth.items], queries);
                world.proposal.restore(engine, kept, &vec![0.0; width * (width + 1)]).unwrap();
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

/// Rows all alike, two kinds of rows for many codewords, logits of 80 either way, items that weigh nothing.
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
                    for loss in [Loss::Midx, Loss::MidxUniform, Loss::MidxPopularity] {
                        let config =
                            LossConfig { loss, quantisation, codebooks, codewords, ..LossConfig::default() };
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
                            let want = world.truth(loss, user);
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

/// An item without weight is never drawn; log q says so, and the others share the rest.
#[test]
fn items_of_no_weight_are_never_drawn() {
    for engine in engines() {
        for codebooks in [2, 3] {
            let config = LossConfig {
                loss: Loss::MidxUniform,
                codebooks,
                codewords: 4,
                quantisation: Quantisation::Product,
                ..LossConfig::default()
            };
            let mut world = World::normal(engine, &config);
            world.refresh(0);
            let mut kept = world.kept().clone();
            kept.log_weights.iter_mut().step_by(2).for_each(|w| *w = f32::NEG_INFINITY);
            world.proposal.restore(engine, kept, &[0.0; WIDTH * (WIDTH + 1)]).unwrap();
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

/// The same index on two engines: cells differ only where a random number falls on the edge of a sum.
#[test]
fn the_engines_draw_the_same_but_at_the_edges() {
    // Software adapters stop a thread's loops after 65,536 rounds.
    const CANDIDATES: usize = 8000;
    let engines = engines();
    for codebooks in [2, 3] {
        for loss in [Loss::Midx, Loss::MidxPopularity] {
            let quantisation = Quantisation::Residual;
            let config = LossConfig { loss, codebooks, quantisation, codewords: 8, ..LossConfig::default() };
            let first = World::normal(engines[0], &config).settled();
            let want = first.sample(CANDIDATES, 1, 9).negatives;
            for engine in &engines[1..] {
                let mut other = World::normal(engine, &config);
                let moment = read(engines[0], first.proposal.index().unwrap().moments());
                other.proposal.restore(engine, first.kept().clone(), &moment).unwrap();
                let got = other.sample(CANDIDATES, 1, 9).negatives;
                let different = want.iter().zip(&got).filter(|(a, b)| a != b).count();
                println!("{}: {different} of {} draws differ", name(engine, &config), want.len());
                assert!(different * 2000 <= want.len(), "{different} of {}", want.len());
            }
        }
    }
}

/// What a refresh reports is so, by f64.
#[test]
fn reports_tell_the_truth() {
    for engine in engines() {
        for quantisation in QUANTISATIONS {
            for codebooks in [2, 3] {
                let config = LossConfig { quantisation, codebooks, codewords: 5, ..LossConfig::default() };
                let mut world = World::normal(engine, &config);
                let before = world.refresh(0);
                assert_eq!(before.logit_error, None);
                let queries = directed(8, 50, WIDTH);
                world.observe(&queries);
                let report = world.refresh(1);
                let (kept, name) = (world.kept(), name(engine, &config));
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

/// Of the same number of codewords, those made for the queries get logits better, and residual ones best.
#[test]
fn knowing_the_queries_pays() {
    let engine = &Engine::cpu();
    let queries = directed(8, 200, WIDTH);
    let error = |quantisation| {
        let config = LossConfig { quantisation, codewords: 8, ..LossConfig::default() };
        let mut world = World::normal(engine, &config);
        world.refresh(0);
        world.observe(&queries);
        world.refresh(1);
        world.refresh(2);
        let kept = world.kept();
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

/// The same seed and history give the same bits; going on from what was kept does too.
#[test]
fn refreshes_are_reproducible_and_survive_a_restore() {
    for engine in engines() {
        for quantisation in QUANTISATIONS {
            for (codebooks, codeword_weights) in [(2, CodewordWeights::Even), (3, CodewordWeights::Root)] {
                let config = LossConfig {
                    quantisation,
                    codebooks,
                    codeword_weights,
                    codewords: 6,
                    ..LossConfig::default()
                };
                let name = name(engine, &config);
                let mut world = World::normal(engine, &config).settled();
                let again = World::normal(engine, &config).settled();
                assert_eq!(world.kept(), again.kept(), "{name}");
                let mut restored = World::normal(engine, &config);
                let moment = read(engine, world.proposal.index().unwrap().moments());
                restored.proposal.restore(engine, world.kept().clone(), &moment).unwrap();
                for other in [&world, &restored] {
                    other.observe(&directed(12, 40, WIDTH));
                }
                assert_eq!(world.refresh(5), restored.refresh(5), "{name}");
                assert_eq!(world.kept(), restored.kept(), "{name}");
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let engine = &Engine::cpu();
    let config = LossConfig { codewords: 4, ..LossConfig::default() };
    let mut world = World::normal(engine, &config);
    world.refresh(0);
    let kept = world.kept().clone();
    let moments = vec![0.0; WIDTH * (WIDTH + 1)];
    for wrong in [
        Kept { codes: kept.codes[1..].to_vec(), ..kept.clone() },
        Kept { codes: vec![4; kept.codes.len()], ..kept.clone() },
        Kept { log_weights: Vec::new(), ..kept.clone() },
    ] {
        assert!(world.proposal.restore(engine, wrong, &moments).is_err());
    }
    assert!(world.proposal.restore(engine, kept, &moments[1..]).is_err());
}

/// 256 codewords a codebook: the widest the kernels take.
#[test]
fn the_largest_codebooks() {
    let items = 2000;
    for engine in engines() {
        for codebooks in [2, 3] {
            let config = LossConfig {
                codebooks,
                codewords: 256,
                quantisation: Quantisation::Residual,
                first_iterations: 3,
                ..LossConfig::default()
            };
            let bias = vec![0.0; items];
            let world =
                World::new(engine, &config, numbers(2, items * WIDTH), bias, directed(1, USERS, WIDTH))
                    .settled();
            let drawn = world.sample(8000, 1, 2);
            for user in 0..USERS {
                let want = world.truth(config.loss, user);
                let name = name(engine, &config);
                assert_close(&name, &drawn.log_q[user * items..][..items], &want, 3e-5, 1e-5);
                let counts = histogram(drawn.negatives[user * 8000..][..8000].iter().copied(), items);
                let probabilities: Vec<f64> = want.iter().map(|q| q.exp()).collect();
                assert_drawn_from(&name, &counts, &probabilities);
            }
        }
    }
}

/// Points go to the nearest codeword, codewords come and go in place, norms are those of the rest.
#[test]
fn the_kernels_of_a_refresh() {
    use fastvae::kernels::{AddCodewords, GatherRows, KmeansAssign, KmeansUpdate, Points, ResidualNorms};
    use tests::device::run;
    for engine in engines() {
        for (count, stride, column, dimensions, k) in [(1, 3, 1, 2, 1), (7, 5, 0, 5, 4), (345, 9, 2, 6, 17)] {
            let values = numbers(1, count * stride);
            let points =
                |values: &[f32]| Points { values: upload(engine, values), count, stride, column, dimensions };
            let point = |i: usize| &values[i * stride + column..][..dimensions];
            let codewords = numbers(2, k * dimensions);
            let word = |code: u32| &codewords[code as usize * dimensions..][..dimensions];
            let name = format!("{}: {count} points", engine.describe());

            let codes = unset(engine, count);
            run(
                engine,
                KmeansAssign {
                    points: points(&values),
                    codewords: upload(engine, &codewords),
                    k,
                    codes: codes.clone(),
                },
            );
            for (i, &code) in read(engine, &codes).iter().enumerate() {
                let cost = |code: u32| {
                    let apart: Vec<f32> = point(i).iter().zip(word(code)).map(|(a, b)| a - b).collect();
                    0.5 * dot(&apart, &apart)
                };
                let best = (0..k as u32).map(cost).fold(f64::INFINITY, f64::min);
                assert!(cost(code) <= best + 1e-5, "{name}: point {i}");
            }

            let codes = integers(4, count, k as u32);
            let weights: Vec<f32> = numbers(3, count).iter().map(|x| x * x + 0.1).collect();
            let means = unwritten(engine, k * dimensions);
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
                },
            );
            for (code, got) in read(engine, &means).chunks(dimensions).enumerate() {
                let members: Vec<usize> = (0..count).filter(|&i| codes[i] as usize == code).collect();
                let mass: f64 = members.iter().map(|&i| f64::from(weights[i])).sum();
                let mean = |d: usize| {
                    members.iter().map(|&i| f64::from(weights[i]) * f64::from(point(i)[d])).sum::<f64>()
                        / mass
                };
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
