//! Finds the columns of user, item and rating: as requested, by the names in a header, or by the format of
//! the rows.

use super::{Column, Columns, excerpt::shorten};
use crate::{Error, Result};

/// The error for a lowest rating when the file has no ratings.
pub(super) fn no_ratings(name: &str) -> Error {
    Error::setting(
        "min-rating",
        format!(
            "{name} has no ratings; leave the setting out, or name their column in `columns`, as user=..,item=..,rating=.."
        ),
    )
}

/// User, item and rating column.
pub(super) type Roles = (usize, usize, Option<usize>);

/// Column names that data sets use, preferred ones first, in lower case without `_`, `-` and blanks.
const USER: &[&str] = &[
    "userid",
    "user",
    "uid",
    "reviewerid",
    "customerid",
    "customer",
    "profileid",
    "visitorid",
    "accountid",
    "memberid",
    "member",
    "reader",
    "listener",
    "sessionid",
    "author",
    "username",
];
const ITEM: &[&str] = &[
    "itemid",
    "item",
    "iid",
    "sid",
    "movieid",
    "movie",
    "parentasin",
    "asin",
    "productid",
    "product",
    "isbn",
    "bookid",
    "book",
    "artistid",
    "artist",
    "trackid",
    "track",
    "songid",
    "song",
    "animeid",
    "gameid",
    "game",
    "appid",
    "businessid",
    "gmapid",
    "locationid",
    "location",
    "venueid",
    "poi",
    "poiid",
    "newsid",
    "articleid",
    "contentid",
    "videoid",
    "recipeid",
    "jobid",
    "courseid",
];
const RATING: &[&str] =
    &["rating", "ratings", "overall", "score", "stars", "userrating", "bookrating", "reviewscore"];

/// A column name normalised as in [`USER`], [`ITEM`] and [`RATING`]; RecBole's `:token` is removed.
fn plain(name: &str) -> String {
    let name = name.split(':').next().unwrap_or(name);
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The index in `names` of the first of `known` that occurs there.
pub(super) fn find<S: AsRef<str>>(names: &[S], known: &[&str]) -> Option<usize> {
    let names: Vec<String> = names.iter().map(|name| plain(name.as_ref())).collect();
    known.iter().find_map(|known| names.iter().position(|name| name == known))
}

/// The columns of user, item and rating by the names in a header.
pub(super) fn named_roles<S: AsRef<str>>(names: &[S]) -> (Option<usize>, Option<usize>, Option<usize>) {
    (find(names, USER), find(names, ITEM), find(names, RATING))
}

/// The columns that the options request.
pub(super) fn asked_roles<S: AsRef<str>>(
    columns: &Columns,
    names: &[S],
    header: bool,
    place: &str,
) -> Result<Roles> {
    let shown = || names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    let at = |column: &Column| match column {
        Column::Index(index) if *index < names.len() => Ok(*index),
        Column::Index(index) => Err(Error::setting(
            "columns",
            format!(
                "there is no column {index} (counted from 0) in {place}, which has {}: {}",
                names.len(),
                shown()
            ),
        )),
        Column::Name(name) => {
            let exact = names.iter().position(|other| other.as_ref() == name);
            let found = exact.or_else(|| names.iter().position(|other| plain(other.as_ref()) == plain(name)));
            found.filter(|_| header).ok_or_else(|| {
                Error::setting(
                    "columns",
                    format!("there is no column {name:?} in {place}; its first line is: {}", shown()),
                )
            })
        }
    };
    if let Some(time) = &columns.time {
        at(time)?;
    }
    let roles = (at(&columns.user)?, at(&columns.item)?, columns.rating.as_ref().map(at).transpose()?);
    if roles.0 == roles.1 {
        return Err(Error::setting(
            "columns",
            format!("user and item are the same column, {}", columns.user),
        ));
    }
    Ok(roles)
}

/// Whether the first record is a header, and the columns of user, item and rating.
pub(super) fn roles(
    records: &[Vec<String>],
    columns: Option<&Columns>,
    place: &str,
) -> Result<(bool, Roles)> {
    let Some((first, rest)) = records.split_first() else {
        return Err(Error::format(place, "no line that can be split into fields"));
    };
    let number = |text: &String| text.parse::<f64>().is_ok();
    let (user, item, rating) = named_roles(first);
    if let Some(columns) = columns {
        let by_name =
            [Some(&columns.user), Some(&columns.item), columns.rating.as_ref(), columns.time.as_ref()];
        let by_name = by_name.into_iter().flatten().any(|column| matches!(column, Column::Name(_)));
        let roles = asked_roles(columns, first, true, place)?;
        let numeric = |row: &Vec<String>| {
            [Some(roles.0), Some(roles.1), roles.2]
                .into_iter()
                .flatten()
                .any(|at| row.get(at).is_some_and(number))
        };
        let header = by_name
            || user.is_some()
            || item.is_some()
            || (!numeric(first) && rest.iter().all(numeric) && !rest.is_empty());
        return Ok((header, roles));
    }
    if let (Some(user), Some(item)) = (user, item) {
        return Ok((true, (user, item, rating)));
    }
    let header = user.is_some()
        || item.is_some()
        || (!first.iter().any(number) && rest.iter().any(|row| row.iter().any(number)));
    if header {
        return Err(Error::format(
            place,
            format!(
                "the header names no {}: {}; say which to read in `columns`, as user=NAME,item=NAME",
                if user.is_none() { "user" } else { "item" },
                shorten(&first.join(", "))
            ),
        ));
    }
    unnamed_roles(records, place).map(|roles| (false, roles))
}

/// The columns of a table without a header, by the width and format of its rows.
fn unnamed_roles(records: &[Vec<String>], place: &str) -> Result<Roles> {
    let width = records[0].len();
    let every = |at: usize, test: &dyn Fn(&str) -> bool| {
        records.iter().all(|row| row.get(at).is_some_and(|field| test(field)))
    };
    let upper = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let asin = |text: &str| {
        text.len() == 10
            && upper(text)
            && (text.starts_with('B') || text.starts_with(|c: char| c.is_ascii_digit()))
    };
    let reviewer = |text: &str| text.len() >= 10 && upper(text) && text.starts_with('A');
    let number = |text: &str| text.parse::<f64>().is_ok();
    let time = |text: &str| text.parse::<f64>().is_ok_and(|seconds| seconds >= 1e8);
    let iso_time = |text: &str| {
        text.len() >= 19 && text.as_bytes()[10] == b'T' && text[..4].bytes().all(|b| b.is_ascii_digit())
    };
    match width {
        // Gowalla: user, time, latitude, longitude, location.
        5 if every(1, &iso_time) => Ok((0, 4, None)),
        2 => Ok((0, 1, None)),
        3 if every(2, &number) => Ok((0, 1, (!every(2, &time)).then_some(2))),
        3 => Ok((0, 1, None)),
        // Amazon 2018 puts the item first.
        4 if every(0, &asin) && every(1, &reviewer) && every(2, &number) => Ok((1, 0, Some(2))),
        4 if every(2, &number) && !every(2, &time) => Ok((0, 1, Some(2))),
        1 => Err(Error::format(place, "one field only; a user and an item are expected")),
        _ => Err(Error::format(
            place,
            format!(
                "{width} columns and no header that tells what they are ({}); say so in `columns`, as user=0,item=1,rating=2",
                shorten(&records[0].join(", "))
            ),
        )),
    }
}
