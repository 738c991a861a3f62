//! Adam for rows that are touched rarely: applies the skipped steps when a row is next needed.

use fastvae_shaders::replay_rows;

use super::{adam::Parameter, transpose::ItemLists};
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel, parallel::Rows},
    simd,
};

/// A table of rows with its moments and, for each row, the last step that was applied to it.
#[derive(Clone, Debug)]
pub struct Table {
    /// M x width.
    pub parameter: Parameter,
    /// M: the step to which each row is up to date.
    pub last_step: Buffer<u32>,
    /// M.
    pub rows: usize,
    /// Elements per row.
    pub width: usize,
}

impl Table {
    /// Whether values, moments and last steps have this many rows.
    pub(super) fn check(&self, check: &Check) -> Result<()> {
        let Parameter { value, first, second } = &self.parameter;
        check.that(self.width > 0, || "a table without columns".into())?;
        [value, first, second].iter().try_for_each(|buffer| check.holds(buffer, &[self.rows, self.width]))?;
        check.holds(&self.last_step, &[self.rows])
    }
}

/// Coefficients of a step for the replay: three floats per step, step t at index 3 t.
///
/// `[lr sqrt(1 - b2^t) / (1 - b1^t), epsilon sqrt(1 - b2^t), sum over u <= t of ln(1 - lr_u decay)]`
pub const FLOATS_PER_STEP: usize = 3;

/// The moments of a row with no gradient decay as b1^j and b2^j, so after k steps `w_k = D w_0 - m_0 sum_j
/// s_j r^j D_j / (sqrt v_0 + e_j b2^(-j/2))`, where s_j and e_j are the first two coefficients of step j, `r
/// = b1 / sqrt b2`, D is the decay of all k steps and D_j that of the steps after j. The sum is cut off where
/// r^j is negligible. It would be a single quotient if the term with e_j were constant; it varies by 8% over
/// the tail and matters only if `sqrt v_0` is as small as epsilon, so its mean, weighted by the terms,
/// replaces it. Coupled decay has no such form and is iterated.
pub struct ReplayRows {
    /// Rows to bring up to date; if not given, all rows of the table.
    pub lists: Option<ItemLists>,
    /// The table.
    pub table: Table,
    /// The schedule, see [`FLOATS_PER_STEP`].
    pub schedule: Buffer<f32>,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Coupled decay.
    pub l2: f32,
    /// The last step (inclusive) to apply.
    pub step: u32,
}

impl ReplayRows {
    /// `(sum of terms, mean epsilon, decay)` of the steps after `last`, up to the kernel's.
    fn tail(&self, schedule: &[f32], last: u32) -> (f32, f32, f32) {
        let at = |step: u32, field: usize| schedule[step as usize * FLOATS_PER_STEP + field];
        let (ratio, slow) = (self.beta1 / self.beta2.sqrt(), 1.0 / self.beta2.sqrt());
        let (mut sum, mut epsilon, mut power, mut growth) = (0.0f32, 0.0f32, 1.0f32, 1.0f32);
        let end = at(self.step, 2);
        for step in last + 1..=self.step {
            power *= ratio;
            growth *= slow;
            if power < 1e-9 {
                break;
            }
            let term = at(step, 0) * power * (end - at(step, 2)).exp();
            sum += term;
            epsilon += term * at(step, 1) * growth;
        }
        let mean = if sum > 0.0 { epsilon / sum } else { f32::MIN_POSITIVE };
        (sum, mean, (end - at(last, 2)).exp())
    }

    fn replay(&self, schedule: &[f32], last: u32, value: &mut [f32], first: &mut [f32], second: &mut [f32]) {
        let skipped = self.step - last;
        if self.l2 != 0.0 {
            return self.iterate(schedule, last, value, first, second);
        }
        let (sum, epsilon, keep) = self.tail(schedule, last);
        let decay1 = self.beta1.powf(skipped as f32);
        let decay2 = self.beta2.powf(skipped as f32);
        simd::dispatch(
            #[inline(always)]
            || {
                let n = value.len();
                let (first, second) = (&mut first[..n], &mut second[..n]);
                for i in 0..n {
                    value[i] = value[i] * keep - sum * first[i] / (second[i].sqrt() + epsilon);
                    first[i] *= decay1;
                    second[i] *= decay2;
                }
            },
        );
    }

