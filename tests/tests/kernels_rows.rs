//! Adam on table rows: dense, lazy and replayed, against f64.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::{
    engine::Engine,
    kernels::{AdamStep, FLOATS_PER_STEP, ItemLists, Parameter, Reach, ReplayRows, Table, UpdateRows},
};
use tests::{
    assert_close, assert_equal,
    device::{numbers, read, run, upload, wide},
    engines_and_divisions,
    rows::{Gradient, Met, batches, groups},
};

/// A table with the given values, no momentum, up to date with step 0.
fn table(engine: &Engine, values: &[f32], width: usize) -> Table {
    let zeros = || upload(engine, &vec![0.0; values.len()]);
    let parameter = Parameter { value: upload(engine, values), first: zeros(), second: zeros() };
    let rows = values.len() / width;
    Table { parameter, last_step: upload(engine, &vec![0u32; rows]), rows, width }
}

/// Adam with a learning rate that changes from step to step.
#[derive(Clone, Copy, Debug)]
struct Settings {
    rate: fn(u32) -> f64,
    beta1: f32,
    beta2: f32,
    epsilon: f64,
    decay: f64,
    l2: f64,
}

impl Settings {
    const PLAIN: Self = Self { rate: |_| 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.0, l2: 0.0 };
    const DECAYED: Self = Self { rate: wavy, decay: 0.3, ..Self::PLAIN };
    const COUPLED: Self = Self { rate: wavy, l2: 0.02, epsilon: 1e-6, ..Self::PLAIN };

    fn corrections(&self, t: u32) -> (f64, f64) {
        (1.0 - f64::from(self.beta1).powi(t as i32), 1.0 - f64::from(self.beta2).powi(t as i32))
    }

    fn at(&self, t: u32) -> AdamStep {
        let (first, second) = self.corrections(t);
        AdamStep {
            rate: ((self.rate)(t) / first) as f32,
            beta1: self.beta1,
            beta2: self.beta2,
            root: (1.0 / second.sqrt()) as f32,
            epsilon: self.epsilon as f32,
            keep: (1.0 - (self.rate)(t) * self.decay) as f32,
            l2: self.l2 as f32,
        }
    }

    /// The schedule for [`ReplayRows`], for steps 0 to `last`.
    fn schedule(&self, last: u32) -> Vec<f32> {
        let mut schedule = vec![0.0; FLOATS_PER_STEP];
        let mut log_keep = 0.0;
        for t in 1..=last {
            let (first, second) = self.corrections(t);
            log_keep += (1.0 - (self.rate)(t) * self.decay).ln();
            schedule.extend([
                ((self.rate)(t) * second.sqrt() / first) as f32,
                (self.epsilon * second.sqrt()) as f32,
                log_keep as f32,
            ]);
        }
        schedule
    }

    fn replay(&self, engine: &Engine, table: &Table, lists: Option<&ItemLists>, step: u32) -> ReplayRows {
        ReplayRows {
            lists: lists.cloned(),
            table: table.clone(),
            schedule: upload(engine, &self.schedule(step)),
            beta1: self.beta1,
            beta2: self.beta2,
            l2: self.l2 as f32,
            step,
        }
    }
}

fn wavy(t: u32) -> f64 {
    1e-2 * (1.2 + f64::from(t).sin())
}

