//! Draws from core's own proposals, and the probabilities they were drawn with.

use fastvae::{
    Error, Result,
    config::{ProposalConfig, Quantisation},
    engine::{Engine, Recording},
    kernels::{Groups, ItemsOf},
    proposal::{self, Catalogue, Draw, Popularity, Proposal, Samples, index::IndexState},
    rng::Rng,
};
use web::{Question, Report, theory, toy::Toy};

/// Below every log q that can be drawn; JSON has no infinity.
const NEVER: f32 = -1e30;

/// What was asked last, ready for the next question of the same kind.
#[derive(Default)]
pub struct Proposals {
    known: Vec<(Key, Toy, Box<dyn Proposal>)>,
}

/// What a proposal depends on.
#[derive(Clone, PartialEq)]
struct Key {
    catalogue: (u32, u32, u32),
    sampler: fastvae::config::Method,
    weights: Vec<f32>,
    codewords: u32,
    rows: u32,
}

/// Proposals kept.
const KEPT: usize = 8;

impl Proposals {
    /// Answers a question.
    pub async fn draw(&mut self, engine: &Engine, question: &Question) -> Result<Report> {
        let key = Key {
            catalogue: (question.items, question.dim, question.seed),
            sampler: question.sampler,
            weights: question.weights.clone(),
            codewords: question.codewords,
            rows: question.rows,
        };
        if !self.known.iter().any(|(known, ..)| *known == key) {
            let (toy, proposal) = build(engine, question).await?;
            if self.known.len() >= KEPT {
                self.known.remove(0);
            }
            self.known.push((key.clone(), toy, proposal));
        }
        let Some((_, toy, proposal)) = self.known.iter().find(|(known, ..)| *known == key) else {
            return Err(Error::Data("the proposal is gone".into()));
        };
        if question.query.len() != toy.dim {
            return Err(Error::setting(
                "dim",
                format!("a query of {} numbers for {}", question.query.len(), toy.dim),
            ));
        }
        let (draws, log_q) = ask(engine, proposal.as_ref(), question, toy.len()).await?;
        let logits = toy.logits(&question.query);
        let estimates = [true, false].map(|corrected| {
            draws
                .chunks_exact(question.draws.max(1) as usize)
                .map(|set| theory::estimate(set, &logits, &log_q, corrected, |item| toy.place(item)))
                .collect()
        });
        let (cells, codewords) = match proposal.index() {
            Some(index) => halves(index.installed(), question.dim as usize),
            None => Default::default(),
        };
        Ok(Report::Drawn {
            to: question.to.clone(),
            step: question.step,
            draws,
            log_q,
            estimates,
            cells,
            codewords,
        })
    }
}

async fn build(engine: &Engine, question: &Question) -> Result<(Toy, Box<dyn Proposal>)> {
    let toy = Toy::new(question.items as usize, question.dim as usize, question.seed)?;
    let rows = question.rows as usize;
    let mut proposal: Box<dyn Proposal> = if question.weights.is_empty() {
        let codewords = (question.codewords as usize).min(toy.len());
        let kind = question.sampler.proposal().ok_or_else(|| {
            Error::setting("samplers", "the full softmax draws nothing; take midx, which is exact")
        })?;
        let config = ProposalConfig {
            kind,
            codewords,
            quantisation: Quantisation::Product,
            ..ProposalConfig::default()
        };
        proposal::build(engine, &config, &toy.counts, rows)?
    } else {
        if question.weights.len() != toy.len() {
            return Err(Error::setting("weights", "one for each film is needed"));
        }
        let weights: Vec<f64> = question.weights.iter().map(|&w| f64::from(w.max(0.0))).collect();
        Box::new(Popularity::new(engine, &weights)?)
    };
    let catalogue = Catalogue {
        table: engine.upload("films", &toy.vectors)?,
        bias: None,
        items: toy.len(),
        width: toy.dim,
    };
    proposal.attach(&catalogue);
    proposal.refresh(engine, &catalogue, Rng::new(question.seed.into()), 0).await?;
    Ok((toy, proposal))
}

/// `question.rows` times `question.draws` candidates from a proposal, and its log q of every item for the question's
/// query.
async fn ask(
    engine: &Engine,
    proposal: &dyn Proposal,
    question: &Question,
    items: usize,
) -> Result<(Vec<u32>, Vec<f32>)> {
    let (rows, draws) = (question.rows as usize, question.draws as usize);
    let groups = Groups { batch: rows, samples: 1, size: 1, candidates: draws.max(1) };
    let everything: Vec<u32> = (0..items as u32).collect();
    let samples = Samples {
        negatives: engine.zeros("draws", groups.total())?,
        negative_log_q: engine.zeros("log q of draws", groups.total())?,
        positive_log_q: engine.zeros("log q of all items", items)?,
    };
    let queries = engine.upload("queries", &question.query.repeat(rows))?;
    let draw = Draw { queries: &queries, groups, rng: Rng::new(question.seed.into()), step: question.step };
    let mut recording = Recording::new();
    let all = ItemsOf::Entries {
        items: engine.upload("all items", &everything)?,
        rows: engine.zeros("first row", items)?,
        entries: items,
    };
    proposal.record(&mut recording, &draw, all, &samples);
    engine.run(&recording)?;
    let drawn = if draws == 0 { Vec::new() } else { engine.read(&samples.negatives).await? };
    let log_q = engine.read(&samples.positive_log_q).await?;
    // Written so that NaN becomes "never" as well.
    Ok((drawn, log_q.into_iter().map(|q| if q > NEVER { q } else { NEVER }).collect()))
}

/// The cell of each item, and the codewords without the columns in which they are zero: K of the first half, then
/// K of the second.
fn halves(index: &IndexState, width: usize) -> (Vec<u32>, Vec<f32>) {
    let (k, half) = (index.codewords.len() / (2 * width), width / 2);
    let cells =
        index.codes.as_chunks::<2>().0.iter().map(|[first, second]| first * k as u32 + second).collect();
    let rows = index.codewords.chunks_exact(width).enumerate();
    let codewords =
        rows.flat_map(|(at, row)| if at < k { &row[..half] } else { &row[half..] }).copied().collect();
    (cells, codewords)
}
