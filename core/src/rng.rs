//! Counter-based random integers: Philox4x32-10 (Salmon et al., 2011).
//!
//! A draw is a function of (seed, stream, step, row, draw) alone, so it is the same on every engine, for any
//! number of threads, and after a resume. [`Words`] provides such draws as a sequence for the crates `rand`
//! and `rand_distr`.

use std::convert::Infallible;

use rand_core::{TryRng, utils};

/// The purpose of a random number; two streams never share a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stream {
    /// Initial parameters; `step` counts the tensors.
    Init = 0,
    /// Which inputs dropout drops.
    Dropout = 1,
    /// The reparameterisation noise.
    Noise = 2,
    /// Negative items; one block per draw.
    Negatives = 3,
    /// The order of users in an epoch; `step` is the epoch.
    Shuffle = 4,
    /// Initial codewords, and replacements of empty ones.
    Codewords = 5,
    /// Splits and the built-in set; `step` is the purpose.
    Data = 6,
    /// Which of two mixed proposals a candidate is drawn from.
    Mixture = 7,
    /// The proposals of a search over settings; `step` is the system, `row` the trial.
    Search = 8,
    /// The random start of the linear path.
    Linear = 9,
}

/// The key of a run's random numbers, and which rows of a batch they are drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rng {
    key: [u32; 2],
    rows: BatchRows,
}

/// Where the rows of a part of a batch lie in the whole batch: row r is row
/// `r + offset + (r / period) gap`. A row of several latent samples skips the other users of each sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchRows {
    /// Users of the batch before the part.
    pub offset: u32,
    /// Users of the part.
    pub period: u32,
    /// Users of the batch outside of the part.
    pub gap: u32,
}

impl BatchRows {
    /// The whole batch.
    const ALL: Self = Self { offset: 0, period: u32::MAX, gap: 0 };

    #[inline(always)]
    fn of(self, row: u32) -> u32 {
        let samples_before = if self.gap == 0 { 0 } else { row / self.period };
        row.wrapping_add(self.offset).wrapping_add(samples_before * self.gap)
    }
}

impl Rng {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32], rows: BatchRows::ALL }
    }

    /// The generator for a part of a batch of `batch` users, whose users are `part` of it: it draws for each
    /// row of the part the numbers that [`Rng::new`] draws for that row of the whole batch.
    #[must_use]
    pub fn for_part(self, part: std::ops::Range<usize>, batch: usize) -> Self {
        let users = part.len().max(1) as u32;
        let rows = BatchRows { offset: part.start as u32, period: users, gap: batch as u32 - users };
        Self { rows, ..self }
    }

    /// The rows of the batch that it draws for, as shaders take them.
    pub fn rows(&self) -> BatchRows {
        self.rows
    }

    /// The key as shaders take it: low word, high word.
    pub fn key(&self) -> [u32; 2] {
        self.key
    }

    /// Four random words.
    #[inline]
    pub fn block(&self, stream: Stream, step: u32, row: u32, draw: u32) -> [u32; 4] {
        philox([draw, self.rows.of(row), step, stream as u32], self.key)
    }
}

/// The words of one (seed, stream, step, row) in order, as a generator for the crate `rand`: the four words
/// of [`Rng::block`] for draw 0, then those of draw 1, and so on. 64 bits are two words, the lower half
/// first.
#[derive(Clone, Debug)]
pub struct Words {
    rng: Rng,
    stream: Stream,
    step: u32,
    row: u32,
    /// The draw after the current block.
    draw: u32,
    block: [u32; 4],
    /// Words of the block that were already returned.
    taken: usize,
}

impl Rng {
    /// A generator over all draws of a row.
    pub fn words(&self, stream: Stream, step: u32, row: u32) -> Words {
        Words { rng: *self, stream, step, row, draw: 0, block: [0; 4], taken: 4 }
    }
}

impl Words {
    fn word(&mut self) -> u32 {
        if self.taken == self.block.len() {
            self.block = self.rng.block(self.stream, self.step, self.row, self.draw);
            // After 2^34 words the sequence repeats.
            (self.draw, self.taken) = (self.draw.wrapping_add(1), 0);
        }
        self.taken += 1;
        self.block[self.taken - 1]
    }
}

impl TryRng for Words {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        utils::next_u64_via_u32(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        utils::fill_bytes_via_next_word(bytes, || Ok(self.word()))
    }
}

/// Number of draws that [`Rng::blocks`] computes together.
pub const BLOCKS: usize = 8;

