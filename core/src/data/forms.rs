//! Formats of interactions that are not tables: lists of items by line, and Netflix.
//!
//! A format is a parser of lines ([`LineFormat`]), what recognises it ([`ListForm`]), and its place in [`FORMS`].

use std::{collections::HashSet, fmt};

use super::{
    LoadOptions,
    evidence::usual,
    foreign::base_name,
    lines::{self, LineFormat, Text},
    names::MORE,
    roles::no_ratings,
    shard::{Row, Shard},
    table::{Delimiter, rule_or_count},
};
use crate::{Error, Result};

/// Every format of lines that are not rows of a table; the first that recognises a file reads it.
const FORMS: &[&dyn ListForm] = &[&Netflix { rated: true, timed: true }, &Counted, &Adjacency];

/// The format of a file, if it is one of them.
///
/// # Errors
/// [`Error::Setting`] for options that it cannot follow.
pub(super) fn recognise(head: &Head<'_>, options: &LoadOptions) -> Result<Option<&'static dyn ListForm>> {
    let Some(&form) = FORMS.iter().find(|form| form.recognises(head)) else { return Ok(None) };
    form.check(head, options)?;
    Ok(Some(form))
}

/// The beginning of a file.
pub(super) struct Head<'a> {
    pub(super) name: &'a str,
    /// The first lines that are not blank.
    pub(super) lines: &'a [&'a [u8]],
    /// Whether blanks separate the fields of the lines, and no setting names columns.
    pub(super) blanks: bool,
}

impl Head<'_> {
    fn rows(&self) -> Vec<Vec<&[u8]>> {
        self.lines.iter().map(|line| Delimiter::Blanks.fields(line)).collect()
    }
}

/// A format of lines that are not rows of a table.
pub(super) trait ListForm: Sync {
    /// Its name for people.
    fn shown(&self) -> &'static str;

    /// Whether a file begins like this.
    fn recognises(&self, head: &Head<'_>) -> bool;

    /// Reads the lines of a file.
    ///
    /// # Errors
    /// [`Error::Format`] with the line that does not fit.
    fn read(&self, text: &mut Text, options: &LoadOptions, shards: &mut [Shard]) -> Result<()>;

    /// What a reader should know about how it is understood.
    fn note(&self) -> Option<&'static str> {
        None
    }

    /// Whether it has ratings.
    fn is_rated(&self) -> bool {
        false
    }

    /// Whether it has times.
    fn is_timed(&self) -> bool {
        false
    }

    /// Checks that a file is what it seems to be, and has what the options ask for.
    ///
    /// # Errors
    /// [`Error::Format`] for a file that may be something else, [`Error::Setting`] for an option that it cannot follow.
    fn check(&self, head: &Head<'_>, options: &LoadOptions) -> Result<()> {
        self.has_what_is_asked(head.name, options)
    }

    /// Checks that it has what the options ask for.
    ///
    /// # Errors
    /// [`Error::Setting`] for an option that it cannot follow.
    fn has_what_is_asked(&self, name: &str, options: &LoadOptions) -> Result<()> {
        let lacks = |field: &str, what: &str| {
            Err(Error::setting(field, format!("{name} is a file of lists, without {what}")))
        };
        if !self.is_rated() && options.min_rating.is_some() {
            return Err(no_ratings(name));
        }
        if !options.conditions.is_empty() {
            return lacks("where", "columns to choose rows by");
        }
        if !self.is_timed() && options.since.is_some() {
            return lacks("since", "times");
        }
        if !self.is_timed() && options.until.is_some() {
            return lacks("until", "times");
        }
        Ok(())
    }
}

impl fmt::Debug for dyn ListForm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.shown())
    }
}

/// Whether lines are sentences: half of them have words that end in a full stop, a comma or the like.
fn is_prose(rows: &[Vec<&[u8]>]) -> bool {
    let ends = |word: &&[u8]| {
        let [.., letter, sign] = word else { return false };
        letter.is_ascii_alphabetic() && matches!(sign, b'.' | b',' | b';' | b'!' | b'?' | b':')
    };
    let is_sentence = |row: &&Vec<&[u8]>| row.iter().skip(1).any(ends);
    rows.iter().filter(is_sentence).count() * 2 > rows.len()
}

/// `user item item ...`; a user without items is allowed.
struct Adjacency;

impl LineFormat for Adjacency {
    fn line(&self, line: &[u8], shard: &mut Shard) -> Result<(), String> {
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        if MORE && line.starts_with(b"(") && rule_or_count(fields.clone()).is_some() {
            shard.left_out.blank_lines += 1;
            return Ok(());
        }
        // `user: item item ..`.
        let user = fields.next().unwrap_or_default();
        let user = user.strip_suffix(b":").filter(|user| !user.is_empty()).unwrap_or(user);
        fields.try_for_each(|item| shard.add(&Row { user, item, ..Row::default() }))
    }
}

