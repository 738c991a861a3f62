//! Rows in parentheses, as programs print tuples: `(u1, i1, 5)`, perhaps with a comma after each.

/// Whether all lines are tuples.
pub(super) fn are_around(lines: &[&[u8]]) -> bool {
    lines.len() >= 2 && lines.iter().all(|line| inside(line).is_some_and(|inner| inner.contains(&b',')))
}

/// What is between the parentheses around a line.
fn inside(line: &[u8]) -> Option<&[u8]> {
    let line = line.trim_ascii();
    let line = line.strip_suffix(b",").or_else(|| line.strip_suffix(b";")).unwrap_or(line);
    line.strip_prefix(b"(")?.strip_suffix(b")")
}

/// A line without its parentheses.
pub(super) fn replaced(line: &[u8]) -> Vec<u8> {
    inside(line).unwrap_or(line).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_are_rows() {
        assert!(
            are_around(&[b"('u1', 'i1', 5),", b"('u2', 'i2', 4);"]) && are_around(&[b"(a, b)", b"(c, d)"])
        );
        assert_eq!(replaced(b"('u1', 'i1', 5), "), b"'u1', 'i1', 5");
        assert!(!are_around(&[b"(a) b,c", b"(d) e,f"]) && !are_around(&[b"(3 rows)", b"(a, b)"]));
    }
}
