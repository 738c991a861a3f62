//! JSON objects with one interaction each: one a line, in an array, or one after the other.

mod each;
mod rows;
mod whole;

use std::{borrow::Cow, fmt, io::Read};

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;

pub(super) use self::{
    rows::{Rows, shape},
    whole::{columns, wrapped},
};
use super::{
    LoadOptions,
    condition::Condition,
    excerpt::shorten,
    lines::{LONGEST_LINE, LineFormat, Text, too_long},
    roles::{self, Decision, Roles},
    shard::{Row, Shard},
};
use crate::{Error, Result, watch};

/// How deep objects within objects are named: `user.profile.id`.
const DEPTH: usize = 4;
/// The most keys that are named.
const MOST_KEYS: usize = 1000;

/// Which values of an object are read. Keys of inner objects follow those of outer ones after a dot.
#[derive(Debug, PartialEq)]
pub(super) struct JsonObjects {
    /// The keys of all roles and conditions.
    keys: Vec<String>,
    /// Roles, as indexes of `keys`.
    roles: Roles,
    conditions: Vec<Condition>,
    /// The values of keys that the whole file shares.
    constants: Vec<(String, String)>,
    /// Whether the array of the objects lies in another object, which ends after it.
    wrapped: bool,
}

/// Whether a line is a whole object.
pub(super) fn is_object(line: &[u8]) -> bool {
    object(line).is_ok() || line.starts_with(b"{'") || line.starts_with(b"{u'")
}

impl JsonObjects {
    /// Decides which keys are read, by the first objects; the first one is at `place`.
    pub(super) fn of(
        objects: &[&[u8]],
        options: &LoadOptions,
        constants: &[(String, String)],
        place: &str,
    ) -> Result<(Self, Decision)> {
        let mut names: Vec<String> = Vec::new();
        let mut rows: Vec<Vec<String>> = Vec::new();
        for (at, text) in objects.iter().enumerate() {
            let object = match object(text) {
                Ok(object) => object,
                Err(problem) if at == 0 => return Err(Error::format(place, problem)),
                // A later object is read again, and its error has its line.
                Err(_) => break,
            };
            let mut row = vec![String::new(); names.len()];
            flatten(&object, "", DEPTH, &mut |key, value| {
                let place = names.iter().position(|name| *name == key).or_else(|| {
                    (names.len() < MOST_KEYS).then(|| {
                        names.push(key);
                        row.push(String::new());
                        names.len() - 1
                    })
                });
                if let Some(place) = place {
                    row[place] = text_of(&value).into_owned();
                }
            });
            rows.push(row);
        }
        for (key, value) in constants {
            names.push(key.clone());
            rows.iter_mut().for_each(|row| {
                row.resize(names.len() - 1, String::new());
                row.push(value.clone());
            });
        }
        let decision = roles::of_names(&names, &rows, options, place)?;
        let mut roles = decision.roles.clone();
        let mut keys = Vec::new();
        let mut index = |at: &mut usize| {
            keys.push(names[*at].clone());
            *at = keys.len() - 1;
        };
        index(&mut roles.user);
        index(&mut roles.item);
        roles.rating.iter_mut().for_each(&mut index);
        roles.time.iter_mut().for_each(&mut index);
        roles.conditions.iter_mut().for_each(&mut index);
        let conditions = options.conditions.iter().cloned().collect();
        Ok((Self { keys, roles, conditions, constants: constants.to_vec(), wrapped: false }, decision))
    }

    /// The same objects, in an array within another object.
    pub(super) fn within_object(self) -> Self {
        Self { wrapped: true, ..self }
    }

    fn add(&self, text: &[u8], shard: &mut Shard) -> Result<(), String> {
        let object = object(text)?;
        if self.is_each_apart(&object)? {
            return self.add_each(&object, shard);
        }
        let field = |at: usize| -> Result<Cow<'_, str>, String> {
            let key = &self.keys[at];
            if let Some(value) = self.constant(key) {
                return Ok(Cow::Borrowed(value));
            }
            match find(&object, key)? {
                // A key that is absent has no value, as null.
                None => Ok(Cow::Borrowed("")),
                Some(value) => {
                    let lists = at == self.roles.item && (self.roles.lists || value.starts_with('['));
                    if value.starts_with('{') || value.starts_with('[') && !lists {
                        return Err(format!(
                            "the value of {key:?} is neither text nor a number: {}",
                            shorten(&value)
                        ));
                    }
                    Ok(match value {
                        Cow::Borrowed(value) => text_of(value),
                        Cow::Owned(value) => Cow::Owned(text_of(&value).into_owned()),
                    })
                }
            }
        };
        for (&at, condition) in self.roles.conditions.iter().zip(&self.conditions) {
            if !condition.holds(field(at)?.as_bytes()) {
                shard.left_out.unmet_conditions += 1;
                return Ok(());
            }
        }
        let rating = self.roles.rating.map(field).transpose()?;
        let time = self.roles.time.map(field).transpose()?;
        let (user, item) = (field(self.roles.user)?, field(self.roles.item)?);
        let row = Row {
            user: user.trim_ascii().as_bytes(),
            item: item.trim_ascii().as_bytes(),
            rating: rating.as_ref().map(|text| text.as_bytes()),
            time: time.as_ref().map(|text| text.as_bytes()),
        };
        let lists = self.roles.lists || item.starts_with('[') && item.ends_with(']');
        if lists { shard.add_list(&row) } else { shard.add(&row) }
    }

    /// The value of a key that the whole file shares.
    fn constant(&self, key: &str) -> Option<&str> {
        self.constants.iter().find(|constant| constant.0 == key).map(|constant| constant.1.as_str())
    }
}

