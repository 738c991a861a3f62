//! The tree-structured Parzen estimator: Bergstra, Bardenet, Bengio and Kégl, "Algorithms for Hyper-Parameter
//! Optimization", NeurIPS 2011, section 4.
//!
//! The finished trials are divided into the best few and the rest. For each setting, l is a density over the values of the
//! best and g one over those of the rest; of some draws from l, the one with the largest l / g is proposed, which
//! maximises the expected improvement (equation 3). Every setting is estimated alone, from the trials in which it was
//! active. Of a list, a value is drawn from l.

use serde_json::Value;

use super::{domain::Domain, draws::Draws};

/// Trials at random before the first estimate.
pub const STARTUP: usize = 10;
/// Share of the trials that are the best ones (gamma of the paper), and their largest number.
const BEST_SHARE: f64 = 0.15;
const MOST_BEST: usize = 25;
/// Draws from l for a number.
const CANDIDATES: usize = 24;

/// How many of `count` trials are the best ones.
pub fn best_count(count: usize) -> usize {
    ((BEST_SHARE * count as f64).ceil() as usize).clamp(1, MOST_BEST)
}

/// A value for one setting, from its values in the best trials and in the others.
pub fn propose(domain: &Domain, best: &[&Value], others: &[&Value], draws: &mut Draws) -> Value {
    match domain {
        Domain::Choice(values) => {
            // Drawn from l alone: the best of many draws by l / g would be the same value again and again.
            values[draws.weighted(&shares(values, best))].clone()
        }
        Domain::Range { .. } => {
            let places = |values: &[&Value]| values.iter().filter_map(|value| domain.place(value)).collect();
            let (l, g) = (Parzen::new(places(best)), Parzen::new(places(others)));
            let drawn = (0..CANDIDATES).map(|_| domain.at(l.draw(draws)));
            let gain = |value: &Value| {
                let place = domain.place(value).unwrap_or(0.5);
                l.density(place).ln() - g.density(place).ln()
            };
            let drawn = drawn.map(|value| (gain(&value), value));
            drawn.max_by(|a, b| a.0.total_cmp(&b.0)).map_or_else(|| domain.at(0.5), |(_, value)| value)
        }
    }
}

/// The share of each value, with one count more than observed.
fn shares(values: &[Value], observed: &[&Value]) -> Vec<f64> {
    let total = (observed.len() + values.len()) as f64;
    let count = |value: &Value| observed.iter().filter(|other| **other == value).count();
    values.iter().map(|value| (count(value) + 1) as f64 / total).collect()
}

/// A density on 0..1: the mean of a broad normal at the centre, which is the prior, and of one at each observation,
/// each cut off at the ends. The width of a component is the larger of the distances to its neighbours.
struct Parzen {
    /// Centre, width, and the mass that lies inside of 0..1.
    components: Vec<(f64, f64, f64)>,
}

impl Parzen {
    fn new(mut observed: Vec<f64>) -> Self {
        observed.sort_unstable_by(f64::total_cmp);
        // Adding trials narrows the components, but only down to a hundredth of the range.
        let narrowest = 1.0 / (1.0 + observed.len() as f64).min(100.0);
        let width = |at: usize| {
            let before = if at == 0 { 0.0 } else { observed[at - 1] };
            let after = observed.get(at + 1).copied().unwrap_or(1.0);
            (observed[at] - before).max(after - observed[at]).clamp(narrowest, 1.0)
        };
        let centres = (0..observed.len()).map(|at| (observed[at], width(at))).chain([(0.5, 1.0)]);
        let inside = |(centre, width): (f64, f64)| {
            (centre, width, normal_below((1.0 - centre) / width) - normal_below(-centre / width))
        };
        Self { components: centres.map(inside).collect() }
    }

    fn draw(&self, draws: &mut Draws) -> f64 {
        let (centre, width, _) = self.components[draws.below(self.components.len())];
        // At least a third of the mass of each component is inside.
        loop {
            let place = centre + width * draws.normal();
            if (0.0..=1.0).contains(&place) {
                return place;
            }
        }
    }

    fn density(&self, place: f64) -> f64 {
        let one = |&(centre, width, inside): &(f64, f64, f64)| {
            let z = (place - centre) / width;
            (-0.5 * z * z).exp() / (width * inside)
        };
        let sum: f64 = self.components.iter().map(one).sum();
        sum / (self.components.len() as f64 * std::f64::consts::TAU.sqrt())
    }
}

/// The standard normal distribution function, within 1e-7 (Abramowitz and Stegun, 26.2.17).
fn normal_below(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let polynomial = t
        * (0.319_381_53
            + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let above = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt() * polynomial;
    if z >= 0.0 { 1.0 - above } else { above }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_is_that_of_tables() {
        for (z, want) in [(0.0, 0.5), (1.0, 0.841_344_746), (-1.96, 0.024_997_895), (3.0, 0.998_650_102)] {
            assert!((normal_below(z) - want).abs() < 1e-7, "{z}: {}", normal_below(z));
        }
    }

    #[test]
    fn densities_have_mass_one_and_their_draws_follow_them() {
        for observed in [vec![], vec![0.1], vec![0.0, 0.02, 0.9, 1.0]] {
            let parzen = Parzen::new(observed);
            let cells = 1000;
            let density = |cell: usize| parzen.density((cell as f64 + 0.5) / cells as f64);
            let mass = |range: std::ops::Range<usize>| range.map(density).sum::<f64>() / cells as f64;
            assert!((mass(0..cells) - 1.0).abs() < 1e-5);
            let mut draws = Draws::new(1, 0, 0);
            let below = (0..4000).filter(|_| parzen.draw(&mut draws) < 0.25).count() as f64 / 4000.0;
            assert!((below - mass(0..cells / 4)).abs() < 0.04, "{below} {}", mass(0..cells / 4));
        }
    }
}
