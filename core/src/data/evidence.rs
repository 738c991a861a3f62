//! What the first rows say about a column: whether it may be an id, a time, a rating or a number of rows.

use std::collections::HashMap;

use super::{
    moment,
    names::{ACTIONS, MISSING, MORE, plain},
};

/// The most rows or lines that are examined.
pub(super) const LINES: usize = 100;
/// The fewest rows that show that numbers are consecutive by more than chance.
const FEWEST_ROWS: usize = 5;

/// The value that more than half of some values have.
pub(super) fn usual(values: impl Iterator<Item = usize> + Clone) -> Option<usize> {
    let count = values.clone().count();
    values.clone().find(|value| 2 * values.clone().filter(|other| other == value).count() > count)
}

/// The kind of values that a column holds, as far as the first rows show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No values at all.
    Empty,
    /// Dates, or numbers that count seconds or parts of seconds from 1970 to a time since 1990.
    Time,
    /// 0, 1, 2, .. or 1, 2, 3, ..: the number of the row.
    RowNumber,
    /// Whole numbers.
    Whole,
    /// Numbers of which some are not whole.
    Real,
    /// Anything else.
    Text,
}

/// The values of a column in the first rows, without those that stand for nothing.
pub(super) struct Evidence<'a> {
    values: Vec<&'a str>,
    pub(super) kind: Kind,
}

impl<'a> Evidence<'a> {
    /// The evidence of column `at` in some rows.
    pub(super) fn of(rows: &'a [Vec<String>], at: usize) -> Self {
        let values: Vec<&str> = rows
            .iter()
            .filter_map(|row| row.get(at).map(|value| value.trim()))
            .filter(|value| !value.is_empty() && !MISSING.contains(value))
            .collect();
        let kind = kind(&values);
        Self { values, kind }
    }

