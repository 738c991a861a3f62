//! The curves of several runs, gathered from their events.

use std::fmt::Write;

use fastvae::{
    config::{Method, ProposalKind},
    event::Event,
};
use fastvae_study::chart::{Frame, Scale, Series, lines};
use web::{
    RunSettings, samplers,
    text::{digits, grouped},
};

use super::shown;

/// The metric that is shown.
const METRIC: &str = "ndcg@50";

/// What the horizontal axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    Epochs,
    Seconds,
    Scored,
}

impl Axis {
    pub const ALL: [(&'static str, &'static str, Axis); 3] = [
        ("epochs", "epochs", Axis::Epochs),
        ("seconds", "seconds", Axis::Seconds),
        ("scored", "items scored", Axis::Scored),
    ];

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, ..)| *known == name).map(|(.., axis)| *axis)
    }

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(.., axis)| *axis == self).map_or("", |(name, ..)| name)
    }

    fn title(self) -> &'static str {
        Self::ALL.iter().find(|(.., axis)| *axis == self).map_or("", |(_, title, _)| title)
    }
}

/// One epoch of one run.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    seconds: f64,
    /// Inner products with item vectors so far.
    scored: f64,
    loss: f64,
    ndcg: Option<f64>,
}

#[derive(Clone, Debug)]
struct Run {
    sampler: Method,
    /// One an epoch.
    points: Vec<Point>,
    /// Step of the epoch under way, of how many.
    step: (u32, u32),
    /// Inner products of an epoch.
    scored: f64,
    /// Epochs after which the device was lost.
    lost: Vec<u32>,
}

/// Runs side by side.
#[derive(Clone, Debug, Default)]
pub struct Curves {
    runs: Vec<Run>,
    /// Negatives a user.
    negatives: u32,
    /// Width of the item rows, with the bias.
    width: usize,
}

/// Inner products with item rows in an epoch, with those of the proposal.
fn scored_per_epoch(
    sampler: Method,
    users: usize,
    items: usize,
    interactions: usize,
    negatives: u32,
    width: usize,
) -> f64 {
    let drawn = users as f64 * f64::from(negatives);
    match sampler {
        // The exact correction of dynamic negatives ranks all items by their scores.
        Method::Full | Method::Sampled(ProposalKind::Softmax | ProposalKind::Midx | ProposalKind::Dns) => {
            (users * items) as f64
        }
        // A draw goes down a tree and then through a leaf of at most as many items as a row is wide. On each level it
        // evaluates two quadratic forms of width (width + 1) / 2 products, as much as width + 1 items.
        Method::Sampled(ProposalKind::Quadratic) => {
            let leaves = items.div_ceil(width.max(1)).next_power_of_two();
            let a_draw = leaves.ilog2() as usize * (width + 1) + items.div_ceil(leaves);
            drawn * a_draw as f64 + interactions as f64
        }
        _ => drawn + interactions as f64,
    }
}

impl Curves {
    pub fn new(settings: &RunSettings) -> Self {
        let run = |&sampler: &Method| Run {
            sampler,
            points: Vec::new(),
            step: (0, 0),
            scored: 0.0,
            lost: Vec::new(),
        };
        Self {
            runs: settings.samplers.iter().map(run).collect(),
            negatives: settings.values.whole("proposal", "negatives") as u32,
            width: settings.values.whole("model", "hidden") as usize + 1,
        }
    }

    pub fn len(&self) -> usize {
        self.runs.len()
    }

    pub fn sampler(&self, run: usize) -> Method {
        self.runs[run].sampler
    }

    /// Epochs that every run has behind it.
    pub fn epochs(&self) -> u32 {
        self.runs.iter().map(|run| run.points.len() as u32).min().unwrap_or(0)
    }

    /// Method and NDCG of the first run's last epoch.
    pub fn first(&self) -> Option<(f64, Option<f64>)> {
        self.runs.first()?.points.last().map(|point| (point.loss, point.ndcg))
    }

