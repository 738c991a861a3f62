//! Adaptive oversampling as a proposal (Rendle and Freudenthaler, 2014); its rankings are renewed at every refresh.
//!
//! Between refreshes the rankings become stale, but they remain an exact proposal: q is defined by them.

use super::{BoxFuture, Catalogue, Draw, IndexReport, Proposal, Structure, Wanted, alias, not_refreshed};
use crate::{
    Error, Result,
    config::ProposalConfig,
    engine::{Buffer, Engine, Recording, parallel},
    kernels::{AdaptiveDraw, AdaptiveLogQ, AdaptiveNormalise, AliasTable, Rankings},
    rng::Rng,
    state::{State, StatePart},
};

/// Name of the saved tensor with the item rows that are ranked.
const SNAPSHOT: &str = "proposal.factors";

/// q(i) ~ sum over factors f of |query_f| sigma_f exp(-rank of i by f / lambda).
pub struct Adaptive {
    ranked: Ranked,
    /// The largest number of query rows.
    queries: usize,
}

/// The rankings, which exist from the first refresh on.
struct Ranked {
    items: usize,
    lambda: f32,
    /// Alias table of the ranks, which do not change.
    ranks: AliasTable,
    built: Option<Built>,
}

struct Built {
    rankings: Rankings,
    /// The item rows that are ranked, with biases: M x F.
    rows: Vec<f32>,
    /// R x F.
    log_shares: Buffer<f32>,
}

impl Adaptive {
    /// For `items` items; `queries` is the largest number of query rows in a step.
    ///
    /// # Errors
    /// If the engine cannot hold the tables.
    pub fn new(engine: &Engine, config: &ProposalConfig, items: usize, queries: usize) -> Result<Self> {
        let lambda = f64::from(config.adaptive_lambda.0);
        let weights: Vec<f64> = (0..items).map(|rank| (-(rank as f64) / lambda).exp()).collect();
        let (thresholds, aliases) = alias::build(&weights);
        let ranks = AliasTable {
            thresholds: engine.upload("thresholds of ranks", &thresholds)?,
            aliases: engine.upload("aliases of ranks", &aliases)?,
        };
        let ranked = Ranked { items, lambda: config.adaptive_lambda.0, ranks, built: None };
        Ok(Self { ranked, queries })
    }
}

impl Ranked {
    /// The rankings; before the first refresh, `None`, and the recording fails.
    fn get(&self, recording: &mut Recording) -> Option<&Built> {
        if self.built.is_none() {
            recording.fail(not_refreshed("adaptive"));
        }
        self.built.as_ref()
    }

    /// Ranks the item rows, M x F.
    fn build(&mut self, engine: &Engine, rows: Vec<f32>, has_bias: bool, queries: usize) -> Result<()> {
        let items = self.items;
        let factors = rows.len() / items.max(1);
        let (mut order, mut places) = (vec![0u32; factors * items], vec![0u32; factors * items]);
        let value = |item: u32, factor: usize| rows[item as usize * factors + factor];
        parallel::for_each_chunk(&mut order, items, |factor, order| {
            order.iter_mut().zip(0..).for_each(|(item, number)| *item = number);
            order.sort_unstable_by(|&a, &b| value(b, factor).total_cmp(&value(a, factor)).then(a.cmp(&b)));
        });
        parallel::for_each_chunk(&mut places, items, |factor, places| {
            for (&item, rank) in order[factor * items..][..items].iter().zip(0..) {
                places[item as usize] = rank;
            }
        });
        let deviation = |factor: usize| {
            let values = || rows.iter().skip(factor).step_by(factors).map(|&value| f64::from(value));
            let mean = values().sum::<f64>() / items as f64;
            (values().map(|value| (value - mean).powi(2)).sum::<f64>() / items as f64).sqrt() as f32
        };
        let deviations: Vec<f32> = (0..factors).map(deviation).collect();
        match &mut self.built {
            Some(built) => {
                engine.write(&built.rankings.order, 0, &order)?;
                engine.write(&built.rankings.places, 0, &places)?;
                engine.write(&built.rankings.deviations, 0, &deviations)?;
                built.rows = rows;
            }
            None => {
                let rankings = Rankings {
                    items,
                    width: factors - usize::from(has_bias),
                    has_bias,
                    deviations: engine.upload("deviations of factors", &deviations)?,
                    order: engine.upload("items by rank", &order)?,
                    places: engine.upload("ranks of items", &places)?,
                    ranks: self.ranks.clone(),
                    lambda: self.lambda,
                };
                let log_shares = engine.zeros("shares of factors", queries * factors)?;
                self.built = Some(Built { rankings, rows, log_shares });
            }
        }
        Ok(())
    }
}

