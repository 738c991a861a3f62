//! What the columns are, by what the rows hold, where there is no header.

use super::{Decision, View, numbered};
use crate::{
    Error, Result,
    data::evidence::{Evidence, Kind},
};

impl View<'_> {
    /// By what the rows hold, where there is no header.
    pub(super) fn by_rows(&self, decision: &mut Decision) -> Result<(Option<usize>, Option<usize>)> {
        let width = self.own_width();
        if width < 2 {
            return Err(Error::format(self.place, "one field only; a user and an item are expected"));
        }
        let evidence: Vec<Evidence> = (0..width).map(|at| self.evidence(at)).collect();
        let (user, item) = match self.published() {
            _ if self.is_amazon_2018() => (1, 0),
            Some(set) => {
                decision.notes.push(format!("the columns are those of {}", set.set));
                (set.user, set.item)
            }
            None => self.positions(&evidence)?,
        };
        (decision.roles.user, decision.roles.item) = (user, item);
        let rating = (0..width).find(|at| {
            *at != user
                && *at != item
                && evidence[*at].is_numeric()
                && !matches!(evidence[*at].kind, Kind::Time | Kind::RowNumber)
        });
        let rating = rating.filter(|&at| at > user.min(item));
        Ok((rating, self.time(&[Some(user), Some(item), rating])))
    }

    /// The columns of user and item: the two that may hold ids, of which the first is the user.
    fn positions(&self, evidence: &[Evidence]) -> Result<(usize, usize)> {
        let width = evidence.len();
        let refused = |why: &str| {
            let problem = format!(
                "{width} columns and no header that tells what they are: {why}; {}; say which to read, for example {}",
                numbered(self.shown),
                self.proposal(None, None)
            );
            Err(Error::format(self.place, problem))
        };
        // Numbers may be ids though they would be plausible as times.
        let dates: Vec<bool> = evidence.iter().map(Evidence::is_date).collect();
        match width {
            2 if dates.contains(&true) => return refused("one of them is a time"),
            2 => return Ok((0, 1)),
            _ => {}
        }
        let numbered = evidence.iter().any(|column| column.kind == Kind::RowNumber);
        let mut ids: Vec<usize> = (0..width).filter(|&at| evidence[at].may_be_ids()).collect();
        if ids.len() < 2 && !numbered {
            let numbers = |at: usize| evidence[at].kind == Kind::Time && !dates[at];
            ids = (0..width).filter(|&at| evidence[at].may_be_ids() || numbers(at)).collect();
        }
        // user item rating [anything].
        if ids.starts_with(&[0, 1]) && width <= 4 && (width == 3 || evidence[2].may_be_ratings()) {
            return Ok((0, 1));
        }
        // A short scale of numbers at the end is no id.
        while (ids.len() > 2 || numbered) && ids.last().is_some_and(|&at| evidence[at].may_be_ratings()) {
            ids.pop();
        }
        match ids[..] {
            [user, item] if width <= 5 => Ok((user, item)),
            _ if width <= 4 && !numbered && evidence.iter().all(|column| column.len() < 3) => Ok((0, 1)),
            [] | [_] if numbered => {
                refused("one of them counts the rows, and fewer than two others may be ids")
            }
            [] | [_] => refused("fewer than two of them may be ids"),
            _ => refused("more than two of them may be ids"),
        }
    }

    /// Amazon 2018 puts the item first.
    fn is_amazon_2018(&self) -> bool {
        let every = |at: usize, test: &dyn Fn(&str) -> bool| {
            self.rows.iter().all(|row| row.get(at).is_some_and(|field| test(field)))
        };
        let upper = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let asin = |text: &str| {
            text.len() == 10
                && upper(text)
                && (text.starts_with('B') || text.starts_with(|c: char| c.is_ascii_digit()))
        };
        let reviewer = |text: &str| text.len() >= 10 && upper(text) && text.starts_with('A');
        self.width() == 4 && every(0, &asin) && every(1, &reviewer)
    }
}
