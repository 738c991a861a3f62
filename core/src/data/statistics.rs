//! Statistics that describe a data set.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Csr, Dataset};

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
    pub(super) fn of(interactions: &Csr) -> Self {
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

/// What was read, and how much each filter removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadReport {
    /// The recognised format: `comma-separated, header userId,movieId,rating,timestamp`.
    pub form: String,
    /// The files that were read, by their names in the archive or folder.
    pub files: Vec<String>,
    /// Rows read: pairs of a user and an item, with or without a rating.
    pub rows: u64,
    /// Blank lines, which were skipped.
    pub blank_lines: u64,
    /// Rows rated below the lowest rating.
    pub below_min_rating: u64,
    /// Rows that repeat an interaction.
    pub duplicates: u64,
    /// The size before the k-core.
    pub before_core: Counts,
    /// The k of the k-core; 0 or 1: no filter.
    pub core: u32,
    /// Passes the k-core took.
    pub core_rounds: u32,
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
