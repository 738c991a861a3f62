//! Times of interactions: numbers and dates in the forms that data sets use.

mod forms;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub(super) use self::forms::{is_clock, is_day};
use super::names::MORE;
use crate::{Error, Result};

/// A point in time, in microseconds since 1970 (UTC).
///
/// A number is read by its size: below 10^11 as seconds, below 10^14 as milliseconds, below 10^17 as
/// microseconds, else as nanoseconds. Numbers that only count, such as the place in a sequence, keep their
/// order that way. Dates without a zone are UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(pub i64);

/// The order of day and month in dates such as 2/1/2024.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum DateOrder {
    /// 1/31/2024.
    #[default]
    MonthFirst,
    /// 31/1/2024.
    DayFirst,
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// The first day of the year 1, and of the year 10000.
const FIRST: i64 = -719_162 * DAY;
const LAST: i64 = 2_932_897 * DAY;
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// Years of dates that name a month alone.
const YEARS: std::ops::RangeInclusive<i64> = 1900..=2100;

impl Moment {
    /// Reads a number or a date; dates with numbers for day and month are read in `order`.
    pub(super) fn parse(text: &str, order: DateOrder) -> Option<Self> {
        let text = trimmed(text);
        match of_number(text) {
            Some(moment) => Some(moment),
            None => date(text, order),
        }
    }
}

impl Moment {
    /// The day, as 2024-01-31.
    pub(super) fn date(self) -> String {
        let (year, month, day) = calendar(self.0.div_euclid(DAY));
        format!("{year:04}-{month:02}-{day:02}")
    }
}

/// Whether a value is a date, or a number that counts seconds, or parts of seconds, to a time between 1990 and
/// 2090. A number of eight digits is not: ids have that length too.
pub(super) fn is_time(text: &str) -> bool {
    let text = trimmed(text);
    // 31.12.2024 is a date, and 10.2.19 may be the number of a version.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_dotted = is_number && text.bytes().filter(|&byte| byte == b'.').count() == 2;
    if is_dotted && !text.split('.').any(|part| part.len() == 4) {
        return false;
    }
    if is_number && !is_dotted {
        let plausible = 631_152_000 * SECOND..3_786_912_000 * SECOND;
        let digits = text.split('.').next().map_or(0, str::len);
        return digits != 8 && of_number(text).is_some_and(|moment| plausible.contains(&moment.0));
    }
    date(text, DateOrder::MonthFirst).or_else(|| date(text, DateOrder::DayFirst)).is_some()
}

/// A time without what is around it: blanks, and what .NET writes around times in JSON.
fn trimmed(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix("/Date(").and_then(|text| text.strip_suffix(")/")).unwrap_or(text)
}

/// The order of day and month that the values allow; `None` if they allow both.
pub(super) fn date_order<'a>(values: impl Iterator<Item = &'a str>) -> Option<DateOrder> {
    for value in values {
        let mut numbers = value.trim().split(['/', '-', '.']);
        let (Some(first), Some(second), Some(_)) = (numbers.next(), numbers.next(), numbers.next()) else {
            continue;
        };
        match (first.parse::<u32>(), second.parse::<u32>()) {
            (Ok(13..=31), Ok(1..=12)) => return Some(DateOrder::DayFirst),
            (Ok(1..=12), Ok(13..=31)) => return Some(DateOrder::MonthFirst),
            _ => {}
        }
    }
    None
}

fn of_number(text: &str) -> Option<Moment> {
    if text.is_empty()
        || !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'))
    {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        if text.len() == 8
            && let Some(moment) = civil(whole / 10_000, whole / 100 % 100, whole % 100)
                .filter(|_| (19_000_101..21_000_000).contains(&whole))
        {
            return Some(moment);
        }
        if text.len() == 14
            && let Some(moment) = basic(&text[..8], &text[8..])
        {
            return Some(moment);
        }
        return Some(Moment(match whole.unsigned_abs() {
            0..100_000_000_000 => whole * SECOND,
            100_000_000_000..100_000_000_000_000 => whole * 1000,
            100_000_000_000_000..100_000_000_000_000_000 => whole,
            _ => whole / 1000,
        }));
    }
    let real: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    let scaled = match real.abs() {
        size if size < 1e11 => real * 1e6,
        size if size < 1e14 => real * 1e3,
        size if size < 1e17 => real,
        _ => real / 1e3,
    };
    (scaled.abs() < 9e18).then_some(Moment(scaled as i64))
}

/// `20240131` and `235959`, or `2359`, between 1900 and 2100.
fn basic(day: &str, clock: &str) -> Option<Moment> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(day) || !digits(clock) || day.len() != 8 || !matches!(clock.len(), 4 | 6) {
        return None;
    }
    let day: i64 = day.parse().ok().filter(|day| (19_000_101..21_000_000).contains(day))?;
    let part = |at: usize, most: i64| -> Option<i64> {
        clock.get(at..at + 2).map_or(Some(0), |text| text.parse().ok().filter(|part| *part <= most))
    };
    let seconds = (part(0, 23)? * 60 + part(2, 59)?) * 60 + part(4, 59)?;
    Some(Moment(civil(day / 10_000, day / 100 % 100, day % 100)?.0 + seconds * SECOND))
}

