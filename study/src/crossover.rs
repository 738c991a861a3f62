//! Seconds to a quality against the number of items: from which size of the catalogue a sampled softmax is the faster way
//! there, and how many more epochs than the full softmax it needs.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::{
    chart::{self, Escaped, Frame, Scale, Series},
    compare::Line,
    report::{self, grouped, section},
};

/// The curves of all losses on a catalogue of one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Size {
    /// Items, M.
    pub items: usize,
    /// Users.
    pub users: usize,
    /// The curve of each loss, trained in turns.
    pub lines: Vec<Line>,
}

/// The curves of all sizes, and the quality that counts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Crossover {
    /// The data set.
    pub data: String,
    /// Engine and device.
    pub engine: String,
    /// The metric: `ndcg@50`.
    pub metric: String,
    /// The share of the best value that the first loss reaches on a size, which every loss has to reach there.
    pub share: f64,
    /// Negatives a user.
    pub negatives: usize,
    /// By size, ascending.
    pub sizes: Vec<Size>,
}

/// How soon a loss reaches the quality on one size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reached {
    /// Items, M.
    pub items: usize,
    /// The loss.
    pub loss: String,
    /// The quality to be reached.
    pub target: f64,
    /// The best value of this loss.
    pub best: f64,
    /// Seconds an epoch, with the index.
    pub epoch_seconds: f64,
    /// The first epoch that reaches it; `None` if none does.
    pub epoch: Option<u32>,
    /// Seconds of training up to there.
    pub seconds: Option<f64>,
    /// Epochs, in those of the first loss.
    pub epochs_ratio: Option<f64>,
    /// Seconds, in those of the first loss.
    pub seconds_ratio: Option<f64>,
}

impl Crossover {
    /// Every size and loss.
    pub fn reached(&self) -> Vec<Reached> {
        self.sizes.iter().flat_map(|size| self.reached_at(size)).collect()
    }

    fn reached_at(&self, size: &Size) -> Vec<Reached> {
        let value =
            |point: &crate::compare::Point| point.metrics.get(&self.metric).copied().unwrap_or(f64::NAN);
        let best = |line: &Line| line.points.iter().map(value).fold(f64::NAN, f64::max);
        let target = self.share * size.lines.first().map_or(f64::NAN, best);
        let mut all: Vec<Reached> = size
            .lines
            .iter()
            .map(|line| {
                let there = line.points.iter().find(|point| value(point) >= target);
                let last = line.points.last();
                Reached {
                    items: size.items,
                    loss: line.label.clone(),
                    target,
                    best: best(line),
                    epoch_seconds: last.map_or(f64::NAN, |last| last.seconds / f64::from(last.epoch)),
                    epoch: there.map(|point| point.epoch),
                    seconds: there.map(|point| point.seconds),
                    epochs_ratio: None,
                    seconds_ratio: None,
                }
            })
            .collect();
        let first = all.first().cloned();
        for one in &mut all {
            let ratio =
                |of: fn(&Reached) -> Option<f64>, one: &Reached| Some(of(one)? / of(first.as_ref()?)?);
            one.epochs_ratio = ratio(|reached| reached.epoch.map(f64::from), one);
            one.seconds_ratio = ratio(|reached| reached.seconds, one);
        }
        all
    }

