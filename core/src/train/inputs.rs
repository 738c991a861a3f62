//! What a step takes, and the gradients that it computes.

use crate::{
    config::Steps,
    model::{TrainStep, Trainable},
    optimizer::{DenseGradient, RowGradient},
    proposal::Proposal,
};

/// The inputs of a step.
#[derive(Clone, Copy)]
pub struct StepInputs<'a> {
    /// The run's settings.
    pub config: &'a Steps,
    /// The trained model.
    pub model: &'a dyn Trainable,
    /// The source of negatives; `None` for the full softmax.
    pub proposal: Option<&'a dyn Proposal>,
    /// Step of the epoch, counted from 0.
    pub slot: usize,
    /// Adam's coefficients for the step, and how rows are updated.
    pub step: TrainStep<'a>,
}

/// Steps between calls of [`Proposal::observe`].
const OBSERVE_EVERY: u32 = 8;

impl StepInputs<'_> {
    /// Whether the proposal observes the queries of this step.
    pub fn observes(&self) -> bool {
        let proposal = self.proposal.is_some_and(Proposal::observes);
        proposal && self.step.step.is_multiple_of(OBSERVE_EVERY)
    }
}

/// All gradients of a step.
pub struct StepGradients {
    /// Those of rows, which are not computed yet.
    pub rows: Vec<RowGradient>,
    /// Those of whole tensors.
    pub dense: Vec<DenseGradient>,
}
