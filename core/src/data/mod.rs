//! Interactions: reading them in every common form, filters, splits, a built-in set, and writing them.
//!
//! [`load`] takes a folder, a zip, or one file (each text file optionally gzipped) and recognises the format
//! by file names and first lines; [`load_bytes`] does the same for bytes in memory, also in the browser. Ids
//! are strings and stay unchanged. They are numbered in the order of [`compare_ids`], so the numbering does
//! not depend on the order of the rows.
//!
//! ```
//! use fastvae::data::{self, LoadOptions, SplitOptions};
//! # fn main() -> fastvae::Result<()> {
//! let table = b"user,item,rating\nann,tea,5\nann,milk,4\nann,salt,1\nbob,tea,4\nbob,jam,5\nbob,milk,4\n";
//! let options = LoadOptions { min_rating: Some(4.0), ..LoadOptions::default() };
//! let set = data::load_bytes("shop.csv", table, &options)?;
//! assert_eq!((set.users.join(" "), set.items.join(" ")), ("ann bob".into(), "jam milk tea".into()));
//! assert_eq!(set.interactions.row(0), [1, 2]);
//!
//! let split = data::split(&set, &SplitOptions { validation_users: 0, ..SplitOptions::default() })?;
//! assert_eq!((split.train.nnz(), split.test.users, split.test.skipped), (4, vec![1], 1));
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "forms")]
mod baskets;
mod cells;
mod collect;
mod condition;
#[cfg(not(target_arch = "wasm32"))]
mod convert;
mod csr;
#[cfg(feature = "download")]
pub mod download;
mod encoding;
mod evidence;
mod excerpt;
mod filter;
mod foreign;
mod forms;
#[cfg(not(target_arch = "wasm32"))]
mod grouped;
mod header;
mod intern;
#[cfg(feature = "forms")]
mod json;
mod keep;
mod layout;
mod lines;
mod load;
#[cfg(feature = "forms")]
mod matlab;
#[cfg(feature = "forms")]
mod matrix;
mod moment;
mod names;
#[cfg(feature = "forms")]
mod npy;
mod options;
mod parallel;
#[cfg(feature = "parquet")]
mod parquet;
mod parts;
mod popular;
mod quoted;
mod random;
mod roles;
mod shard;
mod sniff;
mod source;
#[cfg(feature = "forms")]
mod sparse;
#[cfg(not(target_arch = "wasm32"))]
mod spill;
mod split;
mod statistics;
#[cfg(feature = "forms")]
mod strangers;
mod synthetic;
mod table;
#[cfg(feature = "forms")]
mod tar;
#[cfg(feature = "forms")]
mod tidy;
mod times;
mod titles;
mod unpack;

pub use condition::Conditions;
#[cfg(not(target_arch = "wasm32"))]
pub use convert::{WriteForm, WriteOptions, without_formula, write};
pub use csr::Csr;
#[cfg(not(target_arch = "wasm32"))]
pub use grouped::{Grouped, Grouping, grouped};
pub use intern::compare_ids;
pub use keep::KnownItems;
#[cfg(not(target_arch = "wasm32"))]
pub use load::load;
pub use load::{load_bytes, load_files};
pub use moment::Moment;
pub use options::{Column, Columns, Header, LoadOptions, MissingIds, TimesRead};
#[cfg(not(target_arch = "wasm32"))]
pub use spill::ItemNumbers;
pub use split::{EvaluationSet, Protocol, Split, SplitOptions, TestFrom, split};
pub use statistics::{Counts, Histories, LoadReport, Statistics};
pub use synthetic::{MIN_ITEMS, SyntheticOptions, synthetic};
pub use times::Times;

/// A data set: interactions, with the ids, titles and genres of its users and items.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Name of the data set: that of its file or folder.
    pub name: String,
    /// External user ids; row `u` of [`interactions`](Self::interactions) is `users[u]`.
    pub users: Vec<String>,
    /// External item ids; column `i` is `items[i]`.
    pub items: Vec<String>,
    /// A title for each item, if the set has titles; an item without one has its id as title.
    pub titles: Option<Vec<String>>,
    /// The genres of each item, if the set has genres.
    pub genres: Option<Vec<Vec<String>>>,
    /// Users x items, the interactions of each user. No row is empty, and no column but those of
    /// [`keep_items`](Self::keep_items).
    pub interactions: Csr,
    /// The published split, if the set comes in parts.
    pub given: Option<GivenSplit>,
    /// When the interactions took place, if [`LoadOptions::times`] asks for the time of each.
    pub times: Option<Times>,
    /// What was read, and what each filter removed.
    pub report: LoadReport,
}

/// The parts of a data set that is published with a split; rows and columns are those of the [`Dataset`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenSplit {
    /// Training items, one row for each user of the set; empty for users who are held out entirely.
    pub train: Csr,
    /// The validation part, if the set has one.
    pub validation: Option<EvaluationSet>,
    /// The test part.
    pub test: EvaluationSet,
}
