//! The items of each cell, with the tables to draw one of them.

use super::IndexState;
use crate::proposal::alias;

/// Cells in blocks, in the layout of [`crate::kernels::Cells`], on the host.
pub(super) struct Lists {
    pub blocks: usize,
    pub columns: usize,
    pub cell_of: Vec<u32>,
    pub starts: Vec<u32>,
    pub members: Vec<u32>,
    pub thresholds: Vec<u32>,
    pub aliases: Vec<u32>,
    pub log_weights: Vec<f32>,
    pub codes: Vec<u32>,
}

/// The fewest cells in a block of occupied cells, and the most blocks.
const BLOCK: usize = 64;
const BLOCKS: usize = 256;

/// Number of blocks and columns for `cells` occupied cells.
fn blocks_of(cells: usize) -> (usize, usize) {
    let columns = cells.div_ceil(BLOCKS).max(BLOCK);
    (cells.div_ceil(columns).max(1), columns)
}

/// The most cells, including those that fill up a block, for `items` items; and the most blocks.
pub(super) fn capacity(items: usize, codewords: usize, codebooks: usize) -> (usize, usize) {
    if codebooks == 2 {
        return (codewords * codewords, codewords);
    }
    // Fewer cells never need more capacity, because their last block has at most this many columns.
    (items + blocks_of(items).1, BLOCKS)
}

impl Lists {
    pub fn new(index: &IndexState, codewords: usize, codebooks: usize) -> Self {
        let of_item = || index.codes.chunks_exact(codebooks);
        let (blocks, columns, cell_of, occupied) = if codebooks == 2 {
            let cell_of = of_item().map(|codes| codes[0] * codewords as u32 + codes[1]).collect();
            (codewords, codewords, cell_of, Vec::new())
        } else {
            let mut occupied: Vec<&[u32]> = of_item().collect();
            occupied.sort_unstable();
            occupied.dedup();
            let place = |codes: &[u32]| occupied.partition_point(|&other| other < codes) as u32;
            let (blocks, columns) = blocks_of(occupied.len());
            (blocks, columns, of_item().map(place).collect(), occupied)
        };
        let mut lists = Self::by_cell(blocks, columns, cell_of, &index.log_weights);
        if codebooks > 2 {
            for (cell, &start) in lists.starts.iter().enumerate() {
                lists.codes.push(start);
                let codes = (0..codebooks).map(|book| occupied.get(cell).map_or(0, |codes| codes[book]));
                lists
                    .codes
                    .extend(codes.enumerate().map(|(book, code)| book as u32 * codewords as u32 + code));
            }
        }
        lists
    }

    fn by_cell(blocks: usize, columns: usize, cell_of: Vec<u32>, item_log_weights: &[f32]) -> Self {
        let count = blocks * columns;
        let mut starts = vec![0u32; count + 1];
        for &cell in &cell_of {
            starts[cell as usize + 1] += 1;
        }
        for cell in 0..count {
            starts[cell + 1] += starts[cell];
        }
        let mut cursors = starts.clone();
        let mut members = vec![0; cell_of.len()];
        for (item, &cell) in cell_of.iter().enumerate() {
            let cursor = &mut cursors[cell as usize];
            members[*cursor as usize] = item as u32;
            *cursor += 1;
        }
        let (mut thresholds, mut aliases) = (vec![0; members.len()], vec![0; members.len()]);
        let mut log_weights = vec![f32::NEG_INFINITY; count];
        for (cell, log_weight) in log_weights.iter_mut().enumerate() {
            let range = starts[cell] as usize..starts[cell + 1] as usize;
            let logs = members[range.clone()].iter().map(|&i| f64::from(item_log_weights[i as usize]));
            let top = logs.clone().fold(f64::NEG_INFINITY, f64::max);
            if top == f64::NEG_INFINITY {
                continue;
            }
            let weights: Vec<f64> = logs.map(|w| (w - top).exp()).collect();
            *log_weight = (top + weights.iter().sum::<f64>().ln()) as f32;
            let (threshold, alias) = alias::build(&weights);
            thresholds[range.clone()].copy_from_slice(&threshold);
            aliases[range].copy_from_slice(&alias);
        }
        Self {
            blocks,
            columns,
            cell_of,
            starts,
            members,
            thresholds,
            aliases,
            log_weights,
            codes: Vec::new(),
        }
    }

    /// Number of cells that hold at least one item, and number of items in the fullest cell.
    pub fn occupancy(&self) -> (usize, usize) {
        let sizes = || self.starts.windows(2).map(|w| (w[1] - w[0]) as usize);
        (sizes().filter(|&n| n > 0).count(), sizes().max().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn occupied_cells_lie_in_order_of_their_codes() {
        let codes: Vec<u32> = vec![2, 0, 1, 0, 1, 2, 2, 0, 1, 0, 1, 1];
        let index = IndexState { codes, log_weights: vec![0.0; 4], ..IndexState::default() };
        let lists = Lists::new(&index, 3, 3);
        assert_eq!((lists.blocks, lists.columns), (1, BLOCK));
        assert_eq!(lists.cell_of, [2, 1, 2, 0]);
        assert_eq!(lists.members, [3, 1, 0, 2]);
        assert_eq!(&lists.codes[..16], [0, 0, 4, 7, 1, 0, 4, 8, 2, 2, 3, 7, 4, 0, 3, 6]);
        assert_eq!(lists.codes.len(), (BLOCK + 1) * 4);
        assert_eq!(lists.occupancy(), (3, 2));
        assert_eq!(lists.log_weights[2], 2f32.ln());
        assert_eq!(lists.log_weights[3], f32::NEG_INFINITY);
    }

    #[test]
    fn there_is_room_for_any_number_of_cells() {
        for items in [1, 63, 64, 65, 5942, 16_384, 16_385, 40_981, 1_500_000] {
            let (most_cells, most_blocks) = capacity(items, 8, 3);
            for cells in [1, items / 3 + 1, items.saturating_sub(1).max(1), items] {
                let (blocks, columns) = blocks_of(cells);
                assert!(
                    blocks <= most_blocks && cells <= blocks * columns && blocks * columns <= most_cells,
                    "{items} {cells}"
                );
            }
        }
    }
}
