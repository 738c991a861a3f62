//! `fastvae bench samplers`: the paper's Table 1, measured.

use std::time::Instant;

use fastvae::{
    Error, Result,
    config::{Config, ProposalConfig, ProposalKind},
    engine::{Engine, Recording, live_bytes},
    file,
    kernels::{Groups, ItemsOf, Normal},
    proposal::{self, Catalogue, Draw, Proposal, Samples},
    rng::{Rng, Stream},
};
use fastvae_study::scaling::{Cost, Growth, Scaling};
use pollster::block_on;
use serde::Serialize;

use super::wait;
use crate::{
    args::bench::SamplersArgs,
    output::{Table, duration, grouped, note, print, print_json},
    settings,
};

/// Standard deviation of the logits of random vectors: about that of a trained model's.
const LOGITS: f32 = 1.5;

/// Measures samplers.
///
/// # Errors
/// Whatever the settings and the engine meet.
pub fn run(args: &SamplersArgs) -> Result<()> {
    if args.width == 0 || args.users == 0 || args.items.contains(&0) {
        return Err(Error::setting("items", "items, users and width are at least 1"));
    }
    let base = settings::proposal(&args.proposal)?;
    let (engine, why) = settings::engine(&args.engine)?;
    let what = engine.describe();
    let mut scaling = Scaling {
        width: args.width,
        users: args.users,
        negatives: base.negatives,
        codewords: base.codewords,
        codebooks: base.codebooks,
        costs: Vec::new(),
        refused: Vec::new(),
    };
    for &items in &args.items {
        let world = World::new(&engine, items, args)?;
        for name in &args.samplers {
            let Some(kind) = ProposalKind::parse(name) else { continue };
            let config = ProposalConfig { kind, ..base.clone() };
            match valid(&config, items, args.width).and_then(|()| world.measure(&config, args.repeats)) {
                Ok(cost) => scaling.costs.push(cost),
                Err(error) => {
                    scaling.refused.push(format!("{name} at {} items: {error}", grouped(items as u64)))
                }
            }
            if !args.common.json {
                note(&format!("{name}, {} items", grouped(items as u64)));
            }
        }
    }
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
        file::write(&folder.join("samplers.csv"), scaling.csv().as_bytes())?;
        file::write(&folder.join("growth.csv"), scaling.growth_csv().as_bytes())?;
        file::write(&folder.join("samplers.html"), scaling.html().as_bytes())?;
        for (name, svg) in scaling.figures() {
            file::write(&folder.join(name).with_extension("svg"), svg.as_bytes())?;
        }
    }
    if args.common.json {
        let growth = scaling.growth();
        return print_json(&WithGrowth { scaling, growth });
    }
    let mut table = Table::new(["sampler", "items", "set-up", "refresh", "1,000 draws", "memory"]);
    for cost in &scaling.costs {
        table.row([
            cost.sampler.clone(),
            grouped(cost.items as u64),
            duration(cost.setup_seconds),
            if cost.refresh_seconds > 0.0 { duration(cost.refresh_seconds) } else { "–".into() },
            format!("{:.3} ms", cost.draw_seconds * 1e3),
            format!("{:.1} MB", cost.bytes as f64 / 1e6),
        ]);
    }
    let mut growth = Table::new(["as a power of the items", "set-up", "refresh", "1,000 draws", "memory"]);
    for line in scaling.lines() {
        let exponents = scaling.exponents(line);
        let shown = exponents.iter().map(|b| b.map_or("–".into(), |b| format!("{b:.2}")));
        growth.row(std::iter::once(line.1.to_owned()).chain(shown));
    }
    let refused: String = scaling.refused.iter().map(|line| format!("not measured: {line}\n")).collect();
    print(&format!(
        "engine: {what} ({why})\n{} users draw {} each, vectors of {}\n\n{table}\n{growth}\n{refused}",
        args.users, scaling.negatives, args.width
    ))
}

/// What JSON readers get: costs, and the exponents fitted to them.
#[derive(Serialize)]
struct WithGrowth {
    #[serde(flatten)]
    scaling: Scaling,
    growth: Vec<Growth>,
}

