//! A run, frozen.

use super::Trainer;
use crate::{
    Result,
    state::{OnEngine, State},
};

impl Trainer {
    /// Everything that determines the steps to come.
    ///
    /// # Errors
    /// As [`Trainer::next`].
    pub async fn state(&mut self) -> Result<State> {
        self.read_losses().await?;
        let mut state = State { progress: self.progress.clone(), ..State::default() };
        let mut on_engine = self.model.tensors();
        if let Some(proposal) = &self.proposal {
            let part = proposal.state();
            state.tensors.extend(part.tensors);
            on_engine.extend(part.on_engine);
        }
        state.fetch(&self.engine, on_engine).await?;
        Ok(state)
    }

    /// The parameters alone: what a checkpoint of the model holds. Adam's moments stay on the engine.
    ///
    /// # Errors
    /// As [`Trainer::next`].
    pub async fn model_state(&mut self) -> Result<State> {
        self.read_losses().await?;
        let mut state = State { progress: self.progress.clone(), ..State::default() };
        let mut tensors = self.model.tensors();
        tensors.retain(OnEngine::is_parameter);
        state.fetch(&self.engine, tensors).await?;
        Ok(state)
    }
}
