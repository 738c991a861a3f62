//! Random numbers for splits and the built-in set: streams of [`crate::rng`], one for each purpose and row, so
//! results depend on neither threads nor platform.

use rand_core::Rng as _;

use crate::rng::{self, Rng};

/// What a stream is for; two purposes never share a number.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(super) enum Purpose {
    /// Which items of a user are for the test.
    Test,
    /// Which training items of a user validate.
    Validation,
    /// Which users are held out.
    Users,
    /// The built-in set: what an item is like.
    Item,
    /// The built-in set: what a user likes and has seen.
    Taste,
    /// The built-in set: which item is how popular.
    Popularity,
}

/// One stream; cheap enough to make one for every user.
///
/// Ranges and orders are made by hand. The crate `rand` would remove the bias of a range, less than bound / 2^64, by
/// drawing again now and then, and shuffles with other integers: splits and the built-in set would no longer be what
/// they were.
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

    /// Fisher and Yates: afterwards the first `count` elements are a random sample in random order.
    pub(super) fn shuffle<T>(&mut self, values: &mut [T], count: usize) {
        for at in 0..count.min(values.len()) {
            let other = at + self.below((values.len() - at) as u64) as usize;
            values.swap(at, other);
        }
    }
}