    fn iterate(&self, schedule: &[f32], last: u32, value: &mut [f32], first: &mut [f32], second: &mut [f32]) {
        let at = |step: u32, field: usize| schedule[step as usize * FLOATS_PER_STEP + field];
        for step in last + 1..=self.step {
            let (rate, epsilon) = (at(step, 0), at(step, 1));
            let keep = (at(step, 2) - at(step - 1, 2)).exp();
            for i in 0..value.len() {
                let gradient = self.l2 * value[i];
                first[i] = self.beta1 * first[i] + (1.0 - self.beta1) * gradient;
                second[i] = self.beta2 * second[i] + (1.0 - self.beta2) * gradient * gradient;
                value[i] = value[i] * keep - rate * first[i] / (second[i].sqrt() + epsilon);
            }
        }
    }
}

impl Kernel for ReplayRows {
    fn name(&self) -> &'static str {
        "replay_rows"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.table.check(check)?;
        if let Some(lists) = &self.lists {
            lists.check(check)?;
        }
        check.holds_after(&self.schedule, FLOATS_PER_STEP, &[self.step as usize, FLOATS_PER_STEP])
    }

    unsafe fn cpu(&self) {
        let schedule = self.schedule.read();
        let width = self.table.width;
        let mut last_step = self.table.last_step.write();
        let (mut value, mut first, mut second) = (
            self.table.parameter.value.write(),
            self.table.parameter.first.write(),
            self.table.parameter.second.write(),
        );
        let (value, first, second) =
            (Rows::new(&mut value, width), Rows::new(&mut first, width), Rows::new(&mut second, width));
        let last_step = Rows::new(&mut last_step, 1);
        let touched = self.lists.as_ref().map(|lists| (lists.count.read()[0] as usize, lists.touched.read()));
        let count = touched.as_ref().map_or(self.table.rows, |(count, _)| *count);
        const PIECE: usize = 32;
        parallel::for_each(count.div_ceil(PIECE), |piece| {
            for i in piece * PIECE..count.min((piece + 1) * PIECE) {
                let row = touched.as_ref().map_or(i, |(_, touched)| touched[i] as usize);
                // SAFETY: touched rows are distinct, as `ItemLists` promises, and pieces do not overlap.
                let last = unsafe { &mut last_step.row(row)[0] };
                if *last >= self.step {
                    continue;
                }
                // SAFETY: as above.
                let (value, first, second) = unsafe { (value.row(row), first.row(row), second.row(row)) };
                self.replay(&schedule, *last, value, first, second);
                *last = self.step;
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let no_list = calls.empty();
        let (rows, count, touched) = match &self.lists {
            Some(lists) => (lists.touched.len(), &lists.count, &lists.touched),
            None => (self.table.rows, &no_list, &no_list),
        };
        let (has_lists, parameter) = (self.lists.is_some().into(), &self.table.parameter);
        calls.dispatch(
            replay_rows::Params {
                rows: rows as u32,
                width: self.table.width as u32,
                has_lists,
                step: self.step,
                beta1: self.beta1,
                beta2: self.beta2,
                log_beta1: f64::from(self.beta1).ln() as f32,
                log_beta2: f64::from(self.beta2).ln() as f32,
                l2: self.l2,
            },
            replay_rows::Bindings {
                count,
                touched,
                schedule: &self.schedule,
                last_step: &self.table.last_step,
                value: &parameter.value,
                first: &parameter.first,
                second: &parameter.second,
            },
            // Four rows each.
            gpu::Work::Groups(rows.div_ceil(4)),
        );
    }
}