    /// The evidence of the first values of lists, `[1, 2]`.
    pub(super) fn of_first(rows: &'a [Vec<String>], at: usize) -> Self {
        let lists = rows.iter().filter_map(|row| row.get(at)?.trim().strip_prefix('['));
        let first = |list: &'a str| list.split([',', ']']).next().unwrap_or("").trim().trim_matches('"');
        let values: Vec<&str> = lists.map(first).filter(|value| !value.is_empty()).collect();
        let kind = kind(&values);
        Self { values, kind }
    }

    /// Whether this value occurs.
    pub(super) fn holds(&self, value: &str) -> bool {
        self.values.contains(&value)
    }

    /// Whether the values are numbers.
    pub(super) fn is_numeric(&self) -> bool {
        !matches!(self.kind, Kind::Text | Kind::Empty)
            && self.values.iter().all(|value| number(value).is_some())
    }

    /// Whether the values are days or times that are no mere numbers, which ids may be as well.
    pub(super) fn is_date(&self) -> bool {
        self.kind == Kind::Time && (!self.is_numeric() || MORE && self.values().all(moment::is_day))
    }

    /// Whether each value holds a digit, as ids mostly do and names of columns mostly do not.
    pub(super) fn has_digits(&self) -> bool {
        !self.values.is_empty()
            && self.values.iter().all(|value| value.contains(|c: char| c.is_ascii_digit()))
    }

    /// Whether the values are 0 and 1, or words for no and yes, and both occur.
    pub(super) fn is_yes_or_no(&self) -> bool {
        let has = |answer: bool| self.values.iter().any(|value| yes_or_no(value) == Some(answer));
        has(true) && has(false) && self.values.iter().all(|value| yes_or_no(value).is_some())
    }

    /// The values.
    pub(super) fn values(&self) -> impl Iterator<Item = &'a str> + Clone {
        self.values.iter().copied()
    }

    /// The different values, in the order of their first rows.
    pub(super) fn kinds(&self) -> Vec<&'a str> {
        // There are only some rows.
        let mut kinds = Vec::new();
        self.values.iter().for_each(|value| {
            if !kinds.contains(value) {
                kinds.push(*value);
            }
        });
        kinds
    }

    /// Whether the values say what was done: view, cart, buy.
    pub(super) fn is_actions(&self) -> bool {
        !self.values.is_empty() && self.values().all(|value| ACTIONS.contains(&plain(value).as_str()))
    }

    /// Whether the values are items with what became of each, as in `N1-0 N2-1`.
    fn is_labelled(&self) -> bool {
        let ends = |token: &str| token.ends_with("-0") || token.ends_with("-1");
        let mut tokens = self.values().flat_map(str::split_ascii_whitespace);
        tokens.clone().any(|token| token.ends_with("-0")) && tokens.all(ends)
    }

    /// Whether the values are times of a day.
    fn is_clocks(&self) -> bool {
        MORE && self.values().all(moment::is_clock)
    }

    /// Whether no value has a letter or a digit.
    fn is_punctuation(&self) -> bool {
        MORE && self.values().all(|value| !value.contains(char::is_alphanumeric))
    }

    /// Whether values may be ids: not times, not fractions, not sentences, not numbers of rows, not what was done.
    pub(super) fn may_be_ids(&self) -> bool {
        match self.kind {
            Kind::Empty | Kind::Time | Kind::Real | Kind::RowNumber => false,
            Kind::Whole => true,
            Kind::Text => {
                let sentences = self.values().filter(|value| value.split(' ').count() > 3).count();
                (sentences * 2 < self.values.len() || self.may_be_lists())
                    && !self.is_clocks()
                    && !self.is_actions()
                    && !self.is_labelled()
                    && !self.is_punctuation()
            }
        }
    }

    /// Whether the values look like ratings: numbers of a short scale.
    pub(super) fn may_be_ratings(&self) -> bool {
        let numbers: Vec<f64> = self.values.iter().filter_map(|value| number(value)).collect();
        !numbers.is_empty()
            && numbers.len() == self.values.len()
            && self.kinds().len() <= 21
            && numbers.iter().all(|number| number.abs() <= 100.0)
    }

    /// Whether most values are lists of ids: in brackets, or several tokens that all hold a digit and that
    /// occur in several rows.
    pub(super) fn may_be_lists(&self) -> bool {
        if self.values.is_empty() || self.is_labelled() {
            return false;
        }
        let bracketed = |value: &&&str| value.starts_with('[') && value.ends_with(']');
        if self.values.iter().filter(bracketed).count() * 10 >= self.values.len() * 9 {
            return true;
        }
        let named =
            |value: &&&str| MORE && value.contains('(') && value.ends_with(')') && value.contains("Array");
        let arrows = |value: &&&str| MORE && value.contains(" -> ");
        if self.values.iter().all(|value| named(&value)) || self.values.iter().all(|value| arrows(&value)) {
            return true;
        }
        let mut tokens: HashMap<&str, usize> = HashMap::new();
        let mut several = 0;
        for value in &self.values {
            let parts: Vec<&str> =
                value.split([' ', ',', '|', ';']).filter(|part| !part.is_empty()).collect();
            several += usize::from(parts.len() > 1);
            parts.into_iter().for_each(|part| *tokens.entry(part).or_default() += 1);
        }
        let all: usize = tokens.values().sum();
        several * 2 >= self.values.len()
            && self.kind == Kind::Text
            && tokens.keys().all(|token| token.contains(|c: char| c.is_ascii_digit()))
            && tokens.len() < all
    }

    /// Whether values repeat so much that another one of theirs would be expected to occur too.
    pub(super) fn is_repetitive(&self) -> bool {
        self.kinds().len() * 2 <= self.values.len()
    }

    /// The smallest number.
    pub(super) fn least(&self) -> Option<f64> {
        self.values.iter().filter_map(|value| number(value)).min_by(f64::total_cmp)
    }

    /// The number of values.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

/// The value of a finite number; a decimal comma is accepted.
pub(super) fn number(text: &str) -> Option<f64> {
    let parsed = text.parse::<f64>().or_else(|_| text.replacen(',', ".", 1).parse());
    // `inf` and `nan` are words.
    parsed.ok().filter(|value| value.is_finite())
}

