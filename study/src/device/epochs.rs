//! Steps of training on invented interactions: whole, by stage of the host, and by shader of the device.

use std::{collections::BTreeMap, time::Instant};

use fastvae::{
    Result,
    config::{Config, Decoder, Method, ProposalKind},
    data::Csr,
    engine::{Buffer, Engine},
    event::Event,
    rng::{Rng, Stream, unit},
    train::Trainer,
};
use pollster::block_on;
use serde::Serialize;

use super::{
    cost::{self, Cost},
    peaks::Peaks,
};

/// Users of the invented set: enough for 32 batches.
const USERS: usize = 8192;
/// Users of the epoch that is extrapolated to: about those of MovieLens 10M.
pub const EPOCH_USERS: usize = 50_000;
/// Steps before a measurement.
const WARM_UP: u32 = 3;
/// Steps of which each dispatch is timed.
const PROFILED: u32 = 10;
/// Steps of one measurement, at most: six epochs of the set.
const MOST_STEPS: u32 = 192;

/// A way to train, by the name of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The softmax over all items.
    Full,
    /// Samples of MIDX_Pop.
    Plain,
    /// The same, shared by groups of eight users.
    Shared,
    /// The same as plain, with the latent code itself as the query.
    Direct,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Full, Self::Plain, Self::Shared, Self::Direct];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Plain => "plain",
            Self::Shared => "shared",
            Self::Direct => "direct",
        }
    }

    fn config(self, items: usize) -> Config {
        let mut config = Config::default();
        let method =
            if self == Self::Full { Method::Full } else { Method::Sampled(ProposalKind::MidxPopularity) };
        method.apply(&mut config);
        config.model.linear = 0;
        if self == Self::Shared {
            config.proposal.group_size = 8;
        }
        if self == Self::Direct {
            config.model.decoder = Decoder::Direct;
        }
        config.proposal.negatives = config.proposal.negatives.min(items / 2).max(1);
        config.training.epochs = 1000;
        config
    }
}

/// One way to train, measured at one size of the catalogue.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Items, M.
    pub items: usize,
    /// `full`, `plain`, `shared` or `direct`.
    pub way: &'static str,
    /// Users of a step.
    pub batch: usize,
    /// Interactions of a step, on average.
    pub entries: f64,
    /// Steps that were measured.
    pub steps: u32,
    /// Seconds a step, without the index.
    pub step_seconds: f64,
    /// Seconds to make the parameters.
    pub setup_seconds: f64,
    /// Seconds to build the first index.
    pub first_index_seconds: Option<f64>,
    /// Seconds of a later refresh of the index, if one fell into the measurement.
    pub refresh_seconds: Option<f64>,
    /// Seconds of an epoch of [`EPOCH_USERS`] users, with a refresh where it was measured.
    pub epoch_seconds: f64,
    /// Seconds of the host a step, by stage.
    pub host: BTreeMap<&'static str, f64>,
    /// Shaders by the time they take; empty if they were not measured.
    pub shaders: Vec<ShaderUse>,
}

/// What a shader does in a step.
#[derive(Clone, Debug, Serialize)]
pub struct ShaderUse {
    /// The stem of its file.
    pub shader: &'static str,
    /// Dispatches a step.
    pub calls: f64,
    /// Workgroups a step.
    pub workgroups: f64,
    /// Seconds of the device a step, if it reports them.
    pub seconds: Option<f64>,
    /// What it moves and computes a step, if that follows from its shapes.
    pub cost: Option<Cost>,
    /// Of the measured peaks, the larger share of bandwidth and rate that it reaches.
    pub share_of_peak: Option<f64>,
}

/// Invented histories of 10 to 57 items, of which the first are the most popular.
pub fn histories(items: usize) -> Result<Csr> {
    let rng = Rng::new(20_220_425);
    let (mut offsets, mut all) = (vec![0], Vec::new());
    for user in 0..USERS as u32 {
        let length = 10 + fastvae::rng::below(rng.block(Stream::Data, 0, user, 0)[0], 48);
        let mut row: Vec<u32> = (0..length)
            .map(|draw| {
                let u = f64::from(unit(rng.block(Stream::Data, 1, user, draw)[0]));
                (items as f64 * u * u * u) as u32
            })
            .collect();
        row.sort_unstable();
        row.dedup();
        all.extend(row);
        offsets.push(all.len() as u32);
    }
    Csr::new(offsets, all, items as u32)
}

/// A trainer with the times of its start.
struct Started {
    trainer: Trainer,
    end: Buffer<u32>,
    setup_seconds: f64,
}

impl Started {
    fn new(engine: Engine, way: Way, train: &Csr) -> Result<Self> {
        let start = Instant::now();
        let end = engine.zeros("end", 1)?;
        let config = way.config(train.columns());
        let trainer = block_on(Trainer::new(engine, &config, train, None))?;
        let mut started = Self { trainer, end, setup_seconds: 0.0 };
        started.wait()?;
        started.setup_seconds = start.elapsed().as_secs_f64();
        Ok(started)
    }

    fn wait(&self) -> Result<()> {
        block_on(self.trainer.engine().read(&self.end)).map(drop)
    }

