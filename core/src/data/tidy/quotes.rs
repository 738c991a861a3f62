//! Quotes other than `"` around fields: `'`, backticks, typographic ones. They belong to no id.

use super::super::{evidence::usual, table::Delimiter};

/// Opening and closing quotes in UTF-8, and those of Windows-1252.
const PAIRS: [(&str, &[u8], &[u8]); 17] = [
    // Quotes that were put into quotes again.
    ("\"\"\"", b"\"\"\"", b"\"\"\""),
    ("'", b"'", b"'"),
    ("`", b"`", b"`"),
    ("`", b"`", b"'"),
    ("\u{b4}", "\u{b4}".as_bytes(), "\u{b4}".as_bytes()),
    ("\u{201c}", "\u{201c}".as_bytes(), "\u{201d}".as_bytes()),
    ("\u{201d}", "\u{201d}".as_bytes(), "\u{201d}".as_bytes()),
    ("\u{201e}", "\u{201e}".as_bytes(), "\u{201c}".as_bytes()),
    ("\u{201e}", "\u{201e}".as_bytes(), "\u{201d}".as_bytes()),
    ("\u{2018}", "\u{2018}".as_bytes(), "\u{2019}".as_bytes()),
    ("\u{2019}", "\u{2019}".as_bytes(), "\u{2019}".as_bytes()),
    ("\u{ab}", "\u{ab}".as_bytes(), "\u{bb}".as_bytes()),
    ("\u{bb}", "\u{bb}".as_bytes(), "\u{ab}".as_bytes()),
    ("\u{2039}", "\u{2039}".as_bytes(), "\u{203a}".as_bytes()),
    ("\u{300c}", "\u{300c}".as_bytes(), "\u{300d}".as_bytes()),
    ("\u{201c}", b"\x93", b"\x94"),
    ("\u{2018}", b"\x91", b"\x92"),
];

/// Quotes around fields, and the delimiter of the fields.
#[derive(Clone, Copy)]
pub(super) struct Quoted {
    shown: &'static str,
    open: &'static [u8],
    close: &'static [u8],
    delimiter: Delimiter,
}

/// The quotes that stand around the same number of fields in all lines; a header may have none.
pub(super) fn find(lines: &[&[u8]]) -> Option<Quoted> {
    let occurs = |text: &[u8]| lines.iter().any(|line| memchr::memmem::find(line, text).is_some());
    let pairs: Vec<_> = PAIRS.into_iter().filter(|pair| occurs(pair.1) && occurs(pair.2)).collect();
    let bytes = [b',', b';', b'\t', b'|', 1].map(Delimiter::Byte);
    for delimiter in bytes.iter().copied().chain([Delimiter::DoubleColon, Delimiter::Blanks]) {
        // A list of quoted items may be a field between other delimiters.
        if delimiter == Delimiter::Blanks && bytes.iter().any(|&other| is_uniform(lines, other)) {
            continue;
        }
        for &(shown, open, close) in &pairs {
            let quoted = Quoted { shown, open, close, delimiter };
            let counts: Vec<(usize, usize)> = lines.iter().map(|line| quoted.count(line)).collect();
            // A header may have quotes where its numbers have none.
            let rows = &counts[usize::from(counts.len() > 1)..];
            let most = |values: &dyn Fn(&(usize, usize)) -> usize, least: usize| {
                let usual = usual(rows.iter().map(values)).filter(|&usual| usual >= least);
                usual.is_some()
                    && rows.iter().filter(|row| Some(values(row)) == usual).count() * 10 >= rows.len() * 9
            };
            if most(&|row| row.0, 2) && most(&|row| row.1, 1) {
                return Some(quoted);
            }
        }
    }
    None
}

/// Whether a delimiter gives all lines the same number of fields.
fn is_uniform(lines: &[&[u8]], delimiter: Delimiter) -> bool {
    let mut widths = lines.iter().map(|line| delimiter.fields(line).len());
    let first = widths.next();
    first >= Some(2) && widths.all(|width| Some(width) == first)
}

impl Quoted {
    pub(super) fn note(&self) -> String {
        format!("quotes of the form {} around fields are left out", self.shown)
    }

    /// The number of fields of a line, and of those in quotes.
    fn count(&self, line: &[u8]) -> (usize, usize) {
        let (mut all, mut quoted) = (0, 0);
        self.fields(line, |_, is_quoted| {
            all += 1;
            quoted += usize::from(is_quoted);
        });
        (all, quoted)
    }

    /// The line without these quotes; fields with delimiters are put into `"`.
    pub(super) fn replaced(&self, line: &[u8]) -> Vec<u8> {
        let between = self.delimiter.text().as_bytes();
        let mut out = Vec::with_capacity(line.len());
        let mut first = true;
        self.fields(line, |field, is_quoted| {
            if !std::mem::take(&mut first) {
                out.extend_from_slice(between);
            }
            let special = |text: &[u8]| memchr::memmem::find(text, between).is_some() || text.contains(&b'"');
            if is_quoted && special(field) {
                out.push(b'"');
                field.iter().for_each(|&byte| {
                    out.extend_from_slice(if byte == b'"' { b"\"\"" } else { std::slice::from_ref(&byte) })
                });
                out.push(b'"');
            } else {
                out.extend_from_slice(field);
            }
        });
        out
    }

