//! Quotes within quoted fields behind a backslash, as MySQL, Hive and PostHog write them: `"a \"b\" c"`.

/// Whether a text has such quotes: one that neither opens nor closes a field.
pub(super) fn are_in(head: &[u8]) -> bool {
    let is_end =
        |byte: Option<&u8>| matches!(byte, None | Some(b',' | b';' | b'\t' | b'|' | b'"' | b'\n' | b'\r'));
    let quoted = |line: &[u8]| {
        let opens = |pair: &[u8]| matches!(pair, [b',' | b';' | b'\t' | b'|', b'"']);
        line.starts_with(b"\"") || line.windows(2).any(opens)
    };
    memchr::memmem::find_iter(head, b"\\\"").any(|at| {
        let start = memchr::memrchr(b'\n', &head[..at]).map_or(0, |start| start + 1);
        let before = &head[start..at];
        // An even number of backslashes stands for themselves.
        let single = before.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 0;
        single && quoted(before) && !is_end(head.get(at + 2))
    })
}

/// A line with doubled quotes instead, and single backslashes.
pub(super) fn replaced(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let (text, length): (&[u8], usize) = match rest {
            [_, b'"', ..] => (b"\"\"", 2),
            [_, b'\\', ..] => (b"\\", 2),
            _ => (b"\\", 1),
        };
        out.extend_from_slice(text);
        rest = &rest[length..];
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_behind_backslashes_are_doubled() {
        let text = br#"u1,"a \"b\" c""#;
        assert!(are_in(text));
        assert_eq!(replaced(text), br#"u1,"a ""b"" c""#);
        assert_eq!(replaced(br#"a\\b\n"#), br#"a\b\n"#);
        // A path at the end of a field, texts without quotes around, doubled quotes.
        for other in [r#""C:\","D:\""#, r#"u1,a \"b\""#, r#""a ""b"" c",d"#, "\\", ""] {
            assert!(!are_in(other.as_bytes()), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in prop::collection::vec(prop::sample::select(b"a,\"\\\n".to_vec()), 0..40)) {
            let _ = are_in(&text);
            prop_assert!(replaced(&text).len() <= text.len());
        }
    }
}
