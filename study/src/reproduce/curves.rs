//! Figures 3, 5(a) and 5(b): NDCG@50 through training by sampler, by the number of negatives, and by the number of
//! codewords.

use fastvae::{Result, model::ModelKind};
use pollster::block_on;

use super::{
    Experiment,
    lab::Lab,
    report::{Measured, Report, Row, Verdict},
    sets::missing,
};
use crate::{
    chart::{self, Frame, Series},
    compare::{Line, compare},
    fidelity::Sampler,
};

const NDCG: &str = "ndcg@50";
const RECALL: &str = "recall@50";

/// One curve: its label, and its sampler as `fastvae compare` takes it.
type Job = (String, String);

/// Trains every job on a set; each curve is a cell.
fn train(lab: &mut Lab<'_>, set: usize, jobs: &[Job]) -> Result<Vec<Line>> {
    let config = lab.config(ModelKind::MultVae, None, &lab.sets[set], 0).training()?;
    let split = lab.sets[set].split(0)?;
    let mut lines = Vec::new();
    for (label, sampler) in jobs {
        let key = format!("{}/{label}", lab.sets[set].name);
        let samplers = Sampler::parse_all(&[sampler], &config)?;
        let mut line: Line = lab.cell(&key, |lab| {
            let mut tell = |_: &str, point: &crate::compare::Point| {
                let value = point.metrics.get(NDCG).copied().unwrap_or(f64::NAN);
                lab.at(&format!("{key} epoch {}/{} {NDCG} {value:.4}", point.epoch, config.training.epochs));
            };
            let comparison =
                block_on(compare(&lab.engine, &config, &samplers, &split.train, &split.test, &mut tell))?;
            Ok(comparison.lines.into_iter().next().unwrap_or(Line {
                label: String::new(),
                points: Vec::new(),
                stopped: None,
            }))
        })?;
        line.label.clone_from(label);
        lines.push(line);
    }
    Ok(lines)
}

fn announce(lab: &mut Lab<'_>, jobs: &[(usize, Vec<Job>)]) {
    let keys: Vec<String> = jobs
        .iter()
        .flat_map(|(set, jobs)| jobs.iter().map(|(label, _)| format!("{}/{label}", lab.sets[*set].name)))
        .collect();
    lab.announce(keys);
}

/// Values of a metric by epoch.
fn values(line: &Line, metric: &str) -> Vec<f64> {
    line.points.iter().filter_map(|point| point.metrics.get(metric).copied()).collect()
}

fn best(line: &Line, metric: &str) -> Option<f64> {
    values(line, metric).into_iter().reduce(f64::max)
}

fn find<'a>(lines: &'a [Line], label: &str) -> Option<&'a Line> {
    lines.iter().find(|line| line.label == label)
}

/// Figures and rows of the curves of a set.
fn add(report: &mut Report, lab: &Lab<'_>, set: usize, lines: &[Line]) {
    let set = &lab.sets[set];
    for (name, label) in [(NDCG, "NDCG@50"), (RECALL, "Recall@50")] {
        let series = lines.iter().map(|line| {
            let points = line.points.iter();
            Series::new(
                line.label.clone(),
                points.filter_map(|p| Some((f64::from(p.epoch), *p.metrics.get(name)?))),
            )
        });
        let frame = Frame {
            title: format!("{label} by epochs: {}", set.title()),
            description: format!("{label} on the test users after each epoch, for each curve."),
            x_label: "epoch".into(),
            y_label: label.into(),
            size: (520, 400),
            ..Frame::default()
        };
        let file = format!("{}-{}", label.split('@').next().unwrap_or(label).to_lowercase(), set.name);
        report.figures.push((file, chart::lines(&frame, &series.collect::<Vec<_>>())));
        for line in lines {
            let mut row = Row::new(set.title(), line.label.clone(), format!("{label}, best epoch"));
            row.ours = best(line, name).map(Measured::one);
            row.note = line.stopped.clone().unwrap_or_default();
            report.rows.push(row);
        }
    }
}

fn notes(report: &mut Report) {
    report
        .notes
        .push("Every curve starts from the same parameters and sees the same batches and noise.".into());
    report
        .notes
        .push("The paper shows curves and no values, so that its statements are what is compared.".into());
}

