//! What the page knows of a run, gathered from its events.

use fastvae::{
    chart::{Frame, Series, lines},
    event::Event,
};
use web::Settings;

/// The metric that is shown.
const METRIC: &str = "ndcg@50";

/// A run so far.
#[derive(Default)]
pub struct Run {
    /// Names the curves, which gives them their colour.
    loss_name: &'static str,
    /// Epochs asked for.
    pub epochs: u32,
    /// Epochs finished.
    pub epoch: u32,
    /// Steps done in the epoch under way.
    step: u32,
    steps_per_epoch: u32,
    users: usize,
    /// The set in a sentence.
    pub set: String,
    /// By epoch.
    losses: Vec<(f64, f64)>,
    /// By epoch.
    ndcg: Vec<(f64, f64)>,
    /// Users a second in the last epoch.
    pub speed: Option<f64>,
    /// The best epoch, once the run is over.
    pub done: Option<Option<u32>>,
}

impl Run {
    pub fn new(settings: &Settings) -> Self {
        Self { loss_name: settings.loss_name(), epochs: settings.epochs, ..Self::default() }
    }

    /// Takes note; says whether a curve has grown.
    pub fn note(&mut self, event: &Event) -> bool {
        match event {
            Event::Started { users, items, interactions, steps_per_epoch, .. } => {
                (self.users, self.steps_per_epoch) = (*users, *steps_per_epoch);
                self.set = format!(
                    "{} users, {} items, {} interactions to learn from",
                    grouped(*users),
                    grouped(*items),
                    grouped(*interactions)
                );
            }
            Event::Step { step, .. } => self.step = *step,
            Event::Epoch { epoch, seconds, loss, .. } => {
                (self.epoch, self.step) = (*epoch, 0);
                self.losses.push((f64::from(*epoch), *loss));
                self.speed = (*seconds > 0.0).then(|| self.users as f64 / seconds);
                return true;
            }
            Event::Evaluated { epoch, metrics, .. } => {
                if let Some(ndcg) = metrics.get(METRIC) {
                    self.ndcg.push((f64::from(*epoch), *ndcg));
                }
                return true;
            }
            Event::Done { best_epoch, .. } => self.done = Some(*best_epoch),
            Event::Indexed { .. } | Event::Losses { .. } => {}
        }
        false
    }

    /// Share of the run that is done.
    pub fn progress(&self) -> f64 {
        let within = f64::from(self.step) / f64::from(self.steps_per_epoch.max(1));
        (f64::from(self.epoch) + within) / f64::from(self.epochs.max(1))
    }

    /// Training loss of the last epoch.
    pub fn loss(&self) -> Option<f64> {
        self.losses.last().map(|point| point.1)
    }

    /// NDCG@50 of the last evaluation.
    pub fn ndcg(&self) -> Option<f64> {
        self.ndcg.last().map(|point| point.1)
    }

    /// NDCG@50 of an epoch.
    pub fn ndcg_of(&self, epoch: u32) -> Option<f64> {
        self.ndcg.iter().find(|point| point.0 == f64::from(epoch)).map(|point| point.1)
    }

    /// The loss by epoch.
    pub fn loss_chart(&self, size: (u32, u32)) -> String {
        let description = match (self.losses.first(), self.losses.last()) {
            (Some(first), Some(last)) => {
                format!("From {:.2} after the first epoch to {:.2} after epoch {}.", first.1, last.1, last.0)
            }
            _ => "Nothing trained yet.".into(),
        };
        self.chart("Training loss", description, "loss a user", &self.losses, size)
    }

    /// NDCG@50 by epoch.
    pub fn ndcg_chart(&self, size: (u32, u32)) -> String {
        let description = match (self.ndcg.first(), self.ndcg.last()) {
            (Some(first), Some(last)) => {
                format!("From {:.3} after the first epoch to {:.3} after epoch {}.", first.1, last.1, last.0)
            }
            _ => "Nothing evaluated yet.".into(),
        };
        self.chart("NDCG@50 on held-out items", description, "NDCG@50", &self.ndcg, size)
    }

    fn chart(
        &self,
        title: &str,
        description: String,
        y_label: &str,
        points: &[(f64, f64)],
        size: (u32, u32),
    ) -> String {
        let frame = Frame {
            title: title.into(),
            description,
            x_label: "epoch".into(),
            y_label: y_label.into(),
            size,
            ..Frame::default()
        };
        lines(&frame, &[Series::new(self.loss_name, points.iter().copied())])
    }
}

/// `1,234,567`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_events() {
        let mut run = Run::new(&Settings { epochs: 2, ..Settings::default() });
        let started = Event::Started {
            engine: "CPU".into(),
            users: 2000,
            items: 800,
            interactions: 1_234_567,
            parameters: 1,
            steps_per_epoch: 20,
            steps_done: 0,
        };
        assert!(!run.note(&started));
        assert_eq!(run.set, "2,000 users, 800 items, 1,234,567 interactions to learn from");
        assert!(!run.note(&Event::Step { epoch: 1, step: 10, users: 1000 }));
        assert_eq!(run.progress(), 0.25);
        assert!(run.note(&Event::Epoch { epoch: 1, seconds: 2.0, loss: 5.0, kl: 0.0 }));
        assert_eq!((run.progress(), run.loss(), run.speed), (0.5, Some(5.0), Some(1000.0)));
        let metrics = [("ndcg@50".to_owned(), 0.25)].into();
        assert!(run.note(&Event::Evaluated { epoch: 1, metrics, best: true, seconds: 0.1 }));
        assert_eq!((run.ndcg(), run.ndcg_of(1), run.ndcg_of(2)), (Some(0.25), Some(0.25), None));
        assert!(run.loss_chart((400, 240)).contains("From 5.00 after the first epoch"));
        assert!(!run.note(&Event::Done { epochs: 2, best_epoch: Some(1), stopped_early: false }));
        assert_eq!(run.done, Some(Some(1)));
    }
}
