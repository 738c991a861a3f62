//! Size limits: the largest possible step, and whether the device can hold the model.

use crate::{
    Error, Result,
    data::Csr,
    engine::Engine,
    model::{TableSize, TrainableSettings},
};

/// Entries of the largest possible batch: the users with the longest histories together.
pub(super) fn most_entries(train: &Csr, users: &[u32], batch: usize) -> usize {
    let mut lengths: Vec<usize> = users.iter().map(|&u| train.row(u as usize).len()).collect();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    lengths[..batch].iter().sum()
}

/// Fails if a table is too large for the device to bind; the message shows the calculation.
pub(super) fn capacity(engine: &Engine, model: &dyn TrainableSettings, train: &Csr) -> Result<()> {
    let Some(limit) = engine.max_buffer_bytes() else { return Ok(()) };
    for TableSize { of, rows, what, width } in model.tables(train.columns(), train.rows()) {
        let bytes = rows as u64 * width as u64 * 4;
        if bytes > limit {
            return Err(Error::Device(format!(
                "{rows} {of} x {width} numbers ({what} width) x 4 bytes = {bytes} bytes, and this adapter binds at most {limit} \
                 bytes at once: {} {of} would fit, or a width of {}; `engine = cpu` has no such limit",
                limit / (width as u64 * 4),
                limit / (rows as u64 * 4),
            )));
        }
    }
    Ok(())
}
