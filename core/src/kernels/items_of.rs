//! The items for which a kernel computes log q, and their query rows.

use super::groups::Groups;
use crate::{
    Result,
    engine::{Buffer, Check, parallel},
    simd,
};

/// The items to look up, and their query rows.
#[derive(Clone, Debug)]
pub enum ItemsOf {
    /// Every group's candidates, groups x C.
    Candidates(Buffer<u32>),
    /// The batch's entries, for each of the L samples.
    Entries {
        /// Item of each entry, E.
        items: Buffer<u32>,
        /// Batch row of each entry, E.
        rows: Buffer<u32>,
        /// E.
        entries: usize,
    },
}

impl ItemsOf {
    /// Number of values in the output: groups x C, or L x E.
    pub fn outputs(&self, groups: &Groups) -> usize {
        match self {
            Self::Candidates(_) => groups.total(),
            Self::Entries { entries, .. } => groups.samples * entries,
        }
    }

    /// The buffers for shaders: items, batch rows, and the number of entries (0 for candidates).
    pub(super) fn parts<'a>(&'a self, empty: &'a Buffer<u32>) -> (&'a Buffer<u32>, &'a Buffer<u32>, usize) {
        match self {
            Self::Candidates(items) => (items, empty, 0),
            Self::Entries { items, rows, entries } => (items, rows, *entries),
        }
    }

    /// Checks the sizes of the buffers, and that `output` has one value per item. Requires that the groups
    /// were checked.
    pub(super) fn check(&self, check: &Check, groups: &Groups, output: &Buffer<f32>) -> Result<()> {
        match self {
            Self::Candidates(items) => {
                check.holds(items, &[groups.total()])?;
                check.holds(output, &[groups.total()])
            }
            Self::Entries { items, rows, entries } => {
                check.holds(items, &[*entries])?;
                check.holds(rows, &[*entries])?;
                check.holds(output, &[groups.samples, *entries])
            }
        }
    }

    /// `output = value(prepare(group), item)` for each item, on threads; `prepare` is called again whenever
    /// the group changes.
    #[inline(always)]
    pub(super) fn fill<S>(
        &self,
        groups: &Groups,
        output: &Buffer<f32>,
        prepare: impl Fn(usize) -> S + Sync + Send,
        value: impl Fn(&S, u32) -> f32 + Sync + Send,
    ) {
        let mut output = output.write();
        let output = &mut output[..self.outputs(groups)];
        match self {
            Self::Candidates(items) => {
                let (items, candidates) = (items.read(), groups.candidates);
                parallel::for_each_chunk(output, candidates, |group, output| {
                    simd::dispatch(
                        #[inline(always)]
                        || {
                            let prepared = prepare(group);
                            for (output, &item) in output.iter_mut().zip(&items[group * candidates..]) {
                                *output = value(&prepared, item);
                            }
                        },
                    );
                });
            }
            Self::Entries { items, rows, entries } => {
                const PIECE: usize = 512;
                let (items, rows) = (items.read(), rows.read());
                parallel::for_each_chunk(output, PIECE, |piece, output| {
                    simd::dispatch(
                        #[inline(always)]
                        || {
                            let group_of = |at: usize| {
                                let row = at / entries * groups.batch + rows[at % entries] as usize;
                                groups.of_row(row)
                            };
                            let mut group = group_of(piece * PIECE);
                            let mut prepared = prepare(group);
                            for (i, output) in output.iter_mut().enumerate() {
                                let at = piece * PIECE + i;
                                if group_of(at) != group {
                                    group = group_of(at);
                                    prepared = prepare(group);
                                }
                                *output = value(&prepared, items[at % entries]);
                            }
                        },
                    );
                });
            }
        }
    }
}