/// Figure 3: samplers through training.
///
/// # Errors
/// As [`super::reproduce`].
pub(super) fn fig3(lab: &mut Lab<'_>) -> Result<Report> {
    let samplers = ["full", "uniform", "popularity", "kernel", "midx-uniform", "midx-popularity"];
    let job = |name: &&str| ((*name).to_owned(), (*name).to_owned());
    let jobs: Vec<(usize, Vec<Job>)> =
        (0..lab.sets.len()).map(|set| (set, samplers.iter().map(job).collect())).collect();
    announce(lab, &jobs);
    let mut report = Report::new(Experiment::Fig3, "Figure 3: samplers through training", lab.line());
    for (set, jobs) in &jobs {
        let lines = train(lab, *set, jobs)?;
        add(&mut report, lab, *set, &lines);
        let title = lab.sets[*set].title();
        let of = |name: &str| find(&lines, name).map(|line| values(line, NDCG)).unwrap_or_default();
        let ahead: Vec<bool> = ["midx-uniform", "midx-popularity"]
            .into_iter()
            .flat_map(|midx| ["uniform", "popularity"].map(|other| (midx, other)))
            .flat_map(|(midx, other)| {
                of(midx).into_iter().zip(of(other)).map(|(a, b)| a > b).collect::<Vec<_>>()
            })
            .collect();
        let share = ahead.iter().filter(|&&ahead| ahead).count() as f64 / ahead.len().max(1) as f64;
        report.claim(
            format!("{title}: MIDX samplers defeat the static samplers during the whole training"),
            format!("in {:.0} % of the epochs", 100.0 * share),
            Verdict::at_least((!ahead.is_empty()).then_some(share), 0.95, 0.5),
        );
        let best_of = |name: &str| find(&lines, name).and_then(|line| best(line, NDCG));
        let ratio = |a: &str, b: &str| Some(best_of(a)? / best_of(b)?);
        let kernel: Vec<f64> = ["midx-uniform", "midx-popularity"]
            .into_iter()
            .filter_map(|midx| ratio("kernel", midx))
            .collect();
        report.claim(
            format!("{title}: Kernel performs worse than MIDX"),
            kernel.iter().map(|ratio| format!("{ratio:.3}")).collect::<Vec<_>>().join(" and ")
                + " of its NDCG@50",
            Verdict::of_all(&kernel.iter().map(|ratio| *ratio < 1.0).collect::<Vec<_>>()),
        );
        for (name, midx) in [("MIDX_Uni", "midx-uniform"), ("MIDX_Pop", "midx-popularity")] {
            let full = ratio(midx, "full");
            report.claim(
                format!("{title}: {name} performs as well as Multi-VAE"),
                full.map_or_else(String::new, |ratio| format!("{ratio:.3} of its NDCG@50")),
                Verdict::at_least(full, 0.99, 0.97),
            );
        }
    }
    for paper in missing(&lab.sets).filter(|paper| ["gowalla", "netflix"].contains(&paper.name)) {
        let mut row = Row::new(paper.title, "all samplers", "NDCG@50");
        row.note = format!("not given: {}", paper.supply);
        report.rows.push(row);
    }
    notes(&mut report);
    Ok(report)
}

/// The set of figure 5: Gowalla, or else the first one.
fn gowalla(lab: &Lab<'_>) -> usize {
    lab.sets.iter().position(|set| set.name == "gowalla").unwrap_or(0)
}

