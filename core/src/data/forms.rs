//! Formats of interactions that are not tables: lists of items by line, and Netflix.

use super::{
    lines::LineFormat,
    shard::{Row, Shard},
};

/// `user item item ...`; a user without items is allowed.
pub(super) struct Adjacency;

impl LineFormat for Adjacency {
    fn line(&self, line: &[u8], shard: &mut Shard) -> Result<(), String> {
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let user = fields.next().unwrap_or_default();
        fields.try_for_each(|item| shard.add(&Row { user, item, ..Row::default() }))
    }
}

/// `count item item ...`; the user is the number of the line, from 0.
pub(super) struct Counted;

impl LineFormat for Counted {
    const INDEPENDENT: bool = false;

    fn line(&self, line: &[u8], shard: &mut Shard) -> Result<(), String> {
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let user = shard.lines.to_string();
        shard.lines += 1;
        let promised =
            std::str::from_utf8(fields.next().unwrap_or_default()).ok().and_then(|count| count.parse().ok());
        let items: Vec<&[u8]> = fields.collect();
        if promised != Some(items.len()) {
            return Err(format!(
                "{} items follow a count that says otherwise; is the line cut short?",
                items.len()
            ));
        }
        items
            .into_iter()
            .try_for_each(|item| shard.add(&Row { user: user.as_bytes(), item, ..Row::default() }))
    }
}

/// `MovieID:`, then `CustomerID,Rating,Date` until the next one.
pub(super) struct Netflix {
    /// Whether ratings are read.
    pub(super) rated: bool,
    /// Whether dates are read.
    pub(super) timed: bool,
}

impl LineFormat for Netflix {
    const INDEPENDENT: bool = false;

    fn line(&self, line: &[u8], shard: &mut Shard) -> Result<(), String> {
        if let Some(movie) = line.trim_ascii().strip_suffix(b":") {
            shard.item.clear();
            shard.item.extend_from_slice(movie);
            return Ok(());
        }
        if shard.item.is_empty() {
            return Err("a rating before any MovieID: line".into());
        }
        let mut fields = line.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        let (Some(user), Some(rating), Some(time)) = (fields.next(), fields.next(), fields.next()) else {
            return Err("neither MovieID: nor CustomerID,Rating,Date; is the line cut short?".into());
        };
        let item = std::mem::take(&mut shard.item);
        let (rating, time) = (self.rated.then_some(rating), self.timed.then_some(time));
        let added = shard.add(&Row { user, item: &item, rating, time });
        shard.item = item;
        added
    }
}
