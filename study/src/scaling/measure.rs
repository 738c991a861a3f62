//! Measures the cost of one sampler at one size.

use std::time::Duration;

use fastvae::{
    Result,
    config::{Config, ProposalConfig},
    engine::{Buffer, Engine, Recording, live_bytes},
    kernels::{Groups, ItemsOf, Normal},
    proposal::{self, Catalogue, Draw, Proposal, Samples},
    rng::{Rng, Stream},
};
use web_time::Instant;

use super::Cost;

/// Standard deviation of the logits of random vectors, about that of a trained model.
const LOGITS: f32 = 1.5;

/// A catalogue of random vectors, and the queries of a few users.
pub struct Bench<'a> {
    engine: &'a Engine,
    catalogue: Catalogue,
    queries: Buffer<f32>,
    counts: Vec<u32>,
    users: usize,
}

impl<'a> Bench<'a> {
    /// Makes `items` vectors of `width` elements, and queries of `users` users that form one batch.
    ///
    /// # Errors
    /// If the engine has not enough memory for them.
    pub async fn new(engine: &'a Engine, items: usize, width: usize, users: usize) -> Result<Self> {
        let table = engine.zeros("item vectors", items * width)?;
        let queries = engine.zeros("queries", users * width)?;
        let scale = LOGITS / (width as f32).sqrt();
        let mut recording = Recording::new();
        for (output, rows, scale, step) in [(&table, items, scale, 0), (&queries, users, 1.0, 1)] {
            let (output, rng, stream) = (output.clone(), Rng::new(1), Stream::Init);
            recording.push(Normal { output, rows, width, scale, rng, stream, step });
        }
        engine.run(&recording)?;
        wait(engine).await?;
        let counts = (1..=items).map(|rank| (100_000 / rank).max(1) as u32).collect();
        let catalogue = Catalogue { table, bias: None, items, width };
        Ok(Self { engine, catalogue, queries, counts, users })
    }

    /// Measures the cost of a proposal; the time of draws is the best of `repeats` batches.
    ///
    /// # Errors
    /// [`fastvae::Error::Setting`] if a run with item vectors of this width would refuse the settings;
    /// otherwise if the engine has not enough memory for the tables, or the device is lost.
    pub async fn measure(&self, config: &ProposalConfig, repeats: u32) -> Result<Cost> {
        let (engine, items) = (self.engine, self.catalogue.items);
        let mut run = Config { proposal: config.clone(), ..Config::default() };
        run.model.hidden = self.catalogue.width;
        run.validate(items)?;
        let batch = Batch::new(self, config.negatives)?;
        let before = live_bytes();
        let start = Instant::now();
        let mut proposal = proposal::build(engine, config, &self.counts, self.users)?;
        proposal.attach(&self.catalogue);
        self.refresh(proposal.as_mut(), 0).await?;
        let setup_seconds = start.elapsed().as_secs_f64();
        let start = Instant::now();
        self.refresh(proposal.as_mut(), 1).await?;
        let refresh_seconds = if proposal.needs_refresh() { start.elapsed().as_secs_f64() } else { 0.0 };
        let mut best = Duration::MAX;
        // The first batch is a warm-up.
        for step in 0..=repeats.max(1) {
            let spent = batch.draw(self, proposal.as_ref(), step).await?;
            if step > 0 {
                best = best.min(spent);
            }
        }
        Ok(Cost {
            engine: engine.describe(),
            sampler: config.kind.name().into(),
            items,
            setup_seconds,
            refresh_seconds,
            draw_seconds: best.as_secs_f64() * 1000.0 / batch.groups.total() as f64,
            bytes: live_bytes().saturating_sub(before),
        })
    }

    async fn refresh(&self, proposal: &mut dyn Proposal, step: u32) -> Result<()> {
        proposal.refresh(self.engine, &self.catalogue, Rng::new(3), step).await?;
        wait(self.engine).await
    }
}

/// The buffers of a batch: every user draws negatives and has one positive.
struct Batch {
    groups: Groups,
    positives: ItemsOf,
    samples: Samples,
}

impl Batch {
    fn new(bench: &Bench<'_>, negatives: usize) -> Result<Self> {
        let (engine, users) = (bench.engine, bench.users);
        let groups = Groups { batch: users, samples: 1, size: 1, candidates: negatives };
        let rows: Vec<u32> = (0..users as u32).collect();
        let items: Vec<u32> = rows.iter().map(|user| user % bench.catalogue.items as u32).collect();
        let positives = ItemsOf::Entries {
            items: engine.upload("positives", &items)?,
            rows: engine.upload("rows", &rows)?,
            entries: users,
        };
        let samples = Samples {
            negatives: engine.zeros("negatives", groups.total())?,
            negative_log_q: engine.zeros("log q of negatives", groups.total())?,
            positive_log_q: engine.zeros("log q of positives", users)?,
        };
        Ok(Self { groups, positives, samples })
    }

    async fn draw(&self, bench: &Bench<'_>, proposal: &dyn Proposal, step: u32) -> Result<Duration> {
        let draw = Draw { queries: &bench.queries, groups: self.groups, rng: Rng::new(2), step };
        let start = Instant::now();
        let mut recording = Recording::new();
        proposal.record(&mut recording, &draw, self.positives.clone(), &self.samples);
        bench.engine.run(&recording)?;
        wait(bench.engine).await?;
        Ok(start.elapsed())
    }
}

/// Waits until the engine has finished all submitted work.
async fn wait(engine: &Engine) -> Result<()> {
    let flag = engine.zeros::<u32>("end", 1)?;
    engine.read(&flag).await.map(drop)
}
