//! Fields that hold several items: JSON or Python lists, arrays as numpy prints them, and ids between blanks,
//! commas, bars or semicolons.

use std::borrow::Cow;

use super::names::MORE;

/// The items of a field, without empty ones.
pub(super) fn items(field: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let field = field.trim_ascii();
    let field = if MORE { without_word(field) } else { field };
    let inner = bracketed(field).unwrap_or(field);
    // The first of these separators that occurs outside of quotes separates the items.
    let separator = [b',', b';', b'|']
        .into_iter()
        .find(|&separator| pieces(inner, |byte| byte == separator).nth(1).is_some());
    let all: Vec<&[u8]> = match separator {
        None if MORE && memchr::memmem::find(inner, ARROW).is_some() => between_arrows(inner),
        Some(separator) => pieces(inner, move |byte| byte == separator).collect(),
        None => pieces(inner, |byte| byte.is_ascii_whitespace()).collect(),
    };
    all.into_iter().map(|piece| unquoted(piece.trim_ascii())).filter(|item| !item.is_empty())
}

const ARROW: &[u8] = b"->";

/// The pieces of `a -> b -> c`.
fn between_arrows(mut text: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while let Some(at) = memchr::memmem::find(text, ARROW) {
        all.push(&text[..at]);
        text = &text[at + ARROW.len()..];
    }
    all.push(text);
    all
}

/// A list without the word that some languages print before it: `WrappedArray(a, b)`, `List(a, b)`.
fn without_word(field: &[u8]) -> &[u8] {
    let word = field.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let words =
        [&b"WrappedArray"[..], b"ArraySeq", b"Array", b"array", b"List", b"Set", b"set", b"Vector", b"Seq"];
    if field.get(word) == Some(&b'(') && field.ends_with(b")") && words.contains(&&field[..word]) {
        &field[word..]
    } else {
        field
    }
}

/// The content of brackets of one kind around a field.
fn bracketed(field: &[u8]) -> Option<&[u8]> {
    [(b'[', b']'), (b'(', b')'), (b'{', b'}')].iter().find_map(|&(open, close)| {
        (field.len() >= 2 && field[0] == open && field[field.len() - 1] == close)
            .then(|| &field[1..field.len() - 1])
    })
}

/// The pieces between separators that are outside of quotes.
fn pieces(text: &[u8], separates: impl Fn(u8) -> bool) -> impl Iterator<Item = &[u8]> {
    let mut quote = None;
    let mut escaped = false;
    let mut start_of_item = true;
    text.split(move |&byte| {
        let inside = quote.is_some();
        if escaped {
            escaped = false;
        } else if inside && byte == b'\\' {
            escaped = true;
        } else if quote == Some(byte) {
            quote = None;
        } else if !inside && start_of_item && matches!(byte, b'"' | b'\'') {
            quote = Some(byte);
        }
        let separator = !inside && separates(byte);
        start_of_item = separator || start_of_item && byte.is_ascii_whitespace();
        separator
    })
}

/// An item without its quotes; escapes of JSON are resolved.
fn unquoted(item: &[u8]) -> Cow<'_, [u8]> {
    let quoted = item.len() >= 2 && matches!(item[0], b'"' | b'\'') && item[item.len() - 1] == item[0];
    if !quoted {
        return Cow::Borrowed(item);
    }
    let inner = &item[1..item.len() - 1];
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    match serde_json::from_slice::<String>(item) {
        Ok(text) => Cow::Owned(text.into_bytes()),
        Err(_) => Cow::Borrowed(inner),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(field: &str) -> Vec<String> {
        items(field.as_bytes()).map(|item| String::from_utf8_lossy(&item).into_owned()).collect()
    }

    #[test]
    fn lists_of_every_form() {
        for field in [
            "a b c",
            "a,b,c",
            "a|b|c",
            "[a b c]",
            r#"["a", "b", "c"]"#,
            "['a', 'b', 'c']",
            "(a, b, c)",
            "[a  b\tc]",
            "a -> b->c",
            "WrappedArray(a, b, c)",
            "List(a,b,c)",
            "a;b;c,",
        ] {
            let field = field.trim_end_matches(',');
            assert_eq!(shown(field), ["a", "b", "c"], "{field}");
        }
        assert_eq!(shown(r#"["a, b", "c\"d"]"#), ["a, b", "c\"d"]);
        assert_eq!(shown("[1, 2]"), ["1", "2"]);
        assert_eq!(shown("[]"), [""; 0]);
        assert_eq!(shown("one"), ["one"]);
        assert_eq!(shown("it's,fine"), ["it's", "fine"]);
    }

    proptest! {
        #[test]
        fn no_field_panics(field in prop::collection::vec(prop::sample::select(b"a1,;| []\"'\\".to_vec()), 0..40)) {
            prop_assert!(items(&field).all(|item| !item.is_empty()));
        }
    }
}