    /// Takes note; gives run, epoch and NDCG of what was evaluated.
    pub fn note(&mut self, events: &[(usize, Event)]) -> Vec<(usize, u32, f64)> {
        let mut evaluated = Vec::new();
        for (index, event) in events {
            let Some(run) = self.runs.get_mut(*index) else { continue };
            match event {
                Event::Started { users, items, interactions, steps_per_epoch, .. } => {
                    run.step = (0, *steps_per_epoch);
                    let (negatives, width) = (self.negatives, self.width);
                    run.scored =
                        scored_per_epoch(run.sampler, *users, *items, *interactions, negatives, width);
                }
                Event::Step { step, .. } => run.step.0 = *step,
                Event::Epoch { epoch, seconds, loss, .. } => {
                    run.points.truncate(*epoch as usize - 1);
                    let before = run.points.last().copied().unwrap_or_default();
                    run.points.push(Point {
                        seconds: before.seconds + seconds,
                        scored: before.scored + run.scored,
                        loss: *loss,
                        ndcg: None,
                    });
                    run.step.0 = 0;
                }
                Event::Evaluated { epoch, metrics, .. } => {
                    if let (Some(point), Some(&ndcg)) = (run.points.last_mut(), metrics.get(METRIC)) {
                        point.ndcg = Some(ndcg);
                        evaluated.push((*index, *epoch, ndcg));
                    }
                }
                _ => {}
            }
        }
        evaluated
    }

    /// The device was lost: the curves go on from here.
    pub fn mark_lost(&mut self) {
        for run in &mut self.runs {
            run.lost.push(run.points.len() as u32);
        }
    }

    fn x(axis: Axis, epoch: usize, point: &Point) -> f64 {
        match axis {
            Axis::Epochs => epoch as f64,
            Axis::Seconds => point.seconds,
            Axis::Scored => point.scored,
        }
    }

    /// Method or NDCG by what the axis counts.
    pub fn chart(&self, loss: bool, axis: Axis, back: Option<u32>, size: (u32, u32), styled: bool) -> String {
        let title = if loss { "Training loss" } else { "NDCG@50 on held-out films" };
        let value = |point: &Point| if loss { Some(point.loss) } else { point.ndcg };
        let series: Vec<Series> = self
            .runs
            .iter()
            .map(|run| {
                let points = run.points.iter().enumerate();
                let points = points.filter_map(|(n, p)| Some((Self::x(axis, n + 1, p), value(p)?)));
                Series::new(samplers::name(run.sampler), points)
            })
            .collect();
        let last = |run: &Run| run.points.last().and_then(value);
        let description =
            match self.runs.iter().filter_map(|run| Some((run.sampler, last(run)?))).collect::<Vec<_>>() {
                told if told.is_empty() => "Nothing trained yet.".into(),
                told => {
                    let each: Vec<String> = told
                        .iter()
                        .map(|(sampler, value)| format!("{} {}", samplers::title(*sampler), digits(*value)))
                        .collect();
                    format!("So far: {}.", each.join(", "))
                }
            };
        let marker = match (back, axis) {
            (Some(epoch), Axis::Epochs) => Some(f64::from(epoch)),
            _ => None,
        };
        let frame = Frame {
            title: title.into(),
            description,
            x_label: axis.title().into(),
            y_label: if loss { "loss a viewer" } else { "NDCG@50" }.into(),
            x_scale: Scale::Linear,
            size,
            marker,
            styled,
            ..Frame::default()
        };
        lines(&frame, &series)
    }

