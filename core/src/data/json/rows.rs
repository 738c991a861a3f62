//! JSON without objects for rows: arrays as rows, `[["u1", "i1", 5], ..]` or one a line, and an object with the items of each
//! user, `{"u1": ["i1", "i2"], ..}` or `{"u1": {"i1": 5}, ..}`. They become tables.

use std::io::{self, BufRead, Read};

use serde_json::value::RawValue;

use super::{Object, object, text_of};
use crate::data::{
    lines::{LONGEST_LINE, too_long},
    names::{ITEMS, LISTS, find},
    roles,
    unpack::Refusal,
};

/// How the rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) enum Shape {
    /// An array of arrays.
    Rows,
    /// An array a line, or arrays that follow one another.
    Lines,
    /// An object with the items of each user; how many fields its rows have.
    Users(usize),
}

/// The shape of a text that begins like this; `None` for objects that are rows.
pub(in crate::data) fn shape(head: &[u8], ended: bool) -> Option<Shape> {
    let mut bytes = head.iter().filter(|byte| !byte.is_ascii_whitespace());
    match (bytes.next()?, bytes.next()?) {
        (b'[', b'[') => Some(Shape::Rows),
        (b'[', b'{' | b']') => None,
        // One array alone is no table.
        (b'[', _) => memchr::memchr_iter(b'[', head).nth(1).map(|_| Shape::Lines),
        (b'{', _) => users(head, ended),
        _ => None,
    }
}

/// The first members of an object, if all of them are users with their items.
fn users(head: &[u8], ended: bool) -> Option<Shape> {
    const MEMBERS: usize = 3;
    let mut pieces = Pieces { outer: true, ..Pieces::default() };
    let mut widths = Vec::new();
    for &byte in head {
        if !pieces.push(byte) {
            continue;
        }
        let rows = rows_of(&std::mem::take(&mut pieces.piece)).ok()?;
        let (name, values) = rows;
        let is_column = roles::names_user(&name)
            || [ITEMS, LISTS].iter().any(|list| find(std::slice::from_ref(&name), list).is_some())
            || ["columns", "index", "data", "schema"].contains(&name.as_str());
        if is_column {
            return None;
        }
        widths.extend(values.first().map(|row| 1 + row.len()));
        pieces.count += 1;
        if pieces.count == MEMBERS || pieces.ended {
            break;
        }
    }
    let width = *widths.first()?;
    (pieces.count >= 2 || pieces.count == 1 && pieces.ended && ended).then_some(Shape::Users(width))
}

/// A user, and the rest of each of its rows.
fn rows_of(member: &[u8]) -> Result<(String, Vec<Vec<String>>), String> {
    let text = [b"{", member, b"}"].concat();
    let Object(fields) = object(&text)?;
    let [(user, value)] = &fields[..] else { return Err("one key is expected".into()) };
    let is_scalar = |value: &str| !value.starts_with(['{', '[']);
    let wrong = || format!("the items of {user:?} are neither a list of ids nor ids with ratings");
    let text = value.get();
    let rows = if text.starts_with('[') {
        let all: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let row = |value: &&RawValue| {
            let text = value.get();
            if text.starts_with('[') {
                serde_json::from_str::<Vec<&RawValue>>(text)
                    .ok()
                    .filter(|row| row.iter().all(|value| is_scalar(value.get())))
                    .map(|row| row.iter().map(|value| text_of(value.get()).into_owned()).collect())
            } else {
                is_scalar(text).then(|| vec![text_of(text).into_owned()])
            }
        };
        all.iter().map(row).collect::<Option<Vec<_>>>().ok_or_else(wrong)?
    } else {
        let number = |value: &str| value.parse::<f64>().is_ok() || matches!(value, "true" | "false" | "null");
        let Object(items) = object(text.as_bytes()).map_err(|_| wrong())?;
        if items.is_empty() || !items.iter().all(|(_, value)| number(value.get())) {
            return Err(wrong());
        }
        items.iter().map(|(item, value)| vec![item.to_string(), text_of(value.get()).into_owned()]).collect()
    };
    Ok((user.to_string(), rows))
}

/// Cuts a text at its outermost commas.
#[derive(Default)]
struct Pieces {
    /// Whether one bracket stands around all.
    outer: bool,
    piece: Vec<u8>,
    depth: usize,
    in_string: bool,
    escaped: bool,
    ended: bool,
    count: usize,
}

