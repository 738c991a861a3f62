//! The random numbers of one trial.

use fastvae::rng::{Rng, Stream};

/// Random numbers that are a function of (seed, system, trial) and of how many were drawn before.
pub struct Draws {
    rng: Rng,
    system: u32,
    trial: u32,
    drawn: u32,
}

impl Draws {
    /// The numbers of a trial of a system.
    pub fn new(seed: u64, system: u32, trial: u32) -> Self {
        Self { rng: Rng::new(seed), system, trial, drawn: 0 }
    }

    /// A number in (0, 1), uniformly, with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        let [a, b, ..] = self.rng.block(Stream::Search, self.system, self.trial, self.drawn);
        self.drawn += 1;
        let bits = (u64::from(a) << 32 | u64::from(b)) >> 11;
        (bits as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// An index below `count`, uniformly.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count - 1)
    }

    /// An index, in proportion to these weights.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut rest = self.unit() * weights.iter().sum::<f64>();
        for (at, weight) in weights.iter().enumerate() {
            rest -= weight;
            if rest < 0.0 {
                return at;
            }
        }
        weights.len() - 1
    }

    /// A standard normal number (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}
