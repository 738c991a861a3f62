//! Item rows that the encoder reads too: the gradients of both sides are summed before one update.

use crate::{
    Result,
    engine::{Buffer, Engine, Recording},
    kernels::{AddRowGradients, Groups, RankOne, RowGradients, Table},
    model::Trainable,
    optimizer::RowGradient,
};

/// The stored gradient of the rows that a step touches. The objective touches every item of a history, so all rows that
/// the encoder reads are among them.
pub(super) struct TiedRows {
    /// For item rows and biases: lists x width.
    sums: Vec<Buffer<f32>>,
    /// 0, 1, 2, ..
    numbers: Buffer<u32>,
    lengths: Buffer<u32>,
    coefficients: Buffer<f32>,
}

impl TiedRows {
    /// For at most `lists` rows.
    ///
    /// # Errors
    /// If the engine cannot hold the buffers.
    pub fn new(engine: &Engine, lists: usize, model: &dyn Trainable) -> Result<Self> {
        let of_table = |table: &Table| engine.zeros("row gradients", lists * table.width);
        let tables = std::iter::once(model.items()).chain(model.item_bias());
        Ok(Self {
            sums: tables.map(of_table).collect::<Result<_>>()?,
            numbers: engine.upload("numbers of lists", &(0..lists as u32).collect::<Vec<_>>())?,
            lengths: engine.upload("lengths of lists", &vec![1; lists])?,
            coefficients: engine.upload("ones", &vec![1.0; lists])?,
        })
    }

    /// Appends the kernels that store the objective's gradient, whose first table are the item rows, and add the model's.
    pub fn record(&self, recording: &mut Recording, objective: &RowGradient, model: Vec<RowGradient>) {
        for ((table, gradient), output) in objective.tables.iter().zip(&self.sums) {
            recording.push(RowGradients {
                lists: objective.lists.clone(),
                gradient: gradient.clone(),
                width: table.width,
                clear: false,
                output: output.clone(),
            });
        }
        for RowGradient { lists, tables } in model {
            for (table, gradient) in tables {
                recording.push(AddRowGradients {
                    lists: lists.clone(),
                    gradient,
                    width: table.width,
                    places: Some(objective.lists.clone()),
                    output: self.sums[0].clone(),
                });
            }
        }
    }

    /// What [`TiedRows::record`] stores, as a gradient with one entry a row: its own sum with the coefficient 1.
    pub fn gradient(&self, objective: RowGradient) -> RowGradient {
        let lists = objective.lists.with_one_entry_each(&self.numbers, &self.lengths);
        let entries = self.numbers.len();
        let of_table = |sums: &Buffer<f32>| RankOne {
            vectors: sums.clone(),
            rows: self.numbers.clone(),
            entries,
            positive: self.coefficients.clone(),
            negative: None,
            groups: Groups { batch: entries, samples: 1, size: 1, candidates: 0 },
        };
        let tables = objective.tables.into_iter().zip(&self.sums);
        RowGradient { lists, tables: tables.map(|((table, _), sums)| (table, of_table(sums))).collect() }
    }
}
