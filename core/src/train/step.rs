//! One step as a list of kernels; [`StepPlan::record`] shows the whole algorithm.

use crate::{
    Result,
    config::{Config, Objective},
    data::Csr,
    engine::{Buffer, Engine, Recording},
    kernels::{
        Adam, ColumnSum, GatherBatch, Groups, ItemLists, ItemsOf, MatMul, RankOne, SampledLoss,
        SoftmaxAccumulate, SoftmaxGradient, SumLoss, Transpose, View,
    },
    model::{Batch, Sizes, TrainStep, Trainable},
    proposal::{Draw, Proposal, Samples},
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
    steps_per_epoch: u32,
}

/// The buffers of the last layer and the loss.
#[allow(clippy::large_enum_variant, reason = "one a run")]
enum Head {
    Full {
        logits: Buffer<f32>,
        maximum: Buffer<f32>,
        sum: Buffer<f32>,
        rows_gradient: Buffer<f32>,
        bias_gradient: Buffer<f32>,
        /// Items per block.
        block: usize,
    },
    Sampled {
        samples: Samples,
        positive: Buffer<f32>,
        negative: Buffer<f32>,
        lists: ItemLists,
        /// R ones, in place of the queries in the gradient of the item biases.
        ones: Buffer<f32>,
    },
}

/// The inputs of a step.
#[derive(Clone, Copy)]
pub struct StepInputs<'a> {
    /// The run's settings.
    pub config: &'a Config,
    /// The trained model.
    pub model: &'a dyn Trainable,
    /// The source of negatives; `None` for the full softmax.
    pub proposal: Option<&'a dyn Proposal>,
    /// Histories of all users.
    pub train: &'a Csr,
    /// Users of the batch.
    pub users: &'a [u32],
    /// Step of the epoch, counted from 0.
    pub slot: usize,
    /// Adam's coefficients for the step, and how rows are updated.
    pub step: TrainStep<'a>,
}

/// The most logits of a step that are stored whole (64 MiB). If they fit, the second sweep need not compute
/// them again, which saves a quarter of the products of a step.
const KEPT_LOGITS: usize = 1 << 24;
/// Logits per block of items on the CPU: a block fits a second-level cache.
const CPU_BLOCK_LOGITS: usize = 1 << 18;
/// Logits per block of items on a GPU: a block is enough to occupy it.
const GPU_BLOCK_LOGITS: usize = 1 << 20;

/// Steps between calls of [`Proposal::observe`].
const OBSERVE_EVERY: u32 = 8;

