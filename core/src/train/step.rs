//! One step as a list of kernels; [`StepPlan::record`] shows the whole algorithm.

#[cfg(feature = "baselines")]
use super::tied::TiedRows;
use super::{
    exchange::Exchanged,
    full_softmax::FullSoftmax,
    inputs::{StepGradients, StepInputs},
    sampled_softmax::{self, SampledSoftmax},
};
use crate::{
    Result,
    config::{Objective, Steps},
    data::Csr,
    engine::{Buffer, Engine, Recording},
    kernels::{GatherBatch, SumLoss},
    model::{Batch, Sizes, Trainable},
    optimizer::RowGradient,
    proposal::Proposal,
};

/// The buffers of a step, sized for the largest batch.
pub struct StepPlan {
    history_offsets: Buffer<u32>,
    history_items: Buffer<u32>,
    users: Buffer<u32>,
    batch_offsets: Buffer<u32>,
    batch_items: Buffer<u32>,
    batch_rows: Buffer<u32>,
    nll: Buffer<f32>,
    losses: Buffer<f32>,
    head: Head,
    /// For negatives, if the model reads item rows too.
    #[cfg(feature = "baselines")]
    tied: Option<TiedRows>,
    steps_per_epoch: u32,
}

/// The last layer and the loss.
#[allow(clippy::large_enum_variant, reason = "one a run")]
enum Head {
    Full(FullSoftmax),
    Sampled(SampledSoftmax),
}

impl StepPlan {
    pub fn new(
        engine: &Engine,
        config: &Steps,
        train: &Csr,
        model: &dyn Trainable,
        sizes: Sizes,
        steps_per_epoch: u32,
    ) -> Result<Self> {
        let Sizes { users: batch, entries, .. } = sizes;
        let rows = batch * model.samples();
        let head = match config.objective.kind {
            Objective::FullSoftmax => Head::Full(FullSoftmax::new(engine, model, rows, is_tied(model))?),
            Objective::SampledSoftmax => Head::Sampled(SampledSoftmax::new(engine, config, model, sizes)?),
        };
        Ok(Self {
            #[cfg(feature = "baselines")]
            tied: match &head {
                Head::Sampled(sampled) if model.is_tied() => {
                    Some(TiedRows::new(engine, sampled.lists().capacity(), model)?)
                }
                _ => None,
            },
            history_offsets: engine.upload("history offsets", train.offsets())?,
            history_items: engine.upload("history items", train.items())?,
            users: engine.zeros("batch users", batch)?,
            batch_offsets: engine.zeros("batch offsets", batch + 1)?,
            batch_items: engine.zeros("batch items", entries)?,
            batch_rows: engine.zeros("batch rows", entries)?,
            nll: engine.zeros("losses of rows", rows)?,
            losses: engine.zeros("losses of steps", 2 * steps_per_epoch as usize)?,
            head,
            steps_per_epoch,
        })
    }

    /// Allocates what [`StepPlan::record`] needs to store all gradients.
    ///
    /// # Errors
    /// If the engine cannot hold it.
    #[cfg(feature = "ranks")]
    pub fn store_gradients(&mut self, engine: &Engine, model: &dyn Trainable) -> Result<()> {
        if let Head::Full(full) = &mut self.head {
            *full = FullSoftmax::new(engine, model, self.nll.len(), true)?;
        }
        Ok(())
    }

    /// nll and kl of each step of the epoch; of the users of other processes, zero.
    pub fn losses(&self) -> &Buffer<f32> {
        &self.losses
    }

    /// Steps per epoch.
    pub fn steps_per_epoch(&self) -> u32 {
        self.steps_per_epoch
    }

