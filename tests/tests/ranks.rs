//! Several processes that train one model: they draw what one process draws, and end with its parameters.

use std::{ops::Range, sync::Arc, thread};

use fastvae::{
    config::{
        Activation, Config, Decoder, DropoutOn, Method, Mix, Partition, ProposalConfig, ProposalKind,
        Quantisation, RowUpdates,
    },
    data::{self, Csr, EvaluationSet, SplitOptions, SyntheticOptions},
    engine::{Engine, Recording},
    event::Event,
    kernels::{DropoutDense, DropoutInput, Groups, Normal},
    proposal::{Catalogue, Draw, build},
    rng::{Rng, Stream},
    state::{State, TensorData},
    train::Trainer,
};
use pollster::block_on;
use tests::{
    assert_close, assert_equal,
    device::{integers, read, run, unset, unwritten, upload},
    engines,
    ranks::Threads,
};

const BATCH: usize = 7;
const SAMPLES: usize = 2;

/// Parts of a batch of seven users; users who share negatives with up to two others stay together.
fn parts() -> [Range<usize>; 3] {
    [0..3, 3..6, 6..7]
}

/// The rows of a part of a batch, whose rows are `width` wide.
fn rows_of<T: Copy>(values: &[T], samples: usize, part: Range<usize>, width: usize) -> Vec<T> {
    let of = |sample: usize| &values[(sample * BATCH + part.start) * width..][..part.len() * width];
    (0..samples).flat_map(of).copied().collect()
}

#[test]
fn parts_of_a_batch_have_the_masks_and_the_noise_of_the_whole() {
    let (width, step) = (5, 9);
    let noise = |engine: &Engine, rng: Rng, users: usize| {
        let output = unwritten(engine, SAMPLES * users * width);
        let (rows, stream) = (SAMPLES * users, Stream::Noise);
        run(engine, Normal { output: output.clone(), rows, width, scale: 1.0, rng, stream, step });
        read(engine, &output)
    };
    let dense = |engine: &Engine, rng: Rng, users: usize| {
        let values = upload(engine, &vec![1.0f32; users * width]);
        let (probability, activation) = (0.5, Activation::None);
        let kernel =
            DropoutDense { values: values.clone(), rows: users, width, probability, activation, rng, step };
        run(engine, kernel);
        read(engine, &values)
    };
    // Every user has as many entries, so that the entries of users are rows.
    let input = |engine: &Engine, rng: Rng, users: usize| {
        let offsets: Vec<u32> = (0..=users).map(|user| (user * width) as u32).collect();
        let weights = unwritten(engine, users * width);
        run(
            engine,
            DropoutInput {
                batch_offsets: upload(engine, &offsets),
                batch: users,
                entries: users * width,
                probability: 0.5,
                rng,
                step,
                weights: weights.clone(),
            },
        );
        read(engine, &weights)
    };
    let rng = Rng::new(77);
    for engine in engines() {
        let name = engine.describe();
        let whole = [noise(engine, rng, BATCH), dense(engine, rng, BATCH), input(engine, rng, BATCH)];
        for part in parts() {
            let (of_part, users) = (rng.for_part(part.clone(), BATCH), part.len());
            let want = rows_of(&whole[0], SAMPLES, part.clone(), width);
            assert_equal(&format!("{name}: noise"), &noise(engine, of_part, users), &want);
            let want = rows_of(&whole[1], 1, part.clone(), width);
            assert_equal(&format!("{name}: dropout"), &dense(engine, of_part, users), &want);
            let want = rows_of(&whole[2], 1, part, width);
            assert_equal(&format!("{name}: input dropout"), &input(engine, of_part, users), &want);
        }
    }
}

