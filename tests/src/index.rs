//! A small catalogue with an inverted multi-index, and the exact log q in f64 by enumeration.

#![allow(clippy::unwrap_used, reason = "for tests, which say what they expect by unwrapping it")]

use fastvae::{
    config::{ProposalConfig, ProposalKind, Quantisation},
    engine::{Engine, Recording},
    kernels::{Groups, ItemsOf},
    proposal::{Catalogue, Draw, IndexReport, Proposal, Samples, build, index::IndexState},
    rng::Rng,
};
use pollster::block_on;

use crate::{
    device::{numbers, read, unset, unwritten, upload},
    proposal::normalised,
};

/// Width of an item vector.
pub const WIDTH: usize = 12;
/// Number of items of a world.
pub const ITEMS: usize = 300;
/// Number of users of a world.
pub const USERS: usize = 3;
/// All quantisations.
pub const QUANTISATIONS: [Quantisation; 3] =
    [Quantisation::Product, Quantisation::QueryAware, Quantisation::Residual];

/// Item vectors, biases, counts and queries, and a proposal over them.
pub struct World<'a> {
    engine: &'a Engine,
    /// Item vectors, items x width.
    pub table: Vec<f32>,
    bias: Vec<f32>,
    queries: Vec<f32>,
    width: usize,
    /// The proposal under test.
    pub proposal: Box<dyn Proposal>,
    catalogue: Catalogue,
}

/// Output of a proposal: draws of each user, their log q, and log q of every item for every user.
pub struct Drawn {
    /// Drawn items, users x candidates.
    pub negatives: Vec<u32>,
    /// log q of the draws, users x candidates.
    pub negative_log_q: Vec<f32>,
    /// log q of every item, users x items.
    pub log_q: Vec<f32>,
}

impl<'a> World<'a> {
    /// A world with these vectors, biases and queries.
    pub fn new(
        engine: &'a Engine,
        config: &ProposalConfig,
        table: Vec<f32>,
        bias: Vec<f32>,
        queries: Vec<f32>,
    ) -> Self {
        let (items, width) = (bias.len(), table.len() / bias.len());
        let counts: Vec<u32> = (0..items as u32).map(|i| i * i % 97).collect();
        let catalogue =
            Catalogue { table: upload(engine, &table), bias: Some(upload(engine, &bias)), items, width };
        let users = queries.len() / width;
        let mut proposal = build(engine, config, &counts, users).unwrap();
        proposal.attach(&catalogue);
        Self { engine, table, bias, queries, width, proposal, catalogue }
    }

    /// A world of standard normal vectors and biases.
    pub fn normal(engine: &'a Engine, config: &ProposalConfig) -> Self {
        let (table, bias) = (numbers(2, ITEMS * WIDTH), numbers(4, ITEMS));
        Self::new(engine, config, table, bias, directed(1, USERS, WIDTH))
    }

    /// A world in which most items are close together and some are far away.
    pub fn uneven(engine: &'a Engine, config: &ProposalConfig) -> Self {
        let mut table = numbers(2, ITEMS * WIDTH);
        for (item, row) in table.chunks_exact_mut(WIDTH).enumerate() {
            let scale = if item % 10 < 7 { 0.2 } else { 1.0 };
            row.iter_mut().for_each(|x| *x = *x * scale + 1.0);
        }
        Self::new(engine, config, table, numbers(4, ITEMS), directed(1, USERS, WIDTH))
    }

    fn users(&self) -> usize {
        self.queries.len() / self.width
    }

    /// Builds the index, or refreshes it.
    pub fn refresh(&mut self, step: u32) -> IndexReport {
        block_on(self.proposal.refresh(self.engine, &self.catalogue, Rng::new(3), step)).unwrap().unwrap()
    }

    /// Passes queries to the index, as training does after a step.
    pub fn observe(&self, queries: &[f32]) {
        let mut recording = Recording::new();
        self.proposal.observe(&mut recording, &upload(self.engine, queries), queries.len() / self.width);
        self.engine.run(&recording).unwrap();
    }

    /// The world after a build, observed queries, and a refresh that uses them.
    pub fn settled(mut self) -> Self {
        self.refresh(0);
        self.observe(&directed(1, 64, self.width));
        self.refresh(1);
        self
    }

