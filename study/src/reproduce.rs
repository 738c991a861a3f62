//! The experiments of the paper, measured again: each becomes rows beside the paper's numbers, claims with verdicts, and
//! figures.
//!
//! [`reproduce`] does one [`Experiment`] in a [`Lab`]. An experiment consists of cells, such as the training of one
//! system on one set with one seed; each finished cell is a line of a [`Journal`](crate::journal::Journal), so an
//! interrupted experiment goes on with the cells that are missing.

mod complexity;
mod cumulative;
mod curves;
mod growth;
mod lab;
mod page;
mod paper;
mod report;
mod sets;
mod systems;

use fastvae::Result;

pub use lab::{Cell, Lab, Plan, Size, Watch};
pub use report::{Claim, Measured, Report, Row, Verdict};
pub use sets::Set;

/// A table or a figure of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Experiment {
    /// Space and time of samplers.
    Table1,
    /// Statistics of the data sets.
    Table2,
    /// Systems compared by NDCG@50 and Recall@50.
    Table3,
    /// Cumulative probability of samplers.
    Fig2,
    /// NDCG@50 and Recall@50 through training, by sampler.
    Fig3,
    /// Time of sampling and of training as the catalogue grows.
    Fig4,
    /// The number of negatives.
    Fig5a,
    /// The number of codewords.
    Fig5b,
}

impl Experiment {
    /// Every experiment by its name.
    pub const NAMED: [(&'static str, Self); 8] = [
        ("table1", Self::Table1),
        ("table2", Self::Table2),
        ("table3", Self::Table3),
        ("fig2", Self::Fig2),
        ("fig3", Self::Fig3),
        ("fig4", Self::Fig4),
        ("fig5a", Self::Fig5a),
        ("fig5b", Self::Fig5b),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(_, experiment)| *experiment == self).map_or("", |(name, _)| name)
    }

    /// The experiment of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(known, _)| *known == name).map(|(_, experiment)| *experiment)
    }
}

/// Does what is left of an experiment.
///
/// # Errors
/// [`fastvae::Error::Interrupted`] after Ctrl-C; errors of training, the engine and the log. Finished cells stay.
pub fn reproduce(experiment: Experiment, lab: &mut Lab<'_>) -> Result<Report> {
    match experiment {
        Experiment::Table1 => complexity::table1(lab),
        Experiment::Table2 => sets::table2(lab),
        Experiment::Table3 => systems::table3(lab),
        Experiment::Fig2 => cumulative::fig2(lab),
        Experiment::Fig3 => curves::fig3(lab),
        Experiment::Fig4 => growth::fig4(lab),
        Experiment::Fig5a => curves::fig5a(lab),
        Experiment::Fig5b => curves::fig5b(lab),
    }
}
