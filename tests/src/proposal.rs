//! Runs a proposal for a few users through the same calls as training.

use fastvae::{
    config::ProposalConfig,
    engine::Engine,
    kernels::{Groups, ItemsOf},
    proposal::{Catalogue, Draw, Samples, build, index::IndexState},
    rng::Rng,
};

use crate::device::{read, unset, unwritten, upload};

/// Queries, item vectors, and the seed of the draws.
#[derive(Clone, Debug)]
pub struct Case {
    /// Queries, one row per user.
    pub queries: Vec<f32>,
    /// Item vectors, one row per item.
    pub table: Vec<f32>,
    /// Bias of each item.
    pub bias: Option<Vec<f32>>,
    /// Width of queries and item vectors.
    pub width: usize,
    /// Training interactions of each item.
    pub counts: Vec<u32>,
    /// Seed of the draws.
    pub seed: u64,
    /// Step of the draws.
    pub step: u32,
}

/// Output of a proposal.
pub struct Sampled {
    /// Candidates, groups x C.
    pub negatives: Vec<u32>,
    /// Their log q, groups x C.
    pub negative_log_q: Vec<f32>,
    /// log q of every item for every user, users x M.
    pub log_q: Vec<f32>,
    /// The index that the proposal drew from, if it has one.
    pub index: Option<IndexState>,
}

impl Case {
    /// Number of items, M.
    pub fn items(&self) -> usize {
        self.table.len() / self.width
    }

    /// Number of users.
    pub fn users(&self) -> usize {
        self.queries.len() / self.width
    }

    /// Logits of one user, in f64.
    pub fn logits(&self, user: usize) -> Vec<f64> {
        let query = &self.queries[user * self.width..][..self.width];
        let inner =
            |row: &[f32]| row.iter().zip(query).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let bias = |item: usize| self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[item]));
        self.table.chunks_exact(self.width).enumerate().map(|(item, row)| inner(row) + bias(item)).collect()
    }

    /// Builds the proposal on the engine from these items, draws `config.negatives` candidates a group, and
    /// looks up log q of every item for every user.
    #[track_caller]
    pub fn sample(&self, engine: &Engine, config: &ProposalConfig) -> Sampled {
        let (users, items) = (self.users(), self.items());
        let catalogue = Catalogue {
            table: upload(engine, &self.table),
            bias: self.bias.as_ref().map(|bias| upload(engine, bias)),
            items,
            width: self.width,
        };
        let groups =
            Groups { batch: users, samples: 1, size: config.group_size, candidates: config.negatives };
        let mut proposal = build(engine, config, &self.counts, users).expect("builds");
        proposal.attach(&catalogue);
        pollster::block_on(proposal.refresh(engine, &catalogue, Rng::new(3), 0)).expect("refreshes");
        let entries = users * items;
        let each: Vec<u32> = (0..entries).map(|e| (e % items) as u32).collect();
        let rows: Vec<u32> = (0..entries).map(|e| (e / items) as u32).collect();
        let samples = Samples {
            negatives: unset(engine, groups.total()),
            negative_log_q: unwritten(engine, groups.total()),
            positive_log_q: unwritten(engine, entries),
        };
        let mut recording = fastvae::engine::Recording::new();
        let draw = Draw {
            queries: &upload(engine, &self.queries),
            groups,
            rng: Rng::new(self.seed),
            step: self.step,
        };
        let all = ItemsOf::Entries { items: upload(engine, &each), rows: upload(engine, &rows), entries };
        proposal.record(&mut recording, &draw, all, &samples);
        engine.run(&recording).unwrap_or_else(|error| panic!("{}: {error}", engine.describe()));
        Sampled {
            negatives: read(engine, &samples.negatives),
            negative_log_q: read(engine, &samples.negative_log_q),
            log_q: read(engine, &samples.positive_log_q),
            index: proposal.index().map(|index| index.installed().clone()),
        }
    }
}

/// Log-softmax: normalises weights given as logarithms.
pub fn normalised(logs: &[f64]) -> Vec<f64> {
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_z = top + logs.iter().map(|o| (o - top).exp()).sum::<f64>().ln();
    logs.iter().map(|o| o - log_z).collect()
}