    /// The state that determines the draws of the index.
    pub fn installed(&self) -> &IndexState {
        self.proposal.index().unwrap().installed()
    }

    /// Restores an index, and the moments of the queries that it had observed.
    pub fn restore(&mut self, index: &IndexState, moments: &[f32]) -> fastvae::Result<()> {
        self.proposal.restore(self.engine, &index.with_moments(moments), &self.catalogue)
    }

    /// Draws candidates for every user's group, and looks up log q of every item.
    pub fn sample(&self, candidates: usize, group_size: usize, step: u32) -> Drawn {
        let (engine, items, users) = (self.engine, self.bias.len(), self.users());
        let groups = Groups { batch: users, samples: 1, size: group_size, candidates };
        let entries = users * items;
        let batch_items: Vec<u32> = (0..entries).map(|e| (e % items) as u32).collect();
        let batch_rows: Vec<u32> = (0..entries).map(|e| (e / items) as u32).collect();
        let samples = Samples {
            negatives: unset(engine, groups.total()),
            negative_log_q: unwritten(engine, groups.total()),
            positive_log_q: unwritten(engine, entries),
        };
        let mut recording = Recording::new();
        let draw = Draw { queries: &upload(engine, &self.queries), groups, rng: Rng::new(11), step };
        let all = ItemsOf::Entries {
            items: upload(engine, &batch_items),
            rows: upload(engine, &batch_rows),
            entries,
        };
        self.proposal.record(&mut recording, &draw, all, &samples);
        engine.run(&recording).unwrap();
        Drawn {
            negatives: read(engine, &samples.negatives),
            negative_log_q: read(engine, &samples.negative_log_q),
            log_q: read(engine, &samples.positive_log_q),
        }
    }

    /// Logit of an item for a user, in f64.
    pub fn logit(&self, user: usize, item: usize) -> f64 {
        let (query, row) = (&self.queries[user * self.width..], &self.table[item * self.width..]);
        dot(&query[..self.width], &row[..self.width]) + f64::from(self.bias[item])
    }

    /// Expected log q of every item for a user: by enumeration of the index, or the softmax for exact MIDX.
    pub fn truth(&self, kind: ProposalKind, user: usize) -> Vec<f64> {
        let items = self.bias.len();
        if kind == ProposalKind::Midx {
            return normalised(&(0..items).map(|item| self.logit(user, item)).collect::<Vec<_>>());
        }
        assert!(kind.indexed(), "{} draws from no index", kind.name());
        by_index(self.installed(), items, &self.queries[user * self.width..][..self.width])
    }
}

/// log q of every item for a query, by enumeration: the log-softmax of the item's codewords times the
/// query, plus its log weight.
pub fn by_index(index: &IndexState, items: usize, query: &[f32]) -> Vec<f64> {
    let (books, width) = (index.codes.len() / items, query.len());
    let k = index.codewords.len() / (books * width);
    let score = |item: usize| {
        let codes = &index.codes[item * books..][..books];
        let words = codes.iter().enumerate().map(|(book, &code)| book * k + code as usize);
        words.map(|word| dot(query, &index.codewords[word * width..][..width])).sum::<f64>()
            + f64::from(index.log_weights[item])
    };
    normalised(&(0..items).map(score).collect::<Vec<_>>())
}

/// Inner product in f64.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// Queries with most of their variance in a few directions, like those of a decoder with a narrow latent
/// code.
pub fn directed(stream: u32, rows: usize, width: usize) -> Vec<f32> {
    let (codes, map) = (numbers(stream, rows * 4), numbers(77, 4 * width));
    let value = |at: usize| {
        let (row, column) = (at / width, at % width);
        0.4 * (0..4).map(|d| codes[row * 4 + d] * map[d * width + column] / (1 + d) as f32).sum::<f32>()
    };
    (0..rows * width).map(value).collect()
}

/// Describes a configuration and an engine, for failure messages.
pub fn name(engine: &Engine, config: &ProposalConfig) -> String {
    format!(
        "{:?}, {:?}, {} books of {}, {}",
        config.kind,
        config.quantisation,
        config.codebooks,
        config.codewords,
        engine.describe()
    )
}