/// The start of a day of the Gregorian calendar.
fn civil(year: i64, month: i64, day: i64) -> Option<Moment> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) || !(1..=9999).contains(&year) {
        return None;
    }
    // Years begin in March, so that the leap day is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let days = of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day - 1;
    Some(Moment((era * 146_097 + days - 719_468) * DAY))
}

/// Year, month and day of a number of days since 1970.
fn calendar(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year) } else { (month - 9, year + 1) };
    (year + era * 400, month, day)
}

/// A date with an optional time of day and zone.
fn date(text: &str, order: DateOrder) -> Option<Moment> {
    let text: &str = &forms::usual(text);
    if !text.is_ascii()
        || text.len() < 6
        || text.len() > 64
        || !text.bytes().any(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    // `20240102T030405Z`, the basic format of ISO 8601.
    if let Some((day, clock)) = text.split_once('T').filter(|(day, _)| day.len() == 8) {
        let (clock, zone) = clock.split_at(clock.find(['Z', '+', '-']).unwrap_or(clock.len()));
        let zone = if matches!(zone, "" | "Z") { 0 } else { offset(zone)? };
        return basic(day, clock).map(|moment| Moment(moment.0 - zone));
    }
    let mut parts = Parts::default();
    // `2024-01-02T03:04`: the T separates date and time.
    let split = text.bytes().enumerate().position(|(at, byte)| {
        matches!(byte, b'T' | b't') && at >= 8 && text.as_bytes()[at - 1].is_ascii_digit()
    });
    match split {
        Some(at) => {
            parts.word(&text[..at], order)?;
            text[at + 1..].split_ascii_whitespace().try_for_each(|word| parts.word(word, order))?;
        }
        None => text
            .split(|c: char| c.is_ascii_whitespace() || c == ',')
            .filter(|word| !word.is_empty())
            .try_for_each(|word| parts.word(word, order))?,
    }
    parts.moment()
}

/// The parts of a date that were read so far.
#[derive(Default)]
struct Parts {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    time: Option<i64>,
    zone: i64,
    afternoon: Option<bool>,
}

impl Parts {
    /// Reads one word; `None` if it is no part of a date.
    fn word(&mut self, word: &str, order: DateOrder) -> Option<()> {
        if word.contains(':') {
            return self.clock(word);
        }
        // `31-01-2024 12.30`.
        let dotted = |byte: u8| byte.is_ascii_digit() || byte == b'.';
        if MORE && self.day.is_some() && word.contains('.') && word.bytes().all(dotted) {
            return self.clock(&word.replace('.', ":"));
        }
        if matches!(word.as_bytes(), [b'+' | b'-', rest @ ..] if rest.len() == 4) && self.time.is_some() {
            self.zone = offset(word)?;
            return Some(());
        }
        for separator in ['-', '/', '.'] {
            let numbers: Vec<&str> = word.split(separator).collect();
            match numbers[..] {
                [a, b, c] => return self.numbers([a, b, c], order, separator),
                // With a dot, it is a number.
                [a, b] if separator != '.' => return self.month_and_year(a, b),
                _ => {}
            }
        }
        let lower = word.trim_end_matches('.').to_ascii_lowercase();
        match lower.as_str() {
            "am" | "pm" => self.afternoon = Some(lower == "pm"),
            "utc" | "gmt" | "z" => {}
            "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun" | "monday" | "tuesday" | "wednesday"
            | "thursday" | "friday" | "saturday" | "sunday" => {}
            _ if lower.bytes().all(|byte| byte.is_ascii_alphabetic()) => self.month = Some(month_of(&lower)?),
            _ => {
                let number: i64 = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse().ok()?;
                match lower.len() {
                    4 => self.year = Some(number),
                    _ if self.day.is_none() => self.day = Some(number),
                    _ => return None,
                }
            }
        }
        Some(())
    }

    /// Year, month and day in one of the orders.
    fn numbers(&mut self, [a, b, c]: [&str; 3], order: DateOrder, separator: char) -> Option<()> {
        let number = |text: &str| -> Option<i64> {
            (!text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| text.parse().ok())?
        };
        if let Some(week) = b.strip_prefix('W').filter(|_| MORE && a.len() == 4) {
            return self.week(number(a)?, number(week)?, number(c)?);
        }
        let month = |text: &str| number(text).or_else(|| month_of(&text.to_ascii_lowercase()));
        let (year, month, day) = if a.len() == 4 {
            (number(a)?, month(b)?, number(c)?)
        } else {
            // Dots mean day first: 31.1.2024.
            let day_first = separator == '.' || order == DateOrder::DayFirst || number(b).is_none();
            let year = number(c)?;
            let year = if c.len() == 2 { year + if year < 70 { 2000 } else { 1900 } } else { year };
            if c.len() != 2 && c.len() != 4 {
                return None;
            }
            if day_first { (year, month(b)?, number(a)?) } else { (year, number(a)?, number(b)?) }
        };
        (self.year, self.month, self.day) = (Some(year), Some(month), Some(day));
        Some(())
    }

    /// `2024-01`, `01/2024` or `Jan-2024`.
    fn month_and_year(&mut self, a: &str, b: &str) -> Option<()> {
        let (year, month) = if a.len() == 4 { (a, b) } else { (b, a) };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits(month) { month.parse().ok() } else { month_of(&month.to_ascii_lowercase()) };
        if year.len() != 4 || !digits(year) || month.len() == 4 && digits(month) {
            return None;
        }
        (self.year, self.month) = (Some(year.parse().ok()?), Some(number?));
        Some(())
    }

    /// `03:04`, `03:04:05.678`, with `Z`, `+02:00` or `+0200`.
    fn clock(&mut self, word: &str) -> Option<()> {
        let (clock, zone) = match word.find(['Z', 'z', '+', '-']) {
            Some(at) => (&word[..at], &word[at..]),
            None => (word, ""),
        };
        if !zone.is_empty() && !zone.eq_ignore_ascii_case("z") {
            self.zone = offset(zone)?;
        }
        if clock.is_empty() {
            return self.time.map(drop);
        }
        let suffix =
            clock.len().checked_sub(2).map(|at| clock[at..].to_ascii_lowercase()).unwrap_or_default();
        let clock = match suffix.as_str() {
            "am" | "pm" => {
                self.afternoon = Some(suffix == "pm");
                &clock[..clock.len() - 2]
            }
            _ => clock,
        };
        let mut parts = clock.split(':');
        let mut next = |most: f64| match parts.next() {
            None => Some(0.0),
            Some(text) => text.parse::<f64>().ok().filter(|value| (0.0..=most).contains(value)),
        };
        let (hours, minutes, seconds) = (next(24.0)?, next(59.0)?, next(60.999_999)?);
        if parts.next().is_some() {
            return None;
        }
        self.time = Some(((hours * 3600.0 + minutes * 60.0 + seconds) * 1e6).round() as i64);
        Some(())
    }

    fn moment(self) -> Option<Moment> {
        // A month stands for its first day.
        let is_month = self.day.is_none() && self.time.is_none() && YEARS.contains(&self.year?);
        let day = civil(self.year?, self.month?, self.day.or(is_month.then_some(1))?)?;
        let mut time = self.time.unwrap_or(0);
        let noon = DAY / 2;
        match self.afternoon {
            Some(true) if time < noon => time += noon,
            Some(false) if time >= noon => time -= noon,
            _ => {}
        }
        Some(Moment(day.0 + time - self.zone))
    }
}

/// The number of a month by its name, or the first three letters or more of it.
pub(super) fn month_of(lower: &str) -> Option<i64> {
    let found = MONTHS.iter().position(|month| lower.len() >= 3 && month.starts_with(lower))?;
    Some(found as i64 + 1)
}

/// `+02:00`, `+0200` or `+02` in microseconds.
fn offset(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text.chars().skip(1).filter(|c| *c != ':').collect();
    if !(digits.len() == 2 || digits.len() == 4) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hours: i64 = digits[..2].parse().ok()?;
    let minutes: i64 =
        digits.get(2..).filter(|rest| !rest.is_empty()).map_or(Some(0), |rest| rest.parse().ok())?;
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60 * SECOND)
}

impl FromStr for Moment {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text, DateOrder::MonthFirst).ok_or_else(|| {
            Error::setting(
                "time",
                format!("{text:?} is no time; write 2024-01-31, 2024-01-31T12:00:00Z or a number"),
            )
        })
    }
}

impl TryFrom<String> for Moment {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

/// A date, with the time of day unless it is midnight; numbers that only count, and times before and after the years that
/// dates have, stay numbers.
impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = (0..1000 * DAY).contains(&self.0) && self.0 % SECOND == 0;
        // A number of eight digits may be the number of a day, as 20240131.
        if counts && self.0 < 10_000_000 * SECOND {
            return write!(out, "{}", self.0 / SECOND);
        }
        if !(FIRST..LAST).contains(&self.0) {
            // By its size, such a number is in microseconds again.
            return write!(out, "{}", self.0);
        }
        out.write_str(&self.date())?;
        match self.0.rem_euclid(DAY) {
            0 => Ok(()),
            rest => {
                let seconds = rest / SECOND;
                write!(out, "T{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
                if rest % SECOND != 0 {
                    write!(out, ".{:06}", rest % SECOND)?;
                }
                write!(out, "Z")
            }
        }
    }
}

#[cfg(test)]
mod tests;
