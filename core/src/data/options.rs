//! Options for loading: which columns to read, and which interactions to keep.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Options for loading a data set. The default keeps every interaction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LoadOptions {
    /// The lowest rating that counts as an interaction. `None`: every rating counts.
    pub min_rating: Option<f32>,
    /// The k of the k-core: users and items with fewer interactions are dropped, repeatedly, until every
    /// other one has at least k. 0 and 1 leave the set unchanged.
    pub core: u32,
    /// The columns of user, item and rating; `None` recognises them by the header and the first lines.
    pub columns: Option<Columns>,
}

/// The columns of user, item and rating, written `user=0,item=1,rating=2,time=3` or
/// `user=reviewer,item=asin`. The time is accepted but ignored: no split here uses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Columns {
    /// The user id.
    pub user: Column,
    /// The item id.
    pub item: Column,
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

impl fmt::Display for Columns {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "user={},item={}", self.user, self.item)?;
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
        let (mut user, mut item, mut rating, mut time) = (None, None, None, None);
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
                "rating" => &mut rating,
                "time" => &mut time,
                other => return Err(wrong(&format!("{other:?} is none of user, item, rating, time"))),
            };
            let column = column.trim();
            if column.is_empty() {
                return Err(wrong(&format!("nothing after {part:?}")));
            }
            let column = column.parse().map_or_else(|_| Column::Name(column.into()), Column::Index);
            if place.replace(column).is_some() {
                return Err(wrong(&format!("{:?} appears twice", role.trim())));
            }
        }
        let missing =
            |role| Error::setting("columns", format!("{text:?} names no {role}; write user=0,item=1"));
        Ok(Self {
            user: user.ok_or_else(|| missing("user"))?,
            item: item.ok_or_else(|| missing("item"))?,
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