impl ListForm for Adjacency {
    fn shown(&self) -> &'static str {
        "user item item ... (LightGCN)"
    }

    fn recognises(&self, head: &Head<'_>) -> bool {
        if !head.blanks {
            return false;
        }
        let rows = head.rows();
        let uniform = usual(rows.iter().map(Vec::len)).is_some();
        let varied = rows.iter().any(|row| row.len() != rows[0].len());
        let named = ["train.txt", "test.txt", "val.txt", "valid.txt"]
            .iter()
            .any(|known| base_name(head.name).starts_with(known));
        let users: HashSet<&[u8]> = rows.iter().map(|row| row[0]).collect();
        let repeats = users.len() < rows.len();
        // The lines of a table have the same number of fields, even if some are damaged.
        !(uniform && (!named || repeats && !varied))
    }

    fn check(&self, head: &Head<'_>, options: &LoadOptions) -> Result<()> {
        let rows = head.rows();
        if MORE && is_prose(&rows) {
            let problem = "sentences, not lists of items; a user and an item are expected, between them a comma, a TAB, a \
                           semicolon, a bar, :: or a blank";
            return Err(Error::format(head.name, problem));
        }
        let users: HashSet<&[u8]> = rows.iter().map(|row| row[0]).collect();
        if users.len() * 10 < rows.len() * 9 {
            let problem = "lines of several ids, of which the first repeats: baskets without a user, or users over several \
                           lines; write a number or a user before each, one line a user: awk '{print NR, $0}' FILE > lists.txt";
            return Err(Error::format(head.name, problem));
        }
        self.has_what_is_asked(head.name, options)
    }

    fn read(&self, text: &mut Text, _: &LoadOptions, shards: &mut [Shard]) -> Result<()> {
        lines::read(text, self, shards).map(drop)
    }
}

/// `count item item ...`; the user is the number of the line, from 0.
struct Counted;

impl LineFormat for Counted {
    const INDEPENDENT: bool = false;

    fn line(&self, line: &[u8], shard: &mut Shard) -> Result<(), String> {
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let user = shard.lines.to_string();
        shard.lines += 1;
        let promised =
            std::str::from_utf8(fields.next().unwrap_or_default()).ok().and_then(|count| count.parse().ok());
        let items: Vec<&[u8]> = fields.collect();
        if promised != Some(items.len()) {
            return Err(format!(
                "{} items follow a count that says otherwise; is the line cut short?",
                items.len()
            ));
        }
        items
            .into_iter()
            .try_for_each(|item| shard.add(&Row { user: user.as_bytes(), item, ..Row::default() }))
    }
}

impl ListForm for Counted {
    fn shown(&self) -> &'static str {
        "count item item ... (citeulike)"
    }

    fn recognises(&self, head: &Head<'_>) -> bool {
        let rows = head.rows();
        let varied = rows.iter().any(|row| row.len() != rows[0].len());
        let counts = |row: &Vec<&[u8]>| {
            std::str::from_utf8(row[0]).ok().and_then(|first| first.parse::<usize>().ok())
                == Some(row.len() - 1)
        };
        head.blanks && rows.len() >= 3 && varied && rows.iter().all(counts)
    }

    fn read(&self, text: &mut Text, _: &LoadOptions, shards: &mut [Shard]) -> Result<()> {
        lines::read(text, self, shards).map(drop)
    }

    fn note(&self) -> Option<&'static str> {
        Some(
            "the first number of each line counts the items that follow; the user is the number of the line, from 0",
        )
    }
}

/// `MovieID:`, then `CustomerID,Rating,Date` until the next one.
struct Netflix {
    /// Whether ratings are read.
    rated: bool,
    /// Whether dates are read.
    timed: bool,
}

impl LineFormat for Netflix {
    const INDEPENDENT: bool = false;

    fn line(&self, line: &[u8], shard: &mut Shard) -> Result<(), String> {
        if let Some(movie) = line.trim_ascii().strip_suffix(b":") {
            shard.item.clear();
            shard.item.extend_from_slice(movie);
            return Ok(());
        }
        if shard.item.is_empty() {
            return Err("a rating before any MovieID: line".into());
        }
        let mut fields = line.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        let (Some(user), Some(rating), Some(time)) = (fields.next(), fields.next(), fields.next()) else {
            return Err("neither MovieID: nor CustomerID,Rating,Date; is the line cut short?".into());
        };
        let item = std::mem::take(&mut shard.item);
        let (rating, time) = (self.rated.then_some(rating), self.timed.then_some(time));
        let added = shard.add(&Row { user, item: &item, rating, time });
        shard.item = item;
        added
    }
}

impl ListForm for Netflix {
    fn shown(&self) -> &'static str {
        "Netflix prize"
    }

    fn recognises(&self, head: &Head<'_>) -> bool {
        let id = head.lines.first().and_then(|line| line.strip_suffix(b":"));
        id.is_some_and(|id| !id.is_empty() && id.iter().all(u8::is_ascii_digit))
    }

    fn read(&self, text: &mut Text, options: &LoadOptions, shards: &mut [Shard]) -> Result<()> {
        let used = Self { rated: options.min_rating.is_some(), timed: options.needs_times() };
        lines::read(text, &used, shards).map(drop)
    }

    fn is_rated(&self) -> bool {
        true
    }

    fn is_timed(&self) -> bool {
        true
    }
}
