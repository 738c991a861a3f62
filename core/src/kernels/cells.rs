//! The cells of the inverted multi-index, as the kernels that draw through it see them.

use super::draw::AliasTable;
use crate::engine::Buffer;

/// The index as the kernels see it: its cells, in `blocks` rows of `columns`.
///
/// With two codebooks these are the K x K pairs of codewords, block k1 and column k2. With more they are the
/// occupied cells in the order of their codes, and at the end some empty ones that make the last block whole.
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
    /// Cells of a block.
    pub columns: usize,
    /// Cell `block columns + column` of each item, M.
    pub cell_of: Buffer<u32>,
    /// Where each cell's items start, blocks x columns + 1.
    pub starts: Buffer<u32>,
    /// Items by cell, M.
    pub members: Buffer<u32>,
    /// Draws a member of a cell; columns lie as `members`, aliases count from the cell's start.
    pub table: AliasTable,
    /// ln omega of each cell, blocks x columns; negative infinity where a cell is empty.
    pub log_weights: Buffer<f32>,
    /// ln w of each item, M.
    pub item_log_weights: Buffer<f32>,
    /// For more than two codebooks: for each cell and one past the last, where its items start and the columns
    /// of its codewords among a row's m K scores; (blocks x columns + 1) x (1 + m).
    pub codes: Buffer<u32>,
}

impl Cells {
    /// All cells, those that only fill a block included.
    pub fn count(&self) -> usize {
        self.blocks * self.columns
    }
}
