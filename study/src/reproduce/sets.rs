//! The data sets of an experiment, and table 2.

use fastvae::{
    Result,
    data::{Counts, Csr, Dataset, Split, SplitOptions, SyntheticOptions, split, synthetic},
};

use super::{
    Experiment,
    lab::{Lab, Size},
    paper::{self, PaperSet},
    report::{Measured, Report, Row, Verdict},
};
use crate::{
    chart::{self, Frame, Scale, Series},
    report::grouped,
};

/// A data set of an experiment.
pub struct Set {
    /// Its name: that of one of the paper's sets, or any other.
    pub name: String,
    /// What is used of it.
    pub dataset: Dataset,
    /// Counts of the whole set.
    counts: Counts,
    /// Interactions of each item of the whole set, the largest first.
    popularity: Vec<u32>,
    /// Whether only a part of the set is used.
    is_part: bool,
}

/// Users and items of the part of a set that a quick experiment uses.
const QUICK: (usize, usize) = (3000, 5000);
const TINY: (usize, usize) = (200, 200);

impl Set {
    /// A set; of a large one, smaller experiments use a part.
    ///
    /// # Errors
    /// [`fastvae::Error::Data`] if the part would be empty.
    pub fn new(name: impl Into<String>, dataset: Dataset, size: Size) -> Result<Self> {
        let counts = Counts::of(&dataset.interactions);
        let mut popularity = dataset.interactions.column_counts();
        popularity.sort_unstable_by(|a, b| b.cmp(a));
        let (users, items) = size.of(TINY, QUICK, (usize::MAX, usize::MAX));
        let is_part = dataset.users.len() > users || dataset.items.len() > items;
        let dataset = if is_part { part(&dataset, users, items)? } else { dataset };
        Ok(Self { name: name.into(), dataset, counts, popularity, is_part })
    }

    /// The built-in set, for experiments without data.
    ///
    /// # Errors
    /// As [`synthetic`].
    pub fn built_in(size: Size) -> Result<Self> {
        let options = size.of(
            SyntheticOptions { users: 200, items: 200, longest: 40, ..Default::default() },
            SyntheticOptions::default(),
            SyntheticOptions { users: 10_000, items: 5_000, ..Default::default() },
        );
        Self::new("built-in", synthetic(&options)?, size)
    }

    /// The paper's set of this name.
    pub(super) fn paper(&self) -> Option<&'static PaperSet> {
        paper::set(&self.name)
    }

    /// The name in tables.
    pub(super) fn title(&self) -> String {
        let title = self.paper().map_or(self.name.as_str(), |set| set.title);
        if self.is_part { format!("{title}, a part") } else { title.into() }
    }

    /// Whether our values can be held against those of the paper: all of a set that the paper has.
    pub(super) fn is_comparable(&self) -> bool {
        self.paper().is_some() && !self.is_part
    }

    /// Negatives a user: the paper's for its sets, otherwise one in sixteen items. On a part of a set they are as many
    /// times fewer as it has fewer items.
    pub(super) fn negatives(&self, size: Size) -> usize {
        let (here, all) = (self.dataset.items.len(), self.counts.items.max(1) as usize);
        match (self.paper(), size) {
            (_, Size::Tiny) => 20,
            (Some(paper), _) => (paper.negatives * here / all).clamp(50, paper.negatives),
            (None, _) => (here / 16).clamp(20, 200),
        }
    }

    /// Its title and what is used of it.
    pub(super) fn describe(&self) -> String {
        format!(
            "{}: {} users × {} items",
            self.title(),
            grouped(self.dataset.users.len() as u64),
            grouped(self.dataset.items.len() as u64)
        )
    }

    /// The paper's split with a seed.
    ///
    /// # Errors
    /// As [`split`].
    pub(super) fn split(&self, seed: u32) -> Result<Split> {
        split(&self.dataset, &SplitOptions { seed: seed.into(), ..Default::default() })
    }
}

/// The paper's sets that were not given.
pub(super) fn missing(sets: &[Set]) -> impl Iterator<Item = &'static PaperSet> {
    paper::SETS.iter().filter(move |paper| sets.iter().all(|set| set.name != paper.name))
}

/// Users at even distances, and the items that most of them have; users and items that would be left with fewer than
/// five interactions are left out.
fn part(dataset: &Dataset, users: usize, items: usize) -> Result<Dataset> {
    const FEWEST: usize = 5;
    let all = &dataset.interactions;
    let users = users.min(all.rows());
    let rows: Vec<u32> = (0..users).map(|at| (at * all.rows() / users) as u32).collect();
    let counts = all.select(&rows)?.column_counts();
    let mut order: Vec<u32> = (0..counts.len() as u32).collect();
    order.sort_by_key(|&item| (std::cmp::Reverse(counts[item as usize]), item));
    order.truncate(items);
    let mut columns: Vec<u32> =
        order.into_iter().filter(|&item| counts[item as usize] >= FEWEST as u32).collect();
    columns.sort_unstable();
    let restricted = |row: &u32| -> Vec<u32> {
        let row = all.row(*row as usize).iter();
        row.filter_map(|item| columns.binary_search(item).ok().map(|column| column as u32)).collect()
    };
    let kept: Vec<(u32, Vec<u32>)> =
        rows.iter().map(|row| (*row, restricted(row))).filter(|(_, row)| row.len() >= FEWEST).collect();
    let lists: Vec<Vec<u32>> = kept.iter().map(|(_, row)| row.clone()).collect();
    // Users who were left out may have been the only ones of an item.
    let interactions = Csr::from_rows(&lists, columns.len() as u32)?;
    let counts = interactions.column_counts();
    if counts.contains(&0) {
        let used: Vec<usize> = (0..counts.len()).filter(|&column| counts[column] > 0).collect();
        let renumbered = |row: &Vec<u32>| -> Vec<u32> {
            row.iter()
                .filter_map(|item| used.binary_search(&(*item as usize)).ok().map(|n| n as u32))
                .collect()
        };
        let lists: Vec<Vec<u32>> = lists.iter().map(renumbered).collect();
        columns = used.iter().map(|&column| columns[column]).collect();
        return assemble(dataset, &kept, &columns, Csr::from_rows(&lists, columns.len() as u32)?);
    }
    assemble(dataset, &kept, &columns, interactions)
}

