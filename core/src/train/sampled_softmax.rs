//! The losses with negatives of a step, the sampled softmax and pairs: draws negatives, and computes the loss and the
//! gradients of item rows and queries.

use super::inputs::StepInputs;
#[cfg(feature = "baselines")]
use crate::kernels::{Comparison, PairwiseLoss};
use crate::{
    Result,
    config::Steps,
    engine::{Buffer, Engine, Recording},
    kernels::{Groups, ItemLists, ItemsOf, RankOne, SampledLoss, Transpose},
    model::{Batch, Sizes, Trainable},
    optimizer::RowGradient,
    proposal::{Draw, Proposal, Samples, Wanted},
};

/// The buffers of the loss.
pub struct SampledSoftmax {
    samples: Samples,
    positive: Buffer<f32>,
    negative: Buffer<f32>,
    lists: ItemLists,
    /// R ones, in place of the queries in the gradient of the item biases.
    ones: Buffer<f32>,
}

impl SampledSoftmax {
    pub fn new(engine: &Engine, config: &Steps, model: &dyn Trainable, sizes: Sizes) -> Result<Self> {
        let (samples, Sizes { items, users, entries }) = (model.samples(), sizes);
        let groups = groups(config, samples, users);
        Ok(Self {
            samples: Samples {
                negatives: engine.zeros("negatives", groups.total())?,
                negative_log_q: engine.zeros("log q of negatives", groups.total())?,
                positive_log_q: engine.zeros("log q of positives", samples * entries)?,
            },
            positive: engine.zeros("coefficients of positives", samples * entries)?,
            negative: engine.zeros("coefficients of negatives", groups.rows() * groups.candidates)?,
            lists: ItemLists::new(engine, samples * entries + groups.total(), items)?,
            ones: engine.upload("ones", &vec![1.0; groups.rows()])?,
        })
    }

    /// Appends the draw of negatives and the sampled softmax, up to [`SampledSoftmax::gradients`].
    pub fn record(
        &self,
        recording: &mut Recording,
        inputs: &StepInputs<'_>,
        proposal: &dyn Proposal,
        batch: &Batch,
        nll: &Buffer<f32>,
    ) {
        let Self { samples, positive, negative, lists, .. } = self;
        let &StepInputs { config, model, ref step, .. } = inputs;
        let (table, bias) = (model.items(), model.item_bias());
        let groups = groups(config, model.samples(), batch.users);
        let queries = model.queries();
        let draw = Draw { queries, groups, rng: step.rng, step: step.step };
        if proposal.reads_items() {
            replay_items(recording, inputs, None);
        }
        let positives =
            ItemsOf::Entries { items: batch.items.clone(), rows: batch.rows.clone(), entries: batch.entries };
        match reads_log_q(config) {
            [_, true] => proposal.record(recording, &draw, positives, samples),
            [of_candidates, false] => {
                proposal.prepare(recording, &draw);
                proposal.draw(recording, &draw, &samples.negatives);
                if of_candidates {
                    let items = ItemsOf::Candidates(samples.negatives.clone());
                    let log_q = samples.negative_log_q.clone();
                    proposal.log_q(recording, &draw, &[Wanted { items, log_q }]);
                }
            }
        }
        recording.push(Transpose {
            positives: batch.items.clone(),
            entries: batch.entries,
            samples: groups.samples,
            negatives: Some(samples.negatives.clone()),
            candidates: groups.total(),
            items: table.rows,
            lists: lists.clone(),
        });
        if !proposal.reads_items() {
            replay_items(recording, inputs, Some(lists));
        }
        let loss = SampledLoss {
            queries: queries.clone(),
            table: table.parameter.value.clone(),
            item_bias: bias.map(|bias| bias.parameter.value.clone()),
            width: table.width,
            groups,
            batch_offsets: batch.offsets.clone(),
            batch_items: batch.items.clone(),
            entries: batch.entries,
            longest: batch.longest,
            negatives: samples.negatives.clone(),
            negative_log_q: samples.negative_log_q.clone(),
            positive_log_q: samples.positive_log_q.clone(),
            partition: config.objective.partition,
            scale: 1.0 / (groups.samples * step.users) as f32,
            nll: nll.clone(),
            positive: positive.clone(),
            negative: negative.clone(),
            query_gradient: model.query_gradients().clone(),
        };
        #[cfg(feature = "baselines")]
        if let Some(pairs) = config.pairs {
            recording.push(PairwiseLoss { rows: loss, pairs, items: table.rows });
            return;
        }
        recording.push(loss);
    }

    /// The lists of the items that the loss touches.
    #[cfg(feature = "baselines")]
    pub fn lists(&self) -> &ItemLists {
        &self.lists
    }

    /// The gradients of the item rows and biases.
    pub fn gradients(&self, config: &Steps, model: &dyn Trainable, batch: &Batch) -> RowGradient {
        let gradient = RankOne {
            vectors: model.queries().clone(),
            rows: batch.rows.clone(),
            entries: batch.entries,
            positive: self.positive.clone(),
            negative: Some(self.negative.clone()),
            groups: groups(config, model.samples(), batch.users),
        };
        let of_bias = RankOne { vectors: self.ones.clone(), ..gradient.clone() };
        let mut tables = vec![(model.items().clone(), gradient)];
        tables.extend(model.item_bias().map(|bias| (bias.clone(), of_bias)));
        RowGradient { lists: self.lists.clone(), tables }
    }
}

/// Whether the loss reads log q of candidates, and that of positives.
fn reads_log_q(config: &Steps) -> [bool; 2] {
    #[cfg(feature = "baselines")]
    if let Some(pairs) = config.pairs {
        return [pairs.comparison == Comparison::Importance, false];
    }
    let _ = config;
    [true, true]
}

fn groups(config: &Steps, samples: usize, users: usize) -> Groups {
    Groups { batch: users, samples, size: config.proposal.group_size, candidates: config.proposal.negatives }
}

/// Applies the steps that rows of the item tables skipped, before the rows are read. Without `lists`, to all
/// rows.
pub fn replay_items(recording: &mut Recording, inputs: &StepInputs<'_>, lists: Option<&ItemLists>) {
    let (model, update) = (inputs.model, inputs.step.update);
    update.replay(recording, lists, model.items());
    if let Some(bias) = model.item_bias() {
        update.replay(recording, lists, bias);
    }
}
