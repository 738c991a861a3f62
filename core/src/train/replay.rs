//! Item rows that lag behind the run's step.

use crate::{
    Result,
    config::{Objective, RowUpdates, Steps},
    engine::{Buffer, Engine, Recording},
    kernels::{ReplayRows, Table},
    model::Trainable,
};

/// Applies the steps that rows have skipped, so that every row has the value that dense updates would have
/// given it.
pub(super) fn flush_rows(
    engine: &Engine,
    config: &Steps,
    model: &dyn Trainable,
    schedule: &Buffer<f32>,
    step: u64,
) -> Result<()> {
    let mut recording = Recording::new();
    for table in replayed_tables(config, model) {
        recording.push(ReplayRows {
            lists: None,
            table: table.clone(),
            schedule: schedule.clone(),
            beta1: config.optimizer.beta1,
            beta2: config.optimizer.beta2,
            l2: config.optimizer.l2,
            step: step as u32,
        });
    }
    engine.run(&recording)
}

/// The tables whose rows may lag behind the run's step. The full softmax applies Adam to all item rows and
/// biases in every step without writing `last_step`, so they never lag: a replay would apply their momentum
/// twice.
fn replayed_tables<'a>(config: &Steps, model: &'a dyn Trainable) -> Vec<&'a Table> {
    if config.optimizer.row_updates != RowUpdates::Replay {
        return Vec::new();
    }
    let mut tables = model.own_tables();
    if config.objective.kind != Objective::FullSoftmax {
        tables.push(model.items());
        tables.extend(model.item_bias());
    }
    tables
}
