//! Lists by line with delimiters other than blanks, and baskets: `milk,bread,butter`, with or without a user, a count or
//! a header before them, and perhaps filled up with empty fields.
//!
//! What the first field of a line is follows from where its values occur: those of items occur at other places too,
//! those of users once each and nowhere else. In doubt, a file is refused.

use std::collections::{HashMap, HashSet};

use super::{
    LoadOptions,
    evidence::usual,
    excerpt::shorten,
    header::{self, Verdict},
    lines::LineFormat,
    names::{ITEMS, PERSONS, SESSIONS, plain},
    roles::no_ratings,
    shard::{Part, Row, Shard},
    table::Delimiter,
};
use crate::{Error, Result};

/// The fewest lines that show what the first field is.
const FEWEST: usize = 3;

/// What the first field of each line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// A user.
    User,
    /// The number of items that follow.
    Count,
    /// An item like the others; the user is the number of the line.
    Item,
}

/// Lists of items by line.
#[derive(Clone, Debug)]
pub(super) struct Baskets {
    delimiter: Delimiter,
    first: First,
    /// The header, if there is one, in the form that lines have.
    header: Option<Vec<u8>>,
}

/// Whether lines are lists of items, and which.
///
/// # Errors
/// [`Error::Format`] if it cannot be seen whether the first field of a line is a user or an item, [`Error::Setting`] for
/// an option that lists cannot follow.
pub(super) fn recognise(
    name: &str,
    lines: &[&[u8]],
    delimiter: Option<Delimiter>,
    options: &LoadOptions,
) -> Result<Option<Baskets>> {
    if options.columns.is_some() || lines.len() < FEWEST {
        return Ok(None);
    }
    let bytes = [b'\t', b';', b',', b'|'].map(Delimiter::Byte);
    let frequent =
        |one: &Delimiter| lines.iter().filter(|line| one.fields(line).len() >= 2).count() * 2 >= lines.len();
    let delimiter = match delimiter {
        // A line of one item, or of items with blanks, shows no delimiter.
        None | Some(Delimiter::Blanks) => {
            bytes.into_iter().find(frequent).or(delimiter).unwrap_or(Delimiter::Blanks)
        }
        Some(found) => found,
    };
    let records = lines.iter().map(|line| fields(delimiter, line));
    let records: Vec<Vec<String>> = records.filter(|fields| !fields.is_empty()).collect();
    let found = Records { delimiter, records }.recognise(name, lines[0])?;
    if let Some(found) = &found {
        found.check(name, options)?;
    }
    Ok(found)
}

/// The fields of a line, without empty ones at its end.
fn fields(delimiter: Delimiter, line: &[u8]) -> Vec<String> {
    let fields = delimiter.quoted_fields(line);
    let mut fields: Vec<String> =
        fields.iter().map(|field| String::from_utf8_lossy(field.trim_ascii()).into_owned()).collect();
    let filled = fields.iter().rposition(|field| !field.is_empty()).map_or(0, |at| at + 1);
    fields.truncate(filled);
    fields
}

/// The first lines.
struct Records {
    delimiter: Delimiter,
    records: Vec<Vec<String>>,
}

impl Records {
    fn recognise(&self, name: &str, line: &[u8]) -> Result<Option<Baskets>> {
        let found = |first: First, header: bool| {
            let header = header.then(|| line.to_vec());
            Ok(Some(Baskets { delimiter: self.delimiter, first, header }))
        };
        let header = self.header();
        let rows = if header.is_some() { &self.records[1..] } else { &self.records[..] };
        let counts = rows.iter().all(|row| row[0].parse() == Ok(row.len() - 1));
        let blanks = self.delimiter == Delimiter::Blanks;
        match header {
            Some(_) if counts => return found(First::Count, true),
            Some(first) => return found(first, true),
            None if !is_ragged(rows) => return Ok(None),
            // Counts between blanks have a form of their own.
            None if counts && rows.len() >= FEWEST => {
                return if blanks { Ok(None) } else { found(First::Count, false) };
            }
            None => {}
        }
        let Some(first) = places(rows) else { return Ok(None) };
        match first {
            Ok(First::User) if blanks => Ok(None),
            Ok(first) => found(first, false),
            Err(_) if blanks => Ok(None),
            Err(why) => {
                let shown: Vec<String> = rows.iter().take(2).map(|row| shorten(&row.join(", "))).collect();
                Err(Error::format(
                    name,
                    format!(
                        "lists of items by line, of which {why}; the first lines: [{}]; write a user, or the number of the \
                         line, before each: awk '{{print NR \"{}\" $0}}' FILE > lists.csv",
                        shown.join("] ["),
                        self.delimiter.text()
                    ),
                ))
            }
        }
    }