impl LineFormat for JsonObjects {
    fn line(&self, line: &[u8], shard: &mut Shard) -> Result<(), String> {
        self.add(line, shard)
    }
}

/// Reads the objects of an array, or objects that follow one another.
pub(super) fn read_stream(text: Text, objects: &JsonObjects, shard: &mut Shard) -> Result<()> {
    let name = text.stream.name.clone();
    let stream_error = text.stream.error_of();
    let mut splitter = Splitter { lines: text.lines, wrapped: objects.wrapped, ..Splitter::default() };
    let mut reader = text.rest(Vec::new());
    let mut buffer = vec![0; 1 << 16];
    loop {
        watch::check()?;
        let count = reader.read(&mut buffer).map_err(&stream_error)?;
        if count == 0 {
            break;
        }
        let wrong = |(line, problem): (u64, String)| Error::format(format!("{name}:{line}"), problem);
        for &byte in &buffer[..count] {
            if splitter.push(byte).map_err(wrong)? {
                watch::advance(1);
                if let Err(problem) = objects.add(&splitter.object, shard) {
                    shard.bad_row(splitter.first_line, problem).map_err(wrong)?;
                    let bad = std::mem::take(&mut shard.bad);
                    shard.note_bad_rows(
                        bad.into_iter().map(|(line, problem)| format!("{name}:{line}: {problem}")).collect(),
                    );
                }
                splitter.object.clear();
            }
        }
    }
    if splitter.depth > 0 || splitter.arrays > 0 {
        let line = if splitter.depth > 0 { splitter.first_line } else { splitter.lines + 1 };
        return Err(Error::format(
            format!("{name}:{line}"),
            "the JSON is cut short: a bracket that opens does not close",
        ));
    }
    Ok(())
}

/// The first whole objects of a text.
pub(super) fn first_objects(head: &[u8], most: usize) -> Result<Vec<Vec<u8>>, String> {
    let mut splitter = Splitter::default();
    let mut found = Vec::new();
    for &byte in head {
        match splitter.push(byte) {
            Ok(false) => {}
            Ok(true) => found.push(std::mem::take(&mut splitter.object)),
            // An error beyond the first object is reported later, when the file is read.
            Err(_) if !found.is_empty() => break,
            Err((_, problem)) => return Err(problem),
        }
        if found.len() == most {
            break;
        }
    }
    if found.is_empty() {
        return Err("no whole JSON object in it; one object for each interaction is expected".into());
    }
    Ok(found)
}

/// Cuts a text into its objects, without a look at what is in them.
#[derive(Default)]
struct Splitter {
    object: Vec<u8>,
    /// Braces and brackets that are open within the object.
    depth: usize,
    /// Arrays that are open around the objects.
    arrays: usize,
    /// Whether other values may follow the array.
    wrapped: bool,
    /// Whether the array of a wrapped file has ended.
    ended: bool,
    in_string: bool,
    escaped: bool,
    lines: u64,
    first_line: u64,
}

impl Splitter {
    /// Takes the next byte; true if it ends an object, which is then in `object`.
    fn push(&mut self, byte: u8) -> Result<bool, (u64, String)> {
        self.lines += u64::from(byte == b'\n');
        let line = self.lines + 1;
        if self.ended {
            return Ok(false);
        }
        if self.depth == 0 {
            match byte {
                b'{' => {
                    (self.depth, self.first_line) = (1, line);
                    self.object.clear();
                    self.object.push(byte);
                }
                b'[' if self.arrays == 0 => self.arrays = 1,
                b']' if self.arrays == 1 => (self.arrays, self.ended) = (0, self.wrapped),
                b',' => {}
                _ if byte.is_ascii_whitespace() => {}
                _ => {
                    let problem = "JSON objects are expected, as in [{\"user\": 1, \"item\": 2}, ..]; this is another value";
                    return Err((line, problem.into()));
                }
            }
            return Ok(false);
        }
        self.object.push(byte);
        if self.object.len() > LONGEST_LINE {
            return Err((self.first_line, too_long()));
        }
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return Ok(false);
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        Ok(self.depth == 0)
    }
}

