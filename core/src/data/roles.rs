//! Decides what the columns of a table are: as requested, by the names in a header, or by what the first rows
//! hold.

mod rows;

use super::{
    Column, Columns, Header, LoadOptions,
    evidence::{Evidence, Kind},
    excerpt::shorten,
    header::{self, Verdict},
    names::{
        ITEMS, LABELS, LISTS, PERSONS, RATINGS, RECORDS, SESSIONS, TIMES, TITLES, find, find_ending,
        find_where, is_id, plain,
    },
};
use crate::{Error, Result};

/// The names of the sides of a matrix in a report.
pub(super) const SIDES: [&str; 2] = ["rows", "columns"];

/// The columns that are read, by their indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Roles {
    pub(super) user: usize,
    pub(super) item: usize,
    /// Whether the item column holds several items a row.
    pub(super) lists: bool,
    /// Set only if ratings are needed.
    pub(super) rating: Option<usize>,
    /// Set only if times are needed.
    pub(super) time: Option<usize>,
    /// The column of each condition.
    pub(super) conditions: Vec<usize>,
}

/// The decision about a table.
#[derive(Debug, Default)]
pub(super) struct Decision {
    /// Whether the first record is a header.
    pub(super) header: bool,
    pub(super) roles: Roles,
    /// The role and the name of each column that is read, for the report.
    pub(super) columns: Vec<(String, String)>,
    /// The names of columns that are not read.
    pub(super) unread: Vec<String>,
    /// What a reader should know about the decision.
    pub(super) notes: Vec<String>,
}

/// Whether a name is that of a column of users or sessions.
#[cfg(feature = "forms")]
pub(super) fn names_user(name: &str) -> bool {
    let name = plain(name);
    [PERSONS, SESSIONS].iter().any(|list| list.contains(&name.as_str()))
}

/// The error for a lowest rating when the file has no ratings.
pub(super) fn no_ratings(name: &str) -> Error {
    Error::setting(
        "min-rating",
        format!(
            "{name} has no ratings; leave the setting out, or name their column in `columns`, as user=..,item=..,rating=.."
        ),
    )
}

/// A table whose first record may be a header.
pub(super) fn of_table(
    mut records: Vec<Vec<String>>,
    options: &LoadOptions,
    place: &str,
) -> Result<Decision> {
    if records.is_empty() {
        return Err(Error::format(place, "no line that can be split into fields"));
    }
    align(&mut records);
    let by_name =
        options.columns.iter().any(|columns| {
            let all =
                [Some(&columns.user), Some(&columns.item), columns.rating.as_ref(), columns.time.as_ref()];
            all.into_iter().flatten().any(|column| matches!(column, Column::Name(_)))
        }) || options.conditions.iter().any(|condition| matches!(condition.column, Column::Name(_)));
    let header = match options.header {
        Header::Yes => true,
        Header::No => false,
        Header::Auto if by_name => true,
        Header::Auto => match header::verdict(&records) {
            Verdict::Header => true,
            Verdict::Row => false,
            Verdict::Doubt(why) => {
                let problem = format!(
                    "{why}, so it may be a header or a row; {}; say which: `header = yes` or `header = no`",
                    numbered(&records)
                );
                return Err(Error::format(place, problem));
            }
        },
    };
    let (names, rows) = if header {
        let (first, rest) = records.split_at(1);
        // Numbers of columns are no names.
        let names = if header::counts_columns(&first[0]) && !by_name { Vec::new() } else { first[0].clone() };
        (names, rest)
    } else {
        (Vec::new(), &records[..])
    };
    let view = View { names: &names, rows, shown: &records, place };
    Ok(Decision { header, ..view.decide(options)? })
}

/// Columns with names, of which some rows were read.
#[cfg(any(feature = "forms", feature = "parquet"))]
pub(super) fn of_names(
    names: &[String],
    rows: &[Vec<String>],
    options: &LoadOptions,
    place: &str,
) -> Result<Decision> {
    let shown: Vec<Vec<String>> =
        std::iter::once(names).map(<[String]>::to_vec).chain(rows.iter().take(1).cloned()).collect();
    View { names, rows, shown: &shown, place }.decide(options)
}

