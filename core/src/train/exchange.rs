//! Several processes that train one model: each computes the gradients of its part of every batch, and all
//! apply the sums.
//!
//! Every process holds all parameters and all histories. A batch is cut into runs of users, one for each
//! process, so that users who share negatives stay together; random numbers are those of the whole batch, so
//! the processes draw the same dropout masks, noise and negatives as one process would. After the exchange all
//! processes sum the same numbers in the same order, so their parameters stay the same bits. They differ from
//! those of one process by the rounding of sums in another order.

#![cfg_attr(not(feature = "ranks"), allow(dead_code, reason = "a run has no other processes then"))]

use std::{ops::Range, sync::Arc};

use super::inputs::{StepGradients, StepInputs};
use crate::{
    Error, Result,
    engine::{Buffer, Engine, Recording},
    kernels::{Groups, ItemLists, RankOne, RowGradients, Transpose},
    model::Batch,
    optimizer::RowGradient,
};

/// How the processes of a run send each other their gradients.
///
/// All processes call the same methods in the same order, as a [`super::Trainer`] does if it has the same
/// settings and data and its caller calls the same methods. If one process fails, the calls of the others must
/// return an error instead of waiting for it.
///
/// ```
/// use fastvae::{Result, train::Exchange};
///
/// /// A cluster of one process.
/// struct Alone;
///
/// impl Exchange for Alone {
///     fn rank(&self) -> usize {
///         0
///     }
///
///     fn ranks(&self) -> usize {
///         1
///     }
///
///     fn all_gather(&self, words: Vec<u32>) -> Result<Vec<Vec<u32>>> {
///         Ok(vec![words])
///     }
/// }
///
/// let mut values = [1.0, 2.0];
/// Alone.all_reduce(&mut values)?;
/// assert_eq!(values, [1.0, 2.0]);
/// # Ok::<(), fastvae::Error>(())
/// ```
pub trait Exchange: Send + Sync {
    /// The number of this process, from 0.
    fn rank(&self) -> usize;

    /// The number of processes.
    fn ranks(&self) -> usize;

    /// Sends `words` to all processes; returns the words of every process, by rank.
    ///
    /// # Errors
    /// If another process has failed or cannot be reached.
    fn all_gather(&self, words: Vec<u32>) -> Result<Vec<Vec<u32>>>;

    /// Replaces `values` by their sums over all processes. All processes must get the same bits; this
    /// implementation adds by rank.
    ///
    /// # Errors
    /// As [`Exchange::all_gather`], and [`Error::Data`] if processes have different numbers of values.
    fn all_reduce(&self, values: &mut [f32]) -> Result<()> {
        let all = self.all_gather(bytemuck::cast_slice(values).to_vec())?;
        for (rank, words) in all.iter().enumerate() {
            if words.len() != values.len() {
                return Err(misfit(rank));
            }
            for (value, &word) in values.iter_mut().zip(words) {
                let of_rank = f32::from_bits(word);
                *value = if rank == 0 { of_rank } else { *value + of_rank };
            }
        }
        Ok(())
    }
}

fn misfit(rank: usize) -> Error {
    Error::Data(format!(
        "the gradients of process {rank} do not fit this run; start all processes with the same program, settings and data"
    ))
}

/// The users of a batch that process `rank` of `ranks` computes, if `group_size` consecutive users share negatives.
fn part(rank: usize, ranks: usize, batch: usize, group_size: usize) -> Range<usize> {
    let groups = batch.div_ceil(group_size);
    let cut = |rank: usize| (rank * groups / ranks).saturating_mul(group_size).min(batch);
    cut(rank)..cut(rank + 1)
}

/// The buffers of an exchange.
pub struct Exchanged {
    engine: Engine,
    exchange: Arc<dyn Exchange>,
    /// By the order of [`StepGradients::rows`].
    rows: Vec<RowBuffers>,
    /// Queries of all processes, if a proposal observes them.
    queries: Option<Buffer<f32>>,
    /// Without the feature there is no value of this type, and a compiler leaves out all that needs one.
    #[cfg(not(feature = "ranks"))]
    never: std::convert::Infallible,
}

/// The buffers of one [`RowGradient`].
struct RowBuffers {
    /// Gradients of the rows that this process touches, for each table.
    own: Vec<Buffer<f32>>,
    /// Rows that any process touches; one that several touch is listed for each.
    ids: Buffer<u32>,
    /// Their gradients, for each table.
    all: Vec<Buffer<f32>>,
    lists: ItemLists,
    /// 0, 1, 2, ..
    places: Buffer<u32>,
    ones: Buffer<f32>,
}

