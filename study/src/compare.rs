//! Compares samplers through training (paper, figure 3): all use the same initial parameters, batches,
//! noise and ranked users; only the negatives differ.

use std::{collections::BTreeMap, fmt::Write};

use serde::{Deserialize, Serialize};

use crate::{
    chart::{self, Escaped, Frame, Series},
    fidelity::Sampler,
    report::{self, grouped, section},
};
use fastvae::{
    Error, Result,
    config::{Config, ProposalConfig},
    data::{Csr, EvaluationSet},
    engine::Engine,
    event::Event,
    train::Trainer,
    watch,
};

/// Evaluation of a sampler after some epochs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Epochs done.
    pub epoch: u32,
    /// Seconds of training so far, including index builds but not evaluation.
    pub seconds: f64,
    /// Mean of `nll + beta kl` over the last epoch.
    pub loss: f64,
    /// Metrics by name.
    pub metrics: BTreeMap<String, f64>,
}

/// One sampler's training curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The sampler's label.
    pub label: String,
    /// Its evaluations, in order of epochs.
    pub points: Vec<Point>,
    /// The error that ended its training early, if any.
    pub stopped: Option<String>,
}

/// The training curves of all samplers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// The data set.
    pub data: String,
    /// Which users were ranked: `test` or `validation`.
    pub part: String,
    /// The metric of the figures: `ndcg@50`.
    pub metric: String,
    /// Engine and device.
    pub engine: String,
    /// Numbers of users and items.
    pub size: (usize, usize),
    /// Negatives a user.
    pub negatives: usize,
    /// The curves, in the order of the samplers given.
    pub lines: Vec<Line>,
}

/// Trains one model for each sampler. The samplers take turns by epochs, so that other load on the machine
/// affects all of them equally. A run that diverges ends, and the others continue.
///
/// All models are in memory at once. `tell` is called with every evaluation.
///
/// # Errors
/// As [`Trainer::new`] for any of the models; [`Error::Device`] if the device is lost.
pub async fn compare(
    engine: &Engine,
    config: &Config,
    samplers: &[Sampler],
    train: &Csr,
    set: &EvaluationSet,
    tell: &mut dyn FnMut(&str, &Point),
) -> Result<Comparison> {
    let mut runs = Vec::new();
    for sampler in samplers {
        let mut config = sampler.settings(config);
        config.training.patience = 0;
        let trainer =
            Trainer::new(engine.clone(), &config, train, Some(set)).await.map_err(|error| match error {
                Error::Setting { field, problem } => {
                    Error::setting("samplers", format!("`{}`: {field}: {problem}", sampler.label))
                }
                other => other,
            })?;
        let line = Line { label: sampler.label.clone(), points: Vec::new(), stopped: None };
        runs.push(Run { trainer, line, seconds: 0.0, loss: f64::NAN });
    }
    let every = config.training.evaluate_every;
    for epoch in 1..=config.training.epochs {
        for run in runs.iter_mut().filter(|run| run.line.stopped.is_none()) {
            let evaluated = epoch.is_multiple_of(every) || epoch == config.training.epochs;
            match run.epoch(evaluated).await {
                Err(error @ Error::Diverged { .. }) => run.line.stopped = Some(error.to_string()),
                other => other?,
            }
            if let Some(point) = run.line.points.last().filter(|point| point.epoch == epoch) {
                tell(&run.line.label, point);
            }
        }
    }
    Ok(Comparison {
        metric: config.training.metric.clone(),
        engine: engine.describe(),
        size: (train.rows(), train.columns()),
        negatives: samplers.first().map_or(ProposalConfig::default().negatives, |s| s.proposal.negatives),
        lines: runs.into_iter().map(|run| run.line).collect(),
        ..Comparison::default()
    })
}

struct Run {
    trainer: Trainer,
    line: Line,
    seconds: f64,
    loss: f64,
}

