//! Whether a saved run can go on, and with which settings and data.

use std::path::Path;

use super::{
    RunConfig,
    checkpoint::{Checkpoint, Context},
};
use crate::{Error, Result, state::State};

/// A saved run that is about to go on.
#[derive(Clone, Debug)]
pub struct Saved {
    pub(super) context: Context,
    pub(super) state: State,
}

impl Saved {
    /// Checks a save against the settings of the run that goes on. `run` is what messages call it, `finished`
    /// whether it has its metrics.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting that cannot change, or if there are no epochs left to train.
    pub fn new(save: Checkpoint, config: &RunConfig, run: &Path, finished: bool) -> Result<Self> {
        let Checkpoint { context, mut state } = save;
        context.config.check_resume(config)?;
        let done = state.progress.epoch;
        let more = config.training.epochs > context.config.training.epochs;
        if finished && !more {
            return Err(Error::setting(
                "resume",
                format!(
                    "{} is finished after {done} epochs; a larger number of `epochs` trains it longer",
                    run.display()
                ),
            ));
        }
        if config.training.epochs <= done && !state.progress.finished {
            return Err(Error::setting(
                "epochs",
                format!("{done} epochs are done already; give a larger number"),
            ));
        }
        state.progress.finished &= !more;
        Ok(Self { context, state })
    }

    /// Whole epochs that were trained.
    pub fn epochs(&self) -> u32 {
        self.state.progress.epoch
    }

    /// Steps that were trained of the epoch after them.
    pub fn steps(&self) -> u32 {
        self.state.progress.step_in_epoch
    }

    /// Checks that the data is still what the run was trained on.
    pub(super) fn check_data(&self, now: &Context, save: &Path) -> Result<()> {
        let before = &self.context;
        if before.fingerprint == now.fingerprint {
            return Ok(());
        }
        Err(Error::Checkpoint {
            path: save.into(),
            problem: format!(
                "it was trained on {} ({} users, {} items, {} interactions), and {} is another set ({} users, {} items, \
                 {} interactions); going on needs the same file and the same filters, given as `path` if it has moved",
                before.data,
                before.users.len(),
                before.items.len(),
                before.histories.nnz(),
                now.data,
                now.users.len(),
                now.items.len(),
                now.histories.nnz()
            ),
        })
    }
}
