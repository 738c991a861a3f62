//! What a checkpoint keeps of a run beside its parameters.

use super::Trainer;
use crate::{
    Error, Result,
    proposal::index::Kept,
    state::{OnEngine, State, Tensor, TensorData},
};

impl Trainer {
    /// Everything that determines the steps to come.
    ///
    /// # Errors
    /// As [`Trainer::next`].
    pub async fn state(&mut self) -> Result<State> {
        self.read_losses().await?;
        let mut state = State { progress: self.progress.clone(), ..State::default() };
        let mut tensors = self.parameters.on_engine(&self.config.model);
        if let Some(index) = self.proposal.as_ref().and_then(|p| p.index()) {
            let kept = index.kept();
            let moments = index.moments();
            tensors.push(OnEngine::new("index.moments".into(), vec![moments.len()], moments));
            let mut keep = |name: &str, data| {
                let len = match &data {
                    TensorData::F32(values) => values.len(),
                    TensorData::U32(values) => values.len(),
                };
                state.tensors.insert(format!("index.{name}"), Tensor { shape: vec![len], data });
            };
            keep("codewords", TensorData::F32(kept.codewords.clone()));
            keep("codes", TensorData::U32(kept.codes.clone()));
            keep("log_weights", TensorData::F32(kept.log_weights.clone()));
            if !kept.crowding.is_empty() {
                keep("crowding", TensorData::F32(kept.crowding.clone()));
            }
            keep("aware", TensorData::U32(vec![kept.aware.into()]));
        }
        if let Some(rows) = self.proposal.as_ref().and_then(|p| p.snapshot()) {
            let tensor = Tensor { shape: vec![rows.len()], data: TensorData::F32(rows.to_vec()) };
            state.tensors.insert("proposal.rows".into(), tensor);
        }
        state.fetch(&self.engine, tensors).await?;
        Ok(state)
    }

    /// The parameters alone: what a checkpoint of the model holds. Adam's moments stay on the engine.
    ///
    /// # Errors
    /// As [`Trainer::next`].
    pub async fn model_state(&mut self) -> Result<State> {
        self.read_losses().await?;
        let mut state = State { progress: self.progress.clone(), ..State::default() };
        let mut tensors = self.parameters.on_engine(&self.config.model);
        tensors.retain(OnEngine::is_parameter);
        state.fetch(&self.engine, tensors).await?;
        Ok(state)
    }
}

/// The index of a frozen run, and the moments of queries that it had seen.
pub(super) fn kept_index(state: &State) -> Result<Option<(Kept, Vec<f32>)>> {
    let tensor = |name: &str| state.tensors.get(&format!("index.{name}")).map(|t| &t.data);
    let incomplete = || Error::Data("the kept index is incomplete".into());
    let numbers = |name: &str| match tensor(name) {
        Some(TensorData::F32(values)) => Ok(values.clone()),
        _ => Err(incomplete()),
    };
    let integers = |name: &str| match tensor(name) {
        Some(TensorData::U32(values)) => Ok(values.clone()),
        _ => Err(incomplete()),
    };
    if !state.tensors.keys().any(|name| name.starts_with("index.")) {
        return Ok(None);
    }
    let kept = Kept {
        codewords: numbers("codewords")?,
        codes: integers("codes")?,
        log_weights: numbers("log_weights")?,
        crowding: if tensor("crowding").is_some() { numbers("crowding")? } else { Vec::new() },
        aware: integers("aware")?.first() == Some(&1),
    };
    Ok(Some((kept, numbers("moments")?)))
}

pub(super) fn kept_rows(state: &State) -> Result<Option<&[f32]>> {
    match state.tensors.get("proposal.rows").map(|tensor| &tensor.data) {
        None => Ok(None),
        Some(TensorData::F32(rows)) => Ok(Some(rows)),
        Some(TensorData::U32(_)) => Err(Error::Data("tensor `proposal.rows` holds integers".into())),
    }
}
