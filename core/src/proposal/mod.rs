//! Proposals: where the negatives of the sampled softmax come from, and with what probability.
//!
//! A new proposal is one file here and one line in `one`.

pub mod alias;
mod dns;
mod exact_midx;
pub mod index;
mod logits;
mod midx;
mod mixture;
mod popularity;
mod quadratic;
mod softmax;
mod uniform;

use std::{future::Future, pin::Pin};

use crate::{
    Error, Result,
    config::{ProposalConfig, ProposalKind},
    engine::{Buffer, Engine, Recording},
    kernels::{Groups, ItemsOf},
    rng::Rng,
    state::{State, StatePart},
};
pub use dns::Dns;
pub use exact_midx::ExactMidx;
pub use index::{IndexReport, MidxIndex};
pub use midx::Midx;
pub use mixture::Mixture;
pub use popularity::{Popularity, item_weights};
pub use quadratic::Quadratic;
pub use softmax::Softmax;
pub use uniform::Uniform;

/// The item vectors as they stand, which adaptive proposals look at.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// M x width.
    pub table: Buffer<f32>,
    /// M, where the model has item biases.
    pub bias: Option<Buffer<f32>>,
    /// M.
    pub items: usize,
    /// Width of an item vector and of a query.
    pub width: usize,
}

/// A batch to draw for.
pub struct Draw<'a> {
    /// Query of each row, R x width.
    pub queries: &'a Buffer<f32>,
    /// Rows, groups, candidates.
    pub groups: Groups,
    /// The run's random numbers.
    pub rng: Rng,
    /// Step of the run.
    pub step: u32,
}

/// Items whose log q is wanted, and the buffer that it goes to.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Any items, for rows of the batch.
    pub items: ItemsOf,
    /// One value an item, [`ItemsOf::outputs`] of them.
    pub log_q: Buffer<f32>,
}

/// What a step takes from its proposal.
#[derive(Clone, Debug)]
pub struct Samples {
    /// Candidates, groups x C.
    pub negatives: Buffer<u32>,
    /// log q of each candidate, normalised, under its group's mixture: groups x C.
    pub negative_log_q: Buffer<f32>,
    /// log q of each entry under the mixture of its row's group: L x E.
    pub positive_log_q: Buffer<f32>,
}

/// A future that a trait object can return and any thread can poll.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A distribution over items for each query row, that can be drawn from and whose probabilities are known.
///
/// In one recording, [`Proposal::prepare`] comes first; [`Proposal::draw`] and [`Proposal::log_q`] follow in any
/// order and number, for the same batch.
pub trait Proposal: Send + Sync {
    /// Shows the item vectors that every step will meet, for proposals that read them as they move.
    fn attach(&mut self, _catalogue: &Catalogue) {}

    /// Whether every draw reads the rows of all items as they stand, so that the steps that
    /// [`crate::config::RowUpdates::Replay`] has put off must be applied to all of them first.
    fn reads_items(&self) -> bool {
        false
    }

    /// Appends the kernels that score the batch's queries and sum up their partition functions.
    fn prepare(&self, _recording: &mut Recording, _draw: &Draw<'_>) {}

    /// Appends the kernels that draw the candidates, groups x C.
    fn draw(&self, recording: &mut Recording, draw: &Draw<'_>, negatives: &Buffer<u32>);

    /// Appends the kernels that look up log q of items, whoever drew them.
    fn log_q(&self, recording: &mut Recording, draw: &Draw<'_>, wanted: &[Wanted]);

    /// Appends the kernels that fill `samples`: candidates, their log q, and log q of the batch's `positives`.
    fn record(&self, recording: &mut Recording, draw: &Draw<'_>, positives: ItemsOf, samples: &Samples) {
        self.prepare(recording, draw);
        self.draw(recording, draw, &samples.negatives);
        let candidates = ItemsOf::Candidates(samples.negatives.clone());
        let wanted = [
            Wanted { items: candidates, log_q: samples.negative_log_q.clone() },
            Wanted { items: positives, log_q: samples.positive_log_q.clone() },
        ];
        self.log_q(recording, draw, &wanted);
    }

    /// Takes note of `rows` queries, for proposals that are made for the queries of a run. The trainer shows them
    /// every few steps.
    fn observe(&self, _recording: &mut Recording, _queries: &Buffer<f32>, _rows: usize) {}

    /// Whether it is made from the item vectors at each refresh, and stays as it was until the next.
    fn needs_refresh(&self) -> bool {
        false
    }

    /// Whether it can draw: one that needs a refresh has had one, or was restored.
    fn is_ready(&self) -> bool {
        true
    }

    /// Makes it anew from the item vectors; reports on its index where it has one. `step` sets the random numbers
    /// of this refresh apart from others'.
    fn refresh<'a>(
        &'a mut self,
        engine: &'a Engine,
        catalogue: &'a Catalogue,
        rng: Rng,
        step: u32,
    ) -> BoxFuture<'a, Result<Option<IndexReport>>> {
        let _ = (engine, catalogue, rng, step);
        Box::pin(async { Ok(None) })
    }

    /// What a run that goes on needs to draw the same, by names that no other proposal of a mixture has.
    fn state(&self) -> StatePart {
        StatePart::default()
    }

    /// Restores what [`Proposal::state`] gave, where `state` has it.
    ///
    /// # Errors
    /// [`Error::Data`] if it is incomplete or does not fit the settings or the catalogue.
    fn restore(&mut self, _engine: &Engine, _state: &State, _catalogue: &Catalogue) -> Result<()> {
        Ok(())
    }

    /// The index, for those that have one.
    fn index(&self) -> Option<&MidxIndex> {
        None
    }
}

/// Why a recording fails that asks a proposal which cannot draw yet.
fn not_refreshed(what: &str) -> Error {
    Error::Data(format!("the proposal `{what}` was asked to draw before its first refresh"))
}

/// The proposal of a configuration. `counts` are the training interactions
/// of each item, `queries` the most query rows of a step.
///
/// # Errors
/// If the engine cannot hold its tables.
pub fn build(
    engine: &Engine,
    config: &ProposalConfig,
    counts: &[u32],
    queries: usize,
) -> Result<Box<dyn Proposal>> {
    let first = one(engine, config, config.kind, counts, queries)?;
    let Some(mix) = config.mix else { return Ok(first) };
    let second = one(engine, config, mix.with, counts, queries)?;
    Ok(Box::new(Mixture::new(engine, first, second, mix.probability)))
}

/// One proposal, unmixed.
fn one(
    engine: &Engine,
    config: &ProposalConfig,
    kind: ProposalKind,
    counts: &[u32],
    queries: usize,
) -> Result<Box<dyn Proposal>> {
    let popular = || item_weights(counts, config.popularity);
    Ok(match kind {
        ProposalKind::Uniform => Box::new(Uniform::new(engine, counts.len())?),
        ProposalKind::Popularity => Box::new(Popularity::new(engine, &popular())?),
        ProposalKind::Softmax => Box::new(Softmax::new(engine, counts.len(), queries)?),
        ProposalKind::Dns => Box::new(Dns::new(engine, config, counts.len(), queries)?),
        ProposalKind::Quadratic => Box::new(Quadratic::new(engine, config, counts.len(), queries)?),
        ProposalKind::MidxUniform => {
            Box::new(Midx::new(engine, config, counts, vec![1.0; counts.len()], queries)?)
        }
        ProposalKind::MidxPopularity => Box::new(Midx::new(engine, config, counts, popular(), queries)?),
        ProposalKind::Midx => Box::new(ExactMidx::new(engine, config, counts, queries)?),
    })
}
