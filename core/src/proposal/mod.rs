//! Proposals: the distributions that the negatives of the sampled softmax are drawn from.
//!
//! A new proposal is a file here, and its module and its entry in the table of this file.

#[cfg(feature = "baselines")]
mod adaptive;
pub mod alias;
mod dns;
mod exact_midx;
pub mod index;
mod indexed;
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
#[cfg(feature = "baselines")]
pub use adaptive::Adaptive;
pub use dns::Dns;
pub use exact_midx::ExactMidx;
pub use index::{IndexReport, MidxIndex};
pub use midx::Midx;
pub use mixture::Mixture;
pub use popularity::{Popularity, item_weights};
pub use quadratic::Quadratic;
pub use softmax::Softmax;
pub use uniform::Uniform;

/// Every proposal: documentation, variant, name in files and on the command line, and what builds it. The settings
/// declare [`ProposalKind`] from this table. Those of the second list are behind the feature `baselines`.
macro_rules! proposals {
    ($declare:ident) => {
        $declare! {
            {
                /// Uniform over the items.
                Uniform = "uniform", |of| Uniform::new(of.engine, of.items());
                /// In proportion to popularity.
                Popularity = "popularity", |of| Popularity::new(of.engine, &of.popular());
                /// Each negative is the one with the largest logit of a few uniform draws (Zhang et al., 2013).
                Dns = "dns", |of| Dns::new(of.engine, of.config, of.items(), of.queries);
                /// In proportion to a quadratic kernel of the logit (Blanc and Rendle, 2018).
                Quadratic = "kernel", |of| Quadratic::new(of.engine, of.config, of.items(), of.queries);
                /// The softmax itself: exact, at the cost of the full softmax.
                Softmax = "softmax", |of| Softmax::new(of.engine, of.items(), of.queries);
                /// The softmax itself, drawn through the index (theorem 4.1): exact, at the cost of the full softmax.
                Midx = "midx", |of| ExactMidx::new(of.engine, of.config, of.counts, of.queries);
                /// Through the index, uniform inside a cell (theorem 5.1).
                MidxUniform = "midx-uniform", |of| Midx::new(of.engine, of.config, of.counts, vec![1.0; of.items()], of.queries);
                /// Through the index, by popularity inside a cell (theorem 5.2).
                MidxPopularity = "midx-popularity", |of| Midx::new(of.engine, of.config, of.counts, of.popular(), of.queries);
            }
            baselines {
                /// Items that rank high for a factor of the query (Rendle and Freudenthaler, 2014).
                Adaptive = "adaptive", |of| Adaptive::new(of.engine, of.config, of.items(), of.queries);
            }
        }
    };
}
pub(crate) use proposals;

/// The current item vectors, which adaptive proposals read.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// M x width.
    pub table: Buffer<f32>,
    /// M, if the model has item biases.
    pub bias: Option<Buffer<f32>>,
    /// M.
    pub items: usize,
    /// Width of an item vector and of a query.
    pub width: usize,
}

/// A batch to draw negatives for.
pub struct Draw<'a> {
    /// One query per row, R x width.
    pub queries: &'a Buffer<f32>,
    /// Numbers of rows, groups and candidates.
    pub groups: Groups,
    /// The run's random numbers.
    pub rng: Rng,
    /// Step of the run.
    pub step: u32,
}

/// A request for log q: items to score, and an output buffer.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The items, for rows of the batch.
    pub items: ItemsOf,
    /// Out: one value per item, [`ItemsOf::outputs`] of them.
    pub log_q: Buffer<f32>,
}

/// The negatives of a step, with log q.
#[derive(Clone, Debug)]
pub struct Samples {
    /// Candidates, groups x C.
    pub negatives: Buffer<u32>,
    /// log q of each candidate, normalised, under its group's mixture: groups x C.
    pub negative_log_q: Buffer<f32>,
    /// log q of each entry under the mixture of its row's group: L x E.
    pub positive_log_q: Buffer<f32>,
}