/// As a run with item vectors of this width would check it.
fn valid(proposal: &ProposalConfig, items: usize, width: usize) -> Result<()> {
    let mut config = Config { proposal: proposal.clone(), ..Config::default() };
    config.model.hidden = width;
    config.validate(items)
}

/// A catalogue of random vectors and queries of a few users.
struct World<'a> {
    engine: &'a Engine,
    catalogue: Catalogue,
    queries: fastvae::engine::Buffer<f32>,
    counts: Vec<u32>,
    users: usize,
}

impl<'a> World<'a> {
    fn new(engine: &'a Engine, items: usize, args: &SamplersArgs) -> Result<Self> {
        let (width, users) = (args.width, args.users);
        let table = engine.zeros("item vectors", items * width)?;
        let queries = engine.zeros("queries", users * width)?;
        let scale = LOGITS / (width as f32).sqrt();
        let mut recording = Recording::new();
        for (output, rows, scale, step) in [(&table, items, scale, 0), (&queries, users, 1.0, 1)] {
            let (output, rng, stream) = (output.clone(), Rng::new(1), Stream::Init);
            recording.push(Normal { output, rows, width, scale, rng, stream, step });
        }
        engine.run(&recording)?;
        wait(engine)?;
        let counts = (1..=items).map(|rank| (100_000 / rank).max(1) as u32).collect();
        let catalogue = Catalogue { table, bias: None, items, width };
        Ok(Self { engine, catalogue, queries, counts, users })
    }

    fn measure(&self, config: &ProposalConfig, repeats: u32) -> Result<Cost> {
        let (engine, items) = (self.engine, self.catalogue.items);
        let groups = Groups { batch: self.users, samples: 1, share: 1, candidates: config.negatives };
        let positives: Vec<u32> = (0..self.users as u32).collect();
        let batch_items: Vec<u32> = positives.iter().map(|user| user % items as u32).collect();
        let (batch_items, batch_rows) =
            (engine.upload("positives", &batch_items)?, engine.upload("rows", &positives)?);
        let samples = Samples {
            negatives: engine.zeros("negatives", groups.total())?,
            negative_log_q: engine.zeros("log q of negatives", groups.total())?,
            positive_log_q: engine.zeros("log q of positives", self.users)?,
        };
        let before = live_bytes();
        let start = Instant::now();
        let mut proposal = proposal::build(engine, config, &self.counts, self.users)?;
        proposal.attach(&self.catalogue);
        self.refresh(proposal.as_mut(), 0)?;
        let setup_seconds = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let refreshed = self.refresh(proposal.as_mut(), 1)?;
        let refresh_seconds = if refreshed { start.elapsed().as_secs_f64() } else { 0.0 };
        let mut best = f64::INFINITY;
        // The first batch warms up.
        for batch in 0..=repeats.max(1) {
            let draw = Draw { queries: &self.queries, groups, rng: Rng::new(2), step: batch };
            let start = Instant::now();
            let mut recording = Recording::new();
            let positives = ItemsOf::Entries {
                items: batch_items.clone(),
                rows: batch_rows.clone(),
                entries: self.users,
            };
            proposal.record(&mut recording, &draw, positives, &samples);
            engine.run(&recording)?;
            wait(engine)?;
            if batch > 0 {
                best = best.min(start.elapsed().as_secs_f64());
            }
        }
        Ok(Cost {
            engine: engine.describe(),
            sampler: config.kind.name().into(),
            items,
            setup_seconds,
            refresh_seconds,
            draw_seconds: best * 1000.0 / groups.total() as f64,
            bytes: live_bytes().saturating_sub(before),
        })
    }

    /// Refreshes the proposal; whether it needs that.
    fn refresh(&self, proposal: &mut dyn Proposal, step: u32) -> Result<bool> {
        block_on(proposal.refresh(self.engine, &self.catalogue, Rng::new(3), step))?;
        wait(self.engine)?;
        Ok(proposal.needs_refresh())
    }
}