fn assemble(
    dataset: &Dataset,
    kept: &[(u32, Vec<u32>)],
    columns: &[u32],
    interactions: Csr,
) -> Result<Dataset> {
    if interactions.nnz() == 0 {
        return Err(fastvae::Error::Data(format!(
            "{}: users have too few interactions for a part of the set; use `size = full`",
            dataset.name
        )));
    }
    Ok(Dataset {
        name: dataset.name.clone(),
        users: kept.iter().map(|(row, _)| dataset.users[*row as usize].clone()).collect(),
        items: columns.iter().map(|&column| dataset.items[column as usize].clone()).collect(),
        titles: None,
        genres: None,
        interactions,
        given: None,
        times: None,
        report: dataset.report.clone(),
    })
}

/// Table 2: statistics of the data sets after the 10-core.
///
/// # Errors
/// None; the signature is that of the other experiments.
pub(super) fn table2(lab: &mut Lab<'_>) -> Result<Report> {
    let mut report = Report::new(Experiment::Table2, "Table 2: statistics of the data sets", lab.line());
    let names = ["users", "items", "interactions"];
    for set in &lab.sets {
        let Counts { users, items, interactions } = set.counts;
        let ours = [users, items, interactions];
        let paper = set.paper().map(|paper| paper.counts);
        for (at, name) in names.iter().enumerate() {
            let mut row =
                Row::new(set.paper().map_or(set.name.as_str(), |paper| paper.title), *name, "count");
            row.ours = Some(Measured::one(ours[at] as f64));
            row.paper = paper.map(|paper| paper[at] as f64);
            row.verdict = Verdict::at_least(
                paper.map(|paper| -(ours[at].abs_diff(paper[at]) as f64) / paper[at] as f64),
                0.0,
                -0.02,
            );
            report.rows.push(row);
        }
        let sparsity = |[users, items, interactions]: [u64; 3]| {
            1.0 - interactions as f64 / (users as f64 * items as f64)
        };
        let mut row =
            Row::new(set.paper().map_or(set.name.as_str(), |paper| paper.title), "sparsity", "share");
        row.ours = Some(Measured::one(sparsity(ours)));
        row.paper = paper.map(sparsity);
        let close = row.difference().map(|difference| -difference.abs());
        row.verdict = Verdict::at_least(close, -5e-6, -5e-4);
        report.rows.push(row);
    }
    for paper in missing(&lab.sets) {
        for (at, name) in names.iter().enumerate() {
            let mut row = Row::new(paper.title, *name, "count");
            row.paper = Some(paper.counts[at] as f64);
            row.note = format!("not given: {}", paper.supply);
            report.rows.push(row);
        }
    }
    let series = lab.sets.iter().map(|set| {
        let places = (0..set.popularity.len())
            .filter(|&rank| rank < 100 || rank % (set.popularity.len() / 200).max(1) == 0);
        Series::new(
            set.paper().map_or(set.name.as_str(), |paper| paper.title),
            places.map(|rank| ((rank + 1) as f64, f64::from(set.popularity[rank]))),
        )
    });
    let frame = Frame {
        title: "Interactions of items".into(),
        description: "Interactions of each item by its rank in popularity, for each set.".into(),
        x_label: "rank".into(),
        y_label: "interactions".into(),
        x_scale: Scale::Log,
        y_scale: Scale::Log,
        ..Frame::default()
    };
    report.figures.push(("popularity".into(), chart::lines(&frame, &series.collect::<Vec<_>>())));
    report.notes.push(
        "Counts are those after --core, which is 10 as in the paper unless another number is given.".into(),
    );
    report.notes.push(
        "Counts hold if they are equal, and in part within 2 %: later editions of a set differ a little."
            .into(),
    );
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_set_has_no_empty_rows_and_columns() {
        let options = SyntheticOptions { users: 500, items: 300, ..Default::default() };
        let whole = synthetic(&options).unwrap();
        let small = part(&whole, 50, 60).unwrap();
        assert!(small.users.len() <= 50 && small.items.len() <= 60 && small.users.len() > 20);
        assert_eq!(
            (small.interactions.rows(), small.interactions.columns()),
            (small.users.len(), small.items.len())
        );
        assert!(small.interactions.iter().all(|row| row.len() >= 5));
        assert!(!small.interactions.column_counts().contains(&0));
        // Ids stay those of the set.
        for (row, user) in small.users.iter().enumerate() {
            let before = whole.users.iter().position(|id| id == user).unwrap();
            for &item in small.interactions.row(row) {
                let id = &small.items[item as usize];
                let column = whole.items.iter().position(|other| other == id).unwrap() as u32;
                assert!(whole.interactions.row(before).contains(&column));
            }
        }
    }
}
