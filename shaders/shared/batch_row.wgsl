// Where the rows of a part of a batch lie in the whole batch; random numbers are drawn for the latter. The twin
// of BatchRows in core/src/rng.rs; `params` has row_offset, row_period and row_gap.

/// The row of the whole batch that a row of this part is.
fn batch_row(row: u32) -> u32 {
    return row + params.row_offset + row / params.row_period * params.row_gap;
}
