//! The result of an experiment: rows, claims and their verdicts.

use fastvae::{Error, Result};
use serde::Serialize;

use super::Experiment;

/// Whether what the paper reports was found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It holds in part.
    InPart,
    /// It does not hold.
    DoesNotHold,
    /// It was not measured, or has nothing in the paper to compare with.
    Open,
}

impl Verdict {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::InPart => "holds in part",
            Self::DoesNotHold => "does not hold",
            Self::Open => "–",
        }
    }

    /// Holds from `all` on, in part from `some` on; not measured if there is no value.
    pub fn at_least(value: Option<f64>, all: f64, some: f64) -> Self {
        match value.filter(|value| !value.is_nan()) {
            None => Self::Open,
            Some(value) if value >= all => Self::Holds,
            Some(value) if value >= some => Self::InPart,
            Some(_) => Self::DoesNotHold,
        }
    }

    /// The share of these conditions that are met: all, at least half, or fewer.
    pub fn of_all(met: &[bool]) -> Self {
        let count = met.iter().filter(|&&met| met).count() as f64;
        Self::at_least((!met.is_empty()).then(|| count / met.len() as f64), 1.0, 0.5)
    }
}

/// A measured value: a mean over runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// The mean.
    pub mean: f64,
    /// The standard deviation over runs, of two or more.
    pub deviation: Option<f64>,
    /// The number of runs.
    pub runs: usize,
}

impl Measured {
    /// The mean and the standard deviation of values; `None` if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let runs = values.len();
        let mean = values.iter().sum::<f64>() / runs as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (runs > 1).then(|| (squares / (runs - 1) as f64).sqrt());
        (runs > 0).then_some(Self { mean, deviation, runs })
    }

    /// One value.
    pub fn one(value: f64) -> Self {
        Self { mean: value, deviation: None, runs: 1 }
    }
}

/// A value of the paper beside ours.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The data set.
    pub set: String,
    /// The system, sampler or statistic.
    pub what: String,
    /// The measure: `NDCG@50`.
    pub measure: String,
    /// The paper's value.
    pub paper: Option<f64>,
    /// Ours.
    pub ours: Option<Measured>,
    /// Whether it was found again.
    pub verdict: Verdict,
    /// Why it was not measured, or what else is to be said.
    pub note: String,
}

impl Row {
    /// A row without values.
    pub fn new(set: impl Into<String>, what: impl Into<String>, measure: impl Into<String>) -> Self {
        Self {
            set: set.into(),
            what: what.into(),
            measure: measure.into(),
            paper: None,
            ours: None,
            verdict: Verdict::Open,
            note: String::new(),
        }
    }

    /// Ours minus the paper's.
    pub fn difference(&self) -> Option<f64> {
        Some(self.ours?.mean - self.paper?)
    }
}

/// A statement of the paper, and what was found of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// The statement.
    pub text: String,
    /// What was measured.
    pub measured: String,
    /// Whether it was found again.
    pub verdict: Verdict,
}

/// The result of an experiment.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Name of the experiment.
    pub experiment: &'static str,
    /// Title of the page.
    pub title: String,
    /// Data, size and engine.
    pub line: String,
    /// Values beside the paper's.
    pub rows: Vec<Row>,
    /// Statements of the paper.
    pub claims: Vec<Claim>,
    /// What is to be said about the measurements.
    pub notes: Vec<String>,
    /// Figures with their file names.
    #[serde(skip)]
    pub figures: Vec<(String, String)>,
}

impl Report {
    /// An empty report.
    pub fn new(experiment: Experiment, title: impl Into<String>, line: String) -> Self {
        Self {
            experiment: experiment.name(),
            title: title.into(),
            line,
            rows: Vec::new(),
            claims: Vec::new(),
            notes: Vec::new(),
            figures: Vec::new(),
        }
    }

    /// Adds a claim.
    pub fn claim(&mut self, text: impl Into<String>, measured: impl Into<String>, verdict: Verdict) {
        self.claims.push(Claim { text: text.into(), measured: measured.into(), verdict });
    }

    /// The rows as csv.
    ///
    /// # Errors
    /// [`Error::Data`] if the csv writer fails.
    pub fn csv(&self) -> Result<String> {
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.6}"));
        let rows = self.rows.iter().map(|row| {
            vec![
                row.set.clone(),
                row.what.clone(),
                row.measure.clone(),
                number(row.paper),
                number(row.ours.map(|ours| ours.mean)),
                number(row.ours.and_then(|ours| ours.deviation)),
                row.ours.map_or_else(String::new, |ours| ours.runs.to_string()),
                number(row.difference()),
                row.verdict.words().into(),
                row.note.clone(),
            ]
        });
        let header =
            ["set", "what", "measure", "paper", "ours", "deviation", "runs", "difference", "verdict", "note"];
        table(&header, rows)
    }

    /// The claims as csv.
    ///
    /// # Errors
    /// As [`Report::csv`].
    pub fn claims_csv(&self) -> Result<String> {
        let rows = self
            .claims
            .iter()
            .map(|claim| vec![claim.text.clone(), claim.measured.clone(), claim.verdict.words().into()]);
        table(&["claim", "measured", "verdict"], rows)
    }
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<String> {
    let failed = |error: csv::Error| Error::Data(format!("results cannot be written as csv: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).map_err(failed)?;
    for row in rows {
        writer.write_record(&row).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_and_means() {
        assert_eq!(Verdict::at_least(Some(0.99), 0.98, 0.9), Verdict::Holds);
        assert_eq!(Verdict::at_least(Some(0.95), 0.98, 0.9), Verdict::InPart);
        assert_eq!(Verdict::at_least(Some(0.5), 0.98, 0.9), Verdict::DoesNotHold);
        assert_eq!(Verdict::at_least(Some(f64::NAN), 0.98, 0.9), Verdict::Open);
        assert_eq!(Verdict::of_all(&[]), Verdict::Open);
        assert_eq!(Verdict::of_all(&[true, false]), Verdict::InPart);
        let measured = Measured::of(&[1.0, 3.0]).unwrap();
        assert_eq!((measured.mean, measured.runs), (2.0, 2));
        assert!((measured.deviation.unwrap() - 2f64.sqrt()).abs() < 1e-12);
        assert_eq!(Measured::of(&[]), None);
        let mut row = Row::new("set, with comma", "BPR", "NDCG@50");
        (row.paper, row.ours) = (Some(0.25), Some(Measured::one(0.3)));
        let mut report = Report::new(Experiment::Table3, "t", String::new());
        report.rows.push(row);
        let csv = report.csv().unwrap();
        assert!(csv.contains("\"set, with comma\",BPR,NDCG@50,0.250000,0.300000,,1,0.050000,–,"), "{csv}");
    }
}
