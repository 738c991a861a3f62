//! The cells of the inverted multi-index, in the layout that kernels read.

use super::draw::AliasTable;
use crate::engine::Buffer;

/// The index in the layout that kernels read: its cells, in `blocks` rows of `columns`.
///
/// With two codebooks, these are the K x K pairs of codewords: block k1 and column k2. With more, they are
/// the occupied cells in the order of their codes, followed by empty ones that fill up the last block.
#[derive(Clone, Debug)]
pub struct Cells {
    /// Codebooks, m.
    pub codebooks: usize,
    /// Codewords of each codebook, K.
    pub codewords: usize,
    /// M.
    pub items: usize,
    /// Blocks of cells, at most 256.
    pub blocks: usize,
    /// Cells per block.
    pub columns: usize,
    /// Cell `block columns + column` of each item, M.
    pub cell_of: Buffer<u32>,
    /// Offset of each cell's items, blocks x columns + 1.
    pub starts: Buffer<u32>,
    /// Items ordered by cell, M.
    pub members: Buffer<u32>,
    /// Alias tables to draw a member of a cell; in the order of `members`, with aliases relative to the
    /// cell's offset.
    pub table: AliasTable,
    /// ln omega of each cell, blocks x columns; negative infinity for an empty cell.
    pub log_weights: Buffer<f32>,
    /// ln w of each item, M.
    pub item_log_weights: Buffer<f32>,
    /// For more than two codebooks: for each cell and one past the last, the offset of its items and the
    /// columns of its codewords among a row's m K scores; (blocks x columns + 1) x (1 + m).
    pub codes: Buffer<u32>,
}

impl Cells {
    /// Number of cells, including those that only fill up a block.
    pub fn count(&self) -> usize {
        self.blocks * self.columns
    }
}
