//! The times of interactions.

use super::Csr;

/// When each interaction took place, and its place in the files; in the order of [`Csr::items`]. Of an
/// interaction that repeats, the first time counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// Microseconds since 1970; 0 if the files have no times.
    pub times: Vec<i64>,
    /// The number of the row in the files, which orders interactions of one time.
    pub order: Vec<u32>,
    /// Whether the files have times.
    pub timed: bool,
}

impl Times {
    /// The times of the interactions that [`Csr::restrict`] keeps of `before`.
    pub(super) fn restrict(&self, before: &Csr, users: &[u32], columns: &[u32]) -> Self {
        let (mut times, mut order) = (Vec::new(), Vec::new());
        for &user in users {
            let start = before.offsets()[user as usize] as usize;
            for (at, &item) in before.row(user as usize).iter().enumerate() {
                if columns[item as usize] != u32::MAX {
                    times.push(self.times[start + at]);
                    order.push(self.order[start + at]);
                }
            }
        }
        Self { times, order, timed: self.timed }
    }

    /// The key by which the interactions of a row are ordered in time.
    pub(super) fn key(&self, place: usize) -> (i64, u32) {
        (self.times[place], self.order[place])
    }
}
