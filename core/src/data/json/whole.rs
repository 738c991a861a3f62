//! Files that are one JSON object: a service's answer around an array of objects, or tables in other orders.

use super::{object, roles};

/// Where the array of objects begins that is a value of the one object of a file, as services answer:
/// `{"total": 2, "data": [{..}, {..}]}`.
pub(in crate::data) fn wrapped(head: &[u8]) -> Option<usize> {
    let blanks = |at: usize| at + head[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let is = |at: usize, byte: u8| (head.get(at) == Some(&byte)).then_some(at + 1);
    let string = |at: usize| {
        let mut escaped = false;
        let end = head.get(is(at, b'"')?..)?.iter().position(|&byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        })?;
        Some(at + end + 2)
    };
    let mut at = blanks(is(blanks(0), b'{')?);
    loop {
        let key = at;
        at = string(at)?;
        let name = head.get(key + 1..at - 1)?;
        at = blanks(is(blanks(at), b':')?);
        match head.get(at)? {
            b'[' => return (head.get(blanks(at + 1)) == Some(&b'{')).then_some(at),
            b'"' => at = string(at)?,
            b'{' => return None,
            _ => {
                at += head[at..].iter().take_while(|byte| !matches!(byte, b',' | b'}' | b' ' | b'\n')).count()
            }
        }
        // An object that names a user is an interaction, and its array the user's.
        if roles::names_user(&String::from_utf8_lossy(name)) {
            return None;
        }
        at = blanks(is(blanks(at), b',')?);
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
            "{\"a\":{\"b\":[{}]}}",
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
