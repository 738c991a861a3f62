//! Exact selection of the k best items of each user.

use fastvae_shaders::{mask_seen, topk_select, topk_sort};

use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel, parallel::Rows},
};

/// Excludes a user's own items, and items that are not allowed for anyone, from the ranking.
pub struct MaskSeen {
    /// In and out: rows x M; masked scores become negative infinity.
    pub scores: Buffer<f32>,
    /// Users scored.
    pub rows: usize,
    /// M.
    pub items: usize,
    /// Offset of each row's own items, rows + 1.
    pub offsets: Buffer<u32>,
    /// The items to mask.
    pub seen: Buffer<u32>,
    /// M: 0 masks the item for all users; if not given, all items are allowed.
    pub allowed: Option<Buffer<u32>>,
}

impl Kernel for MaskSeen {
    fn name(&self) -> &'static str {
        "mask_seen"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.scores, &[self.rows, self.items])?;
        check.holds_after(&self.offsets, 1, &[self.rows])?;
        check.lives_here(&self.seen)?;
        check.may_hold(self.allowed.as_ref(), &[self.items])
    }

    unsafe fn cpu(&self) {
        let (offsets, seen) = (self.offsets.read(), self.seen.read());
        let allowed = self.allowed.as_ref().map(Buffer::read);
        let mut scores = self.scores.write();
        parallel::for_each_chunk(&mut scores[..self.rows * self.items], self.items, |row, scores| {
            for &item in &seen[offsets[row] as usize..offsets[row + 1] as usize] {
                scores[item as usize] = f32::NEG_INFINITY;
            }
            if let Some(allowed) = &allowed {
                for (score, &allowed) in scores.iter_mut().zip(allowed.iter()) {
                    if allowed == 0 {
                        *score = f32::NEG_INFINITY;
                    }
                }
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let empty = calls.empty();
        calls.dispatch(
            mask_seen::Params {
                rows: self.rows as u32,
                items: self.items as u32,
                has_allowed: self.allowed.is_some().into(),
            },
            mask_seen::Bindings {
                offsets: &self.offsets,
                seen: &self.seen,
                allowed: self.allowed.as_ref().unwrap_or(&empty),
                scores: &self.scores,
            },
            gpu::Work::Groups(self.rows),
        );
    }
}

/// The `k` largest scores of each row, best first; equal scores by item id. Masked items never appear: empty
/// places hold `u32::MAX` and negative infinity.
pub struct TopK {
    /// Rows x M; NaN ranks as negative infinity.
    pub scores: Buffer<f32>,
    /// Users scored.
    pub rows: usize,
    /// M.
    pub items: usize,
    /// Places per row.
    pub k: usize,
    /// Out: rows x k.
    pub ids: Buffer<u32>,
    /// Out: rows x k.
    pub values: Buffer<f32>,
}

/// Scores examined together: a piece is skipped if its maximum is below the threshold.
const PIECE: usize = 64;

impl Kernel for TopK {
    fn name(&self) -> &'static str {
        "topk"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.scores, &[self.rows, self.items])?;
        check.holds(&self.ids, &[self.rows, self.k])?;
        check.holds(&self.values, &[self.rows, self.k])
    }

    unsafe fn cpu(&self) {
        if self.k == 0 {
            return;
        }
        let scores = self.scores.read();
        let (mut ids, mut values) = (self.ids.write(), self.values.write());
        let values = Rows::new(&mut values, self.k);
        parallel::for_each_chunk(&mut ids[..self.rows * self.k], self.k, |row, ids| {
            // SAFETY: one row a call.
            let values = unsafe { values.row(row) };
            let scores = &scores[row * self.items..][..self.items];
            let best = crate::simd::dispatch(
                #[inline(always)]
                || best(scores, self.k),
            );
            ids.fill(u32::MAX);
            values.fill(f32::NEG_INFINITY);
            for ((id, value), (score, item)) in ids.iter_mut().zip(values).zip(best) {
                (*id, *value) = (item, score);
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        if self.k == 0 {
            return;
        }
        let (rows, items, k) = (self.rows as u32, self.items as u32, self.k as u32);
        let picked = calls.scratch("top k: picked", self.rows * (self.k + 1));
        calls.dispatch(
            topk_select::Params { rows, items, k },
            topk_select::Bindings { scores: &self.scores, picked: &picked },
            gpu::Work::Groups(self.rows),
        );
        calls.dispatch(
            topk_sort::Params { rows, items, k },
            topk_sort::Bindings {
                scores: &self.scores,
                picked: &picked,
                ids: &self.ids,
                values: &self.values,
            },
            gpu::Work::Threads(self.rows * self.k),
        );
    }
}

/// Best first, ties by id.
#[inline(always)]
fn order(a: &(f32, u32), b: &(f32, u32)) -> std::cmp::Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

/// Candidates above a rising threshold; whenever there are 2k, the best k remain and raise the threshold.
#[inline(always)]
fn best(scores: &[f32], k: usize) -> Vec<(f32, u32)> {
    let mut kept: Vec<(f32, u32)> = Vec::with_capacity(2 * k + PIECE);
    let mut threshold = f32::NEG_INFINITY;
    for (piece, scores) in scores.chunks(PIECE).enumerate() {
        let any = scores.iter().fold(false, |any, &score| any | (score > threshold));
        if !any {
            continue;
        }
        for (i, &score) in scores.iter().enumerate() {
            if score > threshold {
                // Adding zero turns -0 into 0, which `total_cmp` would order differently.
                kept.push((score + 0.0, (piece * PIECE + i) as u32));
            }
        }
        if kept.len() >= 2 * k {
            kept.select_nth_unstable_by(k - 1, order);
            kept.truncate(k);
            threshold = kept[k - 1].0;
        }
    }
    kept.sort_unstable_by(order);
    kept.truncate(k);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_full_sort() {
        for (n, k) in [(1, 1), (7, 3), (345, 50), (1000, 1), (3, 10)] {
            // Coarse values, so that ties are common.
            let scores: Vec<f32> = (0..n).map(|i| ((i * 7919 + 13) % 41) as f32 - 20.0).collect();
            let mut want: Vec<(f32, u32)> = scores.iter().copied().zip(0..).collect();
            want.sort_by(order);
            want.truncate(k);
            assert_eq!(best(&scores, k), want);
        }
        assert!(best(&[f32::NEG_INFINITY, f32::NAN], 2).is_empty());
    }
}