/// The type of a future that a trait object returns and any thread can poll.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A distribution over items for each query row that can be drawn from and whose probabilities can be
/// computed.
///
/// Within a recording, [`Proposal::prepare`] comes first; [`Proposal::draw`] and [`Proposal::log_q`] may
/// follow in any order and number, for the same batch.
pub trait Proposal: Send + Sync {
    /// Sets the item vectors that every step uses, for proposals that read their current values.
    fn attach(&mut self, _catalogue: &Catalogue) {}

    /// Whether every draw reads the current rows of all items, so that the steps that
    /// [`crate::config::RowUpdates::Replay`] has deferred must be applied to all rows first.
    fn reads_items(&self) -> bool {
        false
    }

    /// Appends the kernels that score the batch's queries and compute their partition functions.
    fn prepare(&self, _recording: &mut Recording, _draw: &Draw<'_>) {}

    /// Appends the kernels that draw the candidates, groups x C.
    fn draw(&self, recording: &mut Recording, draw: &Draw<'_>, negatives: &Buffer<u32>);

    /// Appends the kernels that compute log q of given items, whether or not this proposal drew them.
    fn log_q(&self, recording: &mut Recording, draw: &Draw<'_>, wanted: &[Wanted]);

    /// Appends the kernels that fill `samples`: candidates, their log q, and log q of the batch's
    /// `positives`.
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

    /// What it draws from and rebuilds at each refresh; empty for proposals that need no refresh.
    fn structures(&self) -> Vec<&dyn Structure> {
        Vec::new()
    }

    /// As [`Proposal::structures`].
    fn structures_mut(&mut self) -> Vec<&mut dyn Structure> {
        Vec::new()
    }

    /// Whether [`Proposal::observe`] has any effect.
    fn observes(&self) -> bool {
        self.structures().iter().any(|structure| structure.observes())
    }

    /// Accumulates statistics of `rows` queries, for proposals that depend on the queries of a run. The
    /// trainer calls it every few steps.
    fn observe(&self, recording: &mut Recording, queries: &Buffer<f32>, rows: usize) {
        for structure in self.structures() {
            structure.observe(recording, queries, rows);
        }
    }

    /// Whether it is built from the item vectors at each refresh, and does not change until the next one.
    fn needs_refresh(&self) -> bool {
        !self.structures().is_empty()
    }

    /// Whether it can draw: if it needs a refresh, whether it was refreshed or restored.
    fn is_ready(&self) -> bool {
        self.structures().iter().all(|structure| structure.is_ready())
    }

    /// Rebuilds it from the item vectors; returns a report on its index if it has one. `step` gives every
    /// refresh its own random numbers.
    fn refresh<'a>(
        &'a mut self,
        engine: &'a Engine,
        catalogue: &'a Catalogue,
        rng: Rng,
        step: u32,
    ) -> BoxFuture<'a, Result<Option<IndexReport>>> {
        Box::pin(async move {
            let mut report = None;
            for structure in self.structures_mut() {
                let of_structure = structure.refresh(engine, catalogue, rng, step).await?;
                report = report.or(of_structure);
            }
            Ok(report)
        })
    }

    /// The state that a resumed run needs to draw the same negatives; no other proposal of a mixture uses the
    /// same names.
    fn state(&self) -> StatePart {
        let mut state = StatePart::default();
        for structure in self.structures() {
            state.tensors.extend(structure.state().tensors);
        }
        state
    }

    /// Restores the result of [`Proposal::state`], if `state` contains it.
    ///
    /// # Errors
    /// [`Error::Data`] if it is incomplete or does not fit the settings or the catalogue.
    fn restore(&mut self, engine: &Engine, state: &State, catalogue: &Catalogue) -> Result<()> {
        let mut structures = self.structures_mut().into_iter();
        structures.try_for_each(|structure| structure.restore(engine, state, catalogue))
    }

    /// The index, for proposals that have one.
    fn index(&self) -> Option<&MidxIndex> {
        self.structures().into_iter().find_map(|structure| structure.index())
    }
}

/// What a proposal draws from: an index or a tree that is built from the item vectors at each refresh and is
/// saved with the run. Its methods are those of [`Proposal`] of the same names.
pub trait Structure: Send + Sync {
    /// Whether it was built or restored.
    fn is_ready(&self) -> bool;

