//! A run, frozen.

use super::Trainer;
use crate::{
    Result,
    state::{Frozen, State},
};

impl Trainer {
    /// Everything that determines the steps to come, where it stands.
    ///
    /// # Errors
    /// As [`Trainer::next`].
    pub async fn freeze(&mut self) -> Result<Frozen<'_>> {
        self.read_losses().await?;
        let mut tensors = self.model.tensors();
        if let Some(proposal) = &self.proposal {
            tensors.extend(proposal.state().tensors);
        }
        Ok(Frozen { engine: Some(&self.engine), tensors, progress: self.progress.clone() })
    }

    /// All of [`Trainer::freeze`] as a copy on the host.
    ///
    /// # Errors
    /// As [`Trainer::next`].
    pub async fn state(&mut self) -> Result<State> {
        self.freeze().await?.state().await
    }
}
