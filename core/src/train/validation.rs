//! The validation at the end of an epoch, which the weight of a linear path follows.

use std::collections::BTreeMap;

use web_time::Instant;

use super::Trainer;
use crate::{
    Result,
    evaluate::{lists, measure},
    event::Event,
    metrics,
};
#[cfg(feature = "baselines")]
use crate::{data::EvaluationSet, evaluate::PerUser, model::AnyModel, rank::Ranking};

/// The least and the largest weight, in units of that which the run began with.
#[cfg(feature = "baselines")]
const RANGE: [f64; 2] = [1.0 / 16.0, 2.0];

/// Metrics averaged over the validation users, and the seconds spent on them.
pub(super) struct Measured {
    means: BTreeMap<String, f64>,
    seconds: f64,
    /// The power of two that the scores of the linear path have to be multiplied with for these metrics.
    #[cfg(feature = "baselines")]
    factor: f32,
}

impl Trainer {
    /// Ranks the validation users, if there are any, at the end of an epoch. The weight of a linear path follows them:
    /// see [`Trainer::weigh`].
    pub(super) async fn measure(&self, epoch: u32) -> Result<Option<Measured>> {
        let Some(validation) = &self.validation else { return Ok(None) };
        let start = Instant::now();
        let at = [metrics::cutoff(&self.config.training.metric)?];
        let ranking = lists(&self.engine, &self.model(), validation, &at).await?;
        #[cfg(feature = "baselines")]
        let (ranking, factor) = match self.progress.linear_weight {
            Some([first, now]) => {
                let by = if epoch.is_multiple_of(2) { 0.5 } else { 2.0 };
                self.weigh(validation, ranking, (now / first, by)).await?
            }
            None => (ranking, 1.0),
        };
        #[cfg(not(feature = "baselines"))]
        let _ = epoch;
        Ok(Some(Measured {
            means: measure(&ranking, validation, &at)?.means()?,
            seconds: start.elapsed().as_secs_f64(),
            #[cfg(feature = "baselines")]
            factor,
        }))
    }

    /// Ranks the validation users with the weight of the linear path multiplied by `by`, and again while they are ranked
    /// better for it beyond doubt: the 95 % interval of the difference is above zero. A weight that is `now` times the
    /// first stays in [`RANGE`]. Returns the best ranking and its factor.
    ///
    /// The network does not see the path in training, so the path can be weighed anew at any time: beside a network that
    /// has learned little it needs more weight than beside a good one.
    #[cfg(feature = "baselines")]
    async fn weigh(
        &self,
        validation: &EvaluationSet,
        ranking: Ranking,
        (now, by): (f64, f32),
    ) -> Result<(Ranking, f32)> {
        let metric = &self.config.training.metric;
        let at = [metrics::cutoff(metric)?];
        let (mut best, mut factor) = (ranking, 1.0);
        while (RANGE[0]..=RANGE[1]).contains(&(now * f64::from(factor * by))) {
            let model: AnyModel = self.model().with_linear_times(factor * by);
            let other = lists(&self.engine, &model, validation, &at).await?;
            let [before, after] = [&best, &other].map(|ranking| PerUser::of(ranking, validation, &at));
            let differences = before?.compare(&after?, self.config.training.seed)?;
            if differences.get(metric).is_none_or(|found| found.difference.low <= 0.0) {
                break;
            }
            (best, factor) = (other, factor * by);
        }
        Ok((best, factor))
    }

    /// Records the validation metrics of an epoch.
    pub(super) fn note(&mut self, epoch: u32, measured: Measured) {
        let value = measured.means.get(&self.config.training.metric).copied().unwrap_or(f64::NAN);
        let best = self.progress.evaluated(epoch, value);
        #[cfg(feature = "baselines")]
        if let Some([_, weight]) = self.progress.linear_weight.as_mut().filter(|_| measured.factor != 1.0) {
            self.model.multiply_linear(measured.factor);
            *weight *= f64::from(measured.factor);
            self.events.push_back(Event::Weighed { epoch, linear: *weight });
        }
        let Measured { means: metrics, seconds, .. } = measured;
        self.events.push_back(Event::Evaluated { epoch, metrics, best, seconds });
    }
}