/// Gives the first record as many fields as the rows below have: R leaves the name of the row names out, and
/// a delimiter at the end of rows makes an empty field.
fn align(records: &mut [Vec<String>]) {
    let Some((first, rows)) = records.split_first_mut() else { return };
    let longer = rows.iter().filter(|row| row.len() == first.len() + 1);
    if rows.is_empty() || longer.clone().count() * 10 < rows.len() * 9 {
        return;
    }
    if longer.clone().all(|row| row.last().is_some_and(String::is_empty)) {
        first.push(String::new());
    } else {
        first.insert(0, String::new());
    }
}

/// The first two records with their columns numbered.
fn numbered(records: &[Vec<String>]) -> String {
    let line = |row: &Vec<String>| {
        let fields: Vec<String> =
            row.iter().take(12).enumerate().map(|(at, field)| format!("{at}: {}", shorten(field))).collect();
        format!("[{}]", fields.join(" | "))
    };
    let lines: Vec<String> = records.iter().take(2).map(line).collect();
    format!("the first lines, with their columns numbered: {}", lines.join(" "))
}

/// A column as it is typed in `columns`: by its name where that can be typed, else by its index.
fn typed(names: &[String], at: usize) -> String {
    match names.get(at) {
        Some(name)
            if !name.is_empty()
                && !name.contains([',', '=', '`', '"', '\''])
                && name.parse::<usize>().is_err() =>
        {
            name.clone()
        }
        _ => at.to_string(),
    }
}

/// A value of `columns` in backticks, quoted for a shell where it must be.
fn setting(columns: &str) -> String {
    let plain = columns.chars().all(|c| c.is_ascii_alphanumeric() || "_-.,=:".contains(c));
    if plain { format!("`columns = {columns}`") } else { format!("`columns = \"{columns}\"`") }
}

/// What a decision is made of.
struct View<'a> {
    /// The names of the columns; empty without a header.
    names: &'a [String],
    /// The first rows.
    rows: &'a [Vec<String>],
    /// The first records, with the header, for messages.
    shown: &'a [Vec<String>],
    place: &'a str,
}

