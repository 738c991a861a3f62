//! Building alias tables (Vose, 1991), in f64, with integer thresholds.

/// `(thresholds, aliases)` for weights that need not sum to one: a column j is drawn uniformly; the result is
/// j with probability `thresholds[j] / 2^32`, else `aliases[j]`.
///
/// Columns of weight zero are never the result; if all weights are zero, every column is equally likely.
pub fn build(weights: &[f64]) -> (Vec<u32>, Vec<u32>) {
    let n = weights.len();
    let total: f64 = weights.iter().sum();
    let mut aliases: Vec<u32> = (0..n as u32).collect();
    if total <= 0.0 || !total.is_finite() {
        return (vec![u32::MAX; n], aliases);
    }
    let mut scaled: Vec<f64> = weights.iter().map(|w| w * n as f64 / total).collect();
    let mut thresholds = vec![u32::MAX; n];
    let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..n).partition(|&j| scaled[j] < 1.0);
    while let (Some(&low), Some(&high)) = (small.last(), large.last()) {
        small.pop();
        // The largest threshold, 2^32 - 1, leaves a probability of 2^-32 for the alias, so full columns are
        // their own alias.
        thresholds[low] = (scaled[low] * 4_294_967_296.0).min(4_294_967_295.0) as u32;
        aliases[low] = high as u32;
        scaled[high] -= 1.0 - scaled[low];
        if scaled[high] < 1.0 {
            large.pop();
            small.push(high);
        }
    }
    // The remaining columns are full up to rounding, unless their weight is zero.
    let heaviest = (0..n).max_by(|&a, &b| weights[a].total_cmp(&weights[b])).unwrap_or(0);
    for &j in &small {
        if weights[j] == 0.0 {
            (thresholds[j], aliases[j]) = (0, heaviest as u32);
        }
    }
    (thresholds, aliases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_add_up_to_the_weights() {
        let cases: [&[f64]; 6] =
            [&[1.0], &[0.0, 0.0], &[1.0, 0.0, 3.0], &[1e-9, 5.0, 5.0, 1e3], &[2.0; 7], &[0.0, 0.0, 4.0]];
        for weights in cases {
            let (thresholds, aliases) = build(weights);
            let mut mass = vec![0.0; weights.len()];
            for (j, (&threshold, &alias)) in thresholds.iter().zip(&aliases).enumerate() {
                let keep = f64::from(threshold) / 4_294_967_296.0;
                mass[j] += keep;
                mass[alias as usize] += 1.0 - keep;
            }
            let total: f64 = weights.iter().sum();
            for (mass, weight) in mass.iter().zip(weights) {
                let want = if total > 0.0 { weight / total } else { 1.0 / weights.len() as f64 };
                assert!((mass / weights.len() as f64 - want).abs() <= 1e-9, "{weights:?}");
            }
        }
    }
}
