//! Which epoch was best, and when to stop waiting for a better one.

use crate::state::Progress;

impl Progress {
    /// Adds the validation metric of an epoch; returns whether it is the best so far.
    pub(crate) fn evaluated(&mut self, epoch: u32, value: f64) -> bool {
        let best = self.best.is_none_or(|(_, before)| value > before);
        if best {
            self.best = Some((epoch, value));
            self.evaluations_since_best = 0;
        } else {
            self.evaluations_since_best += 1;
        }
        best
    }

    /// Whether the last `patience` evaluations brought no improvement; with 0, always false.
    pub(crate) fn out_of_patience(&self, patience: u32) -> bool {
        patience > 0 && self.evaluations_since_best >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_counts_evaluations_since_the_best() {
        let mut progress = Progress::default();
        let best: Vec<bool> =
            (1..).zip([0.1, 0.3, 0.3, 0.2]).map(|(e, v)| progress.evaluated(e, v)).collect();
        assert_eq!(best, [true, true, false, false]);
        assert_eq!(progress.best, Some((2, 0.3)));
        assert!(progress.out_of_patience(2) && !progress.out_of_patience(3) && !progress.out_of_patience(0));
        assert!(progress.evaluated(5, 0.4) && !progress.out_of_patience(1));
    }
}
