//! Statistics that describe a data set.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Csr, Dataset, Moment};

/// The size of a data set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Users with at least one interaction.
    pub users: u64,
    /// Items with at least one interaction.
    pub items: u64,
    /// Interactions.
    pub interactions: u64,
}

impl Counts {
    /// The counts of a matrix without empty rows and columns.
    pub fn of(interactions: &Csr) -> Self {
        Self {
            users: interactions.rows() as u64,
            items: interactions.columns() as u64,
            interactions: interactions.nnz() as u64,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} users, {} items, {} interactions", self.users, self.items, self.interactions)
    }
}

/// What was read and what was left out: the columns, the rows, and how much each filter removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadReport {
    /// The recognised format: `comma-separated, header userId,movieId,rating,timestamp`.
    pub form: String,
    /// The files that were read, by their names in the archive or folder.
    pub files: Vec<String>,
    /// The columns that were read: role and name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<(String, String)>,
    /// The names of columns that were not read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// Rows read: pairs of a user and an item, with or without a rating.
    pub rows: u64,
    /// Blank lines, and lines of nothing but delimiters or rules, which were skipped.
    pub blank_lines: u64,
    /// Rows without a user or an item, or with a word for a missing value in place of one.
    pub missing_ids: u64,
    /// Rows that could not be read and were left out.
    pub bad_rows: u64,
    /// The first of these: place and problem.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bad_row_samples: Vec<String>,
    /// Rows that do not meet the conditions.
    pub unmet_conditions: u64,
    /// Rows without a time, where one is needed.
    pub without_time: u64,
    /// Rows outside of the window of time.
    pub outside_window: u64,
    /// Rows without a rating, where one is needed.
    pub without_rating: u64,
    /// Rows rated below the lowest rating.
    pub below_min_rating: u64,
    /// Rows that repeat an interaction.
    pub duplicates: u64,
    /// The first and the last time, if times were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<(Moment, Moment)>,
    /// What else a reader should know, in words. Settings are named in backticks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The size before the k-core.
    pub before_core: Counts,
    /// The k of the k-core; 0 or 1: no filter.
    pub core: u32,
    /// Passes the k-core took.
    pub core_rounds: u32,
}

impl LoadReport {
    /// What was read and what was left out, as names and values; `number` formats counts.
    pub fn lines(&self, number: impl Fn(u64) -> String) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        if !self.columns.is_empty() {
            let columns: Vec<String> =
                self.columns.iter().map(|(role, name)| format!("{role}={name}")).collect();
            let unread = match self.unread.as_slice() {
                [] => String::new(),
                unread => format!("; not read: {}", unread.join(", ")),
            };
            lines.push(("columns".to_owned(), columns.join(",") + &unread));
        }
        if let Some((first, last)) = self.span {
            lines.push(("times".into(), format!("{first} to {last}")));
        }
        if self.rows > 0 {
            lines.push(("rows".into(), number(self.rows)));
        }
        lines.extend(self.left_out().map(|(what, count)| (format!("- {what}"), number(count))));
        lines
    }

    /// What was left out before the filters, for people: what, and how many rows.
    pub fn left_out(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("blank lines", self.blank_lines),
            ("without a user or item", self.missing_ids),
            ("not readable", self.bad_rows),
            ("conditions not met", self.unmet_conditions),
            ("without a time", self.without_time),
            ("outside of the window", self.outside_window),
            ("without a rating", self.without_rating),
            ("below min rating", self.below_min_rating),
            ("duplicates", self.duplicates),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
    }
}

/// Statistics of the number of items per user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histories {
    /// The shortest history.
    pub min: u32,
    /// The median; for an even number of users, the mean of the two middle values.
    pub median: f64,
    /// The mean.
    pub mean: f64,
    /// The longest history.
    pub max: u32,
}

/// A row of the paper's Table 2, and the lengths of histories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Users, items and interactions.
    #[serde(flatten)]
    pub counts: Counts,
    /// Share of the users x items matrix that is empty, in percent.
    pub sparsity: f64,
    /// Items per user.
    pub histories: Histories,
}

impl Dataset {
    /// The statistics of the paper's Table 2, and the lengths of histories.
    pub fn statistics(&self) -> Statistics {
        let counts = Counts::of(&self.interactions);
        let mut lengths: Vec<u32> = self.interactions.iter().map(|row| row.len() as u32).collect();
        lengths.sort_unstable();
        let middle = |at: usize| f64::from(lengths.get(at).copied().unwrap_or(0));
        let cells = counts.users as f64 * counts.items as f64;
        Statistics {
            counts,
            sparsity: 100.0 * (1.0 - counts.interactions as f64 / cells.max(1.0)),
            histories: Histories {
                min: lengths.first().copied().unwrap_or(0),
                median: (middle(lengths.len() / 2) + middle(lengths.len().saturating_sub(1) / 2)) / 2.0,
                mean: counts.interactions as f64 / (counts.users as f64).max(1.0),
                max: lengths.last().copied().unwrap_or(0),
            },
        }
    }
}
