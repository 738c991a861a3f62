//! What a training step costs on this machine, by the number of items (paper, figure 4).

use fastvae::{
    Error, Result,
    config::{Config, Method},
    data::Csr,
    engine::Engine,
    event::Event,
    train::Trainer,
};
use web::{Report, theory};
use web_time::Instant;

/// Users of a step, items of each history, and steps of the epoch, which is not brought to its end.
const USERS: u32 = 64;
const HISTORY: u32 = 20;
const STEPS: u32 = 120;
/// Seconds that are timed at least on the CPU engine: browsers' clocks are coarse.
const LEAST: f64 = 0.05;

/// Times a step; where it cannot be run, says why.
///
/// # Errors
/// If the device is lost.
pub async fn step(
    engine: &Engine,
    sampler: Method,
    items: u32,
    negatives: u32,
    codewords: u32,
    seed: u32,
) -> Result<Report> {
    let (seconds, problem) = match measure(engine, sampler, items, negatives, codewords, seed).await {
        Ok(seconds) => (Some(seconds), None),
        Err(error @ Error::Device(_)) => return Err(error),
        Err(error) => (None, Some(error.to_string())),
    };
    Ok(Report::Timed { sampler, items, seconds, problem })
}

async fn measure(
    engine: &Engine,
    sampler: Method,
    items: u32,
    negatives: u32,
    codewords: u32,
    seed: u32,
) -> Result<f64> {
    let train = Csr::from_rows(&theory::random_histories(USERS * STEPS, items, HISTORY, seed), items)?;
    let mut config = Config::default();
    (config.model.hidden, config.model.latent) = (32, 16);
    sampler.apply(&mut config);
    (config.proposal.negatives, config.proposal.codewords) = (negatives as usize, codewords as usize);
    // The index is timed by itself elsewhere; a step uses it as it is.
    (config.proposal.first_iterations, config.proposal.refresh_every) = (2, u32::MAX);
    (config.training.batch, config.training.epochs) = (USERS as usize, 1);
    config.training.seed = seed.into();
    let mut trainer = Trainer::new(engine.clone(), &config, &train, None).await?;
    // The first step warms up. On a GPU the reading of losses, every fifty steps, waits until the work is done.
    let (mut steps, mut counted, mut start) = (0u32, 0u32, None);
    while let Some(event) = trainer.next().await? {
        let waited = match event {
            Event::Step { step, .. } => {
                steps = step;
                engine.is_cpu()
            }
            Event::Losses { .. } => !engine.is_cpu(),
            _ => false,
        };
        match start {
            None if waited => start = Some((Instant::now(), steps)),
            Some((began, first)) if waited => {
                counted = steps - first;
                let spent: f64 = Instant::elapsed(&began).as_secs_f64();
                if spent >= LEAST || !engine.is_cpu() || steps + 1 >= STEPS {
                    return Ok(spent / f64::from(counted.max(1)));
                }
            }
            _ => {}
        }
    }
    Err(Error::Data(format!("the steps ended after {counted}")))
}
