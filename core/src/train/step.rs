//! One step as a list of kernels. Read [`StepPlan::record`] from top to bottom: it is the algorithm.

use crate::{
    Result,
    config::{Config, Objective, RowUpdates},
    data::Csr,
    engine::{Buffer, Engine, Recording},
    kernels::{
        Adam, AdamStep, ColumnSum, GatherBatch, Groups, ItemLists, ItemsOf, MatMul, RankOne, Reach,
        ReplayRows, SampledLoss, SoftmaxAccumulate, SoftmaxGradient, SumLoss, Table, Transpose, UpdateRows,
        View,
    },
    model::{Activations, Batch, Gradients, Mode, Parameters, Step},
    proposal::{Draw, Proposal, Samples},
    rng::Rng,
};

/// The buffers of a step, sized for the largest batch.
pub struct StepPlan {
    history_offsets: Buffer<u32>,
    history_items: Buffer<u32>,
    users: Buffer<u32>,
    batch_offsets: Buffer<u32>,
    batch_items: Buffer<u32>,
    batch_rows: Buffer<u32>,
    forward: Activations,
    gradients: Gradients,
    encoder_lists: ItemLists,
    nll: Buffer<f32>,
    losses: Buffer<f32>,
    head: Head,
    steps_per_epoch: u32,
}

/// The buffers of the last layer and its loss.
#[allow(clippy::large_enum_variant, reason = "one a run")]
enum Head {
    Full {
        logits: Buffer<f32>,
        maximum: Buffer<f32>,
        sum: Buffer<f32>,
        rows_gradient: Buffer<f32>,
        bias_gradient: Buffer<f32>,
        /// Items a block.
        block: usize,
    },
    Sampled {
        samples: Samples,
        positive: Buffer<f32>,
        negative: Buffer<f32>,
        lists: ItemLists,
        /// R ones: what an item bias is multiplied with.
        ones: Buffer<f32>,
    },
}

/// What differs from one step to the next, beside the batch.
pub struct StepScalars {
    /// Step of the run, counted from 1.
    pub step: u32,
    /// Step of the epoch, counted from 0.
    pub slot: usize,
    /// The optimiser's.
    pub adam: AdamStep,
    /// Weight of the divergence.
    pub beta: f32,
    /// The run's random scalars.
    pub rng: Rng,
}

/// Logits of a step that are kept whole, 64 MiB of them: the second sweep then need not compute them again,
/// a quarter of the products of a step.
const KEPT_LOGITS: usize = 1 << 24;
/// Logits of a block of items that stay in a second-level cache on the CPU.
const CPU_BLOCK_LOGITS: usize = 1 << 18;
/// Logits of a block that give a GPU enough to do.
const GPU_BLOCK_LOGITS: usize = 1 << 20;

/// Steps between calls of [`Proposal::observe`].
const OBSERVE_EVERY: u32 = 8;

