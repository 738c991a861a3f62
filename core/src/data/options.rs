//! Options for loading: which columns and rows to read, and which interactions to keep.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Conditions, Moment};
use crate::{Error, Result, config::setting::words};

/// Options for loading a data set. The default keeps every interaction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LoadOptions {
    /// The lowest rating that counts as an interaction. `None`: every rating counts, and ratings are not read.
    pub min_rating: Option<f32>,
    /// The k of the k-core: users and items with fewer interactions are dropped, repeatedly, until every
    /// other one has at least k. 0 and 1 leave the set unchanged.
    pub core: u32,
    /// The columns of user, item, rating and time; `None` recognises them by the header and the first lines.
    pub columns: Option<Columns>,
    /// Whether the first line names the columns.
    pub header: Header,
    /// The encoding of texts, by a label of the WHATWG: `latin1`, `shift_jis`. `None`: UTF-8, or UTF-16 where the
    /// file says so; an id that is neither is read as Windows-1252, which the report counts.
    pub encoding: Option<String>,
    /// Whether rows that cannot be read are left out and counted, instead of ending in an error.
    pub skip_bad_rows: bool,
    /// What becomes of rows whose user or item is a word for a missing value.
    pub missing_ids: MissingIds,
    /// Conditions that a row must meet.
    pub conditions: Conditions,
    /// Only interactions at this time or later count.
    pub since: Option<Moment>,
    /// Only interactions before this time count.
    pub until: Option<Moment>,
    /// What is read of the times of interactions.
    pub times: TimesRead,
}

impl LoadOptions {
    /// Which side of a matrix holds users and which items: 0 for the rows, 1 for the columns.
    pub(super) fn sides(&self) -> Result<(usize, usize)> {
        match &self.columns {
            None => Ok((0, 1)),
            Some(Columns { user: Column::Index(user), item: Column::Index(item), .. })
                if user + item == 1 =>
            {
                Ok((*user, *item))
            }
            Some(columns) => Err(Error::setting(
                "columns",
                format!(
                    "{columns} says nothing of a matrix; its rows are 0 and its columns 1: user=0,item=1"
                ),
            )),
        }
    }

    /// Whether the time of a row decides something.
    pub(super) fn needs_times(&self) -> bool {
        self.times != TimesRead::Nothing || self.since.is_some() || self.until.is_some()
    }
}

/// What is read of the times of interactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimesRead {
    /// Nothing, unless a window of time asks for it.
    #[default]
    Nothing,
    /// The first and the last time, for the report.
    Span,
    /// The time of each interaction, or its place in the files where they have no column of times.
    Each,
}

words! {
    /// Whether the first line of a table names its columns.
    pub enum Header default Auto {
        /// What the first lines show; in doubt, the set is refused.
        Auto = "auto",
        /// The first line names the columns.
        Yes = "yes",
        /// The first line is a row like the others.
        No = "no",
    }
}

words! {
    /// What becomes of rows whose user or item is a word for a missing value: NA, NULL, None, nan.
    pub enum MissingIds default LeftOut {
        /// They are left out and counted.
        LeftOut = "left-out",
        /// The words are ids like others.
        Kept = "kept",
    }
}

/// The columns of user, item, rating and time, written `user=0,item=1,rating=2,time=3` or
/// `user=reviewer,item=asin`. A column with several items a row is named `items=COLUMN`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Columns {
    /// The user id.
    pub user: Column,
    /// The item id, or the ids of several items.
    pub item: Column,
    /// Whether the item column holds several items a row.
    pub lists: bool,
    /// The rating, which only a lowest rating needs.
    pub rating: Option<Column>,
    /// The time.
    pub time: Option<Column>,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// By its index, from 0.
    Index(usize),
    /// By its name in the header.
    Name(String),
}

impl fmt::Display for Column {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => index.fmt(out),
            Self::Name(name) => name.fmt(out),
        }
    }
}

impl From<&str> for Column {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.into()), Self::Index)
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "user={},{}={}", self.user, if self.lists { "items" } else { "item" }, self.item)?;
        for (role, column) in [("rating", &self.rating), ("time", &self.time)] {
            if let Some(column) = column {
                write!(out, ",{role}={column}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Columns {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (mut user, mut item, mut items, mut rating, mut time) = (None, None, None, None, None);
        for part in text.split(',') {
            let wrong = |problem: &str| {
                Error::setting(
                    "columns",
                    format!("{problem} in {text:?}; write user=0,item=1 or user=NAME,item=NAME"),
                )
            };
            let (role, column) = part.split_once('=').ok_or_else(|| wrong(&format!("no '=' in {part:?}")))?;
            let place = match role.trim() {
                "user" => &mut user,
                "item" => &mut item,
                "items" => &mut items,
                "rating" => &mut rating,
                "time" => &mut time,
                other => return Err(wrong(&format!("{other:?} is none of user, item, items, rating, time"))),
            };
            let column = column.trim();
            if column.is_empty() {
                return Err(wrong(&format!("nothing after {part:?}")));
            }
            if place.replace(Column::from(column)).is_some() {
                return Err(wrong(&format!("{:?} appears twice", role.trim())));
            }
        }
        let missing =
            |role| Error::setting("columns", format!("{text:?} names no {role}; write user=0,item=1"));
        let lists = items.is_some();
        if lists && item.is_some() {
            return Err(Error::setting(
                "columns",
                format!("{text:?} names both item and items; name one of them"),
            ));
        }
        Ok(Self {
            user: user.ok_or_else(|| missing("user"))?,
            item: item.or(items).ok_or_else(|| missing("item"))?,
            lists,
            rating,
            time,
        })
    }
}

impl TryFrom<String> for Columns {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Columns> for String {
    fn from(columns: Columns) -> Self {
        columns.to_string()
    }
}