/// Every proposal there is, with two and three codebooks, and mixtures.
fn proposals() -> Vec<ProposalConfig> {
    let of = |kind| ProposalConfig { kind, negatives: 31, codewords: 4, ..ProposalConfig::default() };
    let mixed = |kind, with| ProposalConfig { mix: Some(Mix { with, probability: 0.5 }), ..of(kind) };
    let mut proposals: Vec<_> = ProposalKind::NAMED.into_iter().map(|(_, kind)| of(kind)).collect();
    proposals.push(ProposalConfig { codebooks: 3, ..of(ProposalKind::MidxUniform) });
    proposals.push(ProposalConfig { codebooks: 3, ..of(ProposalKind::Midx) });
    proposals.push(mixed(ProposalKind::Dns, ProposalKind::MidxPopularity));
    proposals.push(mixed(ProposalKind::Uniform, ProposalKind::Quadratic));
    proposals
}

#[test]
fn parts_of_a_batch_draw_the_negatives_of_the_whole() {
    let (items, width) = (150, 6);
    // Quarters: their products have no rounding, so logits do not depend on the shape of the product.
    let quarters = |stream: u32, len: usize| -> Vec<f32> {
        integers(stream, len, 9).iter().map(|&x| x as f32 / 4.0 - 1.0).collect()
    };
    let queries = quarters(1, SAMPLES * BATCH * width);
    for engine in engines() {
        let catalogue = Catalogue {
            table: upload(engine, &quarters(2, items * width)),
            bias: Some(upload(engine, &quarters(3, items))),
            items,
            width,
        };
        let counts: Vec<u32> = (0..items as u32).map(|i| i * i % 97).collect();
        for config in proposals() {
            let mut proposal = build(engine, &config, &counts, SAMPLES * BATCH).expect("builds");
            proposal.attach(&catalogue);
            block_on(proposal.refresh(engine, &catalogue, Rng::new(3), 0)).expect("refreshes");
            for group_size in [1, 3] {
                let draw = |rng: Rng, queries: &[f32]| {
                    let batch = queries.len() / (SAMPLES * width);
                    let groups =
                        Groups { batch, samples: SAMPLES, size: group_size, candidates: config.negatives };
                    let draw = Draw { queries: &upload(engine, queries), groups, rng, step: 5 };
                    let negatives = unset(engine, groups.total());
                    let mut recording = Recording::new();
                    proposal.prepare(&mut recording, &draw);
                    proposal.draw(&mut recording, &draw, &negatives);
                    engine.run(&recording).expect("draws");
                    read(engine, &negatives)
                };
                let whole = draw(Rng::new(11), &queries);
                let groups = BATCH.div_ceil(group_size);
                for part in parts() {
                    let of_part = Rng::new(11).for_part(part.clone(), BATCH);
                    let got = draw(of_part, &rows_of(&queries, SAMPLES, part.clone(), width));
                    let first = part.start / group_size;
                    let len = part.len().div_ceil(group_size) * config.negatives;
                    let of_sample =
                        |sample: usize| &whole[(sample * groups + first) * config.negatives..][..len];
                    let want: Vec<u32> = (0..SAMPLES).flat_map(of_sample).copied().collect();
                    let name =
                        format!("{}: {config:?}, group_size {group_size}, users {part:?}", engine.describe());
                    assert_equal(&name, &got, &want);
                }
            }
        }
    }
}

fn small() -> (Config, Csr, EvaluationSet) {
    let options = SyntheticOptions { users: 101, items: 130, shortest: 6, longest: 30, ..Default::default() };
    let set = data::synthetic(&options).expect("a set");
    let split = SplitOptions { validation_users: 20, ..Default::default() };
    let split = data::split(&set, &split).expect("a split");
    let mut config = Config::default();
    (config.model.hidden, config.model.latent) = (16, 6);
    (config.proposal.negatives, config.proposal.codewords) = (12, 4);
    // 81 users: the last batch has one user, so some processes have none of it.
    (config.training.epochs, config.training.batch, config.training.anneal_steps) = (3, 16, 6);
    (config.training.seed, config.proposal.kind) = (1, ProposalKind::Uniform);
    (config, split.train, split.validation)
}