    /// One row for each size and loss; what was not reached is empty.
    pub fn csv(&self) -> String {
        let mut csv =
            String::from("items,loss,target,best,epoch_seconds,epoch,seconds,epochs_ratio,seconds_ratio\n");
        for one in self.reached() {
            let optional = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.4}"));
            let _ = writeln!(
                csv,
                "{},{},{:.6},{:.6},{:.4},{},{},{},{}",
                one.items,
                one.loss,
                one.target,
                one.best,
                one.epoch_seconds,
                one.epoch.map_or_else(String::new, |epoch| epoch.to_string()),
                optional(one.seconds),
                optional(one.epochs_ratio),
                optional(one.seconds_ratio),
            );
        }
        csv
    }

    /// Seconds to the quality and seconds an epoch, each with its file name.
    pub fn figures(&self) -> Vec<(String, String)> {
        let reached = self.reached();
        let mut losses: Vec<&str> = Vec::new();
        for one in &reached {
            if !losses.contains(&one.loss.as_str()) {
                losses.push(&one.loss);
            }
        }
        let to = format!("Seconds to {:.0} % of the best {}", 100.0 * self.share, self.metric);
        type Of = fn(&Reached) -> Option<f64>;
        let figures: [(&str, String, Of); 2] = [
            ("seconds-to-quality", to, |one| one.seconds),
            ("seconds-an-epoch", "Seconds an epoch".into(), |one| Some(one.epoch_seconds)),
        ];
        let figure = |(name, title, of): (&str, String, Of)| {
            let series: Vec<Series> = losses
                .iter()
                .map(|loss| {
                    let points = reached.iter().filter(|one| one.loss == *loss);
                    Series::new(*loss, points.filter_map(|one| Some((one.items as f64, of(one)?))))
                })
                .filter(|series| !series.points.is_empty())
                .collect();
            let frame = Frame {
                description: format!("{title} by the number of items, for each loss."),
                title: format!("{title}: {}", self.data),
                x_label: "items".into(),
                y_label: "seconds".into(),
                x_scale: Scale::Log,
                y_scale: Scale::Log,
                size: (720, 440),
                ..Frame::default()
            };
            (name.to_owned(), chart::lines(&frame, &series))
        };
        figures.into_iter().map(figure).collect()
    }

    /// Returns the report as HTML text.
    pub fn html(&self) -> String {
        let line = format!(
            "the most popular items of the set · {} negatives a user · engine {}",
            grouped(self.negatives as u64),
            self.engine
        );
        let title = format!("Full or sampled: {}", self.data);
        let mut page =
            report::open("FastVAE full or sampled", &title, chart::colour_of("midx-popularity"), &line);
        page.push_str("<div class=\"charts\">\n");
        for (_, svg) in self.figures() {
            page.push_str(&svg);
        }
        page.push_str("</div>\n");
        section(&mut page, "Sizes", &self.table());
        let first = self.sizes.first().and_then(|size| size.lines.first()).map_or("", |line| &line.label);
        section(
            &mut page,
            "Notes",
            &format!(
                "<ul>\n<li>The target of a size is {:.0} % of the best {} that {} has there.</li>\n<li>Losses take \
                 turns by epochs; seconds are those of training with its index, without evaluation.</li>\n</ul>",
                100.0 * self.share,
                Escaped(&self.metric),
                Escaped(first)
            ),
        );
        page.push_str("</main>\n</body>\n</html>\n");
        page
    }

    fn table(&self) -> String {
        let mut table = String::from(
            "<table><thead><tr><th>items, loss</th><th>best</th><th>an epoch, s</th>\
             <th>epochs</th><th>seconds</th><th>× epochs</th><th>× seconds</th></tr></thead><tbody>\n",
        );
        for one in self.reached() {
            let optional = |value: Option<f64>, digits: usize| {
                value.map_or("–".into(), |value| format!("{value:.digits$}"))
            };
            let _ = writeln!(
                table,
                "<tr><th>{} <span style=\"color:{}\">■</span> {}</th><td>{:.4}</td><td>{:.2}</td>\
                 <td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                grouped(one.items as u64),
                chart::colour_of(&one.loss),
                Escaped(&one.loss),
                one.best,
                one.epoch_seconds,
                one.epoch.map_or("–".into(), |epoch| epoch.to_string()),
                optional(one.seconds, 2),
                optional(one.epochs_ratio, 2),
                optional(one.seconds_ratio, 2),
            );
        }
        table + "</tbody></table>"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Point;

    fn line(label: &str, an_epoch: f64, values: &[f64]) -> Line {
        let points = (1..).zip(values).map(|(epoch, &value)| Point {
            epoch,
            seconds: an_epoch * f64::from(epoch),
            loss: 1.0,
            metrics: [("ndcg@50".to_owned(), value)].into(),
        });
        Line { label: label.into(), points: points.collect(), stopped: None }
    }

    #[test]
    fn the_first_epoch_that_is_good_enough_counts() {
        let lines =
            vec![line("full", 2.0, &[0.1, 0.397, 0.4]), line("uniform", 0.5, &[0.1, 0.2, 0.3, 0.396, 0.39])];
        let mut crossover = Crossover {
            data: "set".into(),
            engine: "cpu".into(),
            metric: "ndcg@50".into(),
            share: 0.99,
            negatives: 10,
            sizes: vec![Size { items: 1000, users: 10, lines }],
        };
        let [full, sampled] = crossover.reached().try_into().unwrap();
        assert_eq!((full.epoch, full.seconds, full.seconds_ratio), (Some(2), Some(4.0), Some(1.0)));
        assert_eq!((sampled.epoch, sampled.seconds), (Some(4), Some(2.0)));
        assert_eq!((sampled.epochs_ratio, sampled.seconds_ratio), (Some(2.0), Some(0.5)));
        assert_eq!((sampled.best, sampled.epoch_seconds), (0.396, 0.5));
        assert!(crossover.csv().contains("1000,uniform,0.396000,0.396000,0.5000,4,2.0000,2.0000,0.5000\n"));
        crossover.share = 1.0;
        let never = &crossover.reached()[1];
        assert_eq!((never.epoch, never.seconds, never.epochs_ratio), (None, None, None));
        assert!(crossover.csv().contains("1000,uniform,0.400000,0.396000,0.5000,,,,\n"));
        assert!(crossover.html().contains("<td>–</td>"));
        assert_eq!(crossover.figures().len(), 2);
    }
}
