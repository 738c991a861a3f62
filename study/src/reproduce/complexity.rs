//! Table 1: how space and time of samplers grow with the number of items.

use fastvae::{
    Error, Result,
    config::{DnsCorrection, ProposalConfig, ProposalKind},
};
use pollster::block_on;

use super::{
    Experiment,
    lab::Lab,
    paper::SAMPLERS,
    report::{Measured, Report, Row, Verdict},
};
use crate::{
    report::grouped,
    scaling::{Bench, Cost, Scaling, exponent},
};

/// The bounds are upper ones: a cost may grow more slowly, or by so much faster than the power, since small sizes have
/// fixed costs and large ones leave the caches of the processor.
const ABOVE: f64 = 0.25;

/// The cost that a row is about.
type Pick = fn(&Cost) -> f64;

/// Width of item vectors, as in the paper.
const WIDTH: usize = 32;

/// Table 1.
///
/// # Errors
/// As [`super::reproduce`].
pub(super) fn table1(lab: &mut Lab<'_>) -> Result<Report> {
    let sizes: &[usize] = lab.plan.size.of(
        &[500, 1000, 2000],
        &[1000, 10_000, 100_000],
        &[1000, 10_000, 100_000, 1_000_000, 1_500_000],
    );
    let (users, repeats) = (lab.plan.size.of(8, 64, 64), lab.plan.size.of(1, 5, 5));
    let key = |sampler: &str, items: usize| format!("{sampler}/{items}");
    let cells = sizes.iter().flat_map(|&items| SAMPLERS.iter().map(move |(_, name, ..)| (*name, items)));
    let cells: Vec<(&str, usize)> = cells.collect();
    lab.announce(cells.iter().map(|&(name, items)| key(name, items)));
    let base = ProposalConfig { negatives: lab.plan.size.of(20, 200, 200), ..Default::default() };
    let mut scaling = Scaling {
        width: WIDTH,
        users,
        negatives: base.negatives,
        codewords: base.codewords,
        codebooks: base.codebooks,
        costs: Vec::new(),
        refused: Vec::new(),
    };
    for (name, items) in cells {
        let Some(kind) = ProposalKind::parse(name) else { continue };
        // DNS as published: with a correction it would rank the whole catalogue.
        let config = ProposalConfig { kind, dns_correction: DnsCorrection::None, ..base.clone() };
        let cost: Result<Cost> = lab.cell(&key(name, items), |lab| {
            block_on(async {
                let bench = Bench::new(&lab.engine, items, WIDTH, users).await?;
                bench.measure(&config, repeats).await
            })
        });
        match cost {
            Ok(cost) => scaling.costs.push(cost),
            Err(error @ (Error::Device(_) | Error::Setting { .. })) => {
                scaling.refused.push(format!("{name} at {} items: {error}", grouped(items as u64)));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(report(lab, &scaling))
}

fn report(lab: &Lab<'_>, scaling: &Scaling) -> Report {
    let line = format!("size {} · engine {}", lab.plan.size.name(), lab.engine.describe());
    let mut report = Report::new(Experiment::Table1, "Table 1: space and time of samplers", line);
    for (title, name, space, time) in SAMPLERS {
        let points = |of: Pick| -> Vec<(f64, f64)> {
            let own = scaling.costs.iter().filter(|cost| cost.sampler == name);
            own.map(|cost| (cost.items as f64, of(cost))).collect()
        };
        let measures: [(&str, f64, Pick); 2] = [
            ("space, power of M", space, |cost| cost.bytes as f64),
            ("time of draws, power of M", time, |cost| cost.draw_seconds),
        ];
        for (measure, bound, of) in measures {
            let power = exponent(&points(of));
            let mut row = Row::new("random vectors", title, measure);
            (row.paper, row.ours) = (Some(bound), power.map(Measured::one));
            row.verdict = Verdict::at_least(power.map(|power| bound - power), -ABOVE, -2.0 * ABOVE);
            if let Some(problem) =
                scaling.refused.iter().find(|line| line.starts_with(&format!("{name} at ")))
            {
                row.note.clone_from(problem);
            }
            report.rows.push(row);
        }
    }
    let largest = scaling.costs.iter().map(|cost| cost.items).max().unwrap_or(0);
    let draws = |name: &str| {
        let own = scaling.costs.iter().find(|cost| cost.sampler == name && cost.items == largest);
        own.map(|cost| cost.draw_seconds)
    };
    for (title, name) in [("MIDX_Uni", "midx-uniform"), ("MIDX_Pop", "midx-popularity")] {
        let ratios: Vec<(&str, f64)> = [("exact MIDX", "midx"), ("Kernel", "kernel")]
            .into_iter()
            .filter_map(|(other, key)| Some((other, draws(key)? / draws(name)?)))
            .collect();
        let met: Vec<bool> = ratios.iter().map(|(_, ratio)| *ratio > 1.0).collect();
        let text: Vec<String> =
            ratios.iter().map(|(other, ratio)| format!("{ratio:.1} times as fast as {other}")).collect();
        report.claim(
            format!(
                "{title} is superior in time to exact MIDX and Kernel, at {} items",
                grouped(largest as u64)
            ),
            text.join(", "),
            Verdict::of_all(&met),
        );
    }
    let figures = scaling.figures().into_iter();
    report.figures = figures.filter(|(name, _)| name.contains("draws") || name.contains("memory")).collect();
    report.notes = vec![
        "Values are powers of the number of items M, by a straight line through the logarithms. Those of the paper are \
         upper bounds; log M counts as the power 0."
            .into(),
        format!(
            "A power holds up to {ABOVE} above the bound, in part up to {}: small sizes have fixed costs, and large \
             ones leave the caches of the processor.",
            2.0 * ABOVE
        ),
        "Space does not include the item vectors themselves, and includes what is looked up of every item, such as log q."
            .into(),
        "DNS is measured as published, without a correction.".into(),
    ];
    report.notes.extend(scaling.refused.iter().cloned());
    report
}
