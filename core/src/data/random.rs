//! A counter generator: the n-th number of a stream is a function of (seed, stream, row, n) alone, so results
//! depend on neither threads nor platform.

/// One stream of numbers; cheap enough to make one for every user.
pub(super) struct Stream {
    key: u64,
    count: u64,
}

/// Weyl increment and finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Stream {
    /// The stream of one row (a user, an item) for one purpose.
    pub(super) fn new(seed: u64, purpose: u64, row: u64) -> Self {
        let key = mix(
            mix(mix(seed.wrapping_add(GOLDEN)) ^ purpose.wrapping_mul(GOLDEN)) ^ row.wrapping_mul(GOLDEN)
        );
        Self { key, count: 0 }
    }

    /// The next 64 random bits.
    pub(super) fn next(&mut self) -> u64 {
        self.count += 1;
        mix(self.key.wrapping_add(self.count.wrapping_mul(GOLDEN)))
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