/// Every objective, every policy for rows, and every branch of a step that depends on the batch.
fn variants(base: &Config) -> Vec<(&'static str, Config)> {
    let mut variants = Vec::new();
    let mut add = |name, change: fn(&mut Config)| {
        let mut config = base.clone();
        change(&mut config);
        variants.push((name, config));
    };
    add("full", |c| Method::Full.apply(c));
    add("full, dense rows, no bias", |c| {
        Method::Full.apply(c);
        (c.optimizer.row_updates, c.model.item_bias) = (RowUpdates::Dense, false);
    });
    add("uniform, replayed rows", |c| c.optimizer.weight_decay = 0.01);
    add("uniform, dense rows", |c| c.optimizer.row_updates = RowUpdates::Dense);
    add("popularity, lazy rows, l2", |c| {
        (c.proposal.kind, c.optimizer.row_updates, c.optimizer.l2) =
            (ProposalKind::Popularity, RowUpdates::Lazy, 0.01);
    });
    add("shared negatives", |c| c.proposal.group_size = 3);
    add("shared negatives, two samples, direct", |c| {
        (c.proposal.group_size, c.model.latent_samples, c.model.decoder) = (5, 2, Decoder::Direct);
    });
    add("exact positives, bag", |c| {
        (c.objective.partition, c.model.dropout_on) = (Partition::ExactPositives, DropoutOn::Bag);
    });
    add("midx-popularity", |c| c.proposal.kind = ProposalKind::MidxPopularity);
    add("midx, query-aware, refreshed by steps", |c| {
        (c.proposal.kind, c.proposal.quantisation, c.proposal.refresh_steps) =
            (ProposalKind::Midx, Quantisation::QueryAware, 4);
    });
    add("kernel with softmax", |c| {
        c.proposal.kind = ProposalKind::Quadratic;
        c.proposal.mix = Some(Mix { with: ProposalKind::Softmax, probability: 0.5 });
    });
    add("full, tied", |c| {
        Method::Full.apply(c);
        c.model.tied_items = true;
    });
    add("midx-popularity, tied", |c| {
        (c.proposal.kind, c.model.tied_items) = (ProposalKind::MidxPopularity, true);
    });
    add("dns, dense rows", |c| {
        (c.proposal.kind, c.optimizer.row_updates) = (ProposalKind::Dns, RowUpdates::Dense);
    });
    variants
}

/// The state and the losses at the end of a run.
fn finish(mut trainer: Trainer) -> (State, Vec<f32>) {
    let mut losses = Vec::new();
    while let Some(event) = block_on(trainer.next()).expect("trains") {
        if let Event::Losses { parts, .. } = event {
            losses.extend(parts.values().flatten());
        }
    }
    (block_on(trainer.state()).expect("freezes"), losses)
}

