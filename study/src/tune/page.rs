//! The results of a search: a table of trials, figures, and a report.

use std::fmt::Write;

use fastvae::{Error, Result, model::ModelKind};
use serde_json::Value;

use super::{
    domain::Domain,
    search::{Budget, Strategy},
    space::{Dimension, Space},
    trial::{Ended, Trial},
};
use crate::{
    chart::{self, Escaped, Frame, Scale, Series, Thread, Upright},
    report::{self, duration, grouped, section},
};

/// A search and its finished trials.
pub struct Tuning<'a> {
    /// What was searched.
    pub space: &'a Space,
    /// How.
    pub strategy: Strategy,
    /// What each system might spend.
    pub budget: Budget,
    /// The seed.
    pub seed: u64,
    /// The data set.
    pub data: String,
    /// Training users, items and validation users.
    pub size: (usize, usize, usize),
    /// The validation metric.
    pub metric: String,
    /// Engine and device.
    pub engine: String,
    /// The trials.
    pub trials: &'a [Trial],
}

/// The trial with the largest metric, of one system or of all; of equal ones the first.
pub fn best<'a>(trials: &'a [Trial], system: Option<&str>) -> Option<&'a Trial> {
    let own = trials.iter().filter(|trial| system.is_none_or(|system| trial.system == system));
    let scored = own.filter(|trial| trial.score().is_finite());
    scored.min_by(|a, b| b.score().total_cmp(&a.score()).then(a.number.cmp(&b.number)))
}