    /// Where each run stands, now or at an epoch.
    pub fn table(&self, back: Option<u32>) -> String {
        let mut html = String::from(
            "<table class=\"numbers\"><thead><tr><th scope=\"col\">sampler</th><th scope=\"col\" class=\"num\">epoch</th>\
             <th scope=\"col\" class=\"num\">loss</th><th scope=\"col\" class=\"num\">NDCG@50</th>\
             <th scope=\"col\" class=\"num\">seconds</th><th scope=\"col\" class=\"num\">items scored</th></tr></thead><tbody>",
        );
        for run in &self.runs {
            let epoch = back.map_or(run.points.len(), |back| (back as usize).min(run.points.len()));
            let point = epoch.checked_sub(1).and_then(|at| run.points.get(at));
            let within = if back.is_none() && run.step.0 > 0 {
                format!(" + {}/{}", run.step.0, run.step.1)
            } else {
                String::new()
            };
            let lost = match run.lost.len() {
                0 => String::new(),
                _ => format!(" (device lost after epoch {})", run.lost[run.lost.len() - 1]),
            };
            let _ = write!(
                html,
                "<tr><th scope=\"row\"><span class=\"dot s-{}\"></span>{}{lost}</th><td class=\"num\">{epoch}{within}</td>\
                 <td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td></tr>",
                samplers::name(run.sampler),
                samplers::title(run.sampler),
                shown(point.map(|point| point.loss)),
                shown(point.and_then(|point| point.ndcg)),
                shown(point.map(|point| point.seconds)),
                point.map_or("–".into(), |point| grouped(point.scored as u64)),
            );
        }
        html + "</tbody></table>"
    }

    /// All points as a table for other programs.
    pub fn csv(&self) -> String {
        let mut csv = String::from("sampler,epoch,seconds,items_scored,loss,ndcg@50\n");
        for run in &self.runs {
            for (epoch, point) in run.points.iter().enumerate() {
                let ndcg = point.ndcg.map(|ndcg| ndcg.to_string()).unwrap_or_default();
                let _ = writeln!(
                    csv,
                    "{},{},{},{},{},{ndcg}",
                    samplers::name(run.sampler),
                    epoch + 1,
                    point.seconds,
                    point.scored,
                    point.loss
                );
            }
        }
        csv
    }
}

#[cfg(test)]
mod tests {
    use web::settings::Settings;

    use super::*;

    #[test]
    fn follows_the_events() {
        let mut curves = Curves::new(&RunSettings {
            group: "race".into(),
            samplers: vec![Method::Full, Method::Sampled(ProposalKind::Uniform)],
            values: Settings::default(),
        });
        let epoch = |epoch, seconds, loss| Event::Epoch { epoch, seconds, loss, parts: [].into() };
        let metrics = [("ndcg@50".to_owned(), 0.25)].into();
        let events = [
            (0, epoch(1, 2.0, 5.0)),
            (0, Event::Evaluated { epoch: 1, metrics, best: true, seconds: 0.1 }),
            (1, epoch(1, 1.0, 6.0)),
            (0, epoch(2, 2.0, 4.0)),
        ];
        assert_eq!(curves.note(&events), [(0, 1, 0.25)]);
        assert_eq!((curves.epochs(), curves.first()), (1, Some((4.0, None))));
        // After a loss of the device an epoch is told again.
        curves.mark_lost();
        curves.note(&[(0, epoch(2, 1.0, 4.5))]);
        assert!(curves.csv().contains("full,2,3,0,4.5,\n"), "{}", curves.csv());
        assert!(curves.table(None).contains("device lost after epoch 2"));
    }

    #[test]
    fn counts_what_a_proposal_looks_at() {
        let scored = |kind| scored_per_epoch(Method::Sampled(kind), 10, 1000, 70, 20, 65);
        assert_eq!(scored(ProposalKind::MidxUniform), 10.0 * 20.0 + 70.0);
        assert_eq!(scored(ProposalKind::Dns), 10.0 * 1000.0);
        // 16 leaves of 63 items, four levels.
        assert_eq!(scored(ProposalKind::Quadratic), 10.0 * 20.0 * (4.0 * 66.0 + 63.0) + 70.0);
    }
}