    /// Rebuilds it.
    fn refresh<'a>(
        &'a mut self,
        engine: &'a Engine,
        catalogue: &'a Catalogue,
        rng: Rng,
        step: u32,
    ) -> BoxFuture<'a, Result<Option<IndexReport>>>;

    /// What a resumed run needs.
    fn state(&self) -> StatePart;

    /// Restores the result of [`Structure::state`], if `state` contains it.
    ///
    /// # Errors
    /// [`Error::Data`] if it is incomplete or does not fit the settings or the catalogue.
    fn restore(&mut self, engine: &Engine, state: &State, catalogue: &Catalogue) -> Result<()>;

    /// Whether [`Structure::observe`] has any effect.
    fn observes(&self) -> bool {
        false
    }

    /// Accumulates statistics of `rows` queries.
    fn observe(&self, _recording: &mut Recording, _queries: &Buffer<f32>, _rows: usize) {}

    /// Itself, if it is an index.
    fn index(&self) -> Option<&MidxIndex> {
        None
    }
}

/// The error of a recording that uses a proposal before its first refresh.
fn not_refreshed(what: &str) -> Error {
    Error::Data(format!("the proposal `{what}` was asked to draw before its first refresh"))
}

/// What a proposal is built from.
struct Inputs<'a> {
    engine: &'a Engine,
    config: &'a ProposalConfig,
    /// Training interactions of each item.
    counts: &'a [u32],
    /// The largest number of query rows in a step.
    queries: usize,
}

impl Inputs<'_> {
    /// M.
    fn items(&self) -> usize {
        self.counts.len()
    }

    /// The weight of each item by its popularity.
    fn popular(&self) -> Vec<f64> {
        item_weights(self.counts, self.config.popularity)
    }

    /// A proposal behind the trait.
    fn build<P: Proposal + 'static>(
        &self,
        new: impl FnOnce(&Self) -> Result<P>,
    ) -> Result<Box<dyn Proposal>> {
        Ok(Box::new(new(self)?))
    }
}

/// Builds the proposal of a configuration. `counts` are the training interactions of each item, `queries` is
/// the largest number of query rows in a step.
///
/// # Errors
/// If the engine cannot hold the tables.
pub fn build(
    engine: &Engine,
    config: &ProposalConfig,
    counts: &[u32],
    queries: usize,
) -> Result<Box<dyn Proposal>> {
    let inputs = Inputs { engine, config, counts, queries };
    let first = one(config.kind, &inputs)?;
    let Some(mix) = config.mix else { return Ok(first) };
    let second = one(mix.with, &inputs)?;
    Ok(Box::new(Mixture::new(engine, first, second, mix.probability)))
}

/// Declares `one`, which builds the proposals of the table.
macro_rules! builders {
    ({ $($always:tt)+ } baselines { $($more:tt)+ }) => {
        #[cfg(not(feature = "baselines"))]
        builders! { $($always)+ }
        #[cfg(feature = "baselines")]
        builders! { $($always)+ $($more)+ }
    };
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $new:expr;)+) => {
        /// Builds a single proposal, without a mixture.
        fn one(kind: ProposalKind, inputs: &Inputs<'_>) -> Result<Box<dyn Proposal>> {
            match kind {
                $(ProposalKind::$kind => inputs.build($new),)+
            }
        }
    };
}

proposals!(builders);
