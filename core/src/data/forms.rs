//! Formats of interactions that are not tables: LightGCN's adjacency lists, Netflix, JSON lines.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    Columns,
    collect::Shard,
    excerpt::shorten,
    lines::LineFormat,
    roles::{asked_roles, named_roles},
};
use crate::{Error, Result};

/// `user item item ...`; a user without items is allowed.
pub(super) struct Adjacency;

impl LineFormat for Adjacency {
    fn line(&self, line: &[u8], shard: &mut Shard) -> Result<(), String> {
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let user = fields.next().unwrap_or_default();
        fields.try_for_each(|item| shard.add(user, item, None))
    }
}

/// `MovieID:`, then `CustomerID,Rating,Date` until the next one.
pub(super) struct Netflix;

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
        let (Some(user), Some(rating), Some(_)) = (fields.next(), fields.next(), fields.next()) else {
            return Err("neither MovieID: nor CustomerID,Rating,Date; is the line cut short?".into());
        };
        let item = std::mem::take(&mut shard.item);
        let added = shard.add(user, &item, Some(rating));
        shard.item = item;
        added
    }
}

/// One JSON object per line, as Amazon and Yelp publish reviews. The first line determines which keys are
/// read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JsonLines {
    user: String,
    item: String,
    rating: Option<String>,
}

impl JsonLines {
    /// Finds the keys in the first line, which is at `place`.
    pub(super) fn of(first: &[u8], columns: Option<&Columns>, place: &str) -> Result<Self> {
        let object = object(first).map_err(|problem| Error::format(place, problem))?;
        let keys: Vec<&str> = object.0.iter().map(|(key, _)| key.as_ref()).collect();
        let (user, item, rating) = match columns {
            Some(columns) => asked_roles(columns, &keys, true, place)?,
            None => match named_roles(&keys) {
                (Some(user), Some(item), rating) => (user, item, rating),
                (user, ..) => {
                    let problem = format!(
                        "no {} among the keys ({}); say which in `columns`, as user=KEY,item=KEY,rating=KEY",
                        if user.is_none() { "user" } else { "item" },
                        shorten(&keys.join(", "))
                    );
                    return Err(Error::format(place, problem));
                }
            },
        };
        let key = |at: usize| keys[at].to_owned();
        Ok(Self { user: key(user), item: key(item), rating: rating.map(key) })
    }

    /// Whether there is a key for ratings.
    pub(super) fn is_rated(&self) -> bool {
        self.rating.is_some()
    }
}

impl LineFormat for JsonLines {
    fn line(&self, line: &[u8], shard: &mut Shard) -> Result<(), String> {
        let object = object(line)?;
        let field = |key: &str| {
            let value = object.0.iter().find(|field| field.0 == key).map(|field| field.1);
            scalar(key, value.ok_or_else(|| format!("no key {key:?}, which the first line has"))?)
        };
        let rating = self.rating.as_deref().map(field).transpose()?;
        let (user, item) = (field(&self.user)?, field(&self.item)?);
        shard.add(
            user.trim_ascii().as_bytes(),
            item.trim_ascii().as_bytes(),
            rating.as_ref().map(|text| text.as_bytes()),
        )
    }
}

fn object(line: &[u8]) -> Result<Object<'_>, String> {
    serde_json::from_slice(line).map_err(|error| {
        let python = line.starts_with(b"{'");
        let hint = if python { "; single quotes are Python, not JSON: write it as JSON" } else { "" };
        format!("not a JSON object ({error}){hint}")
    })
}

/// The keys of an object and the raw text of its values.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A string, borrowed from the line unless it contains escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Object<'de>;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(Text(key)) = map.next_key()? {
                    fields.push((key, map.next_value()?));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// The text of a string without its quotes, or the digits of a number, so that large ids do not lose
/// precision.
fn scalar<'a>(key: &str, value: &'a RawValue) -> Result<Cow<'a, str>, String> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text).map(|Text(text)| text).map_err(|error| error.to_string()),
        Some(b'0'..=b'9' | b'-') => Ok(Cow::Borrowed(text)),
        _ => Err(format!("the value of {key:?} is neither text nor a number: {}", shorten(text))),
    }
}
