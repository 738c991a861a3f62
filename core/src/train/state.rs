//! Saving the state of a run.

use super::Trainer;
use crate::{
    Result,
    state::{Frozen, State},
};

impl Trainer {
    /// Everything that determines the later steps, without a copy: values stay in the buffers in use.
    ///
    /// # Errors
    /// As [`Trainer::next`].
    pub async fn freeze(&mut self) -> Result<Frozen<'_>> {
        self.read_losses().await?;
        let mut tensors = self.model.tensors();
        if let Some(proposal) = &self.proposal {
            tensors.extend(proposal.state().tensors);
        }
        #[cfg(feature = "baselines")]
        if let Some(average) = &self.average {
            average.add_to(&mut tensors);
        }
        Ok(Frozen { engine: Some(&self.engine), tensors, progress: self.progress.clone() })
    }

    /// As [`Trainer::freeze`], copied to the host.
    ///
    /// # Errors
    /// As [`Trainer::next`].
    pub async fn state(&mut self) -> Result<State> {
        self.freeze().await?.state().await
    }
}