impl StepPlan {
    pub fn new(
        engine: &Engine,
        config: &Config,
        train: &Csr,
        model: &dyn Trainable,
        sizes: Sizes,
        steps_per_epoch: u32,
    ) -> Result<Self> {
        let (samples, Sizes { items, users: batch, entries }) = (model.samples(), sizes);
        let rows = batch * samples;
        let head = if config.objective.kind == Objective::FullSoftmax {
            let logits = if engine.is_cpu() { CPU_BLOCK_LOGITS } else { GPU_BLOCK_LOGITS };
            let block = if rows * items <= KEPT_LOGITS { items } else { (logits / rows).max(64).min(items) };
            Head::Full {
                logits: engine.zeros("logits of a block", rows * block)?,
                maximum: engine.zeros("largest logits", rows)?,
                sum: engine.zeros("partition sums", rows)?,
                rows_gradient: engine.zeros("item gradients of a block", block * model.items().width)?,
                bias_gradient: engine.zeros("bias gradients of a block", block)?,
                block,
            }
        } else {
            let groups = groups(config, samples, batch);
            Head::Sampled {
                samples: Samples {
                    negatives: engine.zeros("negatives", groups.total())?,
                    negative_log_q: engine.zeros("log q of negatives", groups.total())?,
                    positive_log_q: engine.zeros("log q of positives", samples * entries)?,
                },
                positive: engine.zeros("coefficients of positives", samples * entries)?,
                negative: engine.zeros("coefficients of negatives", rows * groups.candidates)?,
                lists: ItemLists::new(engine, samples * entries + groups.total(), items)?,
                ones: engine.upload("ones", &vec![1.0; rows])?,
            }
        };
        Ok(Self {
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

    /// nll and kl of each step of the epoch.
    pub fn losses(&self) -> &Buffer<f32> {
        &self.losses
    }

    /// Steps per epoch.
    pub fn steps_per_epoch(&self) -> u32 {
        self.steps_per_epoch
    }

    /// Appends the kernels of a step.
    pub fn record(&self, engine: &Engine, inputs: &StepInputs<'_>) -> Recording {
        let &StepInputs { model, proposal, train, users, slot, ref step, .. } = inputs;
        let mut recording = Recording::new();
        let batch = match self.upload_batch(engine, train, users) {
            Ok(batch) => batch,
            Err(error) => {
                recording.fail(error);
                return recording;
            }
        };
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
        model.record_forward(&mut recording, &batch, step);
        match (&self.head, proposal) {
            (Head::Sampled { .. }, Some(proposal)) => {
                self.record_sampled(&mut recording, inputs, proposal, &batch);
            }
            _ => self.record_full(&mut recording, inputs, &batch),
        }
        model.record_backward(&mut recording, &batch, step);
        recording.push(SumLoss {
            nll: self.nll.clone(),
            rows: batch.users * model.samples(),
            kl: model.divergence().clone(),
            batch: batch.users,
            slot,
            losses: self.losses.clone(),
        });
        recording
    }

    fn upload_batch(&self, engine: &Engine, train: &Csr, users: &[u32]) -> Result<Batch> {
        let mut offsets = Vec::with_capacity(users.len() + 1);
        let mut end = 0;
        offsets.push(end);
        for &user in users {
            end += train.row(user as usize).len() as u32;
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
        })
    }

    /// Appends the draw of negatives, the sampled softmax, and the update of the touched item rows.
    fn record_sampled(
        &self,
        recording: &mut Recording,
        inputs: &StepInputs<'_>,
        proposal: &dyn Proposal,
        batch: &Batch,
    ) {
        let Head::Sampled { samples, positive, negative, lists, ones } = &self.head else { return };
        let &StepInputs { config, model, ref step, .. } = inputs;
        let (table, bias) = (model.items(), model.item_bias());
        let groups = groups(config, model.samples(), batch.users);
        let queries = model.queries();
        let draw = Draw { queries, groups, rng: step.rng, step: step.step };
        if step.step.is_multiple_of(OBSERVE_EVERY) {
            proposal.observe(recording, queries, groups.rows());
        }
        if proposal.reads_items() {
            replay_items(recording, inputs, None);
        }
        let positives =
            ItemsOf::Entries { items: batch.items.clone(), rows: batch.rows.clone(), entries: batch.entries };
        proposal.record(recording, &draw, positives, samples);
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
        recording.push(SampledLoss {
            queries: queries.clone(),
            table: table.parameter.value.clone(),
            item_bias: bias.map(|bias| bias.parameter.value.clone()),
            width: table.width,
            groups,
            batch_offsets: batch.offsets.clone(),
            batch_items: batch.items.clone(),
            entries: batch.entries,
            negatives: samples.negatives.clone(),
            negative_log_q: samples.negative_log_q.clone(),
            positive_log_q: samples.positive_log_q.clone(),
            partition: config.objective.partition,
            nll: self.nll.clone(),
            positive: positive.clone(),
            negative: negative.clone(),
            query_gradient: model.query_gradients().clone(),
        });
        let gradient = RankOne {
            vectors: queries.clone(),
            rows: batch.rows.clone(),
            entries: batch.entries,
            positive: positive.clone(),
            negative: Some(negative.clone()),
            groups,
        };
        step.update.rows(recording, lists, gradient.clone(), table, bias.is_none());
        if let Some(bias) = bias {
            step.update.rows(recording, lists, RankOne { vectors: ones.clone(), ..gradient }, bias, true);
        }
    }

    /// Appends the full softmax in two sweeps over blocks of items; the second updates each block's rows.
    /// With a single block, the second sweep reuses its logits.
    fn record_full(&self, recording: &mut Recording, inputs: &StepInputs<'_>, batch: &Batch) {
        let Head::Full { logits, maximum, sum, rows_gradient, bias_gradient, block } = &self.head else {
            return;
        };
        let (model, adam, samples) = (inputs.model, inputs.step.update.adam, inputs.model.samples());
        let (rows, width, items) = (batch.users * samples, model.items().width, model.items().rows);
        let (queries, query_gradients) = (model.queries(), model.query_gradients());
        let table = &model.items().parameter;
        let bias = model.item_bias().map(|bias| &bias.parameter);
        let blocks = || (0..items).step_by(*block).map(|start| (start, (*block).min(items - start)));
        let score = |start: usize, count: usize| {
            let rows_of_block = View::rows(&table.value, width).from_row(start).transposed();
            let mut product = MatMul::new(
                rows,
                count,
                width,
                View::rows(queries, width),
                rows_of_block,
                View::rows(logits, count),
            );
            product.bias = bias.map(|bias| bias.value.clone());
            product.bias_offset = start;
            product
        };
        for (start, count) in blocks() {
            recording.push(score(start, count));
            recording.push(SoftmaxAccumulate {
                logits: logits.clone(),
                rows,
                block: count,
                first: start == 0,
                maximum: maximum.clone(),
                sum: sum.clone(),
            });
        }
        for (start, count) in blocks() {
            if *block < items {
                recording.push(score(start, count));
            }
            recording.push(SoftmaxGradient {
                logits: logits.clone(),
                batch: batch.users,
                samples,
                block: count,
                block_start: start,
                maximum: maximum.clone(),
                sum: sum.clone(),
                batch_offsets: batch.offsets.clone(),
                batch_items: batch.items.clone(),
                scale: 1.0 / rows as f32,
                nll: self.nll.clone(),
            });
            let mut to_queries = MatMul::new(
                rows,
                width,
                count,
                View::rows(logits, count),
                View::rows(&table.value, width).from_row(start),
                View::rows(query_gradients, width),
            );
            to_queries.beta = if start == 0 { 0.0 } else { 1.0 };
            recording.push(to_queries);
            recording.push(MatMul::new(
                count,
                width,
                rows,
                View::rows(logits, count).transposed(),
                View::rows(queries, width),
                View::rows(rows_gradient, width),
            ));
            recording.push(Adam {
                gradient: rows_gradient.clone(),
                parameter: table.clone(),
                offset: start * width,
                len: count * width,
                step: adam,
            });
            if let Some(bias) = bias {
                recording.push(ColumnSum {
                    values: logits.clone(),
                    rows,
                    columns: count,
                    output: bias_gradient.clone(),
                });
                recording.push(Adam {
                    gradient: bias_gradient.clone(),
                    parameter: bias.clone(),
                    offset: start,
                    len: count,
                    step: adam,
                });
            }
        }
    }
}

fn groups(config: &Config, samples: usize, users: usize) -> Groups {
    Groups { batch: users, samples, share: config.proposal.group_size, candidates: config.proposal.negatives }
}

/// Applies the steps that rows of the item tables skipped, before the rows are read. Without `lists`, to all
/// rows.
fn replay_items(recording: &mut Recording, inputs: &StepInputs<'_>, lists: Option<&ItemLists>) {
    let (model, update) = (inputs.model, inputs.step.update);
    update.replay(recording, lists, model.items());
    if let Some(bias) = model.item_bias() {
        update.replay(recording, lists, bias);
    }
}
