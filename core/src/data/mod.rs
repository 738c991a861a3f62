//! Interactions: reading them in every common form, filters, splits, a built-in set, and writing them.
//!
//! [`load`] takes a folder, a zip, or one file (each text file optionally gzipped) and recognises the set by
//! its files and their first lines; [`load_bytes`] does the same for bytes in memory, in the browser too.
//! Ids come back as the strings they were. They are numbered in the order of [`compare_ids`], so a set has the
//! same numbering whatever the order of its rows.

mod collect;
#[cfg(not(target_arch = "wasm32"))]
mod convert;
mod csr;
#[cfg(feature = "download")]
pub mod download;
mod filter;
mod forms;
mod intern;
mod layout;
mod lines;
mod load;
mod options;
mod parallel;
#[cfg(feature = "parquet")]
mod parquet;
mod random;
mod sniff;
mod source;
mod split;
mod statistics;
mod synthetic;
mod table;
mod titles;

#[cfg(not(target_arch = "wasm32"))]
pub use convert::{WriteForm, write};
pub use csr::Csr;
pub use intern::compare_ids;
#[cfg(not(target_arch = "wasm32"))]
pub use load::load;
pub use load::load_bytes;
pub use options::{Column, Columns, LoadOptions};
pub use split::{EvaluationSet, Protocol, Split, SplitOptions, split};
pub use statistics::{Counts, Histories, LoadReport, Statistics};
pub use synthetic::{MIN_ITEMS, SyntheticOptions, synthetic};

/// A set of interactions with the ids, titles and genres behind the numbers.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// What to call it: the name of its file or folder.
    pub name: String,
    /// External user ids; row `u` of [`interactions`](Self::interactions) is `users[u]`.
    pub users: Vec<String>,
    /// External item ids; column `i` is `items[i]`.
    pub items: Vec<String>,
    /// A title for each item where the set has titles; an item without one carries its id.
    pub titles: Option<Vec<String>>,
    /// The genres of each item where the set has genres.
    pub genres: Option<Vec<Vec<String>>>,
    /// Users x items: who had to do with what. No row and no column is empty.
    pub interactions: Csr,
    /// The split of sets that come in parts.
    pub given: Option<GivenSplit>,
    /// What was read, and what each filter removed.
    pub report: LoadReport,
}

/// The parts of a set that comes already split; rows and columns are those of the [`Dataset`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenSplit {
    /// Training items, one row for each user of the set; empty for users held out whole.
    pub train: Csr,
    /// The validation part, if the set has one.
    pub validation: Option<EvaluationSet>,
    /// The test part.
    pub test: EvaluationSet,
}
