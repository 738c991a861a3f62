//! Random numbers for splits and the built-in set: streams of [`crate::rng`], one for each purpose and row, so
//! results depend on neither threads nor platform.

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
pub(super) struct Stream {
    rng: Rng,
    purpose: Purpose,
    row: u32,
    draw: u32,
    rest: Option<u64>,
}

impl Stream {
    /// The stream of one row (a user, an item) for one purpose.
    pub(super) fn new(seed: u64, purpose: Purpose, row: u32) -> Self {
        Self { rng: Rng::new(seed), purpose, row, draw: 0, rest: None }
    }

    /// The next 64 random bits.
    pub(super) fn next(&mut self) -> u64 {
        if let Some(bits) = self.rest.take() {
            return bits;
        }
        let words = self.rng.block(rng::Stream::Data, self.purpose as u32, self.row, self.draw);
        self.draw += 1;
        let join = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        self.rest = Some(join(words[2], words[3]));
        join(words[0], words[1])
    }

    /// An integer below `bound`, from the high half of the product.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// Fisher and Yates: afterwards the first `count` elements are a random sample in random order.
    pub(super) fn shuffle<T>(&mut self, values: &mut [T], count: usize) {
        for at in 0..count.min(values.len()) {
            let other = at + self.below((values.len() - at) as u64) as usize;
            values.swap(at, other);
        }
    }
}
