//! Exact divergences between a proposal and the softmax, and the paper's bounds on them.

use serde::Serialize;

use super::{Ready, Subject, subject::map};
use fastvae::{Result, config::ProposalKind};

/// Divergences of a proposal q from the softmax p of one user: exact sums over all items, in f64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Divergence {
    /// `sum q ln(q / p)`, the divergence that the paper bounds.
    pub kl_qp: f64,
    /// `sum p ln(p / q)`, the reverse divergence.
    pub kl_pq: f64,
    /// `1/2 sum |p - q|`, the total variation.
    pub total_variation: f64,
    /// `1 / sum p^2 / q`: effective sample size per draw in a self-normalised mean; 1 for draws from p.
    pub effective_sample_size: f64,
    /// The paper's bound on `kl_qp`: theorem 5.3 for MIDX_Uni, 5.4 for MIDX_Pop; NaN for other proposals.
    pub bound: f64,
}

/// Mean of the divergences over users.
pub fn mean(all: &[Divergence]) -> Divergence {
    let of = |field: fn(&Divergence) -> f64| all.iter().map(field).sum::<f64>() / all.len().max(1) as f64;
    Divergence {
        kl_qp: of(|d| d.kl_qp),
        kl_pq: of(|d| d.kl_pq),
        total_variation: of(|d| d.total_variation),
        effective_sample_size: of(|d| d.effective_sample_size),
        bound: of(|d| d.bound),
    }
}

/// Divergences of each user.
///
/// # Errors
/// If the device is lost.
pub async fn divergences(subject: &Subject<'_>, ready: &Ready) -> Result<Vec<Divergence>> {
    let bound = Bound::of(subject, ready).await?;
    let (items, mut all) = (subject.items(), Vec::with_capacity(subject.users()));
    subject
        .log_q_of_all(ready, &subject.queries, |start, log_q| {
            all.extend(map(log_q.len() / items, |user| {
                let mut one = compare(subject.log_p(start + user), &log_q[user * items..][..items]);
                one.bound = bound.as_ref().map_or(f64::NAN, |bound| bound.at(subject.query(start + user)));
                one
            }));
        })
        .await?;
    Ok(all)
}

fn compare(log_p: impl Iterator<Item = f64>, log_q: &[f32]) -> Divergence {
    let (mut kl_qp, mut kl_pq, mut distance, mut square) = (0.0, 0.0, 0.0, 0.0);
    for (log_p, &log_q) in log_p.zip(log_q) {
        let log_q = f64::from(log_q);
        let (p, q) = (log_p.exp(), log_q.exp());
        if q > 0.0 {
            kl_qp += q * (log_q - log_p);
        }
        if p > 0.0 {
            kl_pq += p * (log_p - log_q);
            square += (2.0 * log_p - log_q).exp();
        }
        distance += (p - q).abs();
    }
    Divergence {
        kl_qp,
        kl_pq,
        total_variation: distance / 2.0,
        effective_sample_size: 1.0 / square,
        bound: f64::NAN,
    }
}

/// Theorems 5.3 and 5.4. With the logit `o_i = z . q_i + b_i` and a proposal `q(i) ~ exp(z . a_i + w_i)`,
/// ln(p / q) of an item is `z . r_i + d_i` plus a constant, where `r_i = q_i - a_i` and `d_i = b_i - w_i`.
/// Hence `KL(q | p) <= 2 C |z| + max d - min d`, where C is the largest `|r_i|`. For MIDX_Uni all d are
/// equal, for MIDX_Pop they are `- ln pop(i)`; for an index that is out of date they also contain the
/// change of the biases since it was built.
struct Bound {
    /// C, the largest norm of a residual.
    residual: f64,
    /// max d - min d, where d is the bias minus the item's log weight in the proposal.
    spread: f64,
}

impl Bound {
    /// Computes the terms from the proposal's log q under unit queries, so it needs no access to codebooks.
    /// The log q give each r_i and d_i up to a shift that is common to all items and cancels from p / q.
    /// Residuals are centred, as those of k-means are already.
    async fn of(subject: &Subject<'_>, ready: &Ready) -> Result<Option<Self>> {
        let config = &ready.sampler.proposal;
        let applies = matches!(config.kind, ProposalKind::MidxUniform | ProposalKind::MidxPopularity);
        if !applies || config.mix.is_some() || config.group_size > 1 {
            return Ok(None);
        }
        let (items, width, engine) = (subject.items(), subject.catalogue.width, subject.engine);
        let table = engine.read_range(&subject.catalogue.table, 0..items * width).await?;
        let bias = match &subject.catalogue.bias {
            Some(bias) => engine.read_range(bias, 0..items).await?,
            None => vec![0.0; items],
        };
        let mut weights = Vec::new();
        subject.log_q_of_all(ready, &vec![0.0; width], |_, log_q| weights.extend_from_slice(log_q)).await?;
        let differences = || bias.iter().zip(&weights).map(|(b, w)| f64::from(*b) - f64::from(*w));
        let spread =
            differences().fold(f64::NEG_INFINITY, f64::max) - differences().fold(f64::INFINITY, f64::min);
        let mut unit = vec![0.0; width * width];
        unit.iter_mut().step_by(width + 1).for_each(|one| *one = 1.0);
        let mut squares = vec![0.0f64; items];
        let mut residuals = vec![0.0f64; items];
        subject
            .log_q_of_all(ready, &unit, |start, log_q| {
                for (at, log_q) in log_q.chunks_exact(items).enumerate() {
                    for (item, residual) in residuals.iter_mut().enumerate() {
                        let approximation = f64::from(log_q[item]) - f64::from(weights[item]);
                        *residual = f64::from(table[item * width + start + at]) - approximation;
                    }
                    let mean = residuals.iter().sum::<f64>() / items as f64;
                    for (square, residual) in squares.iter_mut().zip(&residuals) {
                        *square += (residual - mean).powi(2);
                    }
                }
            })
            .await?;
        let residual = squares.iter().copied().fold(0.0, f64::max).sqrt();
        Ok(Some(Self { residual, spread }))
    }

    fn at(&self, query: &[f32]) -> f64 {
        let norm = query.iter().map(|&z| f64::from(z).powi(2)).sum::<f64>().sqrt();
        2.0 * self.residual * norm + self.spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergences_by_hand() {
        let p: [f64; 2] = [0.75, 0.25];
        let q: [f64; 2] = [0.5, 0.5];
        let log_q: Vec<f32> = q.iter().map(|q| q.ln() as f32).collect();
        let got = compare(p.iter().map(|p| p.ln()), &log_q);
        let near = |got: f64, want: f64| assert!((got - want).abs() < 1e-6, "{got} and not {want}");
        near(got.kl_qp, 0.5 * (0.5f64 / 0.75).ln() + 0.5 * (0.5f64 / 0.25).ln());
        near(got.kl_pq, 0.75 * (0.75f64 / 0.5).ln() + 0.25 * (0.25f64 / 0.5).ln());
        near(got.total_variation, 0.25);
        near(got.effective_sample_size, 1.0 / (0.75 * 0.75 / 0.5 + 0.25 * 0.25 / 0.5));
    }

    #[test]
    fn what_a_proposal_never_draws_makes_it_worth_nothing() {
        let got = compare([0.5f64.ln(), 0.5f64.ln()].into_iter(), &[0.0, f32::NEG_INFINITY]);
        assert_eq!((got.effective_sample_size, got.kl_pq), (0.0, f64::INFINITY));
        assert!((got.kl_qp - 2f64.ln()).abs() < 1e-6);
    }
}
