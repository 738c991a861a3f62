//! What the columns are, by the names in the header.

use std::collections::HashSet;

use super::{Decision, View, numbered, setting, typed};
use crate::{
    Error, Result,
    data::{
        excerpt::shorten,
        names::{
            ATTRIBUTES, ITEMS, LABELS, LISTS, MORE, PERSONS, RATINGS, RECORDS, SESSIONS, TIMES, TITLES, find,
            find_ending, find_part, find_where, is_id, plain,
        },
    },
};

/// The fewest rows that show by more than chance what belongs to what.
const FEWEST_ROWS: usize = 10;

impl View<'_> {
    /// By the names in the header.
    pub(super) fn by_names(&self, decision: &mut Decision) -> Result<(Option<usize>, Option<usize>)> {
        let names = self.names;
        let is_date = |at: usize| self.evidence(at).is_date();
        let person = find(names, PERSONS)
            .or_else(|| {
                let fits = |at: usize| !is_date(at) && !ITEMS.contains(&plain(&names[at]).as_str());
                find_ending(names, PERSONS, &fits)
            })
            .or_else(|| find_part(names, PERSONS, &|at| !is_date(at)));
        let person = self.repeating_person(person, decision).or(person);
        let session = find(names, SESSIONS).or_else(|| find_part(names, SESSIONS, &|at| !is_date(at)));
        let mut user = person.or(session);
        let list = find_where(names, LISTS, &|at| self.evidence(at).may_be_lists() && Some(at) != user);
        let free = |at: usize| Some(at) != user && !is_date(at);
        let mut item = find_where(names, ITEMS, &free)
            .or_else(|| find_ending(names, ITEMS, &free))
            .or_else(|| find_part(names, ITEMS, &free));
        // `sid` and `pid` are a session and a product where both are named.
        if MORE && item.is_some_and(|at| plain(&names[at]) == "sid") {
            item = find(names, &["pid"]).or(item);
        }
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
        let mut taken = |role: &str, at: usize, is_other: bool| {
            let why = if is_other {
                ": it is the only other column that is called an id"
            } else {
                ", since no other column is one"
            };
            decision.notes.push(format!("{} is taken for the {role}{why}", names[at]));
            Some(at)
        };
        match (user, item) {
            (Some(_), None) => {
                let title = || find_where(names, TITLES, &free).or_else(|| find_part(names, TITLES, &free));
                let less = || find_where(names, ATTRIBUTES, &free).or_else(|| self.record(user));
                item = match (other(user), title()) {
                    (Some(other), _) => taken("item", other, true),
                    (None, Some(title)) => Some(title),
                    (None, None) => less().and_then(|at| taken("item", at, false)),
                };
            }
            (None, Some(known)) => {
                user = match other(item).filter(|&at| self.may_be_user(at, known)) {
                    Some(other) => taken("user", other, true),
                    None => self.record(item).and_then(|at| taken("user", at, false)),
                };
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
        if person.is_none() && session == Some(user) {
            decision.notes.push(format!("no column names a person; each {} counts as a user", names[user]));
        }
        decision
            .notes
            .extend(person.and(session).and_then(|session| self.missing_persons(user, item, session)));
        (decision.roles.user, decision.roles.item) = (user, item);
        let rating = find_where(names, RATINGS, &|at| at != user && at != item);
        Ok((rating, self.time(&[Some(user), Some(item), rating])))
    }

    /// The column of persons that repeat, where the one of a better name has another value in each row, as the number of
    /// a review.
    fn repeating_person(&self, person: Option<usize>, decision: &mut Decision) -> Option<usize> {
        let person = person.filter(|_| MORE)?;
        let differs = |at: usize| {
            let evidence = self.evidence(at);
            evidence.len() >= 2 * FEWEST_ROWS && evidence.kinds().len() == evidence.len()
        };
        let repeats = |at: usize| at != person && self.evidence(at).may_be_ids() && !differs(at);
        let other = differs(person).then(|| find_where(self.names, PERSONS, &repeats))??;
        decision.notes.push(format!(
            "{} is taken for the user, since {} has another value in each row",
            self.names[other], self.names[person]
        ));
        Some(other)
    }

    /// What to say where most rows name no person, and all a session.
    fn missing_persons(&self, user: usize, item: usize, session: usize) -> Option<String> {
        let names = self.names;
        let missing = self.evidence(user).len() * 2 < self.rows.len()
            && self.evidence(session).len() == self.rows.len();
        (MORE && missing).then(|| {
            format!(
                "most of the first rows have no {}; {} makes each {} a user",
                names[user],
                setting(&format!("user={},item={}", typed(names, session), typed(names, item))),
                names[session]
            )
        })
    }

    /// A column that is called `id` and the like and does not number the rows: its values repeat, or each row has a list.
    fn record(&self, taken: Option<usize>) -> Option<usize> {
        let lists = taken.is_some_and(|at| self.evidence(at).may_be_lists());
        let fits = |at: usize| {
            let evidence = self.evidence(at);
            Some(at) != taken
                && evidence.may_be_ids()
                && (lists || evidence.len() >= FEWEST_ROWS && evidence.kinds().len() < evidence.len())
        };
        if MORE { find_where(self.names, &["id", "uuid", "guid"], &fits) } else { None }
    }

    /// Whether the values of a column may stand for those who act on `item`: they are not other ones in every row, and do
    /// not follow from the item.
    fn may_be_user(&self, at: usize, item: usize) -> bool {
        let pairs: Vec<(&str, &str)> = self
            .rows
            .iter()
            .filter_map(|row| Some((row.get(at)?.as_str(), row.get(item)?.as_str())))
            .collect();
        if !MORE || pairs.len() < FEWEST_ROWS {
            return true;
        }
        let (users, items) = (self.evidence(at).kinds().len(), self.evidence(item).kinds().len());
        let different: HashSet<_> = pairs.iter().collect();
        let follows = users > 2 && different.len() == items && items + 5 <= pairs.len();
        users < pairs.len() && !follows
    }

    /// A value of `columns` with the columns that are most likely meant.
    pub(super) fn proposal(&self, user: Option<usize>, item: Option<usize>) -> String {
        let likely = |taken: Option<usize>| {
            let name = |at: usize| self.names.get(at).map(|name| plain(name)).unwrap_or_default();
            let is_other = |at: usize| {
                [SESSIONS, TIMES, RATINGS, LABELS, RECORDS]
                    .iter()
                    .any(|list| list.contains(&name(at).as_str()))
            };
            let is_free = |at: &usize| Some(*at) != taken && Some(*at) != item;
            let ids = (0..self.width()).filter(|at| is_free(at) && !is_other(*at));
            let is_class = |at: usize| self.evidence(at).is_yes_or_no() || self.evidence(at).may_be_ratings();
            let named = ids.clone().find(|&at| self.names.get(at).is_some_and(|name| is_id(name)));
            named
                .or_else(|| ids.clone().find(|&at| self.evidence(at).may_be_ids() && !is_class(at)))
                .or_else(|| ids.clone().find(|&at| self.evidence(at).may_be_ids()))
                .or_else(|| ids.clone().next())
                .or_else(|| (0..self.width()).find(is_free))
                .unwrap_or(0)
        };
        let user = user.unwrap_or_else(|| likely(item));
        let item = item.unwrap_or_else(|| likely(Some(user)));
        setting(&format!("user={},item={}", typed(self.names, user), typed(self.names, item)))
    }
}
