//! `--loss auto`: the loss that is the fastest way to a quality on this machine, for this set and these settings.
//!
//! What a step takes is measured. How many steps a loss needs is not known before it has been trained, so the factors of
//! `fastvae bench quality` are taken.

use std::time::Instant;

use fastvae::{
    Error, Result,
    config::{Method, ProposalKind},
    data::Csr,
    engine::Engine,
    model::ModelConfig,
    run::RunConfig,
    train::Trainer,
};
use pollster::block_on;
use serde_json::Value;

use crate::commands::bench::advance;

/// A loss that may be taken.
struct Candidate {
    method: Method,
    /// Users that share their negatives.
    group_size: usize,
    /// Epochs to the quality of the full softmax, in those of the full softmax (BENCHMARKS.md, "Full or sampled").
    epochs: f64,
}

impl Candidate {
    fn apply(&self, config: &mut RunConfig) {
        config.set_method(self.method);
        if self.method != Method::Full {
            config.proposal.group_size = self.group_size;
        }
    }

    fn name(&self) -> String {
        match self.group_size {
            1 => self.method.name().into(),
            users => format!("{}, shared by {users} users", self.method.name()),
        }
    }
}

/// Epochs of MIDX_Pop to the quality of the full softmax, in those of the full softmax, with negatives of each user's own and
/// with shared ones: the most of those measured.
const MIDX: f64 = 1.2;
const SHARED: f64 = 1.9;
/// Steps that are measured at once, the most times, and the seconds after which no more are begun.
const STEPS: u32 = 4;
const TURNS: u32 = 5;
const SECONDS: f64 = 1.0;

/// Whether a kind of model has losses to choose from.
///
/// # Errors
/// [`Error::Setting`] if it has not.
pub fn check(config: &RunConfig) -> Result<()> {
    let kind = config.model.kind();
    // Models that minimise a softmax have its denominator; pairwise losses and fits have none.
    if kind.uses("objective", "partition") {
        return Ok(());
    }
    let problem = format!("a model of kind {} has no losses to choose from; leave `auto` out", kind.name());
    Err(Error::setting("loss", problem))
}

/// Sets the loss of a run to the fastest and returns which it is and why, for the terminal. Settings that were `asked`
/// for stay.
///
/// # Errors
/// [`Error::Setting`] if no loss fits the settings; [`Error::Device`] if the device is lost.
pub fn choose(engine: &Engine, config: &mut RunConfig, asked: &Value, train: &Csr) -> Result<String> {
    let full = Candidate { method: Method::Full, group_size: 1, epochs: 1.0 };
    let mut candidates = vec![full];
    let method = Method::Sampled(ProposalKind::MidxPopularity);
    if asked["proposal"]["group-size"].is_null() {
        candidates.push(Candidate { method, group_size: 1, epochs: MIDX });
        candidates.push(Candidate { method, group_size: 8, epochs: SHARED });
    } else {
        candidates.push(Candidate { method, group_size: config.proposal.group_size, epochs: SHARED });
    }
    let mut measured = Vec::new();
    let mut left_out = Vec::new();
    for candidate in candidates {
        let mut tried = config.clone();
        candidate.apply(&mut tried);
        match seconds_a_step(engine, tried, train) {
            Ok(seconds) => measured.push((seconds * candidate.epochs, seconds, candidate)),
            Err(error @ (Error::Interrupted | Error::Device(_))) => return Err(error),
            Err(error) => left_out.push(format!("{}: {error}", candidate.name())),
        }
    }
    measured.sort_by(|a, b| a.0.total_cmp(&b.0));
    let Some((_, _, fastest)) = measured.first() else {
        return Err(Error::setting("loss", format!("none fits these settings: {}", left_out.join("; "))));
    };
    fastest.apply(config);
    let reasons = measured.iter().map(|(cost, seconds, candidate)| {
        format!(
            "{}: {:.2} ms a step x {} epochs = {:.2}",
            candidate.name(),
            1e3 * seconds,
            candidate.epochs,
            1e3 * cost
        )
    });
    let reasons: Vec<String> = reasons.chain(left_out).collect();
    Ok(format!("{}\n          because: {}", fastest.name(), reasons.join("\n                   ")))
}

/// The least seconds of a step. The linear path is left out, because it is the same beside every loss, and takes no step.
fn seconds_a_step(engine: &Engine, mut config: RunConfig, train: &Csr) -> Result<f64> {
    if let ModelConfig::MultVae(network) = &mut config.model {
        network.linear = 0;
    }
    config.validate(train.columns())?;
    let mut trainer = block_on(Trainer::new(engine.clone(), &config.training()?, train, None))?;
    // The first steps build the index and compile kernels.
    advance(&mut trainer, 2)?;
    let (start, mut least) = (Instant::now(), f64::INFINITY);
    for turn in 0..TURNS {
        if turn > 0 && start.elapsed().as_secs_f64() > SECONDS {
            break;
        }
        let (seconds, index) = advance(&mut trainer, STEPS)?;
        least = least.min((seconds - index) / f64::from(STEPS));
    }
    Ok(least)
}