    /// Visits the fields of a line: those in quotes without them.
    fn fields(&self, line: &[u8], mut visit: impl FnMut(&[u8], bool)) {
        let mut rest = line;
        loop {
            let start = rest.iter().take_while(|&&byte| byte == b' ').count();
            let inside = self.inside(&rest[start..]);
            let after = match inside {
                Some((field, after)) => {
                    visit(&field, true);
                    after
                }
                None => {
                    let end = (0..rest.len()).find(|&at| self.delimiter.length(&rest[at..]) > 0);
                    let (field, after) = rest.split_at(end.unwrap_or(rest.len()));
                    visit(field, false);
                    after
                }
            };
            if after.is_empty() {
                return;
            }
            rest = &after[self.delimiter.length(after)..];
        }
    }

    /// The content of the quotes that a text starts with and what follows them, which is a delimiter or nothing.
    fn inside<'a>(&self, text: &'a [u8]) -> Option<(Vec<u8>, &'a [u8])> {
        let mut rest = text.strip_prefix(self.open)?;
        let mut field = Vec::new();
        loop {
            let at = memchr::memmem::find(rest, self.close)?;
            let after = &rest[at + self.close.len()..];
            // A closing quote that is doubled or follows a backslash is text.
            let escaped = rest[..at].ends_with(b"\\");
            let doubled = self.open == self.close && after.starts_with(self.close);
            field.extend_from_slice(&rest[..at - usize::from(escaped)]);
            if !escaped && !doubled {
                let blanks = after.iter().take_while(|&&byte| byte == b' ').count();
                let end = if self.delimiter == Delimiter::Blanks { after } else { &after[blanks..] };
                return (end.is_empty() || self.delimiter.length(end) > 0).then_some((field, end));
            }
            field.extend_from_slice(self.close);
            rest = if doubled { &after[self.close.len()..] } else { after };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(lines: &[&str]) -> Option<Vec<String>> {
        let found = find(&lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>())?;
        let text = |line: &&str| String::from_utf8(found.replaced(line.as_bytes())).unwrap();
        Some(lines.iter().map(text).collect())
    }

    #[test]
    fn quotes_of_every_form() {
        for (open, close) in
            [("'", "'"), ("`", "`"), ("“", "”"), ("„", "“"), ("‘", "’"), ("«", "»"), ("”", "”")]
        {
            for between in [",", ";", "\t", "|", "::", " "] {
                let field = |text: &str| format!("{open}{text}{close}");
                let row = |user: &str, item: &str| [field(user), field(item), "5".into()].join(between);
                let plain_row = |user: &str, item: &str| [user, item, "5"].join(between);
                let (a, b) = (row("u1", "i1"), row("u2", "i2"));
                let expected = vec![
                    "user item rating".replace(' ', between),
                    plain_row("u1", "i1"),
                    plain_row("u2", "i2"),
                ];
                assert_eq!(plain(&[&expected[0], &a, &b]), Some(expected), "{open} {between:?}");
            }
        }
    }

    #[test]
    fn what_is_inside_stays_inside() {
        let lines = ["'u1', 'a, b','5'", "'O''Brien','it\\'s','4'", "'say \"x\"','','3'"];
        let expected = ["u1,\"a, b\",5", "O'Brien,it's,4", "\"say \"\"x\"\"\",,3"];
        assert_eq!(plain(&lines).unwrap(), expected);
        // Apostrophes, and quotes around some values only.
        assert_eq!(plain(&["user,item", "u1,rock'n'roll", "u2,'tis", "u3,O'Neil"]), None);
        assert_eq!(plain(&["user,item", "u1,'a'", "u2,b", "u3,c"]), None);
        assert_eq!(plain(&["\"u1\",\"i1\"", "\"u2\",\"i2\""]), None);
        let twice = ["\"\"\"u1\"\"\",\"\"\"i, 1\"\"\"", "\"\"\"u2\"\"\",\"\"\"i2\"\"\""];
        assert_eq!(plain(&twice).unwrap(), ["u1,\"i, 1\"", "u2,i2"]);
    }

    proptest! {
        #[test]
        fn no_line_panics(line in prop::collection::vec(prop::sample::select(b"a,'` \\;\"".to_vec()), 0..40)) {
            for (shown, open, close) in PAIRS {
                let quoted = Quoted { shown, open, close, delimiter: Delimiter::Byte(b',') };
                let (fields, _) = quoted.count(&line);
                prop_assert!(fields >= 1);
                quoted.replaced(&line);
            }
        }
    }
}
