use proptest::prelude::*;

use super::*;

fn split(delimiter: Delimiter, line: &str) -> Vec<String> {
    delimiter
        .quoted_fields(line.as_bytes())
        .into_iter()
        .map(|field| String::from_utf8_lossy(&field).into())
        .collect()
}

#[test]
fn quotes_within_a_line() {
    let tab = Delimiter::Byte(b'\t');
    assert_eq!(split(tab, "\"a\"\t\"b\tc\"\td"), ["a", "b\tc", "d"]);
    assert_eq!(split(tab, "12\" disc\t\"open\tx"), ["12\" disc", "\"open", "x"]);
    assert_eq!(split(tab, "a\t\t"), ["a", "", ""]);
    assert_eq!(split(tab, "\"a \"\"b\"\"\"\t\"\"\"\"\"\""), ["a \"b\"", "\"\""]);
    assert_eq!(split(Delimiter::Blanks, "\"1\" \"u 0\"  \"i0\" 1 "), ["1", "u 0", "i0", "1"]);
    assert_eq!(split(Delimiter::DoubleColon, "\"a::b\"::c"), ["a::b", "c"]);
}

#[test]
fn rules_and_counts_of_printed_tables() {
    let count = |line: &str| rule_or_count(Delimiter::Byte(b'|').fields(line.as_bytes()).into_iter());
    for rule in ["----+----", "---|---", ":--|--:"] {
        assert_eq!(count(rule), Some(0), "{rule}");
    }
    for (line, rows) in [("(120 rows)", 120), ("(1 row)", 1), ("(3 rows affected)", 3)] {
        assert_eq!(count(line), Some(rows), "{line}");
    }
    for line in ["-|1", "(a)", "(a rows)", "(99999999999999999999 rows)"] {
        assert_eq!(count(line), None, "{line}");
    }
}

proptest! {
    #[test]
    fn no_line_panics(line in prop::collection::vec(prop::sample::select(b"a,\": \t".to_vec()), 0..30)) {
        for delimiter in [Delimiter::Byte(b','), Delimiter::Byte(b'\t'), Delimiter::DoubleColon, Delimiter::Blanks] {
            prop_assert!(!delimiter.quoted_fields(&line).is_empty());
        }
    }
}
