//! The epochs of a run, collected from its events.

use std::collections::BTreeMap;

use crate::{
    event::Event,
    run::{ClosedFormMetrics, EpochMetrics},
};

/// The metrics of the epochs so far. They are collected from the same events while a run trains and when a
/// resumed run reads its log.
#[derive(Debug, Default)]
pub struct History {
    epochs: Vec<EpochMetrics>,
    /// A model in closed form.
    closed_form: Option<ClosedFormMetrics>,
    /// Seconds of validation per epoch.
    validation: BTreeMap<u32, f64>,
    /// Seconds spent on the index since the last epoch ended.
    index_seconds: f64,
}

impl History {
    /// The first `epochs` epochs of a log. If an epoch was trained twice, because the run was killed before
    /// it was saved, the last one counts.
    pub fn of(events: &[Event], epochs: u32) -> Self {
        let mut history = Self::default();
        for event in events {
            history.observe(event);
        }
        history.epochs.retain(|epoch| epoch.epoch <= epochs);
        history.validation.retain(|&epoch, _| epoch <= epochs);
        history
    }

    /// Adds an event.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::Indexed { seconds, .. } => self.index_seconds += seconds,
            Event::Epoch { epoch, seconds, loss, parts } => {
                self.epochs.retain(|before| before.epoch < *epoch);
                self.validation.retain(|before, _| before < epoch);
                self.epochs.push(EpochMetrics {
                    epoch: *epoch,
                    seconds: *seconds,
                    index_seconds: std::mem::take(&mut self.index_seconds),
                    loss: *loss,
                    parts: parts.clone(),
                    validation: None,
                });
            }
            Event::Fitted { seconds } => {
                self.closed_form = Some(ClosedFormMetrics { seconds: *seconds, validation: None });
            }
            Event::Evaluated { epoch, metrics, seconds, .. } => {
                self.validation.insert(*epoch, *seconds);
                if let Some(fit) = self.closed_form.as_mut().filter(|_| *epoch == 0) {
                    fit.validation = Some(metrics.clone());
                }
                if let Some(last) = self.epochs.last_mut().filter(|last| last.epoch == *epoch) {
                    last.validation = Some(metrics.clone());
                }
            }
            _ => {}
        }
    }

    /// The epochs in order.
    pub fn epochs(&self) -> &[EpochMetrics] {
        &self.epochs
    }

    /// The fit of a model in closed form.
    pub fn closed_form(&self) -> Option<&ClosedFormMetrics> {
        self.closed_form.as_ref()
    }

    /// Seconds of training and validation.
    pub fn total_seconds(&self) -> f64 {
        let fit = self.closed_form.as_ref().map_or(0.0, |fit| fit.seconds);
        let epochs = self.epochs.iter().map(|epoch| epoch.seconds).sum::<f64>();
        fit + epochs + self.validation.values().sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_that_was_trained_again_counts_once() {
        let epoch = |epoch, loss| Event::Epoch {
            epoch,
            seconds: 2.0,
            loss,
            parts: BTreeMap::from([("kl".to_owned(), 1.0)]),
        };
        let metrics = BTreeMap::from([("ndcg@50".to_owned(), 0.25)]);
        let evaluated =
            |epoch| Event::Evaluated { epoch, metrics: metrics.clone(), best: true, seconds: 0.5 };
        let events = [epoch(1, 9.0), evaluated(1), epoch(2, 8.0), evaluated(2), epoch(2, 7.0), epoch(3, 6.0)];
        let history = History::of(&events, 2);
        let losses: Vec<(u32, f64)> = history.epochs().iter().map(|e| (e.epoch, e.loss)).collect();
        assert_eq!(losses, [(1, 9.0), (2, 7.0)]);
        assert_eq!(history.epochs()[0].validation, Some(metrics));
        assert_eq!(history.epochs()[1].validation, None);
        assert_eq!(history.total_seconds(), 4.5);
    }
}
