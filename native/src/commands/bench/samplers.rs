//! `fastvae bench samplers`: cost of samplers by catalogue size (the paper's table 1).

use fastvae::{
    Error, Result,
    config::{ProposalConfig, ProposalKind},
    file,
};
use fastvae_study::scaling::{Bench, Growth, Scaling};
use pollster::block_on;
use serde::Serialize;

use crate::{
    args::bench::SamplersArgs,
    output::{Table, duration, grouped, note, print, print_json},
    settings,
};

/// Runs `fastvae bench samplers`.
///
/// # Errors
/// Errors of settings and engine.
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
        let bench = block_on(Bench::new(&engine, items, args.width, args.users))?;
        for name in &args.samplers {
            let Some(kind) = ProposalKind::parse(name) else { continue };
            let config = ProposalConfig { kind, ..base.clone() };
            match block_on(bench.measure(&config, args.repeats)) {
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

/// JSON output: costs, and the exponents fitted to them.
#[derive(Serialize)]
struct WithGrowth {
    #[serde(flatten)]
    scaling: Scaling,
    growth: Vec<Growth>,
}
