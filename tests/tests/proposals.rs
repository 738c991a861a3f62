//! Every proposal as in training: built on the engine, and its draws compared with its log q.

use fastvae::{
    config::{ProposalConfig, ProposalKind},
    engine::{Engine, Recording},
    kernels::{Groups, ItemsOf},
    proposal::{Catalogue, Draw, Samples, build},
    rng::Rng,
};
use tests::{
    assert_close,
    device::{numbers, read, unset, unwritten, upload},
    engines,
    statistics::{assert_drawn_from, histogram},
};

const ITEMS: usize = 300;
const WIDTH: usize = 8;
const USERS: usize = 4;
const CANDIDATES: usize = 20_000;

/// The results of a proposal for `USERS` users: the draws of each group, and log q of every item for each user.
fn sample(
    engine: &Engine,
    config: &ProposalConfig,
    queries: &[f32],
    table: &[f32],
    bias: &[f32],
) -> (Vec<u32>, Vec<f32>, Vec<f32>) {
    let catalogue = Catalogue {
        table: upload(engine, table),
        bias: Some(upload(engine, bias)),
        items: ITEMS,
        width: WIDTH,
    };
    let counts: Vec<u32> = (0..ITEMS as u32).map(|i| i * i % 97).collect();
    let groups = Groups { batch: USERS, samples: 1, size: config.group_size, candidates: config.negatives };
    let mut proposal = build(engine, config, &counts, USERS).expect("builds");
    proposal.attach(&catalogue);
    pollster::block_on(proposal.refresh(engine, &catalogue, Rng::new(3), 0)).expect("refreshes");
    let entries = USERS * ITEMS;
    let items: Vec<u32> = (0..entries).map(|e| (e % ITEMS) as u32).collect();
    let rows: Vec<u32> = (0..entries).map(|e| (e / ITEMS) as u32).collect();
    let samples = Samples {
        negatives: unset(engine, groups.total()),
        negative_log_q: unwritten(engine, groups.total()),
        positive_log_q: unwritten(engine, entries),
    };
    let mut recording = Recording::new();
    let draw = Draw { queries: &upload(engine, queries), groups, rng: Rng::new(11), step: 7 };
    let all = ItemsOf::Entries { items: upload(engine, &items), rows: upload(engine, &rows), entries };
    proposal.record(&mut recording, &draw, all, &samples);
    engine.run(&recording).expect("runs");
    (
        read(engine, &samples.negatives),
        read(engine, &samples.negative_log_q),
        read(engine, &samples.positive_log_q),
    )
}

fn softmax(query: &[f32], table: &[f32], bias: &[f32]) -> Vec<f64> {
    let logits: Vec<f64> = table
        .chunks_exact(WIDTH)
        .zip(bias)
        .map(|(row, bias)| {
            row.iter().zip(query).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>() + f64::from(*bias)
        })
        .collect();
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_z = top + logits.iter().map(|o| (o - top).exp()).sum::<f64>().ln();
    logits.iter().map(|o| o - log_z).collect()
}

#[test]
fn draws_follow_log_q_and_log_q_sums_to_one() {
    let (queries, table) = (numbers(1, USERS * WIDTH), numbers(2, ITEMS * WIDTH));
    let bias = numbers(4, ITEMS);
    for engine in engines() {
        for kind in [
            ProposalKind::Uniform,
            ProposalKind::Popularity,
            ProposalKind::Midx,
            ProposalKind::MidxUniform,
            ProposalKind::MidxPopularity,
        ] {
            for group_size in [1, 3] {
                let config = ProposalConfig {
                    kind,
                    group_size,
                    negatives: CANDIDATES,
                    codewords: 6,
                    ..ProposalConfig::default()
                };
                let (negatives, negative_log_q, log_q) = sample(engine, &config, &queries, &table, &bias);
                let name = format!("{kind:?}, group_size {group_size}, {}", engine.describe());
                for user in 0..USERS {
                    let group = user / group_size;
                    let log_q = &log_q[user * ITEMS..][..ITEMS];
                    let probabilities: Vec<f64> = log_q.iter().map(|&q| f64::from(q).exp()).collect();
                    let total: f64 = probabilities.iter().sum();
                    assert!(
                        (total - 1.0).abs() <= 1e-5,
                        "{name}: probabilities of user {user} sum to {total}"
                    );
                    let drawn = &negatives[group * CANDIDATES..][..CANDIDATES];
                    assert_drawn_from(&name, &histogram(drawn.iter().copied(), ITEMS), &probabilities);
                    for (item, got) in drawn.iter().zip(&negative_log_q[group * CANDIDATES..]).step_by(997) {
                        let want = log_q[*item as usize];
                        assert!(
                            (got - want).abs() <= 1e-5,
                            "{name}: log q of item {item} is {got}, and {want} as a positive"
                        );
                    }
                    if kind == ProposalKind::Midx && group_size == 1 {
                        let want = softmax(&queries[user * WIDTH..][..WIDTH], &table, &bias);
                        let got: Vec<f64> = log_q.iter().map(|&q| f64::from(q)).collect();
                        assert_close(&name, &got, &want, 1e-5, 1e-5);
                    }
                }
            }
        }
    }
}

#[test]
fn odd_indexes_still_make_proposals() {
    let queries = numbers(1, USERS * WIDTH);
    let alike = vec![0.5; ITEMS * WIDTH];
    let huge: Vec<f32> = numbers(2, ITEMS * WIDTH).iter().map(|x| 20.0 * x).collect();
    for engine in engines() {
        for (what, table) in [("all rows alike", &alike), ("huge rows", &huge)] {
            for kind in [ProposalKind::Midx, ProposalKind::MidxUniform, ProposalKind::MidxPopularity] {
                let config =
                    ProposalConfig { kind, negatives: 64, codewords: 40, ..ProposalConfig::default() };
                let (negatives, _, log_q) = sample(engine, &config, &queries, table, &vec![0.0; ITEMS]);
                assert!(negatives.iter().all(|&item| (item as usize) < ITEMS), "{what}, {kind:?}");
                for user in log_q.chunks_exact(ITEMS) {
                    let total: f64 = user.iter().map(|&q| f64::from(q).exp()).sum();
                    assert!(
                        (total - 1.0).abs() <= 1e-4,
                        "{what}, {kind:?}, {}: sum {total}",
                        engine.describe()
                    );
                }
            }
        }
    }
}