/// What `work` returns for each of several threads that exchange gradients.
fn together<T: Send>(ranks: usize, work: impl Fn(Threads) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let threads: Vec<_> =
            Threads::new(ranks).into_iter().map(|exchange| scope.spawn(|| work(exchange))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

/// Parameters, moments, indices and losses after three epochs. Among processes they are the same bits, and a single
/// process that stores and exchanges its gradients has the bits of one that applies them at once. Otherwise sums are
/// rounded in another order; the seed is one for which no draw falls so near the edge of a running sum that this
/// decides it.
#[test]
fn processes_end_with_the_parameters_of_one_process() {
    let (base, train, validation) = small();
    for engine in engines() {
        for (name, config) in variants(&base) {
            let new = || block_on(Trainer::new(engine.clone(), &config, &train, Some(&validation)));
            let (want, want_losses) = finish(new().expect("starts"));
            for ranks in [1, 2, 3] {
                let name = format!("{name}, {ranks} processes, {}", engine.describe());
                let ended = together(ranks, |exchange| {
                    finish(new().expect("starts").join(Arc::new(exchange)).expect("joins"))
                });
                let (state, losses) = &ended[0];
                for (other, other_losses) in &ended[1..] {
                    assert!(state.tensors == other.tensors, "{name}: processes differ");
                    assert!(losses == other_losses, "{name}: losses of processes differ");
                }
                if ranks == 1 && engine.is_cpu() {
                    assert!(state.tensors == want.tensors, "{name}: other bits");
                }
                assert_close(&format!("{name}: losses"), losses, &want_losses, 0.0, 1e-5);
                for (tensor, values) in &want.tensors {
                    let name = format!("{name}: {tensor}");
                    match (&state.tensors[tensor].data, &values.data) {
                        (TensorData::F32(got), TensorData::F32(want)) => {
                            let off = distance(got, want);
                            assert!(off <= 1e-6, "{name}: off by {off:e}");
                        }
                        (TensorData::U32(got), TensorData::U32(want)) => assert_equal(&name, got, want),
                        _ => panic!("{name}: another type"),
                    }
                }
            }
        }
    }
}

/// The length of the difference of two vectors, relative to that of the second.
fn distance(got: &[f32], want: &[f32]) -> f64 {
    assert_eq!(got.len(), want.len());
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let off = length(&mut got.iter().zip(want).map(|(&a, &b)| f64::from(a) - f64::from(b)));
    let scale = length(&mut want.iter().map(|&x| f64::from(x)));
    if off == 0.0 { 0.0 } else { off / scale }
}

/// A run of two processes, resumed as one of three in the middle of an epoch.
#[test]
fn a_run_is_resumed_by_another_number_of_processes() {
    let (config, train, _) = small();
    let engine = Engine::cpu();
    let new = || block_on(Trainer::new(engine.clone(), &config, &train, None)).expect("starts");
    let want = finish(new()).0;
    let halves = together(2, |exchange| {
        let mut trainer = new().join(Arc::new(exchange)).expect("joins");
        while trainer.progress().step < 8 {
            block_on(trainer.next()).expect("trains");
        }
        block_on(trainer.state()).expect("freezes")
    });
    let ended = together(3, |exchange| {
        let resumed = block_on(Trainer::resume(engine.clone(), &config, &train, None, &halves[0]));
        finish(resumed.expect("resumes").join(Arc::new(exchange)).expect("joins")).0
    });
    for (tensor, want) in &want.tensors {
        if let (TensorData::F32(got), TensorData::F32(want)) = (&ended[2].tensors[tensor].data, &want.data) {
            let off = distance(got, want);
            assert!(off <= 1e-6, "{tensor}: off by {off:e}");
        }
    }
}

#[test]
fn a_process_that_leaves_stops_the_others_with_an_error() {
    let (config, train, _) = small();
    let errors = together(3, |exchange| {
        let leaves = fastvae::train::Exchange::rank(&exchange) == 1;
        let trainer = block_on(Trainer::new(Engine::cpu(), &config, &train, None)).expect("starts");
        let mut trainer = trainer.join(Arc::new(exchange)).expect("joins");
        loop {
            match block_on(trainer.next()) {
                Ok(Some(_)) if leaves && trainer.progress().step == 3 => return None,
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ended"),
                Err(error) => return Some(error.to_string()),
            }
        }
    });
    assert_eq!(errors[1], None);
    for rank in [0, 2] {
        assert!(errors[rank].as_ref().is_some_and(|error| error.contains("process")), "{:?}", errors[rank]);
    }
}

/// Processes with other settings do not fit, which is an error and not a wrong model.
#[test]
fn processes_of_different_runs_are_refused() {
    let (config, train, _) = small();
    let errors = together(2, |exchange| {
        let mut config = config.clone();
        config.model.hidden += fastvae::train::Exchange::rank(&exchange);
        let trainer = block_on(Trainer::new(Engine::cpu(), &config, &train, None)).expect("starts");
        let mut trainer = trainer.join(Arc::new(exchange)).expect("joins");
        loop {
            match block_on(trainer.next()) {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => return Some(error.to_string()),
            }
        }
    });
    assert!(errors.iter().flatten().any(|error| error.contains("do not fit")), "{errors:?}");
}
