//! What theory says about draws: how far proposals are from the softmax, and what estimates they give.

use fastvae::rng::{Rng, Stream, below};
use serde::{Deserialize, Serialize};

/// ln of the sum of exponents, in f64.
pub fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = values.clone().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        top
    } else {
        top + values.map(|value| (value - top).exp()).sum::<f64>().ln()
    }
}

/// The softmax of logits, as logarithms.
pub fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let log_z = log_sum_exp(logits.iter().map(|&logit| f64::from(logit)));
    logits.iter().map(|&logit| f64::from(logit) - log_z).collect()
}

/// The Kullback-Leibler divergence `sum p ln(p / q)` of log probabilities.
pub fn divergence(log_p: &[f64], log_q: &[f64]) -> f64 {
    log_p.iter().zip(log_q).map(|(p, q)| if *p > f64::NEG_INFINITY { p.exp() * (p - q) } else { 0.0 }).sum()
}

/// Pearson's statistic of draws against probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChiSquare {
    /// Sum over bins of `(seen - expected)^2 / expected`.
    pub statistic: f64,
    /// Bins less one.
    pub freedom: u32,
    /// The probability of a statistic at least as large if the draws follow the probabilities.
    pub p: f64,
}

/// Compares counts with probabilities. Bins are pooled, rarest first, until five draws are expected in each; `None`
/// while that leaves fewer than two.
pub fn chi_square(counts: &[u32], probabilities: &[f64]) -> Option<ChiSquare> {
    let draws: f64 = counts.iter().map(|&count| f64::from(count)).sum();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
    let (mut bins, mut open) = (Vec::new(), (0.0, 0.0));
    for bin in order {
        open = (open.0 + f64::from(counts[bin]), open.1 + draws * probabilities[bin]);
        if open.1 >= 5.0 {
            bins.push(std::mem::take(&mut open));
        }
    }
    if let Some(last) = bins.last_mut() {
        *last = (last.0 + open.0, last.1 + open.1);
    }
    if bins.len() < 2 {
        return None;
    }
    let statistic: f64 = bins.iter().map(|(seen, expected)| (seen - expected).powi(2) / expected).sum();
    let freedom = (bins.len() - 1) as u32;
    Some(ChiSquare { statistic, freedom, p: upper_gamma(f64::from(freedom) / 2.0, statistic / 2.0) })
}

/// The regularised upper incomplete gamma function Q(a, x): its series below `a + 1`, Lentz's continued fraction above.
fn upper_gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        while term > sum * 1e-14 {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        return (1.0 - front * sum).clamp(0.0, 1.0);
    }
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (f64::MAX, 1.0 / b);
    let mut fraction = d;
    for i in 1..1000 {
        let i = f64::from(i);
        let an = -i * (i - a);
        b += 2.0;
        d = 1.0 / (an * d + b);
        c = b + an / c;
        let factor = c * d;
        fraction *= factor;
        if (factor - 1.0).abs() < 1e-13 {
            break;
        }
    }
    (front * fraction).clamp(0.0, 1.0)
}

/// ln of the gamma function (Lanczos, g = 7).
fn ln_gamma(x: f64) -> f64 {
    const C: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let sum = C.iter().zip(1..).fold(0.999_999_999_999_809_9, |sum, (c, i)| sum + c / (x + f64::from(i)));
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// What one set of draws says of the sum over all items.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// ln of the estimated sum of exponents.
    pub log_z: f64,
    /// How many draws from the softmax itself would be worth as much.
    pub effective: f64,
    /// The mean item vector under the estimated softmax: the part of the gradient that has to be sampled.
    pub gradient: (f64, f64),
}

/// The estimate of importance sampling: `ln mean exp(o - ln q)`, and with the correction off `ln mean exp(o) + ln M`,
/// which forgets that some items are drawn more often than others.
pub fn estimate(
    draws: &[u32],
    logits: &[f32],
    log_q: &[f32],
    corrected: bool,
    place: impl Fn(usize) -> (f32, f32),
) -> Estimate {
    let uniform = -(logits.len() as f64).ln();
    let weight = |&item: &u32| {
        let item = item as usize;
        f64::from(logits[item]) - if corrected { f64::from(log_q[item]) } else { uniform }
    };
    let total = log_sum_exp(draws.iter().map(weight));
    let (mut squares, mut gradient) = (0.0, (0.0, 0.0));
    for draw in draws {
        let share = (weight(draw) - total).exp();
        let (x, y) = place(*draw as usize);
        squares += share * share;
        gradient = (gradient.0 + share * f64::from(x), gradient.1 + share * f64::from(y));
    }
    Estimate { log_z: total - (draws.len() as f64).ln(), effective: 1.0 / squares.max(1e-300), gradient }
}

/// Mean and standard deviation.
pub fn spread(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    (mean, variance.sqrt())
}

/// Random histories over `items` items: what the cost of a step is measured with.
pub fn random_histories(users: u32, items: u32, length: u32, seed: u32) -> Vec<Vec<u32>> {
    let rng = Rng::new(seed.into());
    (0..users)
        .map(|user| {
            (0..length).map(|n| below(rng.block(Stream::Data, u32::MAX, user, n)[0], items)).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chi_square_is_that_of_r() {
        // pchisq(12.5, 3, lower.tail = FALSE), pchisq(0.3, 3, ...), pchisq(60, 40, ...)
        for (statistic, freedom, p) in
            [(12.5, 3.0, 0.005_852_662_59), (0.3, 3.0, 0.960_028_480), (60.0, 40.0, 0.021_873_468)]
        {
            let got = upper_gamma(freedom / 2.0, statistic / 2.0);
            assert!((got - p).abs() < 1e-5 * p.max(0.1), "{got} for {p}");
        }
        let fair = chi_square(&[125, 75, 100, 100], &[0.25; 4]).unwrap();
        assert_eq!((fair.statistic, fair.freedom), (12.5, 3));
        assert!(chi_square(&[1, 1], &[0.5, 0.5]).is_none());
    }

    #[test]
    fn a_proposal_equal_to_the_softmax_has_no_error() {
        let logits = [0.5f32, -1.0, 2.0];
        let log_p = log_softmax(&logits);
        let log_q: Vec<f32> = log_p.iter().map(|&p| p as f32).collect();
        let one = estimate(&[2, 0, 2, 1], &logits, &log_q, true, |item| (item as f32, 0.0));
        let truth = log_sum_exp(logits.iter().map(|&o| f64::from(o)));
        assert!((one.log_z - truth).abs() < 1e-5 && (one.effective - 4.0).abs() < 1e-4, "{one:?}");
        assert!((one.gradient.0 - 1.25).abs() < 1e-5);
        assert!(divergence(&log_p, &log_p).abs() < 1e-12);
    }
}
