//! Draws in proportion to weights, by their running sums.

use crate::rng::unit;

/// Running sums of `terms`.
#[inline(always)]
pub(super) fn cumulate(terms: impl Iterator<Item = f32>, out: &mut [f32]) {
    let mut sum = 0.0;
    for (out, term) in out.iter_mut().zip(terms) {
        sum += term;
        *out = sum;
    }
}

/// An index drawn in proportion to the weights with these running sums, using a random word.
#[inline(always)]
pub(super) fn pick(cumulative: &[f32], word: u32) -> usize {
    search(cumulative, unit(word) * cumulative[cumulative.len() - 1])
}

/// The first index whose running sum exceeds `u`. If there is none because of rounding, the last index with a
/// positive weight, never one with weight zero.
#[inline(always)]
pub(super) fn search(cumulative: &[f32], u: f32) -> usize {
    let found: u32 = cumulative.iter().map(|&c| u32::from(c <= u)).sum();
    if (found as usize) < cumulative.len() {
        return found as usize;
    }
    let total = cumulative[cumulative.len() - 1];
    cumulative.iter().position(|&c| c == total).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_go_by_weight_and_never_to_nothing() {
        let mut sums = [0.0; 4];
        cumulate([0.0, 1.0, 0.0, 3.0].into_iter(), &mut sums);
        assert_eq!(sums, [0.0, 1.0, 1.0, 4.0]);
        assert_eq!([0, 0x3fff_ffff, 0x4000_0000, u32::MAX].map(|word| pick(&sums, word)), [1, 1, 3, 3]);
        // By rounding, no sum may exceed u.
        assert_eq!(search(&[0.0, 2.0, 2.0], 2.0), 1);
    }
}
