//! Steps of ImplicitSLIM, between epochs.

use super::Trainer;
use crate::Result;

impl Trainer {
    /// Moves the item rows before an epoch, if that is due. All rows are up to date by then, and the index is built from
    /// them afterwards. Adam's moments stay as they are.
    pub(super) async fn move_items(&mut self) -> Result<()> {
        let Some((step, tables)) = self.model.implicit_slim() else { return Ok(()) };
        let next = self.progress.epoch + 1;
        let due = self.progress.step_in_epoch == 0 && self.progress.epoch.is_multiple_of(step.every);
        if !due || self.progress.moved_before == next {
            return Ok(());
        }
        // All is computed before anything is written, so that an interrupted step has no effect.
        let mut moved = Vec::new();
        for table in &tables {
            let mut rows = self.engine.read(table).await?;
            step.step(&self.train, &mut rows)?;
            moved.push(rows);
        }
        for (table, rows) in tables.iter().zip(&moved) {
            self.engine.write(table, 0, rows)?;
        }
        self.progress.moved_before = next;
        Ok(())
    }
}