    /// Trains `steps` steps; returns seconds of all but the index, and of each index.
    fn advance(&mut self, steps: u32) -> Result<(f64, Vec<f64>)> {
        let start = Instant::now();
        let (mut done, mut index) = (0, Vec::new());
        while done < steps {
            match block_on(self.trainer.next())? {
                Some(Event::Step { .. }) => done += 1,
                Some(Event::Indexed { seconds, .. }) => index.push(seconds),
                Some(_) => {}
                None => break,
            }
        }
        self.wait()?;
        Ok((start.elapsed().as_secs_f64() - index.iter().sum::<f64>(), index))
    }
}

/// Measures one way, in about `seconds` beyond its set-up and one step.
///
/// # Errors
/// If the model does not fit the device, or the device is lost.
pub fn measure(engine: &Engine, way: Way, train: &Csr, peaks: Option<&Peaks>, seconds: f64) -> Result<Run> {
    let mut started = Started::new(engine.clone(), way, train)?;
    let (first, indexes) = started.advance(1)?;
    let mut warm = first;
    // Pipelines are compiled in the first step, so the second says what a step takes.
    if first < seconds {
        warm = started.advance(WARM_UP)?.0 / f64::from(WARM_UP);
    }
    let steps = (0.6 * seconds / warm.max(1e-6)).clamp(1.0, f64::from(MOST_STEPS)) as u32;
    let before = engine.host_times();
    let (spent, refreshes) = started.advance(steps)?;
    let step_seconds = spent / f64::from(steps);
    let host = engine
        .host_times()
        .into_iter()
        .map(|(stage, after)| {
            let spent = after.saturating_sub(before.get(stage).copied().unwrap_or_default());
            (stage, spent.as_secs_f64() / f64::from(steps))
        })
        .collect();
    let batch = Config::default().training.batch.min(train.rows());
    let entries = train.items().len() as f64 * batch as f64 / train.rows() as f64;
    let refresh_seconds =
        (!refreshes.is_empty()).then(|| refreshes.iter().sum::<f64>() / refreshes.len() as f64);
    let mut run = Run {
        items: train.columns(),
        way: way.name(),
        batch,
        entries,
        steps,
        step_seconds,
        setup_seconds: started.setup_seconds,
        first_index_seconds: indexes.first().copied(),
        refresh_seconds,
        epoch_seconds: step_seconds * EPOCH_USERS.div_ceil(batch) as f64 + refresh_seconds.unwrap_or(0.0),
        host,
        shaders: Vec::new(),
    };
    let again = started.setup_seconds + indexes.iter().sum::<f64>() + step_seconds;
    drop(started);
    if again < 0.5 * seconds {
        run.shaders = profile(engine, way, train, entries, peaks)?;
    }
    Ok(run)
}

fn profile(
    engine: &Engine,
    way: Way,
    train: &Csr,
    entries: f64,
    peaks: Option<&Peaks>,
) -> Result<Vec<ShaderUse>> {
    let engine = engine.clone().profiled();
    let mut started = Started::new(engine.clone(), way, train)?;
    started.advance(1)?;
    let before = engine.profile();
    engine.take_dispatches();
    started.advance(PROFILED)?;
    let (after, dispatches) = (engine.profile(), engine.take_dispatches());
    let steps = f64::from(PROFILED);
    let mut shaders: Vec<ShaderUse> = dispatches
        .into_iter()
        .map(|(shader, dispatches)| {
            let spent = |profile: &fastvae::engine::Profile| {
                profile.get(shader).map_or(0.0, |one| one.1.as_secs_f64())
            };
            let seconds = engine.times_kernels().then(|| (spent(&after) - spent(&before)).max(0.0) / steps);
            let mut cost = Some(Cost::default());
            for dispatch in &dispatches {
                match (cost::of(shader, dispatch, entries), &mut cost) {
                    (Some(one), Some(sum)) => *sum += one,
                    _ => cost = None,
                }
            }
            let cost = cost.map(|sum| Cost { bytes: sum.bytes / steps, flops: sum.flops / steps });
            let share_of_peak = match (peaks, cost, seconds) {
                (Some(peaks), Some(cost), Some(seconds)) if seconds > 0.0 => {
                    let moved = cost.bytes / peaks.copy_bytes_per_second;
                    Some(moved.max(cost.flops / peaks.flops_per_second) / seconds)
                }
                _ => None,
            };
            let groups = dispatches.iter().map(|one| f64::from(one.groups[0]) * f64::from(one.groups[1]));
            ShaderUse {
                shader,
                calls: dispatches.len() as f64 / steps,
                workgroups: groups.sum::<f64>() / steps,
                seconds,
                cost,
                share_of_peak,
            }
        })
        .collect();
    shaders.sort_by(|a, b| b.seconds.unwrap_or(0.0).total_cmp(&a.seconds.unwrap_or(0.0)));
    Ok(shaders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_measured_on_the_cpu_too() {
        let train = histories(300).unwrap();
        assert_eq!(train.rows(), USERS);
        for way in Way::ALL {
            let run = measure(&Engine::cpu(), way, &train, None, 0.01).unwrap();
            assert!(
                run.step_seconds > 0.0 && run.epoch_seconds > run.step_seconds && run.steps > 0,
                "{run:?}"
            );
            assert_eq!(run.first_index_seconds.is_some(), way != Way::Full, "{run:?}");
            assert!(run.entries > 256.0 * 10.0 && run.entries < 256.0 * 58.0, "{run:?}");
        }
    }
}