impl RowBuffers {
    fn new(engine: &Engine, gradient: &RowGradient, ranks: usize) -> Result<Self> {
        let (own, items) = (gradient.lists.capacity(), gradient.tables.first().map_or(0, |(t, _)| t.rows));
        let all = own.saturating_mul(ranks);
        let of_tables = |label, rows: usize| -> Result<Vec<_>> {
            gradient.tables.iter().map(|(table, _)| engine.zeros(label, rows * table.width)).collect()
        };
        Ok(Self {
            own: of_tables("row gradients", own)?,
            ids: engine.zeros("rows of all processes", all)?,
            all: of_tables("row gradients of all processes", all)?,
            lists: ItemLists::new(engine, all, items)?,
            places: engine.upload("places", &(0..all as u32).collect::<Vec<_>>())?,
            ones: engine.upload("ones", &vec![1.0; all])?,
        })
    }
}

impl Exchanged {
    /// Allocates buffers for the gradients of a step; the lists of `gradients` may be empty.
    ///
    /// # Errors
    /// If the engine cannot hold them.
    #[cfg(feature = "ranks")]
    pub fn new(engine: &Engine, exchange: Arc<dyn Exchange>, gradients: &StepGradients) -> Result<Self> {
        let ranks = exchange.ranks();
        let rows = gradients.rows.iter().map(|gradient| RowBuffers::new(engine, gradient, ranks));
        Ok(Self { rows: rows.collect::<Result<_>>()?, engine: engine.clone(), exchange, queries: None })
    }

    /// Appends the kernels that store the gradients of rows.
    pub fn record_rows(&self, recording: &mut Recording, gradients: &[RowGradient]) {
        for (gradient, buffers) in gradients.iter().zip(&self.rows) {
            let last = gradient.tables.len().saturating_sub(1);
            for (at, ((table, of_table), output)) in gradient.tables.iter().zip(&buffers.own).enumerate() {
                recording.push(RowGradients {
                    lists: gradient.lists.clone(),
                    gradient: of_table.clone(),
                    width: table.width,
                    clear: at == last,
                    output: output.clone(),
                });
            }
        }
    }

    /// The part of a batch of `batch` users that this process computes; `group_size` consecutive users share
    /// negatives.
    pub fn part(&self, batch: usize, group_size: usize) -> Range<usize> {
        part(self.exchange.rank(), self.exchange.ranks(), batch, group_size)
    }

    /// Replaces numbers by their sums over all processes.
    ///
    /// # Errors
    /// As [`Exchange::all_reduce`].
    pub fn sum(&self, values: &mut [f32]) -> Result<()> {
        self.exchange.all_reduce(values)
    }

    /// Exchanges the gradients that a step has stored, and applies their sums.
    ///
    /// # Errors
    /// As [`Exchange::all_gather`], and if the device is lost.
    pub async fn apply(
        &mut self,
        batch: &Batch,
        inputs: &StepInputs<'_>,
        gradients: StepGradients,
    ) -> Result<()> {
        let update = inputs.step.update;
        let (message, mut dense) = self.read(batch, inputs, &gradients).await?;
        let messages = self.exchange.all_gather(message)?;
        self.exchange.all_reduce(&mut dense)?;
        let mut recording = Recording::new();
        let mut messages: Vec<_> = messages.iter().map(|words| Message { words }).collect();
        for (gradient, buffers) in gradients.rows.iter().zip(&self.rows) {
            let gathered = buffers.gather(&self.engine, &mut messages, gradient)?;
            recording.push(Transpose {
                positives: buffers.ids.clone(),
                entries: gathered.tables.first().map_or(0, |(_, gradient)| gradient.entries),
                samples: 1,
                negatives: None,
                candidates: 0,
                items: gradient.tables.first().map_or(0, |(table, _)| table.rows),
                lists: gathered.lists.clone(),
            });
            for (table, _) in &gathered.tables {
                update.replay(&mut recording, Some(&gathered.lists), table);
            }
            update.rows(&mut recording, gathered);
        }
        let mut rest = &dense[..];
        for gradient in gradients.dense {
            let (values, others) = rest.split_at(gradient.len);
            self.engine.write(&gradient.gradient, 0, values)?;
            update.dense(&mut recording, gradient);
            rest = others;
        }
        if let Some(proposal) = inputs.proposal.filter(|_| inputs.observes()) {
            let queries: Vec<f32> = messages
                .iter()
                .flat_map(|rest| bytemuck::cast_slice::<u32, f32>(rest.words))
                .copied()
                .collect();
            let rows = inputs.step.users * inputs.model.samples();
            if queries.len() != rows * inputs.model.items().width {
                return Err(misfit(self.exchange.rank()));
            }
            let buffer = match &self.queries {
                Some(buffer) if buffer.len() >= queries.len() => buffer.clone(),
                _ => self.queries.insert(self.engine.zeros("queries", queries.len())?).clone(),
            };
            self.engine.write(&buffer, 0, &queries)?;
            proposal.observe(&mut recording, &buffer, rows);
        }
        self.engine.run(&recording)
    }