impl Tuning<'_> {
    /// The trials of a system in their order.
    fn of(&self, kind: ModelKind) -> Vec<&Trial> {
        let mut own: Vec<&Trial> = self.trials.iter().filter(|trial| trial.system == kind.name()).collect();
        own.sort_by_key(|trial| trial.number);
        own
    }

    /// All trials in the order of systems.
    fn all(&self) -> impl Iterator<Item = &Trial> {
        self.space.systems.iter().flat_map(|&kind| self.of(kind))
    }

    /// Names of the searched settings.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.space.dimensions.iter().map(Dimension::name).collect();
        names.sort();
        names.dedup();
        names
    }

    fn metric_label(&self) -> String {
        self.metric.replacen("ndcg", "NDCG", 1).replacen("recall", "Recall", 1)
    }

    /// Every trial as csv, one per line; settings that were not active are empty.
    ///
    /// # Errors
    /// [`Error::Data`] if the csv writer fails.
    pub fn csv(&self) -> Result<String> {
        let failed = |error: csv::Error| Error::Data(format!("trials cannot be written as csv: {error}"));
        let mut writer = csv::Writer::from_writer(Vec::new());
        let names = self.names();
        let fixed = ["system", "trial", self.metric.as_str(), "best_epoch", "epochs", "ended"];
        let header = fixed.into_iter().chain(names.iter().map(String::as_str)).chain(["seconds"]);
        writer.write_record(header).map_err(failed)?;
        for trial in self.all() {
            let mut row = vec![
                trial.system.clone(),
                trial.number.to_string(),
                trial.score.map_or_else(String::new, |score| format!("{score:.6}")),
                trial.best_epoch.map_or_else(String::new, |epoch| epoch.to_string()),
                trial.epochs.to_string(),
                ended(&trial.ended),
            ];
            row.extend(names.iter().map(|name| trial.values.get(name).map_or_else(String::new, shown)));
            row.push(format!("{:.3}", trial.seconds));
            writer.write_record(&row).map_err(failed)?;
        }
        let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Figures with their file names: the best metric so far, then parallel coordinates of every system.
    pub fn figures(&self) -> Vec<(String, String)> {
        let mut figures = vec![
            ("best-by-trials".to_owned(), self.best_so_far("trials of each system", |_| 1.0)),
            ("best-by-seconds".to_owned(), self.best_so_far("seconds of each system", |trial| trial.seconds)),
        ];
        let systems = self.space.systems.iter();
        figures.extend(systems.map(|&kind| (format!("parallel-{}", kind.name()), self.parallel(kind))));
        figures
    }

    fn best_so_far(&self, label: &str, cost: impl Fn(&Trial) -> f64) -> String {
        let line = |&kind: &ModelKind| {
            let (mut spent, mut best) = (0.0, f64::NEG_INFINITY);
            let points: Vec<(f64, f64)> = self
                .of(kind)
                .into_iter()
                .map(|trial| {
                    spent += cost(trial);
                    best = trial.score().max(best);
                    (spent, best)
                })
                .collect();
            Series::new(kind.name(), points)
        };
        let series: Vec<Series> = self.space.systems.iter().map(line).collect();
        let frame = Frame {
            title: format!("Best {} so far, by {label}", self.metric_label()),
            description: format!(
                "The largest {} on the validation users so far, by {label}.",
                self.metric_label()
            ),
            x_label: label.into(),
            y_label: self.metric_label(),
            size: (520, 360),
            ..Frame::default()
        };
        chart::lines(&frame, &series)
    }

    fn parallel(&self, kind: ModelKind) -> String {
        let trials = self.of(kind);
        let mut scored: Vec<&Trial> = trials.into_iter().filter(|trial| trial.score().is_finite()).collect();
        scored.sort_by(|a, b| b.score().total_cmp(&a.score()));
        let dimensions: Vec<&Dimension> = self.space.of(kind).collect();
        let low = scored.last().map_or(0.0, |trial| trial.score());
        let high = scored.first().map_or(1.0, |trial| trial.score());
        let mut axes: Vec<Upright> = dimensions.iter().map(|dimension| upright(dimension)).collect();
        axes.push(Upright::numbers(self.metric_label(), low, high, Scale::Linear));
        let count = scored.len().saturating_sub(1).max(1) as f64;
        let thread = |(rank, trial): (usize, &&Trial)| {
            let place = |dimension: &&Dimension| {
                trial.values.get(&dimension.name()).and_then(|value| dimension.domain.place(value))
            };
            let score = if high > low { (trial.score() - low) / (high - low) } else { 0.5 };
            Thread {
                places: dimensions.iter().map(place).chain([Some(score)]).collect(),
                weight: 1.0 - rank as f64 / count,
                title: format!(
                    "trial {}: {} {:.4}; {}",
                    trial.number + 1,
                    self.metric_label(),
                    trial.score(),
                    settings(trial)
                ),
            }
        };
        let threads: Vec<Thread> = scored.iter().enumerate().map(thread).collect();
        let frame = Frame {
            title: format!("{}: settings of {} trials", kind.name(), scored.len()),
            description: format!(
                "Parallel coordinates: a line for each trial of {}, through its settings and its {}; the better, the stronger.",
                kind.name(),
                self.metric_label()
            ),
            size: ((150 * axes.len() as u32).clamp(520, 1040), 420),
            ..Frame::default()
        };
        chart::parallel(&frame, chart::colour_of(kind.name()), &axes, &threads)
    }

    /// Returns the report as HTML text.
    pub fn html(&self) -> String {
        let (users, items, validation) = self.size;
        let line = format!(
            "{} training users × {} items · {} on {} validation users · {} · {} · seed {} · engine {}",
            grouped(users as u64),
            grouped(items as u64),
            self.metric_label(),
            grouped(validation as u64),
            self.strategy.name(),
            self.allowed(),
            self.seed,
            self.engine
        );
        let title = format!("Search over settings: {}", self.data);
        let mut page = report::open("FastVAE tune", &title, chart::colour_of("midx"), &line);
        section(&mut page, "Best of each system", &self.best_table());
        let mut figures = self.figures().into_iter();
        page.push_str("<div class=\"charts\">\n");
        figures.by_ref().take(2).for_each(|(_, svg)| page.push_str(&svg));
        page.push_str("</div>\n");
        for (&kind, (_, svg)) in self.space.systems.iter().zip(figures) {
            section(&mut page, &format!("Settings of {}", kind.name()), &svg);
        }
        let trials = format!("<details><summary>Every trial</summary>{}</details>", self.trial_table());
        section(&mut page, "Trials", &trials);
        section(&mut page, "Notes", &self.notes());
        page.push_str("</main>\n</body>\n</html>\n");
        page
    }

    /// The budget in words.
    fn allowed(&self) -> String {
        let trials = self.budget.trials.map(|trials| match self.strategy {
            Strategy::Halving => format!("{trials} trials in the first round"),
            _ => format!("{trials} trials"),
        });
        let seconds = self.budget.seconds.map(duration);
        let all: Vec<String> = trials.into_iter().chain(seconds).collect();
        format!("{} a system", all.join(", at most "))
    }

    fn best_table(&self) -> String {
        let mut table = format!(
            "<table><thead><tr><th>system</th><th>{}</th><th>trial</th><th>of</th><th>failed</th><th>seconds</th>\
             <th>best epoch</th><th>settings</th></tr></thead><tbody>\n",
            Escaped(&self.metric_label())
        );
        for &kind in &self.space.systems {
            let own = self.of(kind);
            let seconds: f64 = own.iter().map(|trial| trial.seconds).sum();
            let failed = own.iter().filter(|trial| !trial.score().is_finite()).count();
            let best = best(self.trials, Some(kind.name()));
            let cell = |text: Option<String>| text.unwrap_or_else(|| "–".into());
            let _ = writeln!(
                table,
                "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{failed}</td><td>{seconds:.1}</td><td>{}</td><td>{}</td></tr>",
                kind.name(),
                cell(best.map(|best| format!("{:.4}", best.score()))),
                cell(best.map(|best| (best.number + 1).to_string())),
                own.len(),
                cell(best.and_then(|best| best.best_epoch).map(|epoch| epoch.to_string())),
                Escaped(&cell(best.map(settings)))
            );
        }
        table + "</tbody></table>"
    }

    fn trial_table(&self) -> String {
        let mut table = format!(
            "<table><thead><tr><th>system</th><th>trial</th><th>{}</th><th>epochs</th><th>best</th><th>seconds</th>\
             <th>settings</th><th>ended</th></tr></thead><tbody>\n",
            Escaped(&self.metric_label())
        );
        for trial in self.all() {
            let _ = writeln!(
                table,
                "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.2}</td><td>{}</td><td>{}</td></tr>",
                Escaped(&trial.system),
                trial.number + 1,
                trial.score.map_or("–".into(), |score| format!("{score:.4}")),
                trial.epochs,
                trial.best_epoch.map_or("–".into(), |epoch| epoch.to_string()),
                trial.seconds,
                Escaped(&settings(trial)),
                Escaped(&ended(&trial.ended))
            );
        }
        table + "</tbody></table>"
    }

    fn notes(&self) -> String {
        let mut notes = vec![
            format!(
                "A trial counts with its best epoch by {} on the validation users; the test users were not ranked.",
                self.metric_label()
            ),
            "Of the same seed, every trial has the same split, and the first numbers of its random streams."
                .into(),
            "In the figures of settings, the better a trial, the stronger its line; the best one is broad."
                .into(),
        ];
        if self.strategy == Strategy::Halving {
            notes.push("Trials of a later round are trained from the start with more epochs.".into());
        }
        if self.trials.iter().any(|trial| trial.ended == Ended::OutOfTime) {
            notes.push("A trial that ended out of time counts with what it had reached.".into());
        }
        let items: String = notes.iter().map(|note| format!("<li>{}</li>\n", Escaped(note))).collect();
        format!("<ul>\n{items}</ul>")
    }
}

