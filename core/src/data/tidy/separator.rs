//! Delimiters of several characters, and rare ones: `:::`, `^|^`, `~|~`, `<SEP>`, ` -> `.

use super::super::{evidence::usual, table::Delimiter};

/// What separates the fields afterwards.
const REPLACEMENT: u8 = 1;
/// The longest delimiter, in characters.
const LONGEST: usize = 12;

/// The most bytes of the first line in which a delimiter is looked for.
const MOST: usize = 1 << 10;

/// A line with another delimiter.
pub(super) fn replaced(line: &[u8], separator: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr::memmem::find(rest, separator) {
        out.extend_from_slice(&rest[..at]);
        out.push(REPLACEMENT);
        rest = &rest[at + separator.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// The delimiter of several characters that stands equally often in all lines.
pub(super) fn find(lines: &[&[u8]]) -> Option<String> {
    if lines.len() < 2 || lines.iter().any(|line| line.contains(&REPLACEMENT)) {
        return None;
    }
    let texts: Vec<&str> = lines.iter().filter_map(|line| std::str::from_utf8(line).ok()).collect();
    let first = *texts.first()?;
    let first = &first[..first.floor_char_boundary(MOST)];
    let plain = plain(lines);
    let arrow = between_blanks(lines).filter(|_| !matches!(plain, Some(Delimiter::Byte(_))));
    let fits = |candidate: &str| {
        let count = |text: &&str| text.matches(candidate).count();
        let usual = usual(texts.iter().map(count)).filter(|&count| count > 0);
        let same = texts.iter().filter(|text| Some(count(text)) == usual).count();
        let inside = |text: &str| !text.starts_with(candidate) && !text.ends_with(candidate);
        usual.is_some() && same * 10 >= texts.len() * 9 && inside(first)
    };
    let beside_tabs = beside_tabs(&texts).filter(|_| plain == Some(Delimiter::Byte(b'\t')));
    let in_line = || candidates(first).into_iter().find(|one| is_better(one, plain, &texts) && fits(one));
    arrow.or(beside_tabs).or_else(in_line)
}

/// The delimiter of one character, or `::`, that gives all lines the same number of fields.
fn plain(lines: &[&[u8]]) -> Option<Delimiter> {
    let bytes = [b'\t', b';', b',', b'|', b'^', b'~'].map(Delimiter::Byte);
    let all = bytes.into_iter().chain([Delimiter::DoubleColon, Delimiter::Blanks]);
    all.into_iter().find(|delimiter| {
        let widths = lines.iter().map(|line| delimiter.quoted_fields(line).len());
        let usual = usual(widths.clone());
        let same = widths.filter(|width| Some(*width) == usual).count();
        usual >= Some(2) && same * 10 >= lines.len() * 9
    })
}

/// Runs of signs in a line, and tags: what may separate its fields.
fn candidates(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let is_sign = |c: char| {
        let is_blank = c.is_whitespace() && !matches!(c, '\u{a0}' | '\u{3000}');
        !c.is_alphanumeric() && !is_blank && !"\"'`\\()[]{}_“”„‘’«»".contains(c)
    };
    let mut push = |text: &str| {
        if !found.iter().any(|one| one == text) {
            found.push(text.to_owned());
        }
    };
    for (at, c) in line.char_indices() {
        let rest = &line[at..];
        // <SEP>, [sep].
        let close = if c == '<' { '>' } else { ']' };
        if matches!(c, '<' | '[')
            && let Some(length) = rest.find(close).filter(|&length| length > 1 && length < LONGEST)
            && rest[1..length].chars().all(|c| c.is_alphabetic())
        {
            push(&rest[..=length]);
        }
        let starts = is_sign(c) && !line[..at].chars().next_back().is_some_and(is_sign);
        if starts {
            let run: String = rest.chars().take_while(|&c| is_sign(c)).take(LONGEST).collect();
            push(&run);
        }
    }
    found
}

/// Whether a run of signs is more likely a delimiter than the plain one is.
fn is_better(candidate: &str, plain: Option<Delimiter>, texts: &[&str]) -> bool {
    let mut signs = candidate.chars();
    let (first, last) = (signs.clone().next(), signs.clone().next_back());
    let several = signs.clone().nth(1).is_some();
    let same_ends = first == last;
    let arrow = signs.all(|c| "-=<>~".contains(c));
    let tag = candidate.contains(char::is_alphabetic);
    let rare = !several && (!candidate.is_ascii() || candidate.contains(char::is_control));
    let one_sign = candidate.chars().all(|c| Some(c) == first);
    let likely = several && (same_ends || arrow) || tag || rare;
    match plain {
        // The signs of `~|~` and `:::` occur nowhere else.
        Some(Delimiter::Byte(byte)) => {
            several
                && same_ends
                && !one_sign
                && candidate.as_bytes().contains(&byte)
                && texts.iter().all(|text| {
                    let inner = candidate.matches(byte as char).count();
                    text.matches(byte as char).count() == inner * text.matches(candidate).count()
                })
        }
        Some(Delimiter::DoubleColon) => {
            several
                && same_ends
                && candidate.contains("::")
                && candidate != "::"
                && texts.iter().all(|text| {
                    let inner = candidate.matches(':').count();
                    text.matches(':').count() == inner * text.matches(candidate).count()
                })
        }
        // Fields between blanks, unless blanks occur within fields only.
        Some(Delimiter::Blanks) => {
            likely && texts.iter().all(|text| text.split(candidate).all(|field| !field.trim().contains(' ')))
        }
        None => likely,
    }
}

/// A sign beside every TAB: `u1;\ti1`.
fn beside_tabs(texts: &[&str]) -> Option<String> {
    // Longer ones first.
    const PATTERNS: [&str; 9] = ["\t;\t", "\t,\t", "\t|\t", "\t:\t", ";\t", ",\t", "|\t", "\t;", "\t|"];
    let around = |pattern: &&str| {
        let tabs = pattern.matches('\t').count();
        texts.iter().all(|text| text.matches('\t').count() == tabs * text.matches(*pattern).count())
    };
    PATTERNS.into_iter().find(around).map(str::to_owned)
}

/// A sign between blanks that is every second field of all lines: `u1 -> i1`, `u1 - i1`.
fn between_blanks(lines: &[&[u8]]) -> Option<String> {
    let sign = *Delimiter::Blanks.fields(lines[0]).get(1)?;
    let fits = |line: &&[u8]| {
        let fields = Delimiter::Blanks.fields(line);
        fields.len() >= 3
            && fields.len() % 2 == 1
            && fields.iter().enumerate().all(|(at, field)| (at % 2 == 1) == (*field == sign))
    };
    let is_sign =
        sign.iter().all(|byte| byte.is_ascii_punctuation()) && !matches!(sign, b"-1" | b"\"\"" | b"''");
    (is_sign && lines.iter().all(fits)).then(|| format!(" {} ", String::from_utf8_lossy(sign)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&str]) -> Option<String> {
        find(&lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>())
    }

    #[test]
    fn delimiters_of_several_characters() {
        for separator in [
            ":::", "::::", "~|~", "^|^", "|~|", "|#|", "<SEP>", "[sep]", "->", "=>", "##", "@@", "$$", "§",
            "→", "~~~", " - ", " -> ",
        ] {
            let line = |fields: [&str; 3]| fields.join(separator);
            let lines = [line(["user", "item", "time"]), line(["u1", "i1", "3"]), line(["u2", "a-b", "4"])];
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            // Repetitions of one plain delimiter are read as such, with empty fields between.
            let expected = (separator != "~~~").then(|| separator.to_owned());
            assert_eq!(found(&lines), expected, "{separator}");
            if let Some(separator) = expected {
                assert_eq!(replaced(lines[2].as_bytes(), separator.as_bytes()), b"u2\x01a-b\x014");
            }
        }
        assert_eq!(
            found(&["u1<SEP>i1<SEP>A song", "u2<SEP>i2<SEP>Another long song"]).as_deref(),
            Some("<SEP>")
        );
    }

    #[test]
    fn control_characters_and_signs_beside_tabs() {
        for (line, separator) in [
            ("u\u{a0}i\u{a0}5", "\u{a0}"),
            ("u\u{1f}i\u{1f}5", "\u{1f}"),
            ("u;\ti;\t5", ";\t"),
            ("u\t|\ti\t|\t5", "\t|\t"),
        ] {
            assert_eq!(found(&[line, line]).as_deref(), Some(separator));
        }
    }

    #[test]
    fn plain_delimiters_stay() {
        for lines in [
            &["u1,-5,3", "u2,-7,4"][..],
            &["u1,http://a.b/c,1", "u2,http://a.b/d,2"],
            &["u1::i1::5", "u2::i2::::"],
            &["1::1193::5::978300760", "1::661::3::978302109"],
            &["u1||i1||5", "u2||i2||3"],
            &["u1,#a", "u2,#b"],
            &["1 2 -- 5", "2 3 -- 4"],
            &["a-b-c", "d-e-f"],
            &["u1\tlist: a, b\t5", "u2\tx;\t4"],
            &["2024-01-02 10:00:00,u1,i1", "2024-01-03 10:00:00,u2,i2"],
            &["u1 i1 -1", "u2 i2 -1"],
            &["<li>a</li>", "<li>b</li>"],
        ] {
            assert_eq!(found(lines), None, "{lines:?}");
        }
    }
}
