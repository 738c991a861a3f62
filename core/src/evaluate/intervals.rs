//! How sure a metric is: intervals by the bootstrap over users, and paired comparisons of two models.

use std::collections::BTreeMap;

use rand_core::Rng as _;

use crate::{
    Result,
    data::EvaluationSet,
    metrics::Metrics,
    rank::Ranking,
    rng::{Rng, Stream},
};

/// Samples of the bootstrap, and of the test of a difference.
const SAMPLES: u32 = 1000;
/// The share of samples on each side that is outside of an interval: intervals hold 95%.
const TAIL: f64 = 0.025;

/// The metrics of each user.
#[derive(Clone, Debug)]
pub struct PerUser {
    keys: Vec<String>,
    /// Users x keys.
    values: Vec<f64>,
}

/// A mean and its 95% interval.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Interval {
    /// The mean over users.
    pub mean: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// How the second of two models differs from the first, on the same users.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Difference {
    /// The mean of the second minus that of the first, and its interval.
    pub difference: Interval,
    /// How probable so large a difference is if the models are equally good: the share of random exchanges of the
    /// two values of each user that give one (a paired randomisation test, two-sided). What was found counts as one of
    /// them, so that it is never 0 (Phipson and Smyth, 2010).
    pub p: f64,
}

impl PerUser {
    /// The metrics of each user who has held-out items.
    ///
    /// # Errors
    /// As [`super::measure`].
    pub fn of(ranking: &Ranking, set: &EvaluationSet, at: &[usize]) -> Result<Self> {
        let metrics = Metrics::new(at, set.held_out.columns())?;
        let mut values = Vec::new();
        for user in 0..set.held_out.rows() {
            values.extend(metrics.of_user(ranking.row(user), set.held_out.row(user)));
        }
        Ok(Self { keys: metrics.user_keys(), values })
    }

    /// The mean of each metric with its interval. The same seed gives the same intervals.
    pub fn intervals(&self, seed: u64) -> BTreeMap<String, Interval> {
        self.keys.iter().cloned().zip(intervals(&self.values, self.keys.len(), seed)).collect()
    }

    /// How `other` differs from this model, metric by metric, on the same users.
    ///
    /// # Errors
    /// [`crate::Error::Data`] if the two are not of the same users and metrics.
    pub fn compare(&self, other: &Self, seed: u64) -> Result<BTreeMap<String, Difference>> {
        if self.keys != other.keys || self.values.len() != other.values.len() {
            return Err(crate::Error::Data("two models are compared on the same users and cut-offs".into()));
        }
        let differences: Vec<f64> = other.values.iter().zip(&self.values).map(|(b, a)| b - a).collect();
        let width = self.keys.len();
        let intervals = intervals(&differences, width, seed);
        let mut extreme = vec![0u32; width];
        let mut sums = vec![0.0; width];
        for sample in 0..SAMPLES {
            sums.fill(0.0);
            let mut words = Rng::new(seed).words(Stream::Data, u32::MAX, sample);
            for row in differences.chunks_exact(width) {
                let sign = if words.next_u64() & 1 == 0 { 1.0 } else { -1.0 };
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += sign * value);
            }
            let users = (differences.len() / width).max(1) as f64;
            for (count, (sum, interval)) in extreme.iter_mut().zip(sums.iter().zip(&intervals)) {
                *count += u32::from((sum / users).abs() >= interval.mean.abs() * (1.0 - 1e-12));
            }
        }
        let found = intervals.into_iter().zip(extreme).map(|(difference, count)| Difference {
            difference,
            p: f64::from(count + 1) / f64::from(SAMPLES + 1),
        });
        Ok(self.keys.iter().cloned().zip(found).collect())
    }
}

