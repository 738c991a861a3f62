//! Whether draws follow a distribution.

use statrs::function::gamma::checked_gamma_ur;

/// Bins are pooled until this many draws are expected in each.
const LEAST_EXPECTED: f64 = 10.0;

/// The probability of counts at least as far from `draws x probabilities` (Pearson's chi-square).
///
/// Bins are pooled in order of probability. A draw from a bin of probability 0 gives 0.
///
/// # Panics
/// If the probabilities do not sum to 1 or do not leave two bins: there would be nothing to test.
#[track_caller]
pub fn chi_square(counts: &[u64], probabilities: &[f64]) -> f64 {
    assert_eq!(counts.len(), probabilities.len());
    let total: f64 = probabilities.iter().sum();
    assert!((total - 1.0).abs() < 1e-4, "probabilities sum to {total}");
    if counts.iter().zip(probabilities).any(|(&count, &p)| count > 0 && p == 0.0) {
        return 0.0;
    }
    let draws = counts.iter().sum::<u64>() as f64;
    let mut order: Vec<usize> = (0..counts.len()).filter(|&bin| probabilities[bin] > 0.0).collect();
    order.sort_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
    let (mut bins, mut open) = (Vec::new(), (0.0, 0.0));
    for bin in order {
        open = (open.0 + counts[bin] as f64, open.1 + draws * probabilities[bin] / total);
        if open.1 >= LEAST_EXPECTED {
            bins.push(std::mem::replace(&mut open, (0.0, 0.0)));
        }
    }
    // What is left over is too little for a bin of its own.
    if let Some(last) = bins.last_mut() {
        *last = (last.0 + open.0, last.1 + open.1);
    }
    assert!(bins.len() >= 2, "{draws} draws leave {} bins", bins.len());
    let statistic: f64 = bins.iter().map(|(seen, expected)| (seen - expected).powi(2) / expected).sum();
    checked_gamma_ur((bins.len() - 1) as f64 / 2.0, statistic / 2.0).unwrap_or(1.0)
}

/// Panics where draws as unlike `probabilities` would come once in a million runs of a right sampler.
/// Seeds are fixed, so a test that passes once passes always.
#[track_caller]
pub fn assert_drawn_from(name: &str, counts: &[u64], probabilities: &[f64]) {
    let p = chi_square(counts, probabilities);
    assert!(p > 1e-6, "{name}: chi-square gives p = {p:e}");
}

/// How often each value below `bins` occurs.
#[track_caller]
pub fn histogram(values: impl IntoIterator<Item = u32>, bins: usize) -> Vec<u64> {
    let mut counts = vec![0; bins];
    values.into_iter().for_each(|value| counts[value as usize] += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::chi_square;

    /// R: `pchisq(12.5, 3, lower.tail = FALSE)`.
    #[test]
    fn agrees_with_tables() {
        let p = chi_square(&[125, 75, 100, 100], &[0.25; 4]);
        assert!((p - 0.005_852_7).abs() < 1e-6, "{p}");
    }

    #[test]
    fn refuses_the_impossible_and_the_unlikely() {
        assert_eq!(chi_square(&[50, 49, 1], &[0.5, 0.5, 0.0]), 0.0);
        assert!(chi_square(&[700, 300], &[0.5, 0.5]) < 1e-9);
    }
}
