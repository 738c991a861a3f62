//! The settings of training by steps of the gradient, whatever the model.

use super::{
    Objective, ObjectiveConfig, OptimizerConfig, ProposalConfig, ProposalKind, Section, TrainingConfig,
};
#[cfg(feature = "baselines")]
use crate::kernels::Pairs;
use crate::{Error, Result};

/// The page has a control for few settings, and leaves out the checks of the others for its size.
const IS_PAGE: bool = cfg!(target_arch = "wasm32");

/// The sections that a [`Trainer`](crate::train::Trainer) needs beside those of its model.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Steps {
    /// The loss.
    pub objective: ObjectiveConfig,
    /// The source of negatives.
    pub proposal: ProposalConfig,
    /// How parameters are updated.
    pub optimizer: OptimizerConfig,
    /// The training loop.
    pub training: TrainingConfig,
    /// How positives are compared with negatives one by one, in place of the sampled softmax.
    #[cfg(feature = "baselines")]
    pub pairs: Option<Pairs>,
}

impl Steps {
    /// Checks that the settings are compatible with each other, with a catalogue of `items` items, and with item vectors
    /// whose width, a number, is the setting that is named.
    ///
    /// # Errors
    /// [`Error::Setting`] with the field, the problem, and valid values.
    pub fn validate(&self, items: usize, (field, width): (&'static str, usize)) -> Result<()> {
        let proposal = &self.proposal;
        self.objective.check_bounds()?;
        proposal.check_bounds()?;
        self.optimizer.check_bounds()?;
        self.training.check_bounds()?;
        crate::metrics::cutoff(&self.training.metric)?;
        if !IS_PAGE {
            self.check_decay()?;
        }
        if self.objective.kind == Objective::FullSoftmax {
            #[cfg(feature = "baselines")]
            if self.pairs.is_some() {
                let problem =
                    "the model compares pairs of items and needs a source of negatives; take another loss";
                return Err(Error::setting("objective.kind", problem));
            }
            return Ok(());
        }
        if proposal.negatives > items.max(16) {
            return Err(Error::setting(
                "negatives",
                format!(
                    "{} negatives for a catalogue of {items} items cost more than the full softmax; \
                     take at most {items}, or take `objective.kind = full-softmax`",
                    proposal.negatives
                ),
            ));
        }
        if proposal.parts().any(ProposalKind::indexed) && proposal.codewords > items {
            return Err(Error::setting(
                "codewords",
                format!("{} codewords for {items} items; take at most {items}", proposal.codewords),
            ));
        }
        if IS_PAGE { Ok(()) } else { self.check_proposal(field, width) }
    }

    /// Checks that weight decay leaves something of every weight.
    fn check_decay(&self) -> Result<()> {
        let optimizer = &self.optimizer;
        let decay = f64::from(optimizer.weight_decay) * f64::from(optimizer.learning_rate);
        if decay >= 1.0 {
            return Err(Error::setting(
                "weight-decay",
                format!(
                    "{} at `learning-rate = {}` keeps 1 - {decay} of every weight a step, so nothing is learned; take \
                     less than {}",
                    optimizer.weight_decay,
                    optimizer.learning_rate,
                    1.0 / optimizer.learning_rate
                ),
            ));
        }
        Ok(())
    }

    /// Checks that negatives can be shared, mixed and drawn through an index of item vectors of this width.
    fn check_proposal(&self, field: &'static str, width: usize) -> Result<()> {
        let proposal = &self.proposal;
        if proposal.group_size > proposal.negatives {
            return Err(Error::setting(
                "group-size",
                format!(
                    "{} users cannot share {} negatives; each must draw at least one",
                    proposal.group_size, proposal.negatives
                ),
            ));
        }
        proposal.validate_mix()?;
        if proposal.parts().any(ProposalKind::indexed) && width < proposal.codebooks {
            return Err(Error::setting(
                field,
                format!(
                    "item vectors of {width} cannot be cut for {0} codebooks; take a width of at least {0}",
                    proposal.codebooks
                ),
            ));
        }
        Ok(())
    }
}
