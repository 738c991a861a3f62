//! How a workgroup divides the work of sums of coefficient x row; see shaders/shared/row_sums.wgsl.

use crate::engine::gpu::Calls;

/// Invocations of a workgroup.
const INVOCATIONS: usize = 256;

/// The most sets of invocations that share one sum over a list of entries: most lists are short.
const LIST_SLOTS: usize = 8;

/// The shape of a workgroup that sums rows of some width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowSums {
    /// Neighbouring invocations that share the columns of a row, four each.
    pub lanes: u32,
    /// Sets of lanes that share the rows of a sum.
    pub slots: u32,
    /// Workgroups that share the columns of a row.
    pub blocks: u32,
    /// Sums of a workgroup.
    pub rows_each: u32,
}

impl RowSums {
    /// The shape for sums over histories and candidates.
    pub fn long(calls: &Calls<'_>, width: usize) -> Self {
        Self::new(width, if calls.is_software() { 1 } else { INVOCATIONS })
    }

    /// The shape for sums over the entries of an item.
    pub fn lists(calls: &Calls<'_>, width: usize) -> Self {
        Self::new(width, if calls.is_software() { 1 } else { LIST_SLOTS })
    }

    /// The shape for rows of `width` columns, with at most `most` slots. An adapter that runs on a CPU takes one: its time
    /// grows with the invocations, whether they have much to do or little.
    fn new(width: usize, most: usize) -> Self {
        let lanes = width.div_ceil(4).clamp(1, INVOCATIONS);
        let slots = (INVOCATIONS / lanes).min(most);
        Self {
            lanes: lanes as u32,
            slots: slots as u32,
            blocks: width.div_ceil(4 * lanes) as u32,
            rows_each: (INVOCATIONS / (lanes * slots)) as u32,
        }
    }

    /// The workgroups for this many sums.
    pub fn groups(&self, sums: usize) -> usize {
        sums.div_ceil(self.rows_each as usize) * self.blocks as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_lane_and_every_workgroup_has_room() {
        for width in [1, 3, 4, 5, 32, 200, 255, 1023, 1024, 1025, 5000] {
            for shape in [1, LIST_SLOTS, INVOCATIONS].map(|most| RowSums::new(width, most)) {
                let RowSums { lanes, slots, blocks, rows_each } = shape;
                assert!(lanes * slots * rows_each <= INVOCATIONS as u32, "{shape:?}");
                assert!(slots >= 1 && rows_each >= 1, "{shape:?}");
                assert!((4 * lanes * blocks) as usize >= width, "{shape:?}");
                assert!((4 * lanes * (blocks - 1)) as usize <= width, "{shape:?}");
                assert_eq!(shape.groups(rows_each as usize + 1), 2 * blocks as usize);
            }
        }
    }
}