impl Proposal for Adaptive {
    fn prepare(&self, recording: &mut Recording, draw: &Draw<'_>) {
        let Some(Built { rankings, log_shares, .. }) = self.ranked.get(recording) else { return };
        recording.push(AdaptiveNormalise {
            queries: draw.queries.clone(),
            rows: draw.groups.rows(),
            rankings: rankings.clone(),
            log_shares: log_shares.clone(),
        });
    }

    fn draw(&self, recording: &mut Recording, draw: &Draw<'_>, negatives: &Buffer<u32>) {
        let Some(Built { rankings, log_shares, .. }) = self.ranked.get(recording) else { return };
        recording.push(AdaptiveDraw {
            groups: draw.groups,
            queries: draw.queries.clone(),
            log_shares: log_shares.clone(),
            rankings: rankings.clone(),
            rng: draw.rng,
            step: draw.step,
            negatives: negatives.clone(),
        });
    }

    fn log_q(&self, recording: &mut Recording, draw: &Draw<'_>, wanted: &[Wanted]) {
        let Some(Built { rankings, log_shares, .. }) = self.ranked.get(recording) else { return };
        for Wanted { items, log_q } in wanted {
            recording.push(AdaptiveLogQ {
                groups: draw.groups,
                queries: draw.queries.clone(),
                log_shares: log_shares.clone(),
                rankings: rankings.clone(),
                items: items.clone(),
                output: log_q.clone(),
            });
        }
    }

    fn structures(&self) -> Vec<&dyn Structure> {
        vec![self]
    }

    fn structures_mut(&mut self) -> Vec<&mut dyn Structure> {
        vec![self]
    }
}

impl Structure for Adaptive {
    fn refresh<'a>(
        &'a mut self,
        engine: &'a Engine,
        catalogue: &'a Catalogue,
        _: Rng,
        _: u32,
    ) -> BoxFuture<'a, Result<Option<IndexReport>>> {
        Box::pin(async move {
            let (items, width) = (catalogue.items, catalogue.width);
            let table = engine.read_range(&catalogue.table, 0..items * width).await?;
            let rows = match &catalogue.bias {
                None => table,
                Some(bias) => {
                    let bias = engine.read_range(bias, 0..items).await?;
                    let biased = table.chunks_exact(width).zip(&bias);
                    biased.flat_map(|(row, bias)| row.iter().chain([bias])).copied().collect()
                }
            };
            self.ranked.build(engine, rows, catalogue.bias.is_some(), self.queries)?;
            Ok(None)
        })
    }

    fn is_ready(&self) -> bool {
        self.ranked.built.is_some()
    }

    fn state(&self) -> StatePart {
        let mut part = StatePart::default();
        if let Some(built) = &self.ranked.built {
            part.insert(SNAPSHOT, crate::state::TensorData::F32(built.rows.clone()));
        }
        part
    }

    fn restore(&mut self, engine: &Engine, state: &State, catalogue: &Catalogue) -> Result<()> {
        let Some(snapshot) = state.floats(SNAPSHOT)? else { return Ok(()) };
        let (items, width) = (self.ranked.items, catalogue.width + usize::from(catalogue.bias.is_some()));
        if snapshot.len() != items * width {
            return Err(Error::Data(format!(
                "tensor `{SNAPSHOT}` has {} numbers, and {items} items x {width} were expected",
                snapshot.len(),
            )));
        }
        self.ranked.build(engine, snapshot.to_vec(), catalogue.bias.is_some(), self.queries)
    }
}
