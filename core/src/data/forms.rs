//! Forms of interactions that are no tables: LightGCN's adjacency lists, Netflix, JSON lines.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    Columns,
    collect::Shard,
    lines::LineFormat,
    sniff::{self, Roles},
};

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

/// One JSON object a line, as Amazon and Yelp publish reviews.
pub(super) struct JsonLines {
    columns: Option<Columns>,
    rated: bool,
}

impl JsonLines {
    /// `rated`: a line without a rating is an error.
    pub(super) fn new(columns: Option<&Columns>, rated: bool) -> Self {
        Self { columns: columns.cloned(), rated }
    }

    fn roles(&self, keys: &[&str]) -> Result<Roles, String> {
        let shown = || sniff::shorten(&keys.join(", "));
        if let Some(columns) = &self.columns {
            return sniff::asked_roles(columns, keys, true, "the object").map_err(|error| error.to_string());
        }
        let (user, item, rating) = sniff::named_roles(keys);
        let missing = |role: &str| {
            format!(
                "no {role} among the keys ({}); say which with --columns user=KEY,item=KEY,rating=KEY",
                shown()
            )
        };
        Ok((user.ok_or_else(|| missing("user"))?, item.ok_or_else(|| missing("item"))?, rating))
    }
}

impl LineFormat for JsonLines {
    fn line(&self, line: &[u8], shard: &mut Shard) -> Result<(), String> {
        let object: Object = serde_json::from_slice(line).map_err(|error| {
            let hint = if line.starts_with(b"{'") {
                "; single quotes are Python, not JSON: write it as JSON"
            } else {
                ""
            };
            format!("not a JSON object ({error}){hint}")
        })?;
        let keys: Vec<&str> = object.0.iter().map(|(key, _)| key.as_ref()).collect();
        let (user, item, rating) = self.roles(&keys)?;
        let field = |at: usize| scalar(keys[at], object.0[at].1);
        let rating = rating.map(field).transpose()?;
        if self.rated && rating.is_none() {
            return Err("no rating in this object, and ratings were asked for".into());
        }
        let rating = rating.as_ref().map(|rating| rating.as_bytes());
        shard.add(field(user)?.trim().as_bytes(), field(item)?.trim().as_bytes(), rating)
    }
}

/// The keys of an object and the text of its values, as it stands in the line.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A string that is borrowed from the line unless it holds escapes.
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

/// A string without its quotes; a number digit by digit, so that huge ids stay what they are.
fn scalar<'a>(key: &str, value: &'a RawValue) -> Result<Cow<'a, str>, String> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text).map(|Text(text)| text).map_err(|error| error.to_string()),
        Some(b'0'..=b'9' | b'-') => Ok(Cow::Borrowed(text)),
        _ => Err(format!("the value of {key:?} is neither text nor a number: {}", sniff::shorten(text))),
    }
}
