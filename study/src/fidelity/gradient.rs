//! Bias and variance of the sampled softmax's gradient (paper, section 3.2), computed by the training kernel.

use serde::Serialize;

use super::{Ready, Subject, subject::map};
use fastvae::{
    Result,
    engine::Recording,
    kernels::{ItemsOf, Partition, SampledLoss},
    proposal::{Draw, Samples},
};

/// Error of the sampled gradient of the users' losses relative to the norm of the full gradient, as root mean
/// squares over users; each user's loss is divided by the length of the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct GradientError {
    /// `|E g' - g| / |g|` for the gradient by the query; the sampling noise of the replicates is subtracted.
    pub query_bias: f64,
    /// `sqrt(E |g' - E g'|^2) / |g|` for the gradient by the query.
    pub query_deviation: f64,
    /// The bias of the gradient by the logits.
    pub logit_bias: f64,
    /// The standard deviation of the gradient by the logits.
    pub logit_deviation: f64,
    /// Increase of `query_bias` when one standard error over users is added.
    pub query_bias_error: f64,
    /// The same increase for `logit_bias`.
    pub logit_bias_error: f64,
}

/// Sums over the replicates of one user.
#[derive(Clone, Default)]
struct Tally {
    query: Vec<f64>,
    query_squares: f64,
    logits: Vec<f64>,
    logit_squares: f64,
    /// A dense row for one replicate; all zeros between replicates.
    scratch: Vec<f64>,
}

/// Squared norms of the full gradient, of the bias, and of the deviation.
#[derive(Clone, Copy, Default)]
struct Squares {
    full: f64,
    bias: f64,
    variance: f64,
}

/// Draws `negatives` candidates `replicates` times for each of the first `users` users and compares the mean
/// sampled gradient with the full gradient.
///
/// # Errors
/// If the engine has not enough memory, or the device is lost.
pub async fn gradient(
    subject: &Subject<'_>,
    ready: &Ready,
    users: usize,
    negatives: usize,
    replicates: u32,
    partition: Partition,
) -> Result<GradientError> {
    let (items, width, engine) = (subject.items(), subject.catalogue.width, subject.engine);
    let table = engine.read_range(&subject.catalogue.table, 0..items * width).await?;
    let (users, replicates) = (users.min(subject.users()), replicates.max(2));
    let mut all: [Vec<Squares>; 2] = [Vec::new(), Vec::new()];
    for start in (0..users).step_by(ready.most_queries) {
        let count = ready.most_queries.min(users - start);
        let chosen: Vec<u32> = (start as u32..(start + count) as u32).collect();
        let histories = subject.histories.select(&chosen)?;
        let groups = ready.groups(count, negatives);
        let entries = histories.nnz();
        let queries = engine.upload("queries", &subject.queries[start * width..][..count * width])?;
        let batch_items = engine.upload("batch items", histories.items())?;
        let rows: Vec<u32> =
            (0..count).flat_map(|row| std::iter::repeat_n(row as u32, histories.row(row).len())).collect();
        let batch_rows = engine.upload("batch rows", &rows)?;
        let batch_offsets = engine.upload("batch offsets", histories.offsets())?;
        let samples = Samples {
            negatives: engine.zeros("negatives", groups.total())?,
            negative_log_q: engine.zeros("log q of negatives", groups.total())?,
            positive_log_q: engine.zeros("log q of positives", entries)?,
        };
        let nll = engine.zeros("losses", count)?;
        let positive = engine.zeros("coefficients of positives", entries)?;
        let negative = engine.zeros("coefficients of negatives", count * negatives)?;
        let query_gradient = engine.zeros("query gradients", count * width)?;
        let empty = Tally {
            query: vec![0.0; width],
            logits: vec![0.0; items],
            scratch: vec![0.0; items],
            ..Tally::default()
        };
        let mut tallies = vec![empty; count];
        for replicate in 0..replicates {
            let draw = Draw { queries: &queries, groups, rng: ready.rng, step: replicate + 1 };
            let mut recording = Recording::new();
            let positives =
                ItemsOf::Entries { items: batch_items.clone(), rows: batch_rows.clone(), entries };
            ready.proposal.record(&mut recording, &draw, positives, &samples);
            recording.push(SampledLoss {
                queries: queries.clone(),
                table: subject.catalogue.table.clone(),
                item_bias: subject.catalogue.bias.clone(),
                width,
                groups,
                batch_offsets: batch_offsets.clone(),
                batch_items: batch_items.clone(),
                entries,
                longest: entries,
                negatives: samples.negatives.clone(),
                negative_log_q: samples.negative_log_q.clone(),
                positive_log_q: samples.positive_log_q.clone(),
                partition,
                scale: 1.0 / groups.rows() as f32,
                nll: nll.clone(),
                positive: positive.clone(),
                negative: negative.clone(),
                query_gradient: query_gradient.clone(),
            });
            engine.run(&recording)?;
            let drawn = engine.read(&samples.negatives).await?;
            let (positive, negative) = (engine.read(&positive).await?, engine.read(&negative).await?);
            let query = engine.read(&query_gradient).await?;
            fastvae::engine::parallel::for_each_chunk(&mut tallies, 1, |row, tally| {
                let span = histories.offsets()[row] as usize..histories.offsets()[row + 1] as usize;
                let history = histories.row(row).iter().zip(&positive[span]);
                let group = groups.of_row(row);
                let drawn = drawn[group * negatives..][..negatives].iter();
                let drawn = drawn.zip(&negative[row * negatives..][..negatives]);
                // The kernel's loss is a mean over rows; rescaled to one user's loss per item of the history.
                let scale = count as f64 / histories.row(row).len().max(1) as f64;
                tally[0].add(history.chain(drawn), &query[row * width..][..width], scale);
            });
        }
        let of_users = map(count, |row| {
            let history = histories.row(row);
            tallies[row].finish(subject, &table, start + row, history, replicates)
        });
        for of_user in of_users {
            all.iter_mut().zip(of_user).for_each(|(all, one)| all.push(one));
        }
    }
    let [query, logits] = all.map(|all| relative(&all));
    Ok(GradientError {
        query_bias: query.bias,
        query_deviation: query.deviation,
        logit_bias: logits.bias,
        logit_deviation: logits.deviation,
        query_bias_error: query.error,
        logit_bias_error: logits.error,
    })
}

