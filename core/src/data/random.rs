//! Random numbers for splits and the built-in data set: a stream of [`crate::rng`] for each purpose and row,
//! so that results depend on neither threads nor platform.

use rand_core::Rng as _;

use crate::rng::{self, Rng};

/// The purpose of a stream; two purposes never share a random number.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(super) enum Purpose {
    /// Which items of a user are held out for the test.
    Test,
    /// Which training items of a user are held out for validation.
    Validation,
    /// Which users are held out.
    Users,
    /// The built-in set: the properties of an item.
    Item,
    /// The built-in set: the preferences and the history of a user.
    Taste,
    /// The built-in set: the popularity rank of each item.
    Popularity,
}

/// A random stream; cheap enough to create one per user.
///
/// Bounded integers and shuffles are implemented here. The crate `rand` removes the bias of a bounded integer
/// (less than bound / 2^64) by rejection and shuffles with other integers, which would change existing splits
/// and the built-in set.
pub(super) struct Stream {
    words: rng::Words,
}

impl Stream {
    /// The stream of one row (a user, an item) for one purpose.
    pub(super) fn new(seed: u64, purpose: Purpose, row: u32) -> Self {
        Self { words: Rng::new(seed).words(rng::Stream::Data, purpose as u32, row) }
    }

    /// An integer below `bound`, from the high half of the product with 64 random bits.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.words.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// The Fisher-Yates shuffle, stopped early: the first `count` elements become a random sample in random
    /// order.
    pub(super) fn shuffle<T>(&mut self, values: &mut [T], count: usize) {
        for at in 0..count.min(values.len()) {
            let other = at + self.below((values.len() - at) as u64) as usize;
            values.swap(at, other);
        }
    }
}