impl Rng {
    /// [`Rng::block`] for several draws: word w of draw i is `[w][i]`. The rounds of all draws run side by
    /// side in vector registers.
    #[inline(always)]
    pub fn blocks(&self, stream: Stream, step: u32, row: u32, draws: [u32; BLOCKS]) -> [[u32; BLOCKS]; 4] {
        let row = self.rows.of(row);
        let mut counter = [draws, [row; BLOCKS], [step; BLOCKS], [stream as u32; BLOCKS]];
        let mut key = self.key;
        for _ in 0..10 {
            let mut next = [[0; BLOCKS]; 4];
            for i in 0..BLOCKS {
                let a = u64::from(MULTIPLIERS[0]) * u64::from(counter[0][i]);
                let b = u64::from(MULTIPLIERS[1]) * u64::from(counter[2][i]);
                next[0][i] = (b >> 32) as u32 ^ counter[1][i] ^ key[0];
                next[1][i] = b as u32;
                next[2][i] = (a >> 32) as u32 ^ counter[3][i] ^ key[1];
                next[3][i] = a as u32;
            }
            counter = next;
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        counter
    }
}

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

#[inline]
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(MULTIPLIERS[0]) * u64::from(counter[0]);
        let b = u64::from(MULTIPLIERS[1]) * u64::from(counter[2]);
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

/// An integer below `n`, from the high half of a 32 x 32 product: every value can occur, unlike with a 24-bit
/// float times n.
#[inline]
pub fn below(word: u32, n: u32) -> u32 {
    ((u64::from(word) * u64::from(n)) >> 32) as u32
}

/// A float in (0, 1): the top 24 bits, centred so that neither end is reached. The sum of the largest rounds up
/// to 2^24, hence the minimum with the last float below 1.
#[inline]
pub fn unit(word: u32) -> f32 {
    (((word >> 8) as f32 + 0.5) * (1.0 / 16_777_216.0)).min(1.0 - f32::EPSILON / 2.0)
}

/// Two independent standard normals from two words (Box and Muller).
#[inline]
pub fn normal_pair(a: u32, b: u32) -> [f32; 2] {
    let radius = (-2.0 * unit(a).ln()).sqrt();
    let (sin, cos) = (std::f32::consts::TAU * unit(b)).sin_cos();
    [radius * cos, radius * sin]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the reference implementation (Random123, kat_vectors).
    #[test]
    fn known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn many_draws_are_the_single_ones() {
        let rng = Rng::new(0x0123_4567_89ab_cdef);
        let draws = std::array::from_fn(|i| i as u32 * 37);
        let words = rng.blocks(Stream::Negatives, 5, 6, draws);
        for (i, &draw) in draws.iter().enumerate() {
            assert_eq!(words.map(|w| w[i]), rng.block(Stream::Negatives, 5, 6, draw));
        }
    }

    #[test]
    fn parts_of_a_batch_draw_what_the_whole_draws() {
        let whole = Rng::new(7);
        let (batch, samples) = (10, 3);
        for part in [0..10, 0..4, 4..5, 5..10] {
            let rng = whole.for_part(part.clone(), batch);
            for (sample, user) in (0..samples).flat_map(|s| part.clone().map(move |user| (s, user))) {
                let here = (sample * part.len() + user - part.start) as u32;
                let there = (sample * batch + user) as u32;
                let want = whole.block(Stream::Noise, 3, there, 9);
                assert_eq!(rng.block(Stream::Noise, 3, here, 9), want, "{part:?}");
                assert_eq!(rng.blocks(Stream::Noise, 3, here, [9; BLOCKS]).map(|w| w[0]), want, "{part:?}");
            }
        }
    }

    #[test]
    fn words_are_the_blocks_in_order() {
        use rand_core::Rng as _;

        let rng = Rng::new(0x0123_4567_89ab_cdef);
        let block = |draw| rng.block(Stream::Data, 5, 6, draw);
        let mut words = rng.words(Stream::Data, 5, 6);
        assert_eq!([0; 8].map(|_| words.next_u32()), [block(0), block(1)].concat()[..]);
        let mut words = rng.words(Stream::Data, 5, 6);
        let [a, b, c, d] = block(0);
        let join = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        assert_eq!([words.next_u64(), words.next_u64()], [join(a, b), join(c, d)]);
        let mut bytes = [0; 4];
        words.fill_bytes(&mut bytes);
        assert_eq!(u32::from_le_bytes(bytes), block(1)[0]);
    }

    #[test]
    fn distributions_draw_from_words() {
        use rand_distr::{Distribution, Normal};

        let words = Rng::new(1).words(Stream::Data, 0, 0);
        let normal = Normal::new(3.0f64, 2.0).expect("a finite deviation");
        let draws: Vec<f64> = normal.sample_iter(words).take(4096).collect();
        let mean = draws.iter().sum::<f64>() / 4096.0;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 4096.0;
        // Five standard errors.
        assert!((mean - 3.0).abs() < 5.0 * 2.0 / 64.0, "{mean}");
        assert!((variance - 4.0).abs() < 5.0 * 4.0 * (2.0f64 / 4096.0).sqrt(), "{variance}");
    }

    #[test]
    fn no_word_gives_an_end_of_the_unit_interval() {
        for word in [0, 0xff, 0x100, 1 << 31, u32::MAX - 0x100, u32::MAX - 0xff, u32::MAX] {
            assert!(unit(word) > 0.0 && unit(word) < 1.0, "{word:#x}: {}", unit(word));
        }
        assert!(unit(u32::MAX) > unit(u32::MAX - 0x200));
        // A radius of 0 would be one of a draw from an empty interval.
        assert!(normal_pair(u32::MAX, 0)[0] > 0.0);
    }

    #[test]
    fn below_reaches_both_ends() {
        assert_eq!((below(0, 1_500_000), below(u32::MAX, 1_500_000)), (0, 1_499_999));
    }
}