/// A table in f64.
#[derive(Clone)]
struct Truth {
    value: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Truth {
    fn new(values: &[f32]) -> Self {
        Self { value: wide(values), first: vec![0.0; values.len()], second: vec![0.0; values.len()] }
    }

    /// Kingma and Ba's algorithm 1 on one element, with either decay.
    fn step(&mut self, settings: &Settings, t: u32, at: usize, gradient: f64) {
        let (b1, b2) = (f64::from(settings.beta1), f64::from(settings.beta2));
        let gradient = gradient + settings.l2 * self.value[at];
        self.first[at] = b1 * self.first[at] + (1.0 - b1) * gradient;
        self.second[at] = b2 * self.second[at] + (1.0 - b2) * gradient * gradient;
        let (first, second) = settings.corrections(t);
        let move_by = (self.first[at] / first) / ((self.second[at] / second).sqrt() + settings.epsilon);
        self.value[at] -= (settings.rate)(t) * settings.decay * self.value[at];
        self.value[at] -= (settings.rate)(t) * move_by;
    }

    fn check(&self, name: &str, engine: &Engine, table: &Table, rtol: f64) {
        let name = |what: &str| format!("{}: {name}: {what}", engine.describe());
        assert_close(&name("value"), &read(engine, &table.parameter.value), &self.value, rtol, rtol);
        assert_close(&name("first"), &read(engine, &table.parameter.first), &self.first, rtol * 0.1, rtol);
        assert_close(
            &name("second"),
            &read(engine, &table.parameter.second),
            &self.second,
            rtol * 0.01,
            rtol,
        );
    }
}

#[test]
fn one_update_of_all_or_of_touched_rows() {
    for engine in engines_and_divisions() {
        for met in batches() {
            for width in [1, 7, 345] {
                if met.items * width > 1 << 20 {
                    continue;
                }
                for reach in [Reach::All, Reach::Touched] {
                    let settings = Settings::DECAYED;
                    let start = numbers(7, met.items * width);
                    let table = table(engine, &start, width);
                    let lists = ItemLists::new(engine, met.total(), met.items).unwrap();
                    met.transpose(engine, &lists);
                    let gradient = Gradient::new(50, &met, width);
                    let step = 3;
                    let kernel = UpdateRows {
                        lists: lists.clone(),
                        tables: vec![(table.clone(), gradient.upload(engine, &met))],
                        adam: settings.at(step),
                        reach,
                        step,
                        clear: true,
                    };
                    run(engine, kernel);
                    let dense = gradient.dense(&met);
                    let moved: Vec<bool> =
                        met.lists().iter().map(|list| reach == Reach::All || !list.is_empty()).collect();
                    let mut truth = Truth::new(&start);
                    for at in (0..start.len()).filter(|at| moved[at / width]) {
                        truth.step(&settings, step, at, dense[at]);
                    }
                    let name = format!("{:?}, width {width}, {reach:?}", met.groups);
                    // The first moment is a tenth of the gradient, a sum of up to thousands of terms.
                    truth.check(&name, engine, &table, 1e-4);
                    let want: Vec<u32> = moved.iter().map(|&moved| if moved { step } else { 0 }).collect();
                    assert_equal(&name, &read(engine, &table.last_step), &want);
                    let list_of = pollster::block_on(lists.read(engine)).unwrap().list_of;
                    assert!(list_of.iter().all(|&list| list == 0), "{name}: lists are cleared");
                }
            }
        }
    }
}

#[test]
fn replay_makes_up_for_skipped_steps() {
    for engine in engines_and_divisions() {
        for settings in [Settings::PLAIN, Settings::DECAYED, Settings::COUPLED] {
            for last in [1, 5, 1000] {
                for skipped in [0, 1, 2, 7, 150] {
                    for (rows, width) in [(1, 1), (37, 9), (3, 345)] {
                        let start = numbers(0, rows * width);
                        let mut truth = Truth::new(&start);
                        let first: Vec<f32> = numbers(1, start.len()).iter().map(|x| 0.1 * x).collect();
                        let second: Vec<f32> =
                            numbers(2, start.len()).iter().map(|x| 0.01 * x * x + 1e-6).collect();
                        (truth.first, truth.second) = (wide(&first), wide(&second));
                        let table = table(engine, &start, width);
                        engine.write(&table.parameter.first, 0, &first).unwrap();
                        engine.write(&table.parameter.second, 0, &second).unwrap();
                        engine.write(&table.last_step, 0, &vec![last; rows]).unwrap();
                        for t in last + 1..=last + skipped {
                            (0..start.len()).for_each(|at| truth.step(&settings, t, at, 0.0));
                        }
                        run(engine, settings.replay(engine, &table, None, last + skipped));
                        let name = format!("{settings:?}, {skipped} after {last}, {rows} x {width}");
                        truth.check(&name, engine, &table, 1e-5);
                        let want = vec![last + skipped; rows];
                        assert_equal(&name, &read(engine, &table.last_step), &want);
                    }
                }
            }
        }
    }
}

/// If the second moment is as small as epsilon squared, a mean epsilon replaces those of the tail's steps. The
/// remaining
/// error is of second order in the change of epsilon, which is larger at the start of training.
#[test]
fn replay_is_close_where_epsilon_rules() {
    let settings = Settings { epsilon: 1e-4, ..Settings::PLAIN };
    for engine in engines_and_divisions() {
        for (last, rtol) in [(20, 3e-2), (1000, 3e-3), (20_000, 3e-3)] {
            for skipped in [1, 7, 150] {
                let scales = [1e-12f32, 1e-10, 1e-9, 1e-8, 1e-7];
                let table = table(engine, &[0.0; 5], 1);
                engine.write(&table.parameter.first, 0, &[1e-5; 5]).unwrap();
                engine.write(&table.parameter.second, 0, &scales).unwrap();
                engine.write(&table.last_step, 0, &[last; 5]).unwrap();
                let mut truth = Truth { value: vec![0.0; 5], first: vec![1e-5; 5], second: wide(&scales) };
                for t in last + 1..=last + skipped {
                    (0..5).for_each(|at| truth.step(&settings, t, at, 0.0));
                }
                run(engine, settings.replay(engine, &table, None, last + skipped));
                let name = format!("{skipped} after {last}");
                assert_close(&name, &read(engine, &table.parameter.value), &truth.value, 0.0, rtol);
            }
        }
    }
}

/// Rows that were never touched, or are already past the requested step, do not change.
#[test]
fn replay_leaves_what_is_up_to_date() {
    for engine in engines_and_divisions() {
        let (rows, width) = (65_537, 1);
        let start = numbers(0, rows * width);
        let table = table(engine, &start, width);
        run(engine, Settings::PLAIN.replay(engine, &table, None, 9));
        Truth::new(&start).check("no momentum", engine, &table, 0.0);
        run(engine, Settings::DECAYED.replay(engine, &table, None, 9));
        Truth::new(&start).check("twice", engine, &table, 0.0);
        run(engine, Settings::DECAYED.replay(engine, &table, None, 4));
        assert_equal("step", &read(engine, &table.last_step), &vec![9; rows]);
    }
}

/// 300 steps that touch few of the rows: replay gives the result of dense Adam, and lazy that of Adam without skipped
/// steps.
#[test]
fn a_schedule_of_300_steps() {
    const STEPS: u32 = 300;
    let (items, width) = (61, 5);
    let start = numbers(0, items * width);
    for settings in [Settings::DECAYED, Settings::COUPLED] {
        for engine in engines_and_divisions() {
            let [dense, replayed, lazy] = [0; 3].map(|_| table(engine, &start, width));
            let (mut dense_truth, mut lazy_truth) = (Truth::new(&start), Truth::new(&start));
            for t in 1..=STEPS {
                let groups = groups(3, 1, 1 + t as usize % 2, 2);
                // Item 60 occurs only at the start, so that a tail of nearly 300 steps is replayed.
                let met = Met::new(1000 + t, groups, 4, if t < 5 { items } else { items - 1 });
                let met = Met { items, ..met };
                let gradient = Gradient::new(1000 + t, &met, width);
                let lists = ItemLists::new(engine, met.total(), items).unwrap();
                met.transpose(engine, &lists);
                run(engine, settings.replay(engine, &replayed, Some(&lists), t - 1));
                for (table, reach, clear) in [
                    (&dense, Reach::All, false),
                    (&replayed, Reach::Touched, false),
                    (&lazy, Reach::Touched, true),
                ] {
                    let (lists, table) = (lists.clone(), table.clone());
                    let (tables, adam) = (vec![(table, gradient.upload(engine, &met))], settings.at(t));
                    run(engine, UpdateRows { lists, tables, adam, reach, step: t, clear });
                }
                let (rows, touched) = (gradient.dense(&met), met.lists());
                for at in 0..rows.len() {
                    dense_truth.step(&settings, t, at, rows[at]);
                    if !touched[at / width].is_empty() {
                        lazy_truth.step(&settings, t, at, rows[at]);
                    }
                }
            }
            run(engine, settings.replay(engine, &replayed, None, STEPS));
            dense_truth.check("dense", engine, &dense, 3e-5);
            dense_truth.check("replayed", engine, &replayed, 3e-5);
            lazy_truth.check("lazy", engine, &lazy, 3e-5);
            assert_equal("step", &read(engine, &replayed.last_step), &vec![STEPS; items]);
        }
    }
}
