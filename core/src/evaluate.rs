//! Evaluates a model on users some of whose items were held out.

use crate::{
    Error, Result,
    data::EvaluationSet,
    engine::Engine,
    metrics::Metrics,
    model::Scorer,
    rank::{RankOptions, rank, same_catalogue},
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
    let mut metrics = Metrics::new(at, model.items())?;
    fits(set, model.items())?;
    let k = at.iter().copied().max().unwrap_or(1);
    let ranking = rank(engine, model, &set.fold_in, k, &RankOptions::default()).await?;
    for user in 0..set.fold_in.rows() {
        metrics.add(ranking.row(user), set.held_out.row(user))?;
    }
    Ok(metrics)
}