impl Run {
    /// Trains to the end of the epoch, including its evaluation if there is one.
    async fn epoch(&mut self, evaluated: bool) -> Result<()> {
        while let Some(event) = self.trainer.next().await? {
            watch::check()?;
            match event {
                Event::Epoch { seconds, loss, .. } => {
                    self.seconds += seconds;
                    self.loss = loss;
                    if !evaluated {
                        break;
                    }
                }
                Event::Evaluated { epoch, metrics, .. } => {
                    let (seconds, loss) = (self.seconds, self.loss);
                    self.line.points.push(Point { epoch, seconds, loss, metrics });
                    break;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Comparison {
    /// Every evaluation as csv, one per line.
    pub fn csv(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let names: Vec<&String> = points().next().map_or(Vec::new(), |point| point.metrics.keys().collect());
        let mut text = String::from("sampler,epoch,seconds,loss");
        for name in &names {
            let _ = write!(text, ",{name}");
        }
        text.push('\n');
        for line in &self.lines {
            for point in &line.points {
                let _ = write!(text, "{},{},{:.3},{:.6}", line.label, point.epoch, point.seconds, point.loss);
                for name in &names {
                    let _ = write!(text, ",{:.6}", point.metrics.get(*name).copied().unwrap_or(f64::NAN));
                }
                text.push('\n');
            }
        }
        text
    }

    /// Figures of the metric by epoch and by seconds, each with its file name.
    pub fn figures(&self) -> Vec<(String, String)> {
        let metric = self.metric_label();
        [("epoch", "epochs"), ("seconds", "seconds of training")]
            .into_iter()
            .map(|(name, label)| {
                let at = |point: &Point| if name == "epoch" { f64::from(point.epoch) } else { point.seconds };
                let series: Vec<Series> = self
                    .lines
                    .iter()
                    .map(|line| {
                        let points = line.points.iter();
                        Series::new(
                            line.label.clone(),
                            points.filter_map(|p| Some((at(p), *p.metrics.get(&self.metric)?))),
                        )
                    })
                    .collect();
                let frame = Frame {
                    title: format!("{metric} by {label}: {}", self.data),
                    description: format!("{metric} on the {} part for each sampler, by {label}.", self.part),
                    x_label: label.into(),
                    y_label: metric.clone(),
                    size: (720, 440),
                    ..Frame::default()
                };
                (format!("by-{name}"), chart::lines(&frame, &series))
            })
            .collect()
    }

    /// Returns the report as HTML text.
    pub fn html(&self) -> String {
        let title = format!("Samplers through training: {}", self.data);
        let line = format!(
            "{} users × {} items · {} negatives a user · {} on the {} part · engine {}",
            grouped(self.size.0 as u64),
            grouped(self.size.1 as u64),
            grouped(self.negatives as u64),
            self.metric_label(),
            self.part,
            self.engine
        );
        let mut page = report::open("FastVAE comparison", &title, chart::colour_of("midx-popularity"), &line);
        page.push_str("<div class=\"charts\">\n");
        for (_, svg) in self.figures() {
            page.push_str(&svg);
        }
        page.push_str("</div>\n");
        section(&mut page, "Samplers", &self.table());
        section(
            &mut page,
            "Notes",
            "<ul>\n<li>Every run starts from the same parameters and sees the same batches, dropout and noise; they \
             took turns by epochs.</li>\n<li>Seconds are those of training with its index, on this machine; \
             evaluation is not in them.</li>\n</ul>",
        );
        page.push_str("</main>\n</body>\n</html>\n");
        page
    }

    fn metric_label(&self) -> String {
        self.metric.replacen("ndcg", "NDCG", 1).replacen("recall", "Recall", 1)
    }

    fn table(&self) -> String {
        let mut table = format!(
            "<table><thead><tr><th>sampler</th><th>{0}, last</th><th>{0}, best</th><th>at epoch</th>\
             <th>seconds an epoch</th><th>ended</th></tr></thead><tbody>\n",
            Escaped(&self.metric_label())
        );
        for line in &self.lines {
            let value = |point: &Point| point.metrics.get(&self.metric).copied().unwrap_or(f64::NAN);
            let best = line.points.iter().max_by(|a, b| value(a).total_cmp(&value(b)));
            let _ = write!(
                table,
                "<tr><th><span style=\"color:{}\">■</span> {}</th>",
                chart::colour_of(&line.label),
                Escaped(&line.label)
            );
            match (line.points.last(), best) {
                (Some(last), Some(best)) => {
                    let _ = write!(
                        table,
                        "<td>{:.4}</td><td>{:.4}</td><td>{}</td><td>{:.2}</td>",
                        value(last),
                        value(best),
                        best.epoch,
                        last.seconds / f64::from(last.epoch)
                    );
                }
                _ => table.push_str("<td>–</td><td>–</td><td>–</td><td>–</td>"),
            }
            let ended = line.stopped.as_deref().unwrap_or("as planned");
            let _ = writeln!(table, "<td>{}</td></tr>", Escaped(ended));
        }
        table + "</tbody></table>"
    }
}
