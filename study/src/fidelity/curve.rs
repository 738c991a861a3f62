//! Cumulative probability over items in order of popularity, estimated from draws (paper, figure 2).

use serde::Serialize;

use super::{Ready, Subject};
use fastvae::{Result, engine::Recording, proposal::Draw};

/// Cumulative share of the probability on the most popular items.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Curve {
    /// The sampler's label, or `softmax` for the exact curve of the softmax, which needs no draws.
    pub label: String,
    /// Share of the draws on the first n items, for n at [`Curve::places`].
    pub cumulative: Vec<f64>,
    /// The largest distance to the softmax's curve over all n (Kolmogorov-Smirnov statistic).
    pub distance: f64,
}

impl Curve {
    /// Number of points of a curve.
    const POINTS: usize = 240;

    /// The numbers of items at which curves are evaluated, ascending; the last is the whole catalogue.
    pub fn places(items: usize) -> Vec<usize> {
        let points = Self::POINTS.min(items);
        (1..=points).map(|point| point * items / points).collect()
    }

    /// The exact curve of one user's softmax.
    pub fn exact(subject: &Subject<'_>, user: usize, order: &[u32]) -> Self {
        let p: Vec<f64> = subject.log_p(user).map(f64::exp).collect();
        Self::new("softmax", &p, order, None)
    }

    fn new(label: &str, mass: &[f64], order: &[u32], against: Option<&[f64]>) -> Self {
        let mut sum = 0.0;
        let all: Vec<f64> = order
            .iter()
            .map(|&item| {
                sum += mass[item as usize];
                sum
            })
            .collect();
        let distance = against.map_or(0.0, |other| {
            let mut sum = 0.0;
            order.iter().zip(&all).fold(0.0f64, |most, (&item, own)| {
                sum += other[item as usize];
                most.max((own - sum).abs())
            })
        });
        let cumulative = Self::places(order.len()).into_iter().map(|place| all[place - 1]).collect();
        Self { label: label.into(), cumulative, distance }
    }
}

/// Most draws in one step: software adapters stop a shader's loops after 65,535 iterations.
const AT_ONCE: usize = 1000;

/// The curve of draws for one user. `order` lists the items, the most popular first.
///
/// # Errors
/// If the engine has not enough memory for the draws, or the device is lost.
pub async fn curve(
    subject: &Subject<'_>,
    ready: &Ready,
    user: usize,
    order: &[u32],
    draws: usize,
) -> Result<Curve> {
    let engine = subject.engine;
    let queries = engine.upload("query", subject.query(user))?;
    let mut groups = ready.groups(1, AT_ONCE.min(draws));
    groups.size = 1;
    let negatives = engine.zeros("draws", groups.total())?;
    let mut mass = vec![0.0; subject.items()];
    for (step, start) in (0..draws).step_by(AT_ONCE).enumerate() {
        groups.candidates = AT_ONCE.min(draws - start);
        let draw = Draw { queries: &queries, groups, rng: ready.rng, step: step as u32 };
        let mut recording = Recording::new();
        ready.proposal.prepare(&mut recording, &draw);
        ready.proposal.draw(&mut recording, &draw, &negatives);
        engine.run(&recording)?;
        for item in engine.read_range(&negatives, 0..groups.total()).await? {
            mass[item as usize] += 1.0 / draws as f64;
        }
    }
    let p: Vec<f64> = subject.log_p(user).map(f64::exp).collect();
    Ok(Curve::new(&ready.sampler.label, &mass, order, Some(&p)))
}
