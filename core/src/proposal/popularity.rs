//! Items in proportion to their popularity.

use super::{Draw, Proposal, Wanted, alias, uniform::record_lookups};
use crate::{
    Result,
    config::PopularityWeight,
    engine::{Buffer, Engine, Recording},
    kernels::{AliasTable, DrawStatic},
};

/// The weight of each item from its training count. Counts are at least one here: an item whose interactions
/// are all in the test set must still be drawn as a negative, or its row would never be trained.
pub fn item_weights(counts: &[u32], weight: PopularityWeight) -> Vec<f64> {
    let of = |count: f64| match weight {
        PopularityWeight::Count => count,
        PopularityWeight::Log => count.ln_1p(),
        PopularityWeight::Power => count.powf(0.75),
    };
    counts.iter().map(|&count| of(f64::from(count.max(1)))).collect()
}

/// q(i) = w_i / sum of w.
pub struct Popularity {
    items: usize,
    table: AliasTable,
    log_q: Buffer<f32>,
}

impl Popularity {
    /// A fixed distribution over items.
    ///
    /// # Errors
    /// If the engine cannot hold three numbers per item.
    pub fn new(engine: &Engine, weights: &[f64]) -> Result<Self> {
        let total: f64 = weights.iter().sum();
        let log_q: Vec<f32> = weights.iter().map(|w| (w / total).ln() as f32).collect();
        let (thresholds, aliases) = alias::build(weights);
        Ok(Self {
            items: weights.len(),
            table: AliasTable {
                thresholds: engine.upload("popularity thresholds", &thresholds)?,
                aliases: engine.upload("popularity aliases", &aliases)?,
            },
            log_q: engine.upload("popularity log q", &log_q)?,
        })
    }
}

impl Proposal for Popularity {
    fn draw(&self, recording: &mut Recording, draw: &Draw<'_>, negatives: &Buffer<u32>) {
        recording.push(DrawStatic {
            groups: draw.groups,
            items: self.items,
            table: Some(self.table.clone()),
            rng: draw.rng,
            step: draw.step,
            negatives: negatives.clone(),
        });
    }

    fn log_q(&self, recording: &mut Recording, draw: &Draw<'_>, wanted: &[Wanted]) {
        record_lookups(recording, &self.log_q, draw, wanted);
    }
}