impl StepPlan {
    pub fn new(
        engine: &Engine,
        config: &Config,
        train: &Csr,
        users: &[u32],
        batch: usize,
        steps_per_epoch: u32,
    ) -> Result<Self> {
        let (items, samples) = (train.columns(), config.model.latent_samples);
        let rows = batch * samples;
        let mut lengths: Vec<usize> = users.iter().map(|&u| train.row(u as usize).len()).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        let entries: usize = lengths[..batch].iter().sum();
        let head = if config.objective.kind == Objective::FullSoftmax {
            let logits = if engine.is_cpu() { CPU_BLOCK_LOGITS } else { GPU_BLOCK_LOGITS };
            let block = if rows * items <= KEPT_LOGITS { items } else { (logits / rows).max(64).min(items) };
            Head::Full {
                logits: engine.zeros("logits of a block", rows * block)?,
                maximum: engine.zeros("largest logits", rows)?,
                sum: engine.zeros("partition sums", rows)?,
                rows_gradient: engine
                    .zeros("item gradients of a block", block * config.model.item_width())?,
                bias_gradient: engine.zeros("bias gradients of a block", block)?,
                block,
            }
        } else {
            let groups = groups(config, batch);
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
            forward: Activations::new(engine, &config.model, batch, entries, samples)?,
            gradients: Gradients::new(engine, &config.model, batch, samples)?,
            encoder_lists: ItemLists::new(engine, entries, items)?,
            nll: engine.zeros("losses of rows", rows)?,
            losses: engine.zeros("losses of steps", 2 * steps_per_epoch as usize)?,
            head,
            steps_per_epoch,
        })
    }

    /// nll and kl of each step of the epoch, side by side.
    pub fn losses(&self) -> &Buffer<f32> {
        &self.losses
    }

    /// Steps of an epoch.
    pub fn steps_per_epoch(&self) -> u32 {
        self.steps_per_epoch
    }

    /// The kernels of a step on `users`.
    pub fn record(
        &self,
        engine: &Engine,
        config: &Config,
        parameters: &Parameters,
        proposal: Option<&dyn Proposal>,
        train: &Csr,
        users: &[u32],
        scalars: StepScalars,
        schedule: &Buffer<f32>,
    ) -> Recording {
        let samples = config.model.latent_samples;
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
        recording.push(Transpose {
            positives: batch.items.clone(),
            entries: batch.entries,
            samples: 1,
            negatives: None,
            candidates: 0,
            items: parameters.encoder.rows,
            lists: self.encoder_lists.clone(),
        });
        let rows = RowRule { config, schedule, scalars: &scalars };
        rows.replay(&mut recording, Some(&self.encoder_lists), &parameters.encoder);
        let mode = Mode::Train { rng: scalars.rng, step: scalars.step };
        self.forward.record(&mut recording, &config.model, &parameters.values(), &batch, samples, &mode);
        match (&self.head, proposal) {
            (Head::Sampled { .. }, Some(proposal)) => {
                self.record_sampled(&mut recording, config, parameters, proposal, &batch, &rows);
            }
            _ => self.record_full(&mut recording, config, parameters, &batch, &scalars),
        }
        let step = Step { adam: scalars.adam, beta: scalars.beta, rng: scalars.rng, step: scalars.step };
        self.gradients.record(
            &mut recording,
            &config.model,
            parameters,
            &self.forward,
            &batch,
            samples,
            step,
        );
        let gradient = RankOne {
            vectors: self.gradients.hidden.clone(),
            rows: batch.rows.clone(),
            entries: batch.entries,
            positive: self.forward.weights.clone(),
            negative: None,
            groups: Groups { batch: batch.users, samples: 1, share: 1, candidates: 0 },
        };
        rows.update(&mut recording, &self.encoder_lists, gradient, &parameters.encoder, true);
        recording.push(SumLoss {
            nll: self.nll.clone(),
            rows: batch.users * samples,
            kl: self.forward.kl.clone(),
            batch: batch.users,
            slot: scalars.slot,
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

    /// Negatives, the sampled softmax, and the update of the item rows it touched.
    fn record_sampled(
        &self,
        recording: &mut Recording,
        config: &Config,
        parameters: &Parameters,
        proposal: &dyn Proposal,
        batch: &Batch,
        rows: &RowRule<'_>,
    ) {
        let Head::Sampled { samples, positive, negative, lists, ones } = &self.head else { return };
        let groups = groups(config, batch.users);
        let queries = self.forward.queries();
        let draw = Draw { queries, groups, rng: rows.scalars.rng, step: rows.scalars.step };
        if rows.scalars.step.is_multiple_of(OBSERVE_EVERY) {
            proposal.observe(recording, queries, groups.rows());
        }
        if proposal.reads_items() {
            rows.replay_items(recording, None, parameters);
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
            items: parameters.items.rows,
            lists: lists.clone(),
        });
        if !proposal.reads_items() {
            rows.replay_items(recording, Some(lists), parameters);
        }
        recording.push(SampledLoss {
            queries: queries.clone(),
            table: parameters.items.parameter.value.clone(),
            item_bias: parameters.item_bias.as_ref().map(|bias| bias.parameter.value.clone()),
            width: parameters.items.width,
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
            query_gradient: self.gradients.queries.clone(),
        });
        let gradient = RankOne {
            vectors: queries.clone(),
            rows: batch.rows.clone(),
            entries: batch.entries,
            positive: positive.clone(),
            negative: Some(negative.clone()),
            groups,
        };
        rows.update(recording, lists, gradient.clone(), &parameters.items, parameters.item_bias.is_none());
        if let Some(bias) = &parameters.item_bias {
            rows.update(recording, lists, RankOne { vectors: ones.clone(), ..gradient }, bias, true);
        }
    }

    /// The full softmax in two sweeps over blocks of items; the second updates each block's rows. A single block
    /// still holds its logits when the second sweep comes.
    fn record_full(
        &self,
        recording: &mut Recording,
        config: &Config,
        parameters: &Parameters,
        batch: &Batch,
        scalars: &StepScalars,
    ) {
        let Head::Full { logits, maximum, sum, rows_gradient, bias_gradient, block } = &self.head else {
            return;
        };
        let samples = config.model.latent_samples;
        let (rows, width, items) = (batch.users * samples, parameters.items.width, parameters.items.rows);
        let (queries, table) = (self.forward.queries(), &parameters.items.parameter);
        let bias = parameters.item_bias.as_ref().map(|bias| &bias.parameter);
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
                View::rows(&self.gradients.queries, width),
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
                step: scalars.adam,
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
                    step: scalars.adam,
                });
            }
        }
    }
}

fn groups(config: &Config, users: usize) -> Groups {
    Groups {
        batch: users,
        samples: config.model.latent_samples,
        share: config.proposal.group_size,
        candidates: config.proposal.negatives,
    }
}

/// How rows of the item tables are brought up to date and moved.
struct RowRule<'a> {
    config: &'a Config,
    schedule: &'a Buffer<f32>,
    scalars: &'a StepScalars,
}

impl RowRule<'_> {
    /// Before rows are read: the steps they skipped. Without `lists`, all rows of the table.
    fn replay(&self, recording: &mut Recording, lists: Option<&ItemLists>, table: &Table) {
        let optimizer = &self.config.optimizer;
        if optimizer.rows == RowUpdates::Replay {
            recording.push(ReplayRows {
                lists: lists.cloned(),
                table: table.clone(),
                schedule: self.schedule.clone(),
                beta1: optimizer.beta1,
                beta2: optimizer.beta2,
                l2: optimizer.l2,
                step: self.scalars.step - 1,
            });
        }
    }

    /// The same for the rows of the softmax and their biases.
    fn replay_items(&self, recording: &mut Recording, lists: Option<&ItemLists>, parameters: &Parameters) {
        self.replay(recording, lists, &parameters.items);
        if let Some(bias) = &parameters.item_bias {
            self.replay(recording, lists, bias);
        }
    }

    fn update(
        &self,
        recording: &mut Recording,
        lists: &ItemLists,
        gradient: RankOne,
        table: &Table,
        clear: bool,
    ) {
        recording.push(UpdateRows {
            lists: lists.clone(),
            gradient,
            table: table.clone(),
            adam: self.scalars.adam,
            reach: if self.config.optimizer.rows == RowUpdates::Dense { Reach::All } else { Reach::Touched },
            step: self.scalars.step,
            clear,
        });
    }
}