impl View<'_> {
    fn width(&self) -> usize {
        self.shown.iter().map(Vec::len).max().unwrap_or(0)
    }

    fn evidence(&self, at: usize) -> Evidence<'_> {
        Evidence::of(self.rows, at)
    }

    fn decide(&self, options: &LoadOptions) -> Result<Decision> {
        let mut decision = Decision::default();
        let (rating, time) = match &options.columns {
            Some(columns) => self.requested(columns, &mut decision)?,
            None if self.names.is_empty() => self.by_rows(&mut decision)?,
            None => self.by_names(&mut decision)?,
        };
        let Roles { user, item, .. } = decision.roles;
        if !decision.roles.lists && self.evidence(item).may_be_lists() {
            decision.roles.lists = true;
            decision.notes.push(format!(
                "the column {} holds several items a row; each of them counts",
                self.name(item)
            ));
        }
        self.label(&mut decision, rating, options)?;
        let windows = options.since.is_some() || options.until.is_some();
        if options.times != super::TimesRead::Nothing || windows {
            decision.roles.time = time;
        }
        if windows && time.is_none() {
            let own = setting(&format!(
                "user={},item={},time=NAME",
                typed(self.names, user),
                typed(self.names, item)
            ));
            let field = if options.since.is_some() { "since" } else { "until" };
            return Err(Error::setting(
                field,
                format!("{} has no column of times; name it in {own}", self.place),
            ));
        }
        for condition in options.conditions.iter() {
            decision.roles.conditions.push(self.at(&condition.column, "where")?);
        }
        self.report(&mut decision);
        Ok(decision)
    }

    /// Records which columns are read as what, and which are not.
    fn report(&self, decision: &mut Decision) {
        let roles = &decision.roles;
        let items = if roles.lists { "items" } else { "item" };
        let read = [
            ("user", Some(roles.user)),
            (items, Some(roles.item)),
            ("rating", roles.rating),
            ("time", roles.time),
        ];
        let conditions = roles.conditions.iter().map(|&at| ("where", at));
        let read: Vec<(&str, usize)> =
            read.into_iter().filter_map(|(role, at)| Some((role, at?))).chain(conditions).collect();
        decision.columns = read.iter().map(|&(role, at)| (role.to_owned(), self.name(at))).collect();
        let unread = (0..self.width()).filter(|at| !read.iter().any(|one| one.1 == *at));
        decision.unread = unread.map(|at| self.name(at)).collect();
    }

    /// The name of a column for people: as in the header, or its index.
    fn name(&self, at: usize) -> String {
        match self.names.get(at) {
            Some(name) if !name.is_empty() => name.clone(),
            _ => at.to_string(),
        }
    }

    fn at(&self, column: &Column, field: &str) -> Result<usize> {
        let shown = || self.shown.first().map_or_else(String::new, |first| shorten(&first.join(", ")));
        match column {
            Column::Index(index) if *index < self.width() => Ok(*index),
            Column::Index(index) => Err(Error::setting(
                field,
                format!(
                    "there is no column {index} (counted from 0) in {}, which has {}: {}",
                    self.place,
                    self.width(),
                    shown()
                ),
            )),
            Column::Name(name) => {
                let exact = self.names.iter().position(|other| other == name);
                let found = exact.or_else(|| self.names.iter().position(|other| plain(other) == plain(name)));
                found.ok_or_else(|| {
                    let problem = format!(
                        "there is no column {name:?} in {}; its first line is: {}",
                        self.place,
                        shown()
                    );
                    Error::setting(field, problem)
                })
            }
        }
    }

    /// The columns that the options request. Returns those of rating and time.
    fn requested(
        &self,
        columns: &Columns,
        decision: &mut Decision,
    ) -> Result<(Option<usize>, Option<usize>)> {
        let at = |column: &Column| self.at(column, "columns");
        decision.roles.user = at(&columns.user)?;
        decision.roles.item = at(&columns.item)?;
        decision.roles.lists = columns.lists;
        if decision.roles.user == decision.roles.item {
            let problem = format!("user and item are the same column, {}", columns.user);
            return Err(Error::setting("columns", problem));
        }
        let rating = columns.rating.as_ref().map(at).transpose()?;
        let time = columns.time.as_ref().map(at).transpose()?;
        let taken = [Some(decision.roles.user), Some(decision.roles.item), rating];
        let time = time.or_else(|| self.time(&taken));
        // Ratings are only those that are named.
        Ok((rating, time))
    }

    /// The column of times, by its name or its values.
    fn time(&self, taken: &[Option<usize>]) -> Option<usize> {
        let free = |at: usize| !taken.contains(&Some(at));
        let named = find_where(self.names, TIMES, |at| {
            free(at)
                && matches!(
                    self.evidence(at).kind,
                    Kind::Time | Kind::Whole | Kind::RowNumber | Kind::Real | Kind::Empty
                )
        });
        named.or_else(|| (0..self.width()).find(|&at| free(at) && self.evidence(at).kind == Kind::Time))
    }

    /// By the names in the header.
    fn by_names(&self, decision: &mut Decision) -> Result<(Option<usize>, Option<usize>)> {
        let names = self.names;
        let is_date = |at: usize| self.evidence(at).kind == Kind::Time && !self.evidence(at).is_numeric();
        let person = find(names, PERSONS).or_else(|| {
            find_ending(names, PERSONS, |at| !is_date(at) && !ITEMS.contains(&plain(&names[at]).as_str()))
        });
        let mut user = person.or_else(|| find(names, SESSIONS));
        let list = find_where(names, LISTS, |at| self.evidence(at).may_be_lists() && Some(at) != user);
        let free = |at: usize| Some(at) != user && !is_date(at);
        let mut item = find_where(names, ITEMS, free).or_else(|| find_ending(names, ITEMS, free));
        if list.is_some() && (item.is_none() || LISTS.contains(&plain(&names[item.unwrap_or(0)]).as_str())) {
            item = list;
            decision.roles.lists = true;
        }
        // The only other column that is called an id.
        let other = |known: Option<usize>| {
            let mut ids =
                (0..names.len()).filter(|&at| Some(at) != known && is_id(&names[at]) && !is_date(at));
            let first = ids.next();
            first.filter(|_| ids.next().is_none())
        };
        match (user, item) {
            (Some(_), None) => {
                let title = find_where(names, TITLES, |at| Some(at) != user && !is_date(at));
                item = other(user).or(title);
                if let Some(item) = item.filter(|_| item != title) {
                    decision.notes.push(format!(
                        "{} is taken for the item: it is the only other column that is called an id",
                        names[item]
                    ));
                }
            }
            (None, Some(_)) => {
                user = other(item);
                if let Some(user) = user {
                    decision.notes.push(format!(
                        "{} is taken for the user: it is the only other column that is called an id",
                        names[user]
                    ));
                }
            }
            _ => {}
        }
        let (Some(user), Some(item)) = (user, item) else {
            let role = if user.is_none() { "user" } else { "item" };
            let problem = format!(
                "the header names no {role}: {}; {}; say which columns to read, for example {}",
                shorten(&names.join(", ")),
                numbered(self.shown),
                self.proposal(user, item)
            );
            return Err(Error::format(self.place, problem));
        };
        if person.is_none() && SESSIONS.contains(&plain(&names[user]).as_str()) {
            decision.notes.push(format!("no column names a person; each {} counts as a user", names[user]));
        }
        (decision.roles.user, decision.roles.item) = (user, item);
        let rating = find_where(names, RATINGS, |at| at != user && at != item);
        Ok((rating, self.time(&[Some(user), Some(item), rating])))
    }

    /// A value of `columns` with the columns that are most likely meant.
    fn proposal(&self, user: Option<usize>, item: Option<usize>) -> String {
        let likely = |taken: Option<usize>| {
            let is_other = |at: usize| {
                let name = self.names.get(at).map(|name| plain(name)).unwrap_or_default();
                [SESSIONS, TIMES, RATINGS, RECORDS].iter().any(|list| list.contains(&name.as_str()))
            };
            let fits = |at: &usize| Some(*at) != taken && Some(*at) != item && !is_other(*at);
            let ids = (0..self.width()).filter(fits);
            ids.clone().find(|&at| self.evidence(at).may_be_ids()).or_else(|| ids.clone().next()).unwrap_or(0)
        };
        let user = user.unwrap_or_else(|| likely(item));
        let item = item.unwrap_or_else(|| likely(Some(user)));
        setting(&format!("user={},item={}", typed(self.names, user), typed(self.names, item)))
    }

    /// Decides which column gives the ratings, and speaks of columns that say yes and no.
    fn label(&self, decision: &mut Decision, rating: Option<usize>, options: &LoadOptions) -> Result<()> {
        let Roles { user, item, .. } = decision.roles;
        let label =
            find_where(self.names, LABELS, |at| at != user && at != item && self.evidence(at).is_yes_or_no());
        if options.min_rating.is_some() {
            // A requested column wins; a label counts where nothing else is a rating.
            let chosen = rating.or_else(|| label.filter(|_| options.columns.is_none()));
            decision.roles.rating = Some(chosen.ok_or_else(|| no_ratings(self.place))?);
            return Ok(());
        }
        let label = label.or_else(|| rating.filter(|&at| self.evidence(at).is_yes_or_no()));
        if let Some(label) = label {
            let columns = setting(&format!(
                "user={},{}={},rating={}",
                typed(self.names, user),
                if decision.roles.lists { "items" } else { "item" },
                typed(self.names, item),
                typed(self.names, label)
            ));
            decision.notes.push(format!(
                "the column {} says yes or no, and rows that say no count too; only those that say yes count with {columns} \
                 and `min-rating = 1`",
                self.name(label)
            ));
        }
        Ok(())
    }
}
