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
    Result,
    config::{ProposalConfig, ProposalKind},
    engine::{Buffer, Engine, Recording},
    kernels::{Groups, ItemsOf},
    rng::Rng,
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

/// What a step asks of its proposal.
pub struct Draw<'a> {
    /// Query of each row, R x width.
    pub queries: &'a Buffer<f32>,
    /// Rows, groups, candidates.
    pub groups: Groups,
    /// Item of each entry of the batch, E.
    pub batch_items: &'a Buffer<u32>,
    /// Batch row of each entry, E.
    pub batch_rows: &'a Buffer<u32>,
    /// E.
    pub entries: usize,
    /// The run's random numbers.
    pub rng: Rng,
    /// Step of the run.
    pub step: u32,
}

impl Draw<'_> {
    /// Whose log q a proposal owes, and where it goes: candidates first, then positives.
    fn lookups<'s>(&self, samples: &'s Samples) -> [(ItemsOf, &'s Buffer<f32>); 2] {
        let entries = ItemsOf::Entries {
            items: self.batch_items.clone(),
            rows: self.batch_rows.clone(),
            entries: self.entries,
        };
        [
            (ItemsOf::Candidates(samples.negatives.clone()), &samples.negative_log_q),
            (entries, &samples.positive_log_q),
        ]
    }
}

/// What it gets.
#[derive(Clone, Debug)]
pub struct Samples {
    /// Candidates, groups x C.
    pub negatives: Buffer<u32>,
    /// log q of each candidate, normalised, under its group's mixture: groups x C.
    pub negative_log_q: Buffer<f32>,
    /// log q of each entry under the mixture of its row's group: L x E.
    pub positive_log_q: Buffer<f32>,
}

/// A future that a trait object can return; engines are not shared between threads in a browser.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A distribution over items for each query row, that can be drawn from and whose probabilities are known.
pub trait Proposal {
    /// Shows the item vectors that every step will meet, for proposals that read them as they move.
    fn attach(&mut self, _catalogue: &Catalogue) {}

    /// Whether every draw looks at the rows of all items as they stand, so that the steps that
    /// [`crate::config::RowUpdates::Replay`] has put off must be applied to all of them first.
    fn reads_items(&self) -> bool {
        false
    }

    /// Appends the kernels that draw the candidates.
    fn draw(&self, recording: &mut Recording, draw: &Draw<'_>, negatives: &Buffer<u32>);

    /// Appends the kernels that look up log q of `samples.negatives`, whoever drew them, and of the entries.
    /// They may use what [`Proposal::draw`] has left, which comes before them in the same recording.
    fn log_q(&self, recording: &mut Recording, draw: &Draw<'_>, samples: &Samples);

    /// Appends the kernels that fill `samples`.
    fn record(&self, recording: &mut Recording, draw: &Draw<'_>, samples: &Samples) {
        self.draw(recording, draw, &samples.negatives);
        self.log_q(recording, draw, samples);
    }

    /// Looks at `rows` queries, for proposals that go by what queries there are. The trainer shows them
    /// every few steps.
    fn observe(&self, _recording: &mut Recording, _queries: &Buffer<f32>, _rows: usize) {}

    /// Looks at the item vectors again; `None` where there is nothing to look at. `step` tells the random
    /// numbers of this refresh from others'.
    fn refresh<'a>(
        &'a mut self,
        engine: &'a Engine,
        catalogue: &'a Catalogue,
        rng: Rng,
        step: u32,
    ) -> LocalFuture<'a, Result<Option<IndexReport>>> {
        let _ = (engine, catalogue, rng, step);
        Box::pin(async { Ok(None) })
    }

    /// The index, for those that have one: checkpoints keep it.
    fn index(&self) -> Option<&MidxIndex> {
        None
    }

    /// Puts a kept index back, and the moments of queries that went with it.
    ///
    /// # Errors
    /// If it does not fit.
    fn restore(&mut self, _engine: &Engine, _kept: index::Kept, _moments: &[f32]) -> Result<()> {
        Ok(())
    }

    /// The item rows that a refresh has seen, for those that are defined by them: checkpoints keep them.
    fn snapshot(&self) -> Option<&[f32]> {
        None
    }

    /// Puts kept rows back.
    ///
    /// # Errors
    /// If they do not fit the catalogue.
    fn restore_snapshot(&mut self, _engine: &Engine, _rows: &[f32], _catalogue: &Catalogue) -> Result<()> {
        Ok(())
    }
}

/// The proposal of a configuration. `counts` are the training interactions
/// of each item, `rows` the most query rows of a step.
///
/// # Errors
/// If the engine cannot hold its tables.
pub fn build(
    engine: &Engine,
    config: &ProposalConfig,
    counts: &[u32],
    rows: usize,
) -> Result<Box<dyn Proposal>> {
    let first = one(engine, config, config.kind, counts, rows)?;
    let Some(mix) = config.mix else { return Ok(first) };
    let second = one(engine, config, mix.with, counts, rows)?;
    Ok(Box::new(Mixture::new(engine, first, second, mix.probability)))
}

/// One proposal, unmixed.
fn one(
    engine: &Engine,
    config: &ProposalConfig,
    kind: ProposalKind,
    counts: &[u32],
    rows: usize,
) -> Result<Box<dyn Proposal>> {
    let popular = || item_weights(counts, config.popularity);
    Ok(match kind {
        ProposalKind::Uniform => Box::new(Uniform::new(engine, counts.len())?),
        ProposalKind::Popularity => Box::new(Popularity::new(engine, &popular())?),
        ProposalKind::Softmax => Box::new(Softmax::new(engine, counts.len(), rows)?),
        ProposalKind::Dns => Box::new(Dns::new(engine, config, counts.len(), rows)?),
        ProposalKind::Quadratic => Box::new(Quadratic::new(engine, config, counts.len(), rows)?),
        ProposalKind::MidxUniform => {
            Box::new(Midx::new(engine, config, counts, vec![1.0; counts.len()], rows)?)
        }
        ProposalKind::MidxPopularity => Box::new(Midx::new(engine, config, counts, popular(), rows)?),
        ProposalKind::Midx => Box::new(ExactMidx::new(engine, config, counts, rows)?),
    })
}
