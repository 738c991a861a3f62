//! What a GPU does with FastVAE: its limits, self-tests, peaks, steps and epochs, as JSON and as a page.

mod cost;
mod epochs;
mod page;
mod peaks;

use std::{collections::BTreeMap, time::Instant};

use fastvae::{
    Error, Result,
    engine::{
        Engine,
        gpu::{AdapterInfo, adapter_details},
    },
};
use pollster::block_on;
use serde::Serialize;

pub use cost::Cost;
pub use epochs::{EPOCH_USERS, Run, ShaderUse, Way};
pub use peaks::Peaks;

use crate::selftest;

/// All measurements of one device.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of FastVAE.
    pub version: &'static str,
    /// The operating system and the processor's architecture.
    pub system: String,
    /// Threads of the processor.
    pub threads: usize,
    /// The adapter.
    pub adapter: Adapter,
    /// Self-tests; nothing if they were left out.
    pub selftest: Option<Tested>,
    /// Peaks; nothing if they were left out.
    pub peaks: Option<Peaks>,
    /// Users of the epochs that steps are extrapolated to.
    pub epoch_users: usize,
    /// Ways to train by size of the catalogue.
    pub runs: Vec<Run>,
    /// Items from which an epoch of the full softmax takes longer than one of samples, by interpolation between the sizes;
    /// nothing if the two do not cross between them.
    pub crossover_items: Option<f64>,
    /// What was not measured, with the reason.
    pub left_out: Vec<String>,
    /// Seconds of all of it.
    pub seconds: f64,
}

/// An adapter as the report shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Adapter {
    name: String,
    backend: String,
    kind: &'static str,
    driver: String,
    features: Vec<String>,
    limits: BTreeMap<&'static str, u64>,
    times_dispatches: bool,
}

/// The result of the self-tests.
#[derive(Clone, Debug, Serialize)]
pub struct Tested {
    passed: usize,
    /// Name and mismatches of each that failed.
    failed: Vec<(String, String)>,
    /// Whether the integers of Philox are those of the CPU engine.
    same_integers: bool,
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Sizes of the catalogue.
    pub items: Vec<usize>,
    /// Seconds for all of it: what would begin later is left out.
    pub seconds: f64,
}

/// Time and its use.
struct Budget {
    start: Instant,
    seconds: f64,
}

impl Budget {
    fn left(&self) -> f64 {
        self.seconds - self.start.elapsed().as_secs_f64()
    }
}

impl Report {
    /// Measures the device of `engine`, which `adapter` selected; `note` is told of each part as it begins.
    ///
    /// # Errors
    /// If there is no such adapter. What fails, or does not fit the device or the time, is left out instead.
    pub fn measure(
        engine: &Engine,
        info: &AdapterInfo,
        adapter: Option<&str>,
        plan: &Plan,
        mut note: impl FnMut(&str),
    ) -> Result<Self> {
        let budget = Budget { start: Instant::now(), seconds: plan.seconds };
        let details = block_on(adapter_details(adapter))?;
        let mut report = Self {
            version: env!("CARGO_PKG_VERSION"),
            system: format!("{}, {}", std::env::consts::OS, std::env::consts::ARCH),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            adapter: Adapter {
                name: info.name.clone(),
                backend: info.backend.clone(),
                kind: info.kind,
                driver: info.driver.clone(),
                features: details.features,
                limits: details.limits.into_iter().collect(),
                times_dispatches: engine.times_kernels(),
            },
            selftest: None,
            peaks: None,
            epoch_users: EPOCH_USERS,
            runs: Vec::new(),
            crossover_items: None,
            left_out: Vec::new(),
            seconds: 0.0,
        };
        note("self-tests");
        report.selftest = Some(tested(engine));
        note("bandwidth and multiply-adds");
        if budget.left() > 0.0 {
            match peaks::measure(engine) {
                Ok(peaks) => report.peaks = Some(peaks),
                Err(error) => report.left_out.push(format!("bandwidth and multiply-adds: {error}")),
            }
        } else {
            report.left_out.push("bandwidth and multiply-adds: the time was used up".into());
        }
        report.measure_runs(engine, plan, &budget, &mut note)?;
        report.crossover_items = crossover(&report.runs);
        report.seconds = budget.start.elapsed().as_secs_f64();
        Ok(report)
    }