/// Root mean squares over users, divided by the norm of the full gradient.
struct Relative {
    bias: f64,
    deviation: f64,
    error: f64,
}

fn relative(users: &[Squares]) -> Relative {
    let sum = |of: fn(&Squares) -> f64| users.iter().map(of).sum::<f64>();
    let (full, bias, count) = (sum(|one| one.full), sum(|one| one.bias), users.len() as f64);
    let spread: f64 = users.iter().map(|one| (one.bias - bias / count).powi(2)).sum();
    // Standard error of the sum over users. Subtracting noise can make a bias negative, hence `max`.
    let (error, bias) = ((spread * count / (count - 1.0)).sqrt(), bias.max(0.0));
    Relative {
        bias: (bias / full).sqrt(),
        deviation: (sum(|one| one.variance).max(0.0) / full).sqrt(),
        error: ((bias + error) / full).sqrt() - (bias / full).sqrt(),
    }
}

impl Tally {
    /// Adds one replicate: coefficients of items, which may repeat, and the gradient by the query.
    fn add<'a>(
        &mut self,
        coefficients: impl Iterator<Item = (&'a u32, &'a f32)> + Clone,
        query: &[f32],
        scale: f64,
    ) {
        for (&item, &coefficient) in coefficients.clone() {
            self.scratch[item as usize] += scale * f64::from(coefficient);
        }
        for (&item, _) in coefficients {
            // The first visit of an item takes its whole sum; repeated visits add 0.
            let value = std::mem::take(&mut self.scratch[item as usize]);
            self.logits[item as usize] += value;
            self.logit_squares += value * value;
        }
        for (sum, &value) in self.query.iter_mut().zip(query) {
            let value = scale * f64::from(value);
            *sum += value;
            self.query_squares += value * value;
        }
    }

    /// Compares query and logit gradients with the full one: `p - 1/n` for items of the history, else `p`.
    fn finish(
        &self,
        subject: &Subject<'_>,
        table: &[f32],
        user: usize,
        history: &[u32],
        replicates: u32,
    ) -> [Squares; 2] {
        let width = self.query.len();
        let mut full: Vec<f64> = subject.log_p(user).map(f64::exp).collect();
        for &item in history {
            full[item as usize] -= 1.0 / history.len() as f64;
        }
        let mut by_query = vec![0.0; width];
        for (row, &coefficient) in table.chunks_exact(width).zip(&full) {
            for (sum, &q) in by_query.iter_mut().zip(row) {
                *sum += coefficient * f64::from(q);
            }
        }
        [
            squares(&self.query, self.query_squares, &by_query, replicates),
            squares(&self.logits, self.logit_squares, &full, replicates),
        ]
    }
}

/// Computes the squares from the sum of the gradients and of their squared norms over replicates. The squared
/// distance of the mean of R replicates includes 1/R of the variance, which is subtracted.
fn squares(sum: &[f64], squared_norms: f64, full: &[f64], replicates: u32) -> Squares {
    let r = f64::from(replicates);
    let mean = |sum: &f64| sum / r;
    let norm: f64 = sum.iter().map(|s| mean(s).powi(2)).sum();
    let variance = (squared_norms / r - norm).max(0.0) * r / (r - 1.0);
    let distance: f64 = sum.iter().zip(full).map(|(s, full)| (mean(s) - full).powi(2)).sum();
    Squares { full: full.iter().map(|g| g * g).sum(), bias: distance - variance / r, variance }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bias_and_variance_of_known_numbers() {
        // Replicates (1, 0) and (3, 2), full gradient (1, 1): the mean is (2, 1).
        let got = squares(&[4.0, 2.0], 1.0 + 13.0, &[1.0, 1.0], 2);
        assert_eq!((got.full, got.variance), (2.0, 4.0));
        assert_eq!(got.bias, 1.0 - 4.0 / 2.0);
    }

    #[test]
    fn errors_over_users_by_hand() {
        let user = |bias| Squares { full: 8.0, bias, variance: 2.0 };
        let got = relative(&[user(1.0), user(3.0)]);
        // Biases sum to 4; the standard error is sqrt(2) times their standard deviation of sqrt(2).
        assert_eq!((got.bias, got.deviation), (0.5, 0.5));
        assert!((got.error - ((6f64 / 16.0).sqrt() - 0.5)).abs() < 1e-12);
        // Equal and negative biases: only noise.
        let got = relative(&[user(-1.0), user(-1.0)]);
        assert_eq!((got.bias, got.error), (0.0, 0.0));
    }

    #[test]
    fn repeated_items_are_one_coordinate() {
        let mut tally =
            Tally { query: vec![0.0], logits: vec![0.0; 3], scratch: vec![0.0; 3], ..Tally::default() };
        tally.add([(&1, &0.5), (&2, &1.0), (&1, &0.25)].into_iter(), &[2.0], 2.0);
        assert_eq!(tally.logits, [0.0, 1.5, 2.0]);
        assert_eq!((tally.logit_squares, tally.query_squares), (1.5 * 1.5 + 4.0, 16.0));
    }
}
