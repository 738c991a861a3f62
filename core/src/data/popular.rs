//! A set of the most popular items only.

use std::cmp::Reverse;

use super::Dataset;
use crate::{Error, Result};

impl Dataset {
    /// The set without its less popular items, and without users who then have fewer than two. A given split and the
    /// times are left out.
    ///
    /// # Errors
    /// [`Error::Data`] if no user is left.
    pub fn most_popular(self, items: usize) -> Result<Self> {
        let counts = self.interactions.column_counts();
        let mut order: Vec<u32> = (0..counts.len() as u32).collect();
        order.sort_by_key(|&item| (Reverse(counts[item as usize]), item));
        order.truncate(items);
        order.sort_unstable();
        let mut columns = vec![u32::MAX; counts.len()];
        for (new, &old) in (0..).zip(&order) {
            columns[old as usize] = new;
        }
        let popular = |user: &u32| {
            let row = self.interactions.row(*user as usize).iter();
            row.filter(|&&item| columns[item as usize] != u32::MAX).take(2).count() == 2
        };
        let users: Vec<u32> = (0..self.users.len() as u32).filter(popular).collect();
        if users.is_empty() {
            return Err(Error::Data(format!(
                "no user has two of the {items} most popular items, so nothing is left to learn from; keep more items"
            )));
        }
        let of = |values: &Vec<String>| order.iter().map(|&item| values[item as usize].clone()).collect();
        Ok(Self {
            interactions: self.interactions.restrict(&users, &columns, order.len() as u32),
            users: users.iter().map(|&user| self.users[user as usize].clone()).collect(),
            items: of(&self.items),
            titles: self.titles.as_ref().map(of),
            genres: self
                .genres
                .as_ref()
                .map(|all| order.iter().map(|&item| all[item as usize].clone()).collect()),
            given: None,
            times: None,
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::data::{LoadOptions, load_bytes};

    #[test]
    fn only_popular_items_and_users_with_two_of_them_stay() {
        let text = b"user,item\nu,a\nu,b\nu,c\nv,b\nv,c\nw,c\nw,d\n";
        let set = || load_bytes("set.csv", text, &LoadOptions::default()).unwrap();
        let two = set().most_popular(2).unwrap();
        assert_eq!((two.items, two.users), (vec!["b".into(), "c".into()], vec!["u".into(), "v".into()]));
        assert_eq!(two.interactions.iter().collect::<Vec<_>>(), [[0, 1], [0, 1]]);
        assert_eq!(set().most_popular(9).unwrap().items, set().items);
        assert!(set().most_popular(1).unwrap_err().to_string().contains("no user has two"));
    }
}
