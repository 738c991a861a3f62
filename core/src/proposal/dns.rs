//! Dynamic negative sampling (Zhang et al., 2013): of B uniform draws, the one with the largest logit.
//!
//! Its proposal probability is an order statistic of the item's rank (see [`DnsLogQ`]), and ranks require the
//! logits of all items, so an exact correction costs as much as the full softmax. As published, the draws are
//! used without a correction: a heuristic that costs B inner products per candidate and does not estimate the
//! softmax's gradient, however many negatives there are. [`DnsCorrection`] selects one of the two.

use super::{
    Catalogue, Draw, Proposal, Wanted,
    logits::{Logits, not_attached},
    uniform::record_lookups,
};
use crate::{
    Result,
    config::{DnsCorrection, ProposalConfig, ProposalKind},
    engine::{Buffer, Engine, Recording},
    kernels::{DnsDraw, DnsLogQ, Scores},
};

/// q(i) = ((M - r_i)^B - (M - r_i - 1)^B) / M^B, where r_i is the number of items ranked above i.
pub struct Dns {
    draws: usize,
    correction: Correction,
    catalogue: Option<Catalogue>,
    items: usize,
}

/// The values from which log q is computed.
enum Correction {
    Exact(Logits),
    /// A constant for every item, M.
    None(Buffer<f32>),
}

impl Dns {
    /// `queries` is the largest number of query rows in a step.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] if the logits of a step are too many; [`crate::Error::Device`] if the engine
    /// cannot hold them.
    pub fn new(engine: &Engine, config: &ProposalConfig, items: usize, queries: usize) -> Result<Self> {
        let correction = match config.dns_correction {
            DnsCorrection::Exact => {
                Correction::Exact(Logits::new(engine, ProposalKind::Dns, items, queries)?)
            }
            DnsCorrection::None => {
                Correction::None(engine.upload("uniform log q", &vec![-(items as f64).ln() as f32; items])?)
            }
        };
        Ok(Self { draws: config.dns_draws, correction, catalogue: None, items })
    }
}

impl Proposal for Dns {
    fn attach(&mut self, catalogue: &Catalogue) {
        self.catalogue = Some(catalogue.clone());
        if let Correction::Exact(logits) = &mut self.correction {
            logits.attach(catalogue);
        }
    }

    /// True without a correction too: the draw compares logits of items that the step may not touch.
    fn reads_items(&self) -> bool {
        true
    }

    fn prepare(&self, recording: &mut Recording, draw: &Draw<'_>) {
        if let Correction::Exact(logits) = &self.correction {
            logits.record(recording, draw);
        }
    }

    fn draw(&self, recording: &mut Recording, draw: &Draw<'_>, negatives: &Buffer<u32>) {
        let Some(catalogue) = &self.catalogue else { return recording.fail(not_attached()) };
        let scores = match &self.correction {
            Correction::Exact(logits) => Scores::Logits(logits.values.clone()),
            Correction::None(_) => Scores::Rows {
                queries: draw.queries.clone(),
                table: catalogue.table.clone(),
                bias: catalogue.bias.clone(),
                width: catalogue.width,
            },
        };
        recording.push(DnsDraw {
            groups: draw.groups,
            items: self.items,
            draws: self.draws,
            scores,
            rng: draw.rng,
            step: draw.step,
            negatives: negatives.clone(),
        });
    }

    fn log_q(&self, recording: &mut Recording, draw: &Draw<'_>, wanted: &[Wanted]) {
        match &self.correction {
            Correction::Exact(logits) => recording.push(DnsLogQ {
                groups: draw.groups,
                logits: logits.values.clone(),
                catalogue: self.items,
                draws: self.draws,
                lookups: wanted.iter().map(|wanted| (wanted.items.clone(), wanted.log_q.clone())).collect(),
            }),
            Correction::None(constant) => record_lookups(recording, constant, draw, wanted),
        }
    }
}