/// The mean of each column with the interval in which it lies in most samples of the rows.
fn intervals(values: &[f64], width: usize, seed: u64) -> Vec<Interval> {
    let users = values.len() / width.max(1);
    if users == 0 {
        return Vec::new();
    }
    let mut means = vec![0.0; width];
    for row in values.chunks_exact(width) {
        means.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    means.iter_mut().for_each(|sum| *sum /= users as f64);
    let mut samples = vec![Vec::with_capacity(SAMPLES as usize); width];
    let mut sums = vec![0.0; width];
    for sample in 0..SAMPLES {
        sums.fill(0.0);
        let mut words = Rng::new(seed).words(Stream::Data, u32::MAX - 1, sample);
        for _ in 0..users {
            let user = ((u128::from(words.next_u64()) * users as u128) >> 64) as usize;
            let row = &values[user * width..][..width];
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        samples.iter_mut().zip(&sums).for_each(|(samples, sum)| samples.push(sum / users as f64));
    }
    let interval = |(mean, mut samples): (f64, Vec<f64>)| {
        samples.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| samples[((samples.len() - 1) as f64 * share).round() as usize];
        Interval { mean, low: at(TAIL), high: at(1.0 - TAIL) }
    };
    means.into_iter().zip(samples).map(interval).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_user(values: Vec<f64>) -> PerUser {
        PerUser { keys: vec!["ndcg@10".into()], values }
    }

    #[test]
    fn intervals_have_the_width_of_the_standard_error() {
        // A share of one half among 400 users: standard error 0.025.
        let interval = per_user((0..400).map(|user| f64::from(user % 2)).collect()).intervals(7)["ndcg@10"];
        assert_eq!(interval.mean, 0.5);
        assert!((interval.low - 0.451).abs() < 0.01 && (interval.high - 0.549).abs() < 0.01, "{interval:?}");
    }

    /// The share of all exchanges, each of the 2^n counted once, whose difference is as large as the one that was found.
    fn exact_p(differences: &[f64]) -> f64 {
        let found = differences.iter().sum::<f64>().abs() * (1.0 - 1e-12);
        let extreme = |signs: &u32| {
            let term = |(at, value): (usize, &f64)| if signs >> at & 1 == 0 { *value } else { -value };
            differences.iter().enumerate().map(term).sum::<f64>().abs() >= found
        };
        let all = 1u32 << differences.len();
        (0..all).filter(extreme).count() as f64 / f64::from(all)
    }

    #[test]
    fn p_values_are_those_of_all_exchanges() {
        for case in 0u32..12 {
            let value = |user: u32| {
                f64::from((user * 7919 + case * 104_729) % 1000) / 1000.0 - 0.3 - f64::from(case) * 0.02
            };
            let differences: Vec<f64> = (0..12).map(value).collect();
            let exact = exact_p(&differences);
            let found = per_user(vec![0.0; 12]).compare(&per_user(differences), 3).unwrap()["ndcg@10"].p;
            // Of 1,000 exchanges, a share has this standard error.
            let error = (exact * (1.0 - exact) / f64::from(SAMPLES)).sqrt();
            assert!(
                (found - exact).abs() < 4.0 * error + 1.0 / f64::from(SAMPLES),
                "{case}: {found}, not {exact}"
            );
        }
        // No exchange of a thousand is as large, and still the p-value is not 0: what was found is itself an exchange.
        let found = per_user(vec![0.0; 400]).compare(&per_user(vec![0.1; 400]), 3).unwrap()["ndcg@10"].p;
        assert_eq!(found, 1.0 / f64::from(SAMPLES + 1));
    }

    #[test]
    fn differences_are_tested_in_pairs() {
        let value = |user: u64| (user * 7919 % 1000) as f64 / 1000.0;
        let before = per_user((0..200).map(value).collect());
        let better = per_user((0..200).map(|user| value(user) + 0.01).collect());
        let other =
            per_user((0..200).map(|user| value(user) + if user % 2 == 0 { 0.01 } else { -0.01 }).collect());
        let found = before.compare(&better, 1).unwrap()["ndcg@10"];
        assert!(found.p < 0.01 && (found.difference.mean - 0.01).abs() < 1e-9, "{found:?}");
        let found = before.compare(&other, 1).unwrap()["ndcg@10"];
        assert!(found.p > 0.5 && found.difference.low < 0.0 && found.difference.high > 0.0, "{found:?}");
        assert!(before.compare(&per_user(vec![0.0]), 1).is_err());
    }
}
