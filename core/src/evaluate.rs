//! Evaluates a model on users some of whose items were held out.

mod beyond;
mod intervals;

pub use beyond::{Background, beyond};
pub use intervals::{Difference, Interval, PerUser};

use crate::{
    Error, Result,
    data::EvaluationSet,
    engine::Engine,
    metrics::Metrics,
    model::Scorer,
    rank::{RankOptions, Ranking, rank, same_catalogue},
};

/// Fails unless the set covers a catalogue of `items` items and has a history and held-out items for each of
/// its users.
pub(crate) fn fits(set: &EvaluationSet, items: usize) -> Result<()> {
    same_catalogue("histories to evaluate on", &set.fold_in, items)?;
    same_catalogue("held-out items", &set.held_out, items)?;
    let (histories, held_out) = (set.fold_in.rows(), set.held_out.rows());
    if histories != held_out {
        return Err(Error::Data(format!(
            "{histories} users with histories and {held_out} with held-out items: an evaluation needs both of each"
        )));
    }
    Ok(())
}

/// Ranks all items except the folded-in ones for every user of the set, and compares the ranking with the
/// held-out items.
///
/// # Errors
/// As [`rank`]; [`crate::Error::Setting`] for cut-offs that are missing or out of range.
pub async fn evaluate(
    engine: &Engine,
    model: &dyn Scorer,
    set: &EvaluationSet,
    at: &[usize],
) -> Result<Metrics> {
    let ranking = lists(engine, model, set, at).await?;
    measure(&ranking, set, at)
}

/// The ranked lists of the users of a set, without folded-in items, as long as the largest cut-off.
///
/// # Errors
/// As [`evaluate`].
pub async fn lists(
    engine: &Engine,
    model: &dyn Scorer,
    set: &EvaluationSet,
    at: &[usize],
) -> Result<Ranking> {
    Metrics::new(at, model.items())?;
    fits(set, model.items())?;
    let k = at.iter().copied().max().unwrap_or(1);
    rank(engine, model, &set.fold_in, k, &RankOptions::default()).await
}

/// Compares the ranked lists of a set with its held-out items.
///
/// # Errors
/// [`Error::Setting`] for cut-offs that are missing or out of range; [`Error::Data`] for lists of other users.
pub fn measure(ranking: &Ranking, set: &EvaluationSet, at: &[usize]) -> Result<Metrics> {
    let mut metrics = Metrics::new(at, set.held_out.columns())?;
    for user in 0..set.fold_in.rows() {
        metrics.add(ranking.row(user), set.held_out.row(user))?;
    }
    Ok(metrics)
}