/// The searched settings of a trial: `factors=64 learning-rate=0.01`.
pub(super) fn settings(trial: &Trial) -> String {
    let short = |(name, value): (&String, &Value)| {
        let key = match name.as_str() {
            "objective.kind" => "objective",
            "proposal.kind" => "proposal",
            name => name.split_once('.').map_or(name, |(_, key)| key),
        };
        format!("{key}={}", shown(value))
    };
    trial.values.iter().map(short).collect::<Vec<_>>().join(" ")
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn ended(ended: &Ended) -> String {
    match ended {
        Ended::Done => "done".into(),
        Ended::OutOfTime => "out of time".into(),
        Ended::Failed(problem) => format!("failed: {problem}"),
    }
}

fn upright(dimension: &Dimension) -> Upright {
    let label = dimension.name().split_once('.').map_or_else(String::new, |(section, key)| match key {
        "kind" => section.to_owned(),
        key => key.to_owned(),
    });
    match dimension.domain {
        Domain::Choice(ref values) => Upright::words(label, &values.iter().map(shown).collect::<Vec<_>>()),
        Domain::Range { from, to, log, .. } => {
            Upright::numbers(label, from, to, if log { Scale::Log } else { Scale::Linear })
        }
    }
}

impl Trial {
    /// The searched settings in words: `factors=64 learning-rate=0.01`.
    pub fn settings(&self) -> String {
        settings(self)
    }
}
