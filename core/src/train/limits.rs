//! Size limits: the largest possible step, and whether the device can hold the model.

use crate::{
    Error, Result,
    config::{Config, MultVaeConfig},
    data::Csr,
    engine::Engine,
};

/// Entries of the largest possible batch: the users with the longest histories together.
pub(super) fn most_entries(train: &Csr, users: &[u32], batch: usize) -> usize {
    let mut lengths: Vec<usize> = users.iter().map(|&u| train.row(u as usize).len()).collect();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    lengths[..batch].iter().sum()
}

/// Fails if the catalogue is too large for the device to bind; the message shows the calculation.
pub(super) fn capacity(engine: &Engine, config: &Config, items: usize) -> Result<()> {
    let Some(limit) = engine.max_buffer_bytes() else { return Ok(()) };
    let MultVaeConfig { hidden, linear, .. } = config.model;
    for (what, width) in [("hidden", hidden), ("item row", config.model.item_width()), ("linear", linear)] {
        let bytes = items as u64 * width as u64 * 4;
        if bytes > limit {
            return Err(Error::Device(format!(
                "{items} items x {width} numbers ({what} width) x 4 bytes = {bytes} bytes, and this adapter binds at most {limit} \
                 bytes at once: {} items would fit, or a width of {}; `engine = cpu` has no such limit",
                limit / (width as u64 * 4),
                limit / (items as u64 * 4),
            )));
        }
    }
    Ok(())
}
