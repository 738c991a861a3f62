//! Forms of days and times of a day that are rarer, or that ids have too.

use std::borrow::Cow;

use super::{DAY, Parts, calendar, civil};
use crate::data::names::MORE;

/// Whether a value is a day between 1950 and 2050 as a number of eight digits, 20240131.
pub(in crate::data) fn is_day(text: &str) -> bool {
    let number = text.trim().parse::<i64>().ok().filter(|day| (19_500_101..20_500_000).contains(day));
    number.is_some_and(|day| civil(day / 10_000, day / 100 % 100, day % 100).is_some())
}

/// Whether a value is a time of day: `12:30`, `12:30:59.5`, `09:15 PM`.
pub(in crate::data) fn is_clock(text: &str) -> bool {
    if !text.is_ascii() || !text.contains(':') {
        return false;
    }
    let mut parts = Parts::default();
    let words = text.split_ascii_whitespace().try_for_each(|word| {
        let is_half = ["am", "pm"].iter().any(|half| half.eq_ignore_ascii_case(word));
        if is_half { Some(()) } else { parts.clock(word) }
    });
    words.is_some() && parts.time.is_some()
}

/// A date in a form that dates are read in: `2024年1月2日`, `2024-01-02_03:04`, and `02/Jan/2024:03:04` of web servers.
pub(super) fn usual(text: &str) -> Cow<'_, str> {
    if !MORE {
        return Cow::Borrowed(text);
    }
    if !text.is_ascii() {
        let replaced = text.chars().map(|c| match c {
            '年' | '月' | '년' | '월' => '-',
            '日' | '일' => ' ',
            other => other,
        });
        let replaced: String = replaced.collect();
        return Cow::Owned(replaced.replace("- ", "-"));
    }
    let bytes = text.as_bytes();
    let separator = match bytes {
        [_, _, _, _, b'-', _, _, b'-', _, _, b'_', ..] => 10,
        [_, _, b'/', _, _, _, b'/', _, _, _, _, b':', ..] => 11,
        _ => return Cow::Borrowed(text),
    };
    Cow::Owned(format!("{} {}", &text[..separator], &text[separator + 1..]))
}

impl Parts {
    /// `2024-W05-3`: the day of a week of ISO 8601, whose first has January 4.
    pub(super) fn week(&mut self, year: i64, week: i64, day: i64) -> Option<()> {
        if !(1..=53).contains(&week) || !(1..=7).contains(&day) {
            return None;
        }
        let fourth = civil(year, 1, 4)?.0 / DAY;
        let monday = fourth - (fourth + 3).rem_euclid(7);
        let (year, month, day) = calendar(monday + (week - 1) * 7 + day - 1);
        (self.year, self.month, self.day) = (Some(year), Some(month), Some(day));
        Some(())
    }
}
