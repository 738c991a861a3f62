//! How a GPU divides a matrix product into workgroups.

/// Workgroups that occupy a large GPU.
const ENOUGH: usize = 256;
/// The fewest terms of k that are worth a part of their own: parts have to be added by another dispatch.
const SHORTEST_PART: usize = 256;
/// Depths are multiples of this, so that every part but the last consists of whole tiles of each shape.
const STEP: usize = 32;

/// The shape of a workgroup's part of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiles {
    /// No tiles: 4 x 4 elements a thread, read directly; for adapters that emulate workgroups on a CPU.
    Direct,
    /// 32 x 32.
    Small,
    /// 64 x 64.
    Medium,
    /// 128 x 128.
    Large,
}

/// The shape of the tiles, and the terms of k that a workgroup adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    /// The shape.
    pub tiles: Tiles,
    /// Terms of k per part; the sums of several parts are stored and added by another dispatch. `Direct` has one part.
    pub depth: usize,
}

impl Tiles {
    /// Workgroups for the elements of an `m` x `n` result.
    pub(super) fn count(self, m: usize, n: usize) -> usize {
        let side = match self {
            Self::Direct => return m.div_ceil(4).saturating_mul(n.div_ceil(4)).div_ceil(64),
            Self::Small => 32,
            Self::Medium => 64,
            Self::Large => 128,
        };
        m.div_ceil(side).saturating_mul(n.div_ceil(side))
    }

    /// These tiles, with as many parts as are needed to occupy a GPU, as far as k is long enough.
    fn over(self, m: usize, n: usize, k: usize) -> Division {
        let parts = ENOUGH.div_ceil(self.count(m, n).max(1)).min(k / SHORTEST_PART).max(1);
        Division { tiles: self, depth: k.div_ceil(parts).next_multiple_of(STEP) }
    }
}

impl Division {
    /// The largest tiles that occupy a GPU, because the larger the tile, the fewer times each operand is read.
    /// Small tiles where none does, or where larger ones would be mostly empty.
    pub(super) fn of(m: usize, n: usize, k: usize, software: bool) -> Self {
        if software {
            return Self { tiles: Tiles::Direct, depth: k };
        }
        let occupies =
            |division: &Self| m.min(n) > 32 && division.tiles.count(m, n) * division.parts(k) >= ENOUGH;
        [Tiles::Large, Tiles::Medium]
            .map(|tiles| tiles.over(m, n, k))
            .into_iter()
            .find(occupies)
            .unwrap_or_else(|| Tiles::Small.over(m, n, k))
    }

    /// Parts of `k`; one if there are no terms, because the result is written all the same.
    pub(super) fn parts(&self, k: usize) -> usize {
        if self.tiles == Tiles::Direct { 1 } else { k.div_ceil(self.depth.max(1)).max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(m: usize, n: usize, k: usize) -> (Tiles, usize) {
        let division = Division::of(m, n, k, false);
        (division.tiles, division.parts(k))
    }

    #[test]
    fn a_product_gets_the_largest_tiles_that_occupy_a_gpu() {
        assert_eq!(of(256, 65_536, 200), (Tiles::Large, 1), "logits of many items");
        assert_eq!(of(256, 6_000, 200), (Tiles::Medium, 1), "logits of few items");
        assert_eq!(of(256, 200, 65_536), (Tiles::Large, 64), "their gradient for the queries");
        assert_eq!(of(256, 200, 6_000), (Tiles::Medium, 16), "the same for few items");
        assert_eq!(of(256, 64, 200), (Tiles::Small, 1), "a dense layer");
        assert_eq!(of(64, 200, 256), (Tiles::Small, 1), "the gradient of its weights");
        assert_eq!(of(1_000_000, 16, 100), (Tiles::Small, 1), "a side shorter than a tile");
    }

    #[test]
    fn parts_cover_k_and_are_not_empty() {
        for k in [0, 1, 255, 256, 511, 512, 513, 1_000, 12_345, 1_000_000] {
            for (m, n) in [(1, 1), (33, 65), (200, 200), (4_096, 4_096)] {
                let division = Division::of(m, n, k, false);
                let parts = division.parts(k);
                assert!(parts * division.depth >= k && (parts - 1) * division.depth < k.max(1), "{k}");
            }
        }
        assert_eq!(Division::of(7, 7, 1_000_000, true).parts(1_000_000), 1);
    }
}