    fn measure_runs(
        &mut self,
        engine: &Engine,
        plan: &Plan,
        budget: &Budget,
        note: &mut impl FnMut(&str),
    ) -> Result<()> {
        let mut parts = plan.items.len() * Way::ALL.len();
        for &items in &plan.items {
            let train = epochs::histories(items)?;
            for way in Way::ALL {
                let share = budget.left() / parts as f64;
                parts -= 1;
                let what = format!("{}, {items} items", way.name());
                if let Some(reason) = self.too_long(way, items, budget.left()) {
                    self.left_out.push(format!("{what}: {reason}"));
                    continue;
                }
                note(&what);
                match epochs::measure(engine, way, &train, self.peaks.as_ref(), share) {
                    Ok(run) => {
                        if run.shaders.is_empty() {
                            self.left_out.push(format!("{what}, by shader: it would take too long"));
                        }
                        self.runs.push(run);
                    }
                    Err(error) => self.left_out.push(format!("{what}: {error}")),
                }
            }
        }
        Ok(())
    }

    /// Why there is no time to measure this, by what smaller catalogues took.
    fn too_long(&self, way: Way, items: usize, left: f64) -> Option<String> {
        if left <= 0.0 {
            return Some("the time was used up".into());
        }
        let before = self.runs.iter().filter(|run| run.way == way.name() && run.items < items);
        let before = before.max_by_key(|run| run.items)?;
        let growth = items as f64 / before.items as f64;
        // Parameters, index and the full softmax grow with the catalogue; other steps do not.
        let fixed = before.setup_seconds + before.first_index_seconds.unwrap_or(0.0);
        let step = if way == Way::Full { growth * before.step_seconds } else { before.step_seconds };
        let needed = growth * fixed + 2.0 * step;
        (needed > left).then(|| format!("it would take about {needed:.0} s, and {left:.0} s are left"))
    }

    /// Fails if a self-test has failed.
    ///
    /// # Errors
    /// [`Error::Device`] with the number of failures.
    pub fn verdict(&self) -> Result<()> {
        match &self.selftest {
            Some(tested) if !tested.failed.is_empty() => {
                Err(Error::Device(format!("self-tests failed: {}; see the report", tested.failed.len())))
            }
            Some(tested) if !tested.same_integers => {
                Err(Error::Device("the random integers are not those of the CPU engine".into()))
            }
            _ => Ok(()),
        }
    }

    /// The report as one page.
    pub fn html(&self) -> String {
        page::html(self)
    }
}

fn tested(engine: &Engine) -> Tested {
    let mut tested = Tested { passed: 0, failed: Vec::new(), same_integers: false };
    block_on(selftest::run_each(engine, |name, result| match result {
        Ok(()) => tested.passed += 1,
        Err(problem) => tested.failed.push((name.to_owned(), problem)),
    }));
    let draws = |engine: &Engine| block_on(selftest::draws(engine)).ok();
    tested.same_integers = draws(engine).is_some_and(|integers| draws(&Engine::cpu()) == Some(integers));
    tested
}

/// Items at which the full softmax and samples take the same time, with both as powers of the items between two sizes.
fn crossover(runs: &[Run]) -> Option<f64> {
    let of = |way: Way| runs.iter().filter(move |run| run.way == way.name());
    // ln of items, and of the full softmax's seconds over those of samples.
    let ratio = |full: &Run| {
        let plain = of(Way::Plain).find(|plain| plain.items == full.items)?;
        Some(((full.items as f64).ln(), (full.epoch_seconds / plain.epoch_seconds).ln()))
    };
    let mut ratios: Vec<(f64, f64)> = of(Way::Full).filter_map(ratio).collect();
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let between = |pair: &[(f64, f64)]| {
        let ((x, y), (x1, y1)) = (pair[0], pair[1]);
        (y <= 0.0 && y1 > 0.0).then(|| (x - y * (x1 - x) / (y1 - y)).exp())
    };
    ratios.windows(2).find_map(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(items: usize, way: Way, seconds: f64) -> Run {
        Run {
            items,
            way: way.name(),
            batch: 256,
            entries: 8000.0,
            steps: 10,
            step_seconds: seconds / 196.0,
            setup_seconds: 0.1,
            first_index_seconds: None,
            refresh_seconds: None,
            epoch_seconds: seconds,
            host: BTreeMap::new(),
            shaders: Vec::new(),
        }
    }

    #[test]
    fn the_crossover_is_where_the_lines_meet() {
        let mut runs = vec![run(1000, Way::Full, 1.0), run(1000, Way::Plain, 10.0)];
        assert_eq!(crossover(&runs), None);
        runs.extend([run(100_000, Way::Full, 100.0), run(100_000, Way::Plain, 10.0)]);
        assert!((crossover(&runs).unwrap() - 10_000.0).abs() < 1e-6);
        assert_eq!(crossover(&runs[2..]), None);
    }
}