    /// What this process sends: for each gradient of rows the number of rows, their ids, and for each table
    /// their gradients; then the queries, if they are observed. And the dense gradients, one after the other.
    async fn read(
        &self,
        batch: &Batch,
        inputs: &StepInputs<'_>,
        gradients: &StepGradients,
    ) -> Result<(Vec<u32>, Vec<f32>)> {
        if batch.users == 0 {
            let dense = gradients.dense.iter().map(|gradient| gradient.len).sum();
            return Ok((vec![0; gradients.rows.len()], vec![0.0; dense]));
        }
        let lists: Vec<_> = gradients.rows.iter().map(|gradient| &gradient.lists).collect();
        let touched = ItemLists::read_touched(&self.engine, &lists).await?;
        let mut parts = Vec::new();
        for ((gradient, buffers), touched) in gradients.rows.iter().zip(&self.rows).zip(&touched) {
            for ((table, _), values) in gradient.tables.iter().zip(&buffers.own) {
                parts.push((values, 0..touched.len() * table.width));
            }
        }
        if inputs.observes() {
            let rows = batch.users * inputs.model.samples();
            parts.push((inputs.model.queries(), 0..rows * inputs.model.items().width));
        }
        let sent = parts.len();
        parts.extend(gradients.dense.iter().map(|dense| (&dense.gradient, 0..dense.len)));
        let read = self.engine.read_ranges(&parts).await?;
        let mut message = Vec::new();
        let mut floats = read[..sent].iter();
        for (gradient, touched) in gradients.rows.iter().zip(&touched) {
            message.push(touched.len() as u32);
            message.extend(touched);
            for values in floats.by_ref().take(gradient.tables.len()) {
                message.extend_from_slice(bytemuck::cast_slice(values));
            }
        }
        floats.for_each(|queries| message.extend_from_slice(bytemuck::cast_slice(queries)));
        Ok((message, read[sent..].concat()))
    }
}

impl RowBuffers {
    /// Takes the gradient from the messages and uploads it: a sum in which the entries are the rows of all
    /// processes by rank, each with its own vector and coefficient 1.
    fn gather(
        &self,
        engine: &Engine,
        messages: &mut [Message<'_>],
        gradient: &RowGradient,
    ) -> Result<RowGradient> {
        let mut ids: Vec<u32> = Vec::new();
        let mut values = vec![Vec::new(); gradient.tables.len()];
        for (rank, message) in messages.iter_mut().enumerate() {
            let mut take = |count: usize| message.take(count).ok_or_else(|| misfit(rank));
            let count = take(1)?[0] as usize;
            ids.extend(take(count)?);
            for ((table, _), values) in gradient.tables.iter().zip(&mut values) {
                let words = take(count.saturating_mul(table.width))?;
                values.extend(bytemuck::cast_slice::<u32, f32>(words));
            }
            if ids.iter().any(|&id| gradient.tables.iter().any(|(table, _)| id as usize >= table.rows)) {
                return Err(misfit(rank));
            }
        }
        engine.write(&self.ids, 0, &ids)?;
        for (buffer, values) in self.all.iter().zip(&values) {
            engine.write(buffer, 0, values)?;
        }
        let groups = Groups { batch: ids.len().max(1), samples: 1, size: 1, candidates: 0 };
        let of_table = |vectors: &Buffer<f32>| RankOne {
            vectors: vectors.clone(),
            rows: self.places.clone(),
            entries: ids.len(),
            positive: self.ones.clone(),
            negative: None,
            groups,
        };
        let tables = gradient.tables.iter().zip(&self.all);
        let tables = tables.map(|((table, _), all)| (table.clone(), of_table(all))).collect();
        Ok(RowGradient { lists: self.lists.clone(), tables })
    }
}

/// The words of another process that have not been read yet.
struct Message<'a> {
    words: &'a [u32],
}

impl<'a> Message<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u32]> {
        let (taken, rest) = self.words.split_at_checked(count)?;
        self.words = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_a_batch_and_cut_no_group() {
        for (ranks, batch, group_size) in
            [(1, 7, 1), (2, 7, 1), (3, 7, 3), (3, 1, 1), (4, 10, 3), (2, 5, usize::MAX)]
        {
            let mut end = 0;
            for rank in 0..ranks {
                let part = part(rank, ranks, batch, group_size);
                assert_eq!(part.start, end);
                assert!(part.end == batch || part.end.is_multiple_of(group_size));
                end = part.end;
            }
            assert_eq!(end, batch);
        }
    }
}
