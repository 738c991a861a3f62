//! Files that are one JSON object: a service's answer around an array of objects, or tables in other orders.

use super::{object, roles};

/// In how many objects, one within the other, the array of objects is looked for.
const DEPTH: usize = 3;

/// Where the array of objects begins that is a value of the one object of a file, or of an object in it, as services
/// answer: `{"total": 2, "data": [{..}, {..}]}`.
pub(in crate::data) fn wrapped(head: &[u8]) -> Option<usize> {
    match (Answer { head }).array(0, DEPTH - 1)? {
        Found::Array(at) => Some(at),
        Found::Interaction | Found::Nothing(_) => None,
    }
}

/// What is found in an object.
enum Found {
    /// The array begins here.
    Array(usize),
    /// It names a user, so it is an interaction, and its array the user's.
    Interaction,
    /// Neither; the object ends here.
    Nothing(usize),
}

/// The beginning of a file.
struct Answer<'a> {
    head: &'a [u8],
}

impl Answer<'_> {
    /// The place of the next byte that is not blank.
    fn blanks(&self, at: usize) -> usize {
        at + self.head[at.min(self.head.len())..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
    }

    /// The place behind this byte.
    fn is(&self, at: usize, byte: u8) -> Option<usize> {
        (self.head.get(at) == Some(&byte)).then_some(at + 1)
    }

    /// The place behind a string.
    fn string(&self, at: usize) -> Option<usize> {
        let mut escaped = false;
        let end = self.head.get(self.is(at, b'"')?..)?.iter().position(|&byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        })?;
        Some(at + end + 2)
    }

    /// The place behind an object.
    fn value(&self, at: usize) -> Option<usize> {
        let mut depth = 0;
        let mut at = at;
        loop {
            match self.head.get(at)? {
                b'"' => {
                    at = self.string(at)?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }

    /// Looks for an array of objects in the object that begins at `at`; `None` if the head ends before it is found, or is
    /// no JSON.
    fn array(&self, at: usize, depth: usize) -> Option<Found> {
        let mut at = self.blanks(self.is(self.blanks(at), b'{')?);
        if let Some(end) = self.is(at, b'}') {
            return Some(Found::Nothing(end));
        }
        loop {
            let key = at;
            at = self.string(at)?;
            let name = self.head.get(key + 1..at - 1)?;
            at = self.blanks(self.is(self.blanks(at), b':')?);
            // The form `table` of pandas describes its columns first.
            let describes = name == b"schema";
            if roles::names_user(&String::from_utf8_lossy(name)) && self.head.get(at) != Some(&b'[') {
                return Some(Found::Interaction);
            }
            match self.head.get(at)? {
                b'[' => {
                    let is_array = self.head.get(self.blanks(at + 1)) == Some(&b'{');
                    return is_array.then_some(Found::Array(at));
                }
                b'"' => at = self.string(at)?,
                b'{' if describes => at = self.value(at)?,
                b'{' if depth > 0 => match self.array(at, depth - 1)? {
                    Found::Nothing(end) => at = end,
                    found => return Some(found),
                },
                b'{' => return None,
                _ => {
                    let ends = |byte: &u8| matches!(byte, b',' | b'}' | b' ' | b'\n');
                    at += self.head[at..].iter().take_while(|byte| !ends(byte)).count();
                }
            }
            at = self.blanks(at);
            if let Some(end) = self.is(at, b'}') {
                return Some(Found::Nothing(end));
            }
            at = self.blanks(self.is(at, b',')?);
        }
    }
}

/// What to do with the one object of a file that holds a whole table: lists by user, or a list for each column.
pub(in crate::data) fn columns(text: &[u8]) -> Option<String> {
    let object = object(text).ok()?;
    // A list, or the rows by their numbers, as pandas writes a column.
    let lists =
        |start: &str| object.0.len() >= 2 && object.0.iter().all(|(_, value)| value.get().starts_with(start));
    let is_table = lists("[") || lists("{\"0\":");
    let is_column = |name: &str| roles::names_user(name);
    let has = |key: &str| object.0.iter().any(|field| field.0 == key);
    if has("columns") && has("data") {
        let problem = "a table as pandas writes it with orient='split'; write an object for each row: python3 -c \"import pandas as p; \
                       p.read_json('FILE', orient='split').to_json('rows.json', orient='records')\"";
        return Some(problem.into());
    }
    if !is_table {
        return None;
    }
    Some(if object.0.iter().any(|(key, _)| is_column(key)) {
        "a list for each column; write an object for each row: python3 -c \"import pandas as p; \
         p.read_json('FILE').to_json('rows.json', orient='records')\""
            .into()
    } else {
        "one object with a list for each user; write an object a line: python3 -c \"import json; \
         [print(json.dumps({'user': u, 'items': i})) for u, i in json.load(open('FILE')).items()]\" > lists.jsonl"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_within_objects_are_found() {
        let start = |text: &str| wrapped(text.as_bytes()).map(|at| text[at..].to_owned());
        for before in [
            "{\"data\":",
            "{ \"total\": 2, \"note\": \"a \\\"b\\\", [\",\n\"rows\" :\n ",
            "{\"ok\":true,\"n\":null,\"d\":",
            "{\"info\":{\"slice\":\"0-9\",\"of\":{}},\"playlists\":",
            "{\"result\":{\"total\":2,\"hits\":",
            "{\"schema\":{\"fields\":[{\"name\":\"}\"}]},\"data\":",
            // A list of objects that is called as users are is no user.
            "{\"users\":",
        ] {
            assert_eq!(
                start(&format!("{before}[{{\"user\":1}}]}}")).as_deref(),
                Some("[{\"user\":1}]}"),
                "{before}"
            );
        }
        for other in [
            "{\"user\":1,\"items\":[{\"id\":2}]}",
            "{\"a\":[1,2]}",
            "{\"a\":{\"b\":{\"c\":{\"d\":[{}]}}}}",
            "{\"user\":{\"id\":1,\"tags\":[{}]},\"items\":[{}]}",
            "{\"a\":{\"user\":1},\"items\":[{}]}",
            "[{}]",
            "{\"a",
            "",
            "{}",
        ] {
            assert_eq!(start(other), None, "{other}");
        }
    }

    #[test]
    fn tables_in_other_orders_are_named() {
        assert!(columns(b"{\"user\":[1,2],\"item\":[3,4]}").unwrap().contains("orient"));
        assert!(columns(b"{\"u1\":[1,2],\"u2\":[3]}").unwrap().contains("for each user"));
        assert!(columns(b"{\"columns\":[\"a\"],\"data\":[[1]]}").unwrap().contains("split"));
        assert!(columns(b"{\"user\":{\"0\":1},\"item\":{\"0\":3}}").unwrap().contains("orient"));
        for other in [
            "{\"user\":1,\"items\":[3]}",
            "{\"user\":{\"id\":1},\"item\":{\"id\":3}}",
            "{\"u\":{\"id\":1},\"items\":[3]}",
        ] {
            assert!(columns(other.as_bytes()).is_none(), "{other}");
        }
    }
}
