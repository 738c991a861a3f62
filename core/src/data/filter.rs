//! The k-core: the largest part of a set in which every user and every item has k interactions.

use super::Csr;
use crate::{Result, watch};

/// The users and items of a k-core, as ascending numbers of the original set.
pub(super) struct Core {
    pub(super) users: Vec<u32>,
    pub(super) items: Vec<u32>,
    /// Passes over all users and items until nothing changes, at least 1.
    pub(super) rounds: u32,
}

impl Core {
    /// The new number of each of the `count` original items, `u32::MAX` for dropped ones.
    pub(super) fn columns(&self, count: usize) -> Vec<u32> {
        let mut columns = vec![u32::MAX; count];
        for (new, &old) in self.items.iter().enumerate() {
            columns[old as usize] = new as u32;
        }
        columns
    }
}

/// The users and items that have interactions, if there are others.
pub(super) fn used(interactions: &Csr) -> Option<Core> {
    let counts = interactions.column_counts();
    if !counts.contains(&0) && interactions.iter().all(|row| !row.is_empty()) {
        return None;
    }
    let users = (0..interactions.rows() as u32).filter(|&user| !interactions.row(user as usize).is_empty());
    let items = (0..counts.len() as u32).filter(|&item| counts[item as usize] > 0);
    Some(Core { users: users.collect(), items: items.collect(), rounds: 0 })
}

/// Drops users and items with fewer than `k` interactions until all others have at least `k`; the result does
/// not depend on the order.
///
/// # Errors
/// If it was interrupted.
pub(super) fn core(interactions: &Csr, k: u32) -> Result<Core> {
    let mut item_counts = interactions.column_counts();
    let mut users: Vec<u32> = (0..interactions.rows() as u32).collect();
    let mut rounds = 0;
    loop {
        watch::check()?;
        rounds += 1;
        let mut changed = false;
        // An item with a count below k is dropped; dropping a user lowers the count of each remaining item of
        // theirs by one.
        let alive: Vec<bool> = item_counts.iter().map(|&count| count >= k).collect();
        users.retain(|&user| {
            let row = interactions.row(user as usize);
            let left = row.iter().filter(|&&item| alive[item as usize]).count();
            if left >= k as usize {
                return true;
            }
            changed = true;
            for &item in row {
                item_counts[item as usize] -= 1;
            }
            false
        });
        if !changed {
            let items = (0..item_counts.len() as u32).filter(|&item| alive[item as usize]).collect();
            let items = if users.is_empty() { Vec::new() } else { items };
            return Ok(Core { users, items, rounds });
        }
    }
}

/// The user with far more items than the one with the second most: often a word for guests, unknown or deleted people.
pub(super) fn giant(interactions: &Csr) -> Option<usize> {
    const TIMES: usize = 10;
    const FEWEST: usize = 100;
    let lengths = || interactions.iter().map(<[u32]>::len).enumerate();
    let (user, most) = lengths().max_by_key(|(_, length)| *length)?;
    let second = lengths().filter(|(other, _)| *other != user).map(|(_, length)| length).max()?;
    (most >= FEWEST && most >= TIMES * second).then_some(user)
}