    /// Uploads a batch; [`GatherBatch`] then fills in its entries.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn upload_batch(&self, engine: &Engine, train: &Csr, users: &[u32]) -> Result<Batch> {
        let mut offsets = Vec::with_capacity(users.len() + 1);
        let (mut end, mut longest) = (0, 0);
        offsets.push(end);
        for &user in users {
            let entries = train.row(user as usize).len();
            longest = longest.max(entries);
            end += entries as u32;
            offsets.push(end);
        }
        engine.write(&self.users, 0, users)?;
        engine.write(&self.batch_offsets, 0, &offsets)?;
        Ok(Batch {
            offsets: self.batch_offsets.clone(),
            items: self.batch_items.clone(),
            rows: self.batch_rows.clone(),
            users: users.len(),
            entries: end as usize,
            longest,
            known: Some(self.users.clone()),
        })
    }

    /// Lists the kernels of a step. Without `exchanged`, they apply each gradient as soon as it is known, those
    /// of rows in the kernel that sums them. With it, they store all gradients, and [`Exchanged::apply`]
    /// follows.
    pub fn record(&self, batch: &Batch, inputs: &StepInputs<'_>, exchanged: Option<&Exchanged>) -> Recording {
        let &StepInputs { model, slot, ref step, .. } = inputs;
        let mut recording = Recording::new();
        if batch.users > 0 {
            self.record_gradients(&mut recording, batch, inputs, exchanged);
        } else if inputs.proposal.is_some_and(Proposal::reads_items) {
            // The rows of all processes stay the same bits.
            sampled_softmax::replay_items(&mut recording, inputs, None);
        }
        recording.push(SumLoss {
            nll: self.nll.clone(),
            samples: model.samples(),
            kl: model.divergence().clone(),
            batch: batch.users,
            whole: step.users,
            slot,
            losses: self.losses.clone(),
        });
        recording
    }

    fn record_gradients(
        &self,
        recording: &mut Recording,
        batch: &Batch,
        inputs: &StepInputs<'_>,
        exchanged: Option<&Exchanged>,
    ) {
        let &StepInputs { config, model, ref step, .. } = inputs;
        // There are none without the feature; said here for the compiler.
        let exchanged = exchanged.filter(|_| cfg!(feature = "ranks"));
        recording.push(GatherBatch {
            users: self.users.clone(),
            history_offsets: self.history_offsets.clone(),
            history_items: self.history_items.clone(),
            batch_offsets: batch.offsets.clone(),
            batch: batch.users,
            entries: batch.entries,
            items: batch.items.clone(),
            rows: batch.rows.clone(),
        });
        model.record_forward(recording, batch, step);
        match (&self.head, inputs.proposal) {
            (Head::Full(full), _) => full.record(recording, inputs, batch, &self.nll),
            (Head::Sampled(sampled), Some(proposal)) => {
                sampled.record(recording, inputs, proposal, batch, &self.nll);
                if exchanged.is_none() && inputs.observes() {
                    proposal.observe(recording, model.queries(), batch.users * model.samples());
                }
            }
            (Head::Sampled(_), None) => {}
        }
        #[cfg(feature = "baselines")]
        if model.is_tied() {
            self.record_tied(recording, batch, inputs, exchanged);
            return;
        }
        if let Some(exchanged) = exchanged {
            model.record_backward(recording, batch, step);
            exchanged.record_rows(recording, &self.gradients(config, model, batch).rows);
            return;
        }
        if let Some(gradient) = self.item_gradients(config, model, batch) {
            step.update.rows(recording, gradient);
        }
        model.record_backward(recording, batch, step);
        for gradient in model.dense_gradients() {
            step.update.dense(recording, gradient);
        }
        for gradient in model.row_gradients(batch) {
            step.update.rows(recording, gradient);
        }
    }

    /// What follows the loss if the model reads item rows too: their gradients are stored, summed and applied together.
    #[cfg(feature = "baselines")]
    fn record_tied(
        &self,
        recording: &mut Recording,
        batch: &Batch,
        inputs: &StepInputs<'_>,
        exchanged: Option<&Exchanged>,
    ) {
        let &StepInputs { config, model, ref step, .. } = inputs;
        model.record_backward(recording, batch, step);
        let own = model.row_gradients(batch);
        match (&self.head, &self.tied) {
            (Head::Full(full), _) => full.add(recording, own),
            (Head::Sampled(sampled), Some(tied)) => {
                tied.record(recording, &sampled.gradients(config, model, batch), own);
            }
            (Head::Sampled(_), None) => {}
        }
        let StepGradients { rows, dense } = self.gradients(config, model, batch);
        if let Some(exchanged) = exchanged {
            exchanged.record_rows(recording, &rows);
            return;
        }
        dense.into_iter().for_each(|gradient| step.update.dense(recording, gradient));
        rows.into_iter().for_each(|gradient| step.update.rows(recording, gradient));
    }

    /// The gradients of a step that stores them, in the same order for all processes.
    pub fn gradients(&self, config: &Steps, model: &dyn Trainable, batch: &Batch) -> StepGradients {
        let mut rows: Vec<_> = self.item_gradients(config, model, batch).into_iter().collect();
        if !is_tied(model) {
            rows.extend(model.row_gradients(batch));
        }
        let mut dense = match &self.head {
            Head::Full(full) => full.gradients(model),
            Head::Sampled(_) => Vec::new(),
        };
        dense.extend(model.dense_gradients());
        StepGradients { rows, dense }
    }

    fn item_gradients(&self, config: &Steps, model: &dyn Trainable, batch: &Batch) -> Option<RowGradient> {
        match &self.head {
            Head::Full(_) => None,
            Head::Sampled(sampled) => {
                let gradient = sampled.gradients(config, model, batch);
                #[cfg(feature = "baselines")]
                if let Some(tied) = &self.tied {
                    return Some(tied.gradient(gradient));
                }
                Some(gradient)
            }
        }
    }
}

/// Whether the model reads item rows too.
fn is_tied(model: &dyn Trainable) -> bool {
    #[cfg(feature = "baselines")]
    return model.is_tied();
    #[cfg(not(feature = "baselines"))]
    {
        let _ = model;
        false
    }
}
