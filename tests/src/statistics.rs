//! Tests whether draws follow a distribution.

use statrs::function::gamma::checked_gamma_ur;

/// Bins are pooled until the expected number of draws in each is at least this.
const LEAST_EXPECTED: f64 = 10.0;

/// p-value of Pearson's chi-square test of `counts` against `probabilities`.
///
/// Bins are pooled in order of probability. A draw from a bin of probability 0 gives 0.
///
/// # Panics
/// If the probabilities do not sum to 1, or fewer than two bins remain after pooling.
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
    // The last pooled bin is too small, so it is added to the one before.
    if let Some(last) = bins.last_mut() {
        *last = (last.0 + open.0, last.1 + open.1);
    }
    assert!(bins.len() >= 2, "{draws} draws leave {} bins", bins.len());
    let statistic: f64 = bins.iter().map(|(seen, expected)| (seen - expected).powi(2) / expected).sum();
    checked_gamma_ur((bins.len() - 1) as f64 / 2.0, statistic / 2.0).unwrap_or(1.0)
}

/// Panics if the p-value is below one in a million. Seeds are fixed, so a test that passes once always
/// passes.
#[track_caller]
pub fn assert_drawn_from(name: &str, counts: &[u64], probabilities: &[f64]) {
    let p = chi_square(counts, probabilities);
    assert!(p > 1e-6, "{name}: chi-square gives p = {p:e}");
}

/// Counts of each value below `bins`.
#[track_caller]
pub fn histogram(values: impl IntoIterator<Item = u32>, bins: usize) -> Vec<u64> {
    let mut counts = vec![0; bins];
    values.into_iter().for_each(|value| counts[value as usize] += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::chi_square;

    /// Expected value from R: `pchisq(12.5, 3, lower.tail = FALSE)`.
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
