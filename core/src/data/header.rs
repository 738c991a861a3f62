//! Whether the first line of a table names its columns.

use super::{
    evidence::{Evidence, Kind, number},
    moment,
    names::{MISSING, MORE, known, names_both},
};

/// The fewest rows that show a difference between the first line and the others by more than chance.
const FEWEST_ROWS: usize = 5;

/// What the first lines show.
pub(super) enum Verdict {
    /// The first line names the columns.
    Header,
    /// It is a row like the others.
    Row,
    /// It may be both, for this reason.
    Doubt(&'static str),
}

/// Compares the first record with the others.
pub(super) fn verdict(records: &[Vec<String>]) -> Verdict {
    let Some((first, rows)) = records.split_first() else { return Verdict::Row };
    let columns: Vec<Column> =
        first.iter().enumerate().map(|(at, cell)| Column { cell, below: Evidence::of(rows, at) }).collect();
    // `user:u1` names a user with its type in a header, and is an id where the rows below have the same.
    if names_both(first)
        && !(first.iter().any(|cell| cell.contains(':')) && rows.iter().any(|row| names_both(row)))
    {
        return Verdict::Header;
    }
    if rows.is_empty() {
        return Verdict::Row;
    }
    if let Some(verdict) = counting(first, &columns, rows.len()) {
        return verdict;
    }
    // A word that occurs in the rows below is a value.
    let recurs = columns.iter().any(|column| column.is_word() && column.below.holds(column.cell));
    if columns.iter().any(Column::differs_in_type) {
        return Verdict::Header;
    }
    if recurs || !columns.iter().any(Column::is_word) {
        return Verdict::Row;
    }
    let named = if first.iter().any(|cell| cell.contains(':')) { 0 } else { known(first) };
    let lacks_digits = columns.iter().filter(|column| column.lacks_digits()).count();
    if named >= 1 && lacks_digits >= 1 || named >= 2 {
        return Verdict::Header;
    }
    if lacks_digits == columns.len()
        || lacks_digits >= 1 && rows.len() >= FEWEST_ROWS && lacks_digits * 2 >= columns.len()
    {
        return Verdict::Header;
    }
    if rows.len() >= 2 * FEWEST_ROWS
        && columns.iter().all(|column| column.is_word() && column.below.is_repetitive())
    {
        return Verdict::Doubt("none of the words of the first line occurs below, where words repeat");
    }
    Verdict::Row
}

/// A cell of the first line, and the values below it.
struct Column<'a> {
    cell: &'a String,
    below: Evidence<'a>,
}

impl Column<'_> {
    /// Whether the cell is a word rather than a number, a time, or nothing.
    fn is_word(&self) -> bool {
        let cell = self.cell.trim();
        !cell.is_empty() && !MISSING.contains(&cell) && number(cell).is_none() && !moment::is_time(cell)
    }

    /// A word over numbers or times.
    fn differs_in_type(&self) -> bool {
        self.is_word() && self.below.len() > 0 && (self.below.is_numeric() || self.below.kind == Kind::Time)
    }

    /// A word without digits over values that all have some.
    fn lacks_digits(&self) -> bool {
        self.is_word() && !self.cell.contains(|c: char| c.is_ascii_digit()) && self.below.has_digits()
    }
}

/// Words before the numbers of columns that programs name without names: V1 of R, _c0 of Spark, Column1 of Excel.
const COLUMN: [&str; 10] = ["", "v", "_c", "c", "x", "col", "column", "field", "f", "var"];

/// Whether a record counts the columns: 0, 1, 2, .. or V1, V2, .., perhaps after an empty field.
pub(super) fn counts_columns(record: &[String]) -> bool {
    let unnamed = usize::from(record.first().is_some_and(String::is_empty));
    let counts = |word: &str, first: usize| {
        record[unnamed..].iter().enumerate().all(|(at, cell)| {
            let number = cell.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word));
            let number = number.map(|_| cell[word.len()..].trim_start_matches(['_', ' ']));
            number.is_some_and(|number| number == (first + at).to_string())
        })
    };
    let words = if MORE { &COLUMN[..] } else { &COLUMN[..1] };
    record.len() - unnamed >= 2 && words.iter().any(|word| counts(word, 0) || MORE && counts(word, 1))
}

/// The verdict on a first line 0, 1, 2, .., as programs write that count columns without names.
fn counting(first: &[String], columns: &[Column], rows: usize) -> Option<Verdict> {
    if !counts_columns(first) {
        return None;
    }
    let unnamed = usize::from(first[0].is_empty());
    // With a word before, the numbers are no values.
    if MORE && first[unnamed].parse::<usize>().is_err() {
        let word = first[unnamed].trim_end_matches(|c: char| c.is_ascii_digit());
        let is_alike = |column: &Column| column.below.values().any(|value| value.starts_with(word));
        return (!columns.iter().any(is_alike)).then_some(Verdict::Header);
    }
    let from_0 = first[unnamed] == "0";
    let differs = |column: &Column| match column.below.kind {
        Kind::Text | Kind::Time => true,
        // 1, 2, 3 may be the first of rows with ratings such as 3.5.
        Kind::Real => from_0,
        Kind::Empty | Kind::Whole | Kind::RowNumber => false,
    };
    if unnamed == 1 || columns.iter().any(differs) {
        return Some(Verdict::Header);
    }
    let ids = &columns[..2];
    // Ids that begin at 0 have small numbers below.
    if rows >= FEWEST_ROWS && ids.iter().all(|column| column.below.least() >= Some(10.0)) {
        return Some(Verdict::Doubt("the first line counts the columns, and no id below is as small"));
    }
    None
}