    /// What a header says of the first column, if it numbers the columns of items: `basket,item1,item2`.
    fn header(&self) -> Option<First> {
        let (names, rows) = self.records.split_first()?;
        let stem = |name: &String| {
            let name = plain(name);
            let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
            (stem.len() < name.len() && !stem.is_empty()).then(|| stem.to_owned())
        };
        let of_items = |names: &[String]| {
            let stems: HashSet<Option<String>> = names.iter().map(stem).collect();
            names.len() >= 2 && stems.len() == 1 && !stems.contains(&None)
        };
        let is_list =
            !rows.is_empty() && rows.iter().any(|row| row.len() != rows[0].len()) && names.len() >= 3;
        let first = plain(names.first()?);
        let is_count = rows.iter().all(|row| row[0].parse() == Ok(row.len() - 1));
        let is_user = [PERSONS, SESSIONS].iter().any(|list| list.contains(&first.as_str())) || first == "id";
        if !(is_list && of_items(&names[1..])) {
            return None;
        }
        if is_user || is_count {
            return Some(First::User);
        }
        let is_item = of_items(names) || ITEMS.contains(&first.as_str());
        (is_item && matches!(header::verdict(&self.records), Verdict::Header | Verdict::Row))
            .then_some(First::Item)
    }
}

/// Whether lines have different numbers of fields, as those of a table have not.
fn is_ragged(rows: &[Vec<String>]) -> bool {
    let widths = rows.iter().map(Vec::len);
    let usual = usual(widths.clone());
    let same = widths.clone().filter(|width| Some(*width) == usual).count();
    let most = widths.max().unwrap_or(0);
    rows.len() >= FEWEST && most >= 3 && same * 10 < rows.len() * 9
}

/// What the first fields of ragged lines are, or why that cannot be seen; `None` if the other fields are no items of one
/// kind.
fn places(rows: &[Vec<String>]) -> Option<Result<First, &'static str>> {
    let mut columns: HashMap<&str, HashSet<usize>> = HashMap::new();
    for row in rows {
        for (at, field) in row.iter().enumerate().filter(|(_, field)| !field.is_empty()) {
            columns.entry(field).or_default().insert(at);
        }
    }
    // Items stand now in one column, now in another.
    let later = columns.values().filter(|places| places.iter().any(|&at| at >= 1));
    let moves = later.clone().filter(|places| places.iter().filter(|&&at| at >= 1).count() >= 2).count();
    let repeated = moves * 5 >= later.count();
    let firsts: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    let different: HashSet<&str> = firsts.iter().copied().collect();
    let is_later =
        |first: &&&str| columns.get(**first).is_some_and(|places| places.iter().any(|&at| at >= 1));
    let elsewhere = firsts.iter().filter(is_later).count();
    let once = different.len() == firsts.len();
    let numbers: Option<Vec<u64>> = firsts.iter().map(|first| first.parse().ok()).collect();
    let ascending = numbers.is_some_and(|numbers| numbers.is_sorted_by(|a, b| a < b));
    if once && (elsewhere * 10 <= firsts.len() || ascending) {
        return repeated.then_some(Ok(First::User));
    }
    // Programs sort the items of a basket.
    let sorted = |row: &Vec<String>| {
        let numbers: Option<Vec<u64>> = row.iter().map(|field| field.parse().ok()).collect();
        numbers.is_some_and(|numbers| numbers.is_sorted_by(|a, b| a < b))
    };
    if !once && (elsewhere * 2 >= firsts.len() || rows.iter().all(sorted)) {
        return Some(Ok(First::Item));
    }
    let why = "it cannot be seen whether the first of each line is a user or an item";
    repeated.then_some(Err(why))
}

impl Baskets {
    /// The name of the form for people.
    pub(super) fn shown(&self) -> String {
        let form = match self.first {
            First::User => "user item item ..",
            First::Count => "count item item ..",
            First::Item => "item item ..",
        };
        let header = if self.header.is_some() { ", with a header" } else { "" };
        format!("{form} by line, {}-separated{header}", self.delimiter.name())
    }

    /// What a reader should know.
    pub(super) fn note(&self) -> String {
        match self.first {
            First::User => "each line is a list of items; its first field is the user",
            First::Count => {
                "the first number of each line counts the items that follow; the user is the number of the list, from 1"
            }
            First::Item => {
                "each line is a basket of items without a user; the user is the number of the basket, from 1"
            }
        }
        .into()
    }

    fn check(&self, name: &str, options: &LoadOptions) -> Result<()> {
        let asked = [
            ("where", !options.conditions.is_empty(), "columns to choose rows by"),
            ("since", options.since.is_some(), "times"),
            ("until", options.until.is_some(), "times"),
        ];
        if options.min_rating.is_some() {
            return Err(no_ratings(name));
        }
        match asked.iter().find(|one| one.1) {
            Some((field, _, what)) => {
                Err(Error::setting(*field, format!("{name} is a file of lists, without {what}")))
            }
            None => Ok(()),
        }
    }

