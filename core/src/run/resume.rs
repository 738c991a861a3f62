//! Checks whether a saved run can be resumed, and with which settings and data.

use std::path::Path;

use super::{
    RunConfig, Storage,
    checkpoint::{Checkpoint, Context},
};
use crate::{Error, Result, state::State};

/// A saved run that is about to be resumed.
#[derive(Clone, Debug)]
pub struct Saved {
    pub(super) context: Context,
    pub(super) state: State,
}

impl Saved {
    /// Checks a save against the settings of the resumed run. `run` is its name in messages, `finished`
    /// whether it has metrics already.
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

    /// Number of whole epochs trained.
    pub fn epochs(&self) -> u32 {
        self.state.progress.epoch
    }

    /// Number of steps trained in the epoch after them.
    pub fn steps(&self) -> u32 {
        self.state.progress.step_in_epoch
    }

    /// Checks that the data is the same that the run was trained on.
    pub(super) fn check_data(&self, now: &Context, save: &Path) -> Result<()> {
        self.context.check_data(now).map_err(|problem| Error::Checkpoint {
            path: save.into(),
            problem: format!(
                "{problem}; going on needs the same files and the same filters, given as `path` if they have moved"
            ),
        })
    }

    /// Resumes without the best model so far: the next evaluation counts as the first one.
    pub fn forget_best(&mut self) {
        (self.state.progress.best, self.state.progress.evaluations_since_best) = (None, 0);
    }

    /// Checks that the best model so far can be read, before training continues.
    pub(super) fn check_model(&self, storage: &impl Storage) -> Result<()> {
        let progress = &self.state.progress;
        let Some(best) = progress.best else { return Ok(()) };
        let lost = |problem: String| {
            let way = "`from-last` goes on without it, from what last.safetensors holds";
            Err(Error::Checkpoint { path: storage.model_save(), problem: format!("{problem}; {way}") })
        };
        let model = match storage.model_summary() {
            Ok(Some(model)) => model,
            Ok(None) => return Ok(()),
            Err(Error::Checkpoint { problem, .. }) => return lost(problem),
            Err(error) => return lost(error.to_string()),
        };
        // If a run was killed after it saved a better model and before it saved its own state, it trains that
        // epoch again.
        let value = model.metrics.get(&self.context.config.training.metric);
        let again = model.progress.step > progress.step;
        let best = if again { (model.progress.epoch, value.copied().unwrap_or(best.1)) } else { best };
        model.check_best(&self.context, best).or_else(lost)
    }
}