/// Calls `visit` with every key, and the text of its value; the keys of inner objects follow those of outer
/// ones after a dot, and those of objects in a list have the list of their values.
fn flatten<'a>(
    object: &Object<'a>,
    prefix: &str,
    depth: usize,
    visit: &mut impl FnMut(String, Cow<'a, str>),
) {
    for (key, value) in &object.0 {
        let key = if prefix.is_empty() { key.to_string() } else { format!("{prefix}.{key}") };
        let text = value.get();
        match text.starts_with('{').then(|| serde_json::from_str::<Object>(text)) {
            Some(Ok(inner)) if depth > 0 => flatten(&inner, &key, depth - 1, visit),
            _ => match first_of_list(text) {
                // The objects themselves are no items.
                Some(first) => {
                    for (inner, _) in &first.0 {
                        if let Ok(Some(values)) = of_list(text, inner) {
                            visit(format!("{key}.{inner}"), Cow::Owned(values));
                        }
                    }
                }
                None => visit(key, Cow::Borrowed(text)),
            },
        }
    }
}

/// The first object of a list of objects.
fn first_of_list(text: &str) -> Option<Object<'_>> {
    let inner = text.strip_prefix('[')?.trim_start();
    let all: Vec<&RawValue> = inner.starts_with('{').then(|| serde_json::from_str(text).ok())??;
    serde_json::from_str(all.first()?.get()).ok()
}

/// The values of a key in a list of objects, as a list; `None` if there is no such list.
fn of_list(text: &str, key: &str) -> Result<Option<String>, String> {
    if !text.strip_prefix('[').is_some_and(|inner| inner.trim_start().starts_with('{')) {
        return Ok(None);
    }
    let all: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut values = Vec::new();
    for one in all {
        let object: Object = serde_json::from_str(one.get()).map_err(|error| error.to_string())?;
        // An object without the key has no item, and counts as a row without one.
        values.push(find(&object, key)?.map_or_else(|| "null".to_owned(), Cow::into_owned));
    }
    Ok(Some(format!("[{}]", values.join(","))))
}

/// The value of a key, which may be one of an inner object, or of the objects of a list.
fn find<'a>(object: &Object<'a>, key: &str) -> Result<Option<Cow<'a, str>>, String> {
    if let Some((_, value)) = object.0.iter().find(|field| field.0 == key) {
        return Ok(Some(Cow::Borrowed(value.get())));
    }
    for (at, _) in key.match_indices('.') {
        let Some((_, value)) = object.0.iter().find(|field| field.0 == key[..at]) else { continue };
        if value.get().starts_with('{') {
            let inner: Object<'a> = serde_json::from_str(value.get()).map_err(|error| error.to_string())?;
            if let Some(found) = find(&inner, &key[at + 1..])? {
                return Ok(Some(found));
            }
        } else if let Some(values) = of_list(value.get(), &key[at + 1..])? {
            return Ok(Some(Cow::Owned(values)));
        }
    }
    Ok(None)
}

fn object(line: &[u8]) -> Result<Object<'_>, String> {
    serde_json::from_slice(line).map_err(|error| {
        let python = [&b"{'"[..], b"{u'", b"{u\""].iter().any(|start| line.starts_with(start));
        let hint = if python {
            "; single quotes are Python, not JSON: python3 -c \"import ast, json; \
             [print(json.dumps(ast.literal_eval(line))) for line in open('FILE')]\" > FILE.jsonl"
        } else {
            ""
        };
        format!("not a JSON object ({error}){hint}")
    })
}

/// The keys of an object and the raw text of its values.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A string, borrowed from the line unless it contains escapes.
#[derive(Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

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
                while let Some(Borrowed(key)) = map.next_key()? {
                    fields.push((key, map.next_value()?));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// The text of a value: a string without its quotes, a number as its digits, so that large ids do not lose
/// precision; null is empty.
fn text_of(value: &str) -> Cow<'_, str> {
    match value.as_bytes().first() {
        Some(b'"') => {
            serde_json::from_str(value).map_or_else(|_| Cow::Borrowed(value), |Borrowed(text)| text)
        }
        Some(b'n') => Cow::Borrowed(""),
        _ => Cow::Borrowed(value),
    }
}
