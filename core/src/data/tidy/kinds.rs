//! Lines of several kinds, as files of banks and shops have them: a line for the file (`H|20240131`), rows (`D|u1|i1`), and
//! a line at the end (`T|120`).

/// What the line for the file begins with.
const FIRST: [&str; 12] =
    ["H", "HD", "HDR", "HEAD", "HEADER", "FH", "FHDR", "FILEHDR", "BOF", "A", "00", "01"];

/// The problem with lines of several kinds.
pub(super) fn problem(lines: &[&[u8]]) -> Option<String> {
    let (first, rows) = lines.split_first().filter(|(_, rows)| rows.len() >= 2)?;
    let separator = *first.iter().find(|byte| matches!(byte, b'|' | b',' | b';' | b'\t'))?;
    let kind = |line: &[u8]| -> String {
        let field = line.split(|&byte| byte == separator).next().unwrap_or(line);
        String::from_utf8_lossy(field).trim_matches(['"', ' ']).to_owned()
    };
    let (head, row) = (kind(first), kind(rows[0]));
    let width = |line: &[u8]| line.iter().filter(|&&byte| byte == separator).count();
    // The last line may be of a third kind.
    let (last, inner) = rows.split_last()?;
    let is_row = |line: &&[u8]| kind(line) == row && width(line) == width(rows[0]);
    if head == row || row.is_empty() || row.len() > 8 || !FIRST.contains(&head.as_str()) {
        return None;
    }
    let column = |at: usize| rows[0].split(|&byte| byte == separator).nth(at);
    (inner.iter().all(is_row) && column(2).is_some()).then(|| {
        let ends = if kind(last) == row { String::new() } else { format!(", {}", kind(last)) };
        format!(
            "lines of several kinds, as their first fields say: {head}, {row}{ends}; the rows alone: grep '^{row}' FILE > \
             rows.txt"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_the_file_is_no_row() {
        let said = |lines: &[&str]| problem(&lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>());
        let text = said(&["HDR,20240131,3", "DTL,u1,i1,4", "DTL,u2,i2,5", "TRL,2"]).unwrap();
        assert!(text.contains("HDR, DTL, TRL") && text.contains("'^DTL'"), "{text}");
        assert!(said(&["H|x", "D|u|i", "D|v|i"]).is_some());
        for others in [
            &["H,i1,5", "H,i2,5", "B,i1,3"][..],
            &["A,x", "B,x", "B,y"],
            &["user,item,n", "u1,i1,3", "u1,i2,3"],
            &["A,x,1", "B,y,1", "C,z,1", "D,x,1"],
        ] {
            assert_eq!(said(others), None);
        }
    }
}
