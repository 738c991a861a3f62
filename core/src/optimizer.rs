//! Adam's coefficients for every step of a run, computed in advance, and how a step applies its gradients.

use crate::{
    config::{OptimizerConfig, RowUpdates, Schedule},
    engine::{Buffer, Recording},
    kernels::{
        Adam, AdamStep, FLOATS_PER_STEP, ItemLists, Parameter, RankOne, Reach, ReplayRows, Table, UpdateRows,
    },
};

/// The learning rates of a run of known length. Steps count from 1.
#[derive(Clone, Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    steps_per_epoch: u64,
    steps: u64,
}

/// The final rate of the decaying schedules, as a share of the full rate.
const FLOOR: f64 = 0.01;

impl Optimizer {
    /// A schedule for `epochs` epochs of `steps_per_epoch` steps.
    pub fn new(config: &OptimizerConfig, epochs: u32, steps_per_epoch: u32) -> Self {
        let steps_per_epoch = u64::from(steps_per_epoch);
        Self { config: config.clone(), steps_per_epoch, steps: steps_per_epoch * u64::from(epochs) }
    }

    /// The learning rate of a step.
    pub fn rate(&self, step: u64) -> f64 {
        let done = (step - 1) as f64 / self.steps.max(1) as f64;
        let share = match self.config.schedule {
            Schedule::Constant => 1.0,
            Schedule::Cosine => FLOOR + (1.0 - FLOOR) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
            Schedule::Linear => 1.0 - (1.0 - FLOOR) * done,
            Schedule::Step => 0.95f64.powi(((step - 1) / self.steps_per_epoch.max(1) / 5) as i32),
        };
        f64::from(self.config.learning_rate) * share
    }

    /// Adam's coefficients of a step.
    pub fn step(&self, step: u64) -> AdamStep {
        let (rate, config) = (self.rate(step), &self.config);
        let correction = |beta: f32| 1.0 - f64::from(beta).powf(step as f64);
        AdamStep {
            rate: (rate / correction(config.beta1)) as f32,
            beta1: config.beta1,
            beta2: config.beta2,
            root: (1.0 / correction(config.beta2).sqrt()) as f32,
            epsilon: config.epsilon,
            keep: (1.0 - rate * f64::from(config.weight_decay)) as f32,
            l2: config.l2,
        }
    }

    /// The table that [`crate::kernels::ReplayRows`] reads, for steps 0 (all zero) to the last. If rows are
    /// not replayed, it holds step 0 only.
    pub fn schedule(&self) -> Vec<f32> {
        let config = &self.config;
        let mut table = vec![0.0; FLOATS_PER_STEP];
        if config.row_updates != RowUpdates::Replay {
            return table;
        }
        table.reserve_exact(self.steps as usize * FLOATS_PER_STEP);
        let mut log_decay = 0.0;
        for step in 1..=self.steps {
            let rate = self.rate(step);
            let correction = |beta: f32| 1.0 - f64::from(beta).powf(step as f64);
            let root = correction(config.beta2).sqrt();
            log_decay += (-rate * f64::from(config.weight_decay)).ln_1p();
            table.extend([
                (rate * root / correction(config.beta1)) as f32,
                (f64::from(config.epsilon) * root) as f32,
                log_decay as f32,
            ]);
        }
        table
    }
}

/// The gradient of the first elements of a parameter.
#[derive(Clone)]
pub struct DenseGradient {
    /// d loss / d value, the first `len` elements.
    pub gradient: Buffer<f32>,
    /// The parameter.
    pub parameter: Parameter,
    /// Elements.
    pub len: usize,
}

/// The gradient of the rows that a batch touches, of one or more tables with the same rows. It is a sum that
/// is not stored anywhere: whoever needs it computes it.
#[derive(Clone)]
pub struct RowGradient {
    /// The touched rows, and the entries that touch them.
    pub lists: ItemLists,
    /// The tables, and the contributions of the entries to each.
    pub tables: Vec<(Table, RankOne)>,
}

/// How a step updates parameters.
#[derive(Clone, Copy)]
pub struct Update<'a> {
    /// The optimiser's settings.
    pub optimizer: &'a OptimizerConfig,
    /// [`Optimizer::schedule`] on the engine.
    pub schedule: &'a Buffer<f32>,
    /// Adam's coefficients.
    pub adam: AdamStep,
    /// Step of the run, counted from 1.
    pub step: u32,
}

impl Update<'_> {
    /// Applies the steps that rows skipped, before the rows are read. Without `lists`, to all rows of the
    /// table.
    pub fn replay(&self, recording: &mut Recording, lists: Option<&ItemLists>, table: &Table) {
        if self.optimizer.row_updates == RowUpdates::Replay {
            recording.push(ReplayRows {
                lists: lists.cloned(),
                table: table.clone(),
                schedule: self.schedule.clone(),
                beta1: self.optimizer.beta1,
                beta2: self.optimizer.beta2,
                l2: self.optimizer.l2,
                step: self.step - 1,
            });
        }
    }

    /// Computes a gradient of rows and applies it in the same kernel; empties the lists.
    pub fn rows(&self, recording: &mut Recording, gradient: RowGradient) {
        recording.push(UpdateRows {
            lists: gradient.lists,
            tables: gradient.tables,
            adam: self.adam,
            reach: if self.optimizer.row_updates == RowUpdates::Dense { Reach::All } else { Reach::Touched },
            step: self.step,
            clear: true,
        });
    }

    /// Applies a gradient.
    pub fn dense(
        &self,
        recording: &mut Recording,
        DenseGradient { gradient, parameter, len }: DenseGradient,
    ) {
        recording.push(Adam { gradient, parameter, offset: 0, len, step: self.adam });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_start_full_and_end_low() {
        for (schedule, last) in [
            (Schedule::Constant, 1.0),
            (Schedule::Cosine, 0.0101),
            (Schedule::Linear, 0.0110),
            (Schedule::Step, 0.9025),
        ] {
            let config = OptimizerConfig { schedule, learning_rate: 1.0, ..Default::default() };
            let optimizer = Optimizer::new(&config, 11, 100);
            assert_eq!(optimizer.rate(1), 1.0);
            assert!((optimizer.rate(1100) - last).abs() < 1e-3, "{schedule:?}: {}", optimizer.rate(1100));
            assert_eq!(optimizer.schedule().len(), 1101 * FLOATS_PER_STEP);
        }
    }
}
