//! Interactions as compressed sparse rows.

use std::sync::Arc;

use crate::{Error, Result, watch};

/// Compressed sparse rows: the item ids of each user, ascending, no duplicates.
///
/// Row `u` is `items[offsets[u]..offsets[u + 1]]`; both arrays are uploaded to the engine unchanged. Clones
/// share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csr {
    offsets: Arc<Vec<u32>>,
    items: Arc<Vec<u32>>,
    columns: u32,
}

impl Csr {
    /// Builds a matrix from its three parts after checking them.
    ///
    /// `offsets` has one more entry than there are rows, starts at 0 and ends at `items.len()`; each row is
    /// strictly ascending and below `columns`.
    ///
    /// # Errors
    /// [`Error::Data`] for the first row that violates one of these rules.
    pub fn new(offsets: Vec<u32>, items: Vec<u32>, columns: u32) -> Result<Self> {
        let ends = (offsets.first().copied(), offsets.last().map(|&last| last as usize));
        if ends != (Some(0), Some(items.len())) {
            return Err(Error::Data(format!(
                "row offsets must begin at 0 and end at the number of items, {}: they run from {:?} to {:?}",
                items.len(),
                ends.0,
                ends.1
            )));
        }
        if let Some(row) = offsets.windows(2).position(|pair| pair[0] > pair[1]) {
            return Err(Error::Data(format!("row offsets must not fall, but they do after row {row}")));
        }
        Self::unchecked(offsets, items, columns).checked()
    }

    /// Builds a matrix from shared parts whose offsets are already checked.
    fn unchecked(offsets: Vec<u32>, items: Vec<u32>, columns: u32) -> Self {
        Self { offsets: Arc::new(offsets), items: Arc::new(items), columns }
    }

    /// Checks the items of every row.
    fn checked(self) -> Result<Self> {
        let columns = self.columns;
        for user in 0..self.rows() {
            let row = self.row(user);
            if row.windows(2).any(|pair| pair[0] >= pair[1]) {
                return Err(Error::Data(format!("the items of row {user} must ascend without duplicates")));
            }
            if let Some(&item) = row.last().filter(|&&item| item >= columns) {
                return Err(Error::Data(format!("item {item} of row {user} is not below {columns} columns")));
            }
        }
        Ok(self)
    }

    /// Builds a matrix from one list per user, in any order and with repeats.
    ///
    /// # Errors
    /// [`Error::Data`] for an item that is not below `columns`.
    pub fn from_rows(rows: &[Vec<u32>], columns: u32) -> Result<Self> {
        let rows = rows.iter().map(|row| {
            let mut row = row.clone();
            row.sort_unstable();
            row.dedup();
            row
        });
        let csr = Self::from_sorted(rows, columns)?;
        csr.checked()
    }

    /// Builds a matrix from rows that are already strictly ascending and below `columns`.
    pub(super) fn from_sorted(
        rows: impl IntoIterator<Item = impl AsRef<[u32]>>,
        columns: u32,
    ) -> Result<Self> {
        let (mut offsets, mut items) = (vec![0], Vec::new());
        for row in rows {
            items.extend_from_slice(row.as_ref());
            offsets.push(offset(items.len())?);
        }
        Ok(Self::unchecked(offsets, items, columns))
    }

    /// Builds a matrix from `(row, item)` pairs below `rows` and `columns` by a counting sort; repeats are
    /// dropped.
    pub(super) fn from_pairs(pairs: &[Vec<(u32, u32)>], rows: usize, columns: u32) -> Result<Self> {
        offset(pairs.iter().map(Vec::len).sum())?;
        watch::check()?;
        let mut offsets = vec![0u32; rows + 1];
        for &(row, _) in pairs.iter().flatten() {
            offsets[row as usize + 1] += 1;
        }
        for row in 0..rows {
            offsets[row + 1] += offsets[row];
        }
        watch::check()?;
        let mut items = vec![0u32; offsets[rows] as usize];
        let mut next = offsets.clone();
        for &(row, item) in pairs.iter().flatten() {
            let at = &mut next[row as usize];
            items[*at as usize] = item;
            *at += 1;
        }
        drop(next);
        watch::check()?;
        let (mut kept, mut start) = (0, 0);
        for row in 0..rows {
            let end = offsets[row + 1] as usize;
            items[start..end].sort_unstable();
            let first = kept;
            for at in start..end {
                let item = items[at];
                if kept == first || items[kept - 1] != item {
                    items[kept] = item;
                    kept += 1;
                }
            }
            offsets[row + 1] = kept as u32;
            start = end;
        }
        items.truncate(kept);
        items.shrink_to_fit();
        Ok(Self::unchecked(offsets, items, columns))
    }

    /// Number of rows: users.
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of columns: items of the catalogue.
    pub fn columns(&self) -> usize {
        self.columns as usize
    }

    /// Number of interactions.
    pub fn nnz(&self) -> usize {
        self.items.len()
    }

    /// The items of one row, ascending.
    ///
    /// # Panics
    /// If `row` is not below [`rows`](Self::rows).
    pub fn row(&self, row: usize) -> &[u32] {
        &self.items[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    /// All rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        (0..self.rows()).map(|row| self.row(row))
    }

    /// The offset of each row, and at the end the number of interactions: rows + 1 entries.
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// The items of all rows, concatenated.
    pub fn items(&self) -> &[u32] {
        &self.items
    }

    /// The number of interactions of each item: its popularity.
    pub fn column_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.columns()];
        for &item in self.items() {
            counts[item as usize] += 1;
        }
        counts
    }

    /// Selects the given rows, in the given order; the columns stay the same.
    ///
    /// # Errors
    /// [`Error::Data`] if they hold more than 2^32 - 1 interactions.
    ///
    /// # Panics
    /// If one of them is not below [`rows`](Self::rows).
    pub fn select(&self, rows: &[u32]) -> Result<Self> {
        Self::from_sorted(rows.iter().map(|&row| self.row(row as usize)), self.columns)
    }

    /// The rows of this matrix, then those of another one with as many columns.
    ///
    /// # Errors
    /// [`Error::Data`] if they hold more than 2^32 - 1 interactions.
    pub(crate) fn followed_by(&self, other: &Self) -> Result<Self> {
        Self::from_sorted(self.iter().chain(other.iter()), self.columns)
    }

    /// Renumbers rows and columns: `users` lists the rows to keep, `columns[item]` is an item's new number,
    /// or `u32::MAX` to drop it. The new numbers must have the same order as the old ones.
    pub(super) fn restrict(&self, users: &[u32], columns: &[u32], count: u32) -> Self {
        let (mut offsets, mut items) = (Vec::with_capacity(users.len() + 1), Vec::new());
        offsets.push(0);
        for &user in users {
            let row = self.row(user as usize);
            items.extend(row.iter().map(|&item| columns[item as usize]).filter(|&item| item != u32::MAX));
            offsets.push(items.len() as u32);
        }
        items.shrink_to_fit();
        Self::unchecked(offsets, items, count)
    }
}

fn offset(length: usize) -> Result<u32> {
    u32::try_from(length).map_err(|_| {
        Error::Data(format!(
            "{length} interactions are more than this program addresses ({}); raise `core` or `min-rating`",
            u32::MAX
        ))
    })
}
