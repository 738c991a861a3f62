//! Decides what the columns of a table are: as requested, by the names in a header, or by what the first rows
//! hold.

mod by_names;
mod published;
mod rows;

use super::{
    Column, Columns, Header, LoadOptions,
    evidence::{Evidence, Kind},
    excerpt::shorten,
    header::{self, Verdict},
    names::{EVENTS, MORE, TIMES, find_label, find_part, find_where, plain},
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
    /// What a reader should know if nothing is left of the file.
    pub(super) hint: Option<String>,
}

/// Whether a name is that of a column of users or sessions.
#[cfg(feature = "forms")]
pub(super) fn names_user(name: &str) -> bool {
    let name = plain(name);
    [super::names::PERSONS, super::names::SESSIONS].iter().any(|list| list.contains(&name.as_str()))
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

/// A table whose first record may be a header. `constants` are columns that all of its rows share, after the others.
pub(super) fn of_table(
    mut records: Vec<Vec<String>>,
    options: &LoadOptions,
    constants: &[(String, String)],
    place: &str,
) -> Result<Decision> {
    if records.is_empty() {
        return Err(Error::format(place, "no line that can be split into fields"));
    }
    align(&mut records).map_err(|problem| Error::format(place, problem))?;
    let asked = options.columns.iter().flat_map(|columns| {
        [Some(&columns.user), Some(&columns.item), columns.rating.as_ref(), columns.time.as_ref()]
    });
    let asked = asked.flatten().chain(options.conditions.iter().map(|condition| &condition.column));
    let is_of_header = |column: &Column| match column {
        Column::Name(name) => !constants.iter().any(|(key, _)| key == name),
        Column::Index(_) => false,
    };
    let by_name = asked.into_iter().any(is_of_header);
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
    for (at, record) in records.iter_mut().enumerate().filter(|_| !constants.is_empty()) {
        let names = header && at == 0;
        record.extend(constants.iter().map(|(key, value)| if names { key.clone() } else { value.clone() }));
    }
    let (names, rows) = if header {
        let (first, rest) = records.split_at(1);
        // Numbers of columns are no names.
        let names = if header::counts_columns(&first[0]) && !by_name { Vec::new() } else { first[0].clone() };
        (names, rest)
    } else {
        (Vec::new(), &records[..])
    };
    let view = View { names: &names, rows, shown: &records, constants, place };
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
    View { names, rows, shown: &shown, constants: &[], place }.decide(options)
}

/// Gives the first record as many fields as the rows below have: R leaves the name of the row names out, and
/// a delimiter at the end of rows makes an empty field.
///
/// # Errors
/// The problem, if the rows have one field more for another reason.
fn align(records: &mut [Vec<String>]) -> Result<(), String> {
    let Some((first, rows)) = records.split_first_mut() else { return Ok(()) };
    let longer: Vec<&Vec<String>> = rows.iter().filter(|row| row.len() == first.len() + 1).collect();
    if rows.is_empty() || longer.len() * 10 < rows.len() * 9 {
        return Ok(());
    }
    if longer.iter().all(|row| row.last().is_some_and(String::is_empty)) {
        first.push(String::new());
        return Ok(());
    }
    // Every row has a name of its own.
    let repeats = (1..longer.len()).any(|at| longer[..at].iter().any(|row| row[0] == longer[at][0]));
    if repeats {
        return Err(format!(
            "the lines below have {} fields and this one {}, and the first field is no name of a row, since it repeats; is \
             there a delimiter or an escaped quote (\\\") within a field?",
            first.len() + 1,
            first.len()
        ));
    }
    first.insert(0, String::new());
    Ok(())
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
    /// The last columns where there are no names, which all rows share.
    constants: &'a [(String, String)],
    place: &'a str,
}

impl View<'_> {
    fn width(&self) -> usize {
        self.shown.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The number of columns that rows have of their own.
    fn own_width(&self) -> usize {
        self.width() - self.constants.len()
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
            let at = self.at(&condition.column, "where")?;
            decision.roles.conditions.push(at);
            let evidence = self.evidence(at);
            if MORE && !evidence.values().any(|value| condition.holds(value.as_bytes())) {
                let values = shorten(&evidence.kinds().join(", "));
                decision.hint = Some(format!(
                    "{} holds {values} in the first rows, and none meets {condition}",
                    self.name(at)
                ));
            }
        }
        self.events(&mut decision);
        self.report(&mut decision);
        Ok(decision)
    }

    /// Speaks of a column that says what was done, unless conditions choose rows.
    fn events(&self, decision: &mut Decision) {
        let Roles { user, item, conditions, .. } = &decision.roles;
        if !MORE || !conditions.is_empty() {
            return;
        }
        let fits =
            |at: usize| at != *user && at != *item && (2..=12).contains(&self.evidence(at).kinds().len());
        let named = find_where(self.names, EVENTS, &fits);
        let found =
            named.or_else(|| (0..self.width()).find(|&at| fits(at) && self.evidence(at).is_actions()));
        if let Some(at) = found {
            let kinds = self.evidence(at).kinds();
            decision.notes.push(format!(
                "rows of every {} count ({}); some of them: `where = {}={}`",
                self.name(at),
                shorten(&kinds.join(", ")),
                typed(self.names, at),
                kinds[0]
            ));
        }
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
            _ => match at.checked_sub(self.own_width()).and_then(|at| self.constants.get(at)) {
                Some((key, _)) => key.clone(),
                None => at.to_string(),
            },
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
                let found = exact
                    .or_else(|| self.names.iter().position(|other| plain(other) == plain(name)))
                    .or_else(|| {
                        Some(self.own_width() + self.constants.iter().position(|one| one.0 == *name)?)
                    });
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
        let named = find_where(self.names, TIMES, &|at| {
            free(at)
                && matches!(
                    self.evidence(at).kind,
                    Kind::Time | Kind::Whole | Kind::RowNumber | Kind::Real | Kind::Empty
                )
        });
        // Objects in a list have a time each.
        let is_list = taken.get(1).copied().flatten().is_some_and(|item| self.evidence(item).may_be_lists());
        let listed = || {
            let fits = |at: usize| free(at) && Evidence::of_first(self.rows, at).kind == Kind::Time;
            find_part(self.names, TIMES, &fits)
        };
        named
            .or_else(|| (0..self.width()).find(|&at| free(at) && self.evidence(at).kind == Kind::Time))
            .or_else(|| is_list.then(listed)?)
    }

    /// Decides which column gives the ratings, and speaks of columns that say yes and no.
    fn label(&self, decision: &mut Decision, rating: Option<usize>, options: &LoadOptions) -> Result<()> {
        let Roles { user, item, .. } = decision.roles;
        let label =
            find_label(self.names, &|at| at != user && at != item && self.evidence(at).is_yes_or_no());
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