impl Pieces {
    /// Takes the next byte; true if a piece is whole, which is then in `piece`.
    fn push(&mut self, byte: u8) -> bool {
        let around = usize::from(self.outer);
        if self.in_string {
            self.piece.push(byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => {
                self.depth += 1;
                if self.outer && self.depth == 1 {
                    return false;
                }
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.outer && self.depth == 0 {
                    self.ended = true;
                    return !self.piece.trim_ascii().is_empty();
                }
                if !self.outer && self.depth == 0 {
                    self.piece.push(byte);
                    return true;
                }
            }
            b',' if self.depth == around => return self.outer && !self.piece.trim_ascii().is_empty(),
            _ if self.ended || byte.is_ascii_whitespace() && self.depth == around => return false,
            _ => {}
        }
        self.piece.push(byte);
        false
    }
}

/// The rows of such a text as a table with commas.
pub(in crate::data) struct Rows<R> {
    reader: R,
    shape: Shape,
    pieces: Pieces,
    ready: Vec<u8>,
    at: usize,
}

impl<R: BufRead> Rows<R> {
    /// With a line of names above the rows of users, if it is wanted.
    pub(in crate::data) fn of(reader: R, shape: Shape, names: bool) -> Self {
        let ready = match shape {
            Shape::Users(width) if names => {
                let more = (2..width).map(|at| if at == 2 { ",rating".to_owned() } else { format!(",{at}") });
                format!("user,item{}\n", more.collect::<String>()).into_bytes()
            }
            _ => Vec::new(),
        };
        let pieces = Pieces { outer: shape != Shape::Lines, ..Pieces::default() };
        Self { reader, shape, pieces, ready, at: 0 }
    }

    /// Makes a line, or the lines, of a piece.
    fn write(&mut self) -> Result<(), String> {
        let piece = std::mem::take(&mut self.pieces.piece);
        self.pieces.count += 1;
        let place = |problem: String| format!("value {}: {problem}", self.pieces.count);
        let mut line = |fields: &mut dyn Iterator<Item = String>| {
            for (at, field) in fields.enumerate() {
                if at > 0 {
                    self.ready.push(b',');
                }
                // A line break within a text would be one of the table.
                let field = field.replace('"', "\"\"").replace(['\n', '\r'], " ");
                self.ready.extend_from_slice(format!("\"{field}\"").as_bytes());
            }
            self.ready.push(b'\n');
        };
        if matches!(self.shape, Shape::Users(_)) {
            let (user, rows) = rows_of(&piece).map_err(place)?;
            rows.into_iter().for_each(|row| line(&mut std::iter::once(user.clone()).chain(row)));
            return Ok(());
        }
        let wrong = |_| place("an array with a user and an item is expected".into());
        let values: Vec<&RawValue> = serde_json::from_slice(&piece).map_err(wrong)?;
        line(&mut values.iter().map(|value| text_of(value.get()).into_owned()));
        Ok(())
    }

    fn more(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.at = 0;
        while self.ready.is_empty() {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                let open = self.pieces.depth > 0 || !self.pieces.piece.trim_ascii().is_empty();
                return if open {
                    Err(Refusal::error("the JSON is cut short: a bracket that opens does not close"))
                } else {
                    Ok(())
                };
            }
            let mut whole = false;
            let mut used = 0;
            for &byte in bytes {
                used += 1;
                if self.pieces.push(byte) {
                    whole = true;
                    break;
                }
            }
            self.reader.consume(used);
            if self.pieces.piece.len() > LONGEST_LINE {
                return Err(Refusal::error(format!("a value {}", too_long())));
            }
            if whole {
                self.write().map_err(Refusal::error)?;
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Rows<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.ready.len() {
            self.more()?;
        }
        let count = (&self.ready[self.at..]).read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(text: &str) -> Option<String> {
        let mut read = String::new();
        Rows::of(text.as_bytes(), shape(text.as_bytes(), true)?, true).read_to_string(&mut read).ok()?;
        Some(read.replace('"', ""))
    }

    #[test]
    fn arrays_and_objects_of_users_are_rows() {
        for text in
            ["[[\"u1\", \"i1\", 5],\n[\"u2\",\"i2\",null]]", "[\"u1\",\"i1\",5]\n[\"u2\",\"i2\", null]\n"]
        {
            assert_eq!(table(text).unwrap(), "u1,i1,5\nu2,i2,\n", "{text}");
        }
        assert_eq!(table("{\"a\": [1, 2],\n \"b\": [], \"c\": [3]}").unwrap(), "user,item\na,1\na,2\nc,3\n");
        let rated = "user,item,rating\na,x,5\nb,y,4\nb,z,3\n";
        for text in
            ["{\"a\":{\"x\":5},\"b\":{\"y\":4,\"z\":3}}", "{\"a\":[[\"x\",5]],\"b\":[[\"y\",4],[\"z\",3]]}"]
        {
            assert_eq!(table(text).unwrap(), rated, "{text}");
        }
        for other in [
            "{\"user\":1,\"items\":[2]}",
            "{\"user\":[1],\"item\":[2]}",
            "{\"a\":{\"id\":\"x\"},\"b\":{\"id\":\"y\"}}",
            "{\"columns\":[\"a\"],\"data\":[[1]]}",
            "[{\"user\":1}]",
            "{\"total\":2,\"data\":[1]}",
            "{\"a\":[{\"item\":1}]}",
            "[1, 2]",
            "{}",
            "",
        ] {
            assert_eq!(shape(other.as_bytes(), true), None, "{other}");
        }
        assert!(table("[[1,2],[3").is_none() && table("[[1,2],{}]").is_none());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in prop::collection::vec(prop::sample::select(b"a1\"\\,: []{}\n".to_vec()), 0..60)) {
            let shapes = [Shape::Rows, Shape::Lines, Shape::Users(2)];
            for shape in shapes.into_iter().chain(shape(&text, true)) {
                let _ = Rows::of(&text[..], shape, true).read_to_end(&mut Vec::new());
            }
        }
    }
}