    /// Whether a file of this form may be this part of a split.
    ///
    /// # Errors
    /// [`Error::Format`] for baskets of a held-out part: nobody knows whose they are.
    pub(super) fn may_be(&self, part: Part, name: &str) -> Result<()> {
        if self.first == First::User || part == Part::Train {
            return Ok(());
        }
        let problem = "baskets without a user, which cannot be those of the training file; write the user before each \
                       line of both files, or give the path of one file";
        Err(Error::format(name, problem))
    }
}

impl LineFormat for Baskets {
    const INDEPENDENT: bool = false;

    fn line(&self, line: &[u8], shard: &mut Shard) -> Result<(), String> {
        if shard.lines == 0 && self.header.as_deref().is_some_and(|header| header == line.trim_ascii()) {
            return Ok(());
        }
        shard.lines += 1;
        let fields = self.delimiter.quoted_fields(line);
        let mut items = fields.iter().filter(|field| !field.is_empty()).map(|field| &**field);
        let number = shard.lines.to_string();
        let user = match self.first {
            First::Item => number.as_bytes(),
            First::User => match items.next() {
                Some(user) if !fields[0].is_empty() => user,
                _ => {
                    shard.left_out.missing_ids += 1;
                    return Ok(());
                }
            },
            First::Count => {
                let count =
                    items.next().and_then(|count| std::str::from_utf8(count).ok()?.parse::<usize>().ok());
                let found = items.clone().count();
                if count != Some(found) {
                    return Err(format!(
                        "{found} items follow a count that says otherwise; is the line cut short?"
                    ));
                }
                number.as_bytes()
            }
        };
        items.try_for_each(|item| shard.add(&Row { user, item, ..Row::default() }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Result<Option<(First, bool)>> {
        let lines: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
        let delimiter = if text.contains(',') { Delimiter::Byte(b',') } else { Delimiter::Blanks };
        let found = recognise("lists", &lines, Some(delimiter), &LoadOptions::default())?;
        Ok(found.map(|found| (found.first, found.header.is_some())))
    }

    #[test]
    fn first_fields_are_users_counts_or_items() {
        for (text, expected) in [
            ("milk,bread,tea\nmilk,jam\nbread,tea,jam\njam\nbread,milk\n", Some((First::Item, false))),
            ("milk bread tea\nmilk jam\nbread tea jam\njam\nbread milk\n", Some((First::Item, false))),
            (
                "milk,bread,tea,\nmilk,jam,,\nbread,tea,jam,\njam,,,\nbread,milk,,\n",
                Some((First::Item, false)),
            ),
            ("a1,bread,tea\na2,tea\na3,tea,jam,bread\na4,jam\n", Some((First::User, false))),
            ("1,5,7\n2,5\n3,1,7,2\n4,2,5\n", Some((First::User, false))),
            ("2,bread,tea\n1,tea\n3,tea,jam,bread\n1,jam\n", Some((First::Count, false))),
            ("Item(s),Item 1,Item 2\n2,tea,jam\n1,tea,\n2,jam,tea\n", Some((First::Count, true))),
            ("basket,item1,item2\nx,tea,jam\ny,tea,\nz,jam,tea\n", Some((First::User, true))),
            ("item1,item2,item3\ntea,jam,\nmilk,,\njam,tea,milk\n", Some((First::Item, true))),
            // Tables.
            ("user,item,rating\na,x,1\nb,y,2\na,z,3\n", None),
            ("a,x,1,\nb,y,2,good\na,z,3,\n", None),
            ("u1,i1,1.5,bad film\nu2,i2,2.5\nu1,i3,3.5,\nu3,i1,2\n", None),
            ("user,tag1,tag2\na,x,y\n", None),
        ] {
            assert_eq!(found(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn doubt_is_refused() {
        let error = found("a,b,c\nd,c\na,e,f,c\nd,f,b\n").unwrap_err().to_string();
        assert!(error.contains("a user or an item") && error.contains("awk"), "{error}");
        let lists: Vec<&[u8]> = vec![b"a,b,c", b"b", b"b,c,a,d", b"c,a"];
        let rated = LoadOptions { min_rating: Some(1.0), ..LoadOptions::default() };
        assert!(recognise("lists", &lists, None, &rated).unwrap_err().is_usage());
    }

    proptest! {
        #[test]
        fn no_lines_panic(text in prop::collection::vec(prop::sample::select(b"ab1, \n\"".to_vec()), 0..80)) {
            let lines: Vec<&[u8]> =
                text.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).collect();
            for delimiter in [None, Some(Delimiter::Byte(b',')), Some(Delimiter::Blanks)] {
                let _ = recognise("lists", &lines, delimiter, &LoadOptions::default());
            }
        }
    }
}