/// Figure 5(a): the number of negatives.
///
/// # Errors
/// As [`super::reproduce`].
pub(super) fn fig5a(lab: &mut Lab<'_>) -> Result<Report> {
    let set = gowalla(lab);
    let most = lab.sets[set].dataset.items.len() / 2;
    let numbers = lab.plan.size.of([5, 20, 50], [20, 100, 400], [200, 1000, 5000]);
    let numbers: Vec<usize> = numbers.into_iter().filter(|&negatives| negatives <= most).collect();
    let label = |sampler: &str, negatives: usize| format!("{sampler} S={negatives}");
    let job = |sampler: &str, negatives: usize| {
        (label(sampler, negatives), format!("{sampler}:negatives={negatives}"))
    };
    let jobs: Vec<Job> = ["uniform", "midx-uniform"]
        .into_iter()
        .flat_map(|sampler| numbers.iter().map(move |&negatives| job(sampler, negatives)))
        .collect();
    let jobs = [(set, jobs)];
    announce(lab, &jobs);
    let lines = train(lab, set, &jobs[0].1)?;
    let mut report = Report::new(Experiment::Fig5a, "Figure 5(a): the number of negatives", lab.line());
    add(&mut report, lab, set, &lines);
    let of = |sampler: &str, negatives: usize| {
        find(&lines, &label(sampler, negatives)).and_then(|line| best(line, NDCG))
    };
    let gains: Vec<(usize, f64)> = numbers
        .iter()
        .filter_map(|&negatives| {
            Some((negatives, of("midx-uniform", negatives)? / of("uniform", negatives)?))
        })
        .collect();
    let shown: Vec<String> = gains
        .iter()
        .map(|(negatives, gain)| format!("{gain:.3} of Uniform's NDCG@50 with {negatives}"))
        .collect();
    report.claim(
        "MIDX_Uni is above Uniform with every number of negatives",
        shown.join(", "),
        Verdict::of_all(&gains.iter().map(|(_, gain)| *gain > 1.0).collect::<Vec<_>>()),
    );
    for (title, sampler) in [("Uniform", "uniform"), ("MIDX_Uni", "midx-uniform")] {
        let rising: Vec<f64> = numbers.iter().filter_map(|&negatives| of(sampler, negatives)).collect();
        let shown: Vec<String> = rising.iter().map(|value| format!("{value:.4}")).collect();
        report.claim(
            format!("More negatives are better for {title}"),
            shown.join(", "),
            Verdict::of_all(&rising.windows(2).map(|pair| pair[1] > 0.998 * pair[0]).collect::<Vec<_>>()),
        );
    }
    let fewest = gains.first().map(|(_, gain)| *gain);
    let others = gains.iter().skip(1).map(|(_, gain)| *gain).reduce(f64::max);
    report.claim(
        "MIDX_Uni improves most with the fewest negatives",
        shown.join(", "),
        Verdict::at_least(fewest.zip(others).map(|(fewest, others)| fewest - others), 0.0, -0.01),
    );
    without_gowalla(&mut report, lab, set);
    Ok(report)
}

/// Figure 5(b): the number of codewords.
///
/// # Errors
/// As [`super::reproduce`].
pub(super) fn fig5b(lab: &mut Lab<'_>) -> Result<Report> {
    let set = gowalla(lab);
    let numbers: &[usize] = lab.plan.size.of(&[4, 8], &[4, 8, 16, 32], &[8, 16, 32, 64, 128]);
    let label = |codewords: usize| format!("midx-uniform K={codewords}");
    let job = |&codewords: &usize| (label(codewords), format!("midx-uniform:codewords={codewords}"));
    let jobs = [(set, numbers.iter().map(job).collect::<Vec<_>>())];
    announce(lab, &jobs);
    let lines = train(lab, set, &jobs[0].1)?;
    let mut report = Report::new(Experiment::Fig5b, "Figure 5(b): the number of codewords", lab.line());
    add(&mut report, lab, set, &lines);
    let early: Vec<f64> = lines
        .iter()
        .map(|line| {
            let values = values(line, NDCG);
            let first = (values.len() / 5).max(1);
            values.iter().take(first).sum::<f64>() / first as f64
        })
        .collect();
    let shown =
        |values: &[f64]| values.iter().map(|value| format!("{value:.4}")).collect::<Vec<_>>().join(", ");
    report.claim(
        "With more clusters, MIDX_Uni performs better in the first epochs",
        format!("mean NDCG@50 of the first fifth: {}", shown(&early)),
        Verdict::of_all(&early.windows(2).map(|pair| pair[1] > pair[0]).collect::<Vec<_>>()),
    );
    let ends: Vec<f64> = lines.iter().filter_map(|line| best(line, NDCG)).collect();
    let ratio = ends.iter().copied().reduce(f64::min).zip(ends.iter().copied().reduce(f64::max));
    report.claim(
        "MIDX_Uni also behaves well with fewer clusters",
        format!("best epochs: {}", shown(&ends)),
        Verdict::at_least(ratio.map(|(least, most)| least / most), 0.97, 0.9),
    );
    without_gowalla(&mut report, lab, set);
    Ok(report)
}

fn without_gowalla(report: &mut Report, lab: &Lab<'_>, set: usize) {
    if lab.sets[set].name != "gowalla" {
        let gowalla = missing(&lab.sets).find(|paper| paper.name == "gowalla");
        let supply = gowalla.map_or("", |paper| paper.supply);
        report.notes.push(format!("The paper's figure is of Gowalla, which was not given: {supply}"));
    }
    notes(report);
}