/// The meaning of 0, 1 and of words for yes and no.
pub(super) fn yes_or_no(text: &str) -> Option<bool> {
    const YES: [&str; 13] = [
        "1",
        "1.0",
        "true",
        "t",
        "yes",
        "y",
        "like",
        "liked",
        "recommended",
        "thumbs up",
        "up",
        "positive",
        "+",
    ];
    const NO: [&str; 13] = [
        "0",
        "0.0",
        "false",
        "f",
        "no",
        "n",
        "dislike",
        "disliked",
        "not recommended",
        "thumbs down",
        "down",
        "negative",
        "-",
    ];
    const YES_ELSEWHERE: [&str; 12] =
        ["ja", "oui", "si", "sí", "sì", "sim", "tak", "da", "да", "evet", "是", "はい"];
    const NO_ELSEWHERE: [&str; 10] =
        ["nein", "non", "não", "nao", "nie", "ne", "нет", "hayır", "否", "いいえ"];
    let is = |word: &&str| word.eq_ignore_ascii_case(text.trim());
    let known =
        |words: &[&str], elsewhere: &[&str]| words.iter().any(&is) || MORE && elsewhere.iter().any(&is);
    if known(&YES, &YES_ELSEWHERE) {
        Some(true)
    } else {
        (known(&NO, &NO_ELSEWHERE) || MORE && text.trim() == "-1").then_some(false)
    }
}

fn kind(values: &[&str]) -> Kind {
    if values.is_empty() {
        return Kind::Empty;
    }
    // Ids have eight digits too, but their last four are months and days by chance only in few rows.
    let are_days = || MORE && values.len() >= FEWEST_ROWS && values.iter().all(|value| moment::is_day(value));
    if values.iter().all(|value| moment::is_time(value)) || are_days() {
        return Kind::Time;
    }
    let numbers: Option<Vec<f64>> = values.iter().map(|value| number(value)).collect();
    let Some(numbers) = numbers else { return Kind::Text };
    let whole = numbers.iter().all(|number| number.fract() == 0.0)
        && values.iter().all(|value| !value.contains(['.', ',']));
    // Ids such as 007 are whole too.
    if !whole {
        return Kind::Real;
    }
    let counts = numbers.iter().enumerate().all(|(at, &number)| number == numbers[0] + at as f64);
    // Numbers of rows may begin anywhere in a part of a table.
    let fewest = if numbers[0] <= 1.0 { FEWEST_ROWS } else { 4 * FEWEST_ROWS };
    if numbers.len() >= fewest && counts { Kind::RowNumber } else { Kind::Whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[&str]) -> Vec<Vec<String>> {
        values.iter().map(|value| vec![(*value).to_owned()]).collect()
    }

    #[test]
    fn kinds_of_columns() {
        for (values, expected) in [
            (&["1", "2", "3", "4", "5"][..], Kind::RowNumber),
            (&["1", "2", "3"], Kind::Whole),
            (&["1", "1", "2", "2", "3", "4"], Kind::Whole),
            (&["0.5", "2", "NA"], Kind::Real),
            (&["3,5", "2,0"], Kind::Real),
            (&["1700000000", "1700003600"], Kind::Time),
            (&["2024-01-02T03:04:05Z", "", "2024-01-02"], Kind::Time),
            (&["214536502", "214536500"], Kind::Whole),
            (&["20231115", "20231120"], Kind::Whole),
            (&["20231115", "20231120", "20240229", "20231231", "20240101"], Kind::Time),
            (&["20231115", "20231120", "20240230", "20231231", "20240101"], Kind::Whole),
            (&["a", "2"], Kind::Text),
            (&["", "NULL"], Kind::Empty),
        ] {
            assert_eq!(Evidence::of(&column(values), 0).kind, expected, "{values:?}");
        }
    }

    #[test]
    fn lists_are_told_from_titles() {
        let lists = |values: &[&str]| Evidence::of(&column(values), 0).may_be_lists();
        assert!(!lists(&["N1-0 N2-1", "N2-0 N3-0"]));
        assert!(lists(&["N1 N2", "N2 N3 N4"]) && lists(&["['a', 'b']", "[]"]) && lists(&["1,2,3", "4,2"]));
        assert!(!lists(&["The Matrix", "The Game 2"]) && !lists(&["a1", "b2"]) && !lists(&["1,5", "2,5"]));
        assert!(!lists(&["2024-01-02 10:00:00", "2024-01-02 11:00:00"]));
    }
}
