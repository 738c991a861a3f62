//! Arguments that do not fit together are errors: catalogues of other models, buffers of other engines, proposals
//! before
//! their first refresh.

use fastvae::{
    Error,
    config::{Config, Mix, ProposalConfig, ProposalKind},
    data::{self, Split, SplitOptions, SyntheticOptions},
    engine::{Engine, GpuEngine, Recording},
    evaluate::evaluate,
    kernels::{Groups, ItemsOf, Normal},
    proposal::{Draw, Samples, build},
    rank::{RankOptions, rank},
    rng::{Rng, Stream},
    train::Trainer,
};
use pollster::block_on;
use tests::{
    device::{unset, unwritten, upload},
    engines,
};

fn split(items: u32) -> Split {
    let options = SyntheticOptions { users: 60, items, shortest: 6, longest: 20, ..Default::default() };
    let set = data::synthetic(&options).expect("a set");
    data::split(&set, &SplitOptions { validation_users: 20, ..Default::default() }).expect("a split")
}

fn config() -> Config {
    let mut config = Config::default();
    (config.model.hidden, config.model.latent) = (8, 4);
    (config.proposal.negatives, config.proposal.codewords, config.training.batch) = (5, 3, 16);
    config
}

/// Asserts that the error is one of data or device and contains these words.
#[track_caller]
fn refused<T>(result: fastvae::Result<T>, words: &[&str]) {
    match result {
        Err(error @ (Error::Data(_) | Error::Device(_))) => {
            let message = error.to_string();
            assert!(words.iter().all(|word| message.contains(word)), "{message}");
        }
        Err(error) => panic!("another kind of error: {error}"),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn catalogues_that_differ_are_refused() {
    let (own, foreign) = (split(120), split(300));
    let (items, others) = (own.train.columns(), foreign.train.columns());
    assert_ne!(items, others);
    let sizes = [&items.to_string()[..], &others.to_string()];
    refused(block_on(Trainer::new(Engine::cpu(), &config(), &own.train, Some(&foreign.validation))), &sizes);
    let mut uneven = own.validation.clone();
    uneven.held_out = own.train.clone();
    refused(
        block_on(Trainer::new(Engine::cpu(), &config(), &own.train, Some(&uneven))),
        &["held-out items", "of each"],
    );

    let trainer = block_on(Trainer::new(Engine::cpu(), &config(), &own.train, None)).expect("a run");
    let (engine, model, options) = (trainer.engine(), trainer.model(), RankOptions::default());
    refused(block_on(evaluate(engine, &model, &foreign.validation, &[5])), &sizes);
    refused(block_on(rank(engine, &model, &foreign.train, 5, &options)), &sizes);
    let few = RankOptions { allowed: Some(vec![true; items - 1]), ..options };
    refused(block_on(rank(engine, &model, &own.train, 5, &few)), &["flags", sizes[0]]);
}

/// The engines under test, and another device of the same adapter.
fn all_engines() -> Vec<Engine> {
    let mut all: Vec<Engine> = engines().into_iter().cloned().collect();
    let again = all.iter().find_map(|engine| match engine {
        Engine::Gpu(gpu) => Some(gpu.adapter().name.clone()),
        Engine::Cpu(_) => None,
    });
    all.extend(
        again.map(|name| Engine::Gpu(block_on(GpuEngine::new(Some(&name))).expect("a second device"))),
    );
    all
}

#[test]
fn buffers_stay_on_their_engine() {
    let all = all_engines();
    for (i, owner) in all.iter().enumerate() {
        let buffer = owner.upload("treasure", &[1.0f32; 8]).expect("memory");
        for (j, other) in all.iter().enumerate() {
            let mut recording = Recording::new();
            recording.push(Normal {
                output: buffer.clone(),
                rows: 2,
                width: 4,
                scale: 1.0,
                rng: Rng::new(1),
                stream: Stream::Init,
                step: 0,
            });
            if i == j {
                other.run(&recording).expect("its own");
                continue;
            }
            let words = ["`treasure` lives on", "upload it here"];
            refused(block_on(other.read(&buffer)), &words);
            refused(other.write(&buffer, 0, &[2.0]), &words);
            refused(other.run(&recording), &words);
        }
        assert!(
            block_on(owner.read(&buffer)).expect("there").iter().all(|&x| x != 1.0),
            "it was overwritten"
        );
    }
}

/// Draws and computes log q before the proposal was attached or refreshed. Also returns whether it needs either.
fn unprepared(config: &ProposalConfig) -> (bool, fastvae::Result<()>) {
    let engine = Engine::cpu();
    let groups = Groups { batch: 2, samples: 1, size: 1, candidates: config.negatives };
    let proposal = build(&engine, config, &[3; 40], 2).expect("a proposal");
    let (queries, entries) = (upload(&engine, &[0.5; 2 * 4]), upload(&engine, &[0u32, 1]));
    let draw = Draw { queries: &queries, groups, rng: Rng::new(1), step: 1 };
    let positives = ItemsOf::Entries { items: entries.clone(), rows: entries, entries: 2 };
    let samples = Samples {
        negatives: unset(&engine, groups.total()),
        negative_log_q: unwritten(&engine, groups.total()),
        positive_log_q: unwritten(&engine, 2),
    };
    let mut recording = Recording::new();
    proposal.record(&mut recording, &draw, positives, &samples);
    (proposal.reads_items() || proposal.needs_refresh(), engine.run(&recording))
}

#[test]
fn proposals_without_item_vectors_draw_nothing() {
    let mut seen = [0, 0];
    for (name, kind) in ProposalKind::NAMED {
        let plain = ProposalConfig { kind, negatives: 5, codewords: 3, ..Default::default() };
        let mix = Some(Mix { with: kind, probability: 0.5 });
        let mixed = ProposalConfig { kind: ProposalKind::Popularity, mix, ..plain.clone() };
        for config in [plain, mixed] {
            let (prepares, drawn) = unprepared(&config);
            seen[usize::from(prepares)] += 1;
            if prepares {
                refused(drawn, &["was asked to draw before"]);
            } else {
                drawn.unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    }
    assert!(seen.iter().all(|&count| count >= 4), "{seen:?}: there are proposals of both kinds");
}
