//! Successive halving: many settings for a few epochs, the best third of them for three times as many, and so on
//! (Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", AISTATS 2016).
//!
//! A trial of a later round is trained from the start, so that it is what a run with that number of epochs gives,
//! whatever its schedule of learning rates. That costs at most half as much again as going on would.

/// Of each round, one in so many goes on, with so many times the epochs.
const FACTOR: u32 = 3;

/// A round: how many trials it has, and their epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Trials.
    pub trials: u32,
    /// Epochs of each.
    pub epochs: u32,
}

/// The rounds for `trials` settings, the last of them with `epochs` epochs.
pub fn rounds(trials: u32, epochs: u32) -> Vec<Round> {
    let last = trials.max(1).ilog(FACTOR).min(epochs.max(1).ilog(FACTOR));
    let round = |at: u32| Round {
        trials: (trials / FACTOR.pow(at)).max(1),
        epochs: (epochs / FACTOR.pow(last - at)).max(1),
    };
    (0..=last).map(round).collect()
}

/// The round of a trial, and the trial's place in it; `None` after the last one.
pub fn place(rounds: &[Round], trial: u32) -> Option<(usize, u32)> {
    let mut first = 0;
    for (at, round) in rounds.iter().enumerate() {
        if trial < first + round.trials {
            return Some((at, trial - first));
        }
        first += round.trials;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_have_a_third_of_the_trials_and_thrice_the_epochs() {
        let shown = |trials, epochs| {
            rounds(trials, epochs).iter().map(|round| (round.trials, round.epochs)).collect::<Vec<_>>()
        };
        assert_eq!(shown(27, 60), [(27, 2), (9, 6), (3, 20), (1, 60)]);
        assert_eq!(shown(20, 4), [(20, 1), (6, 4)]);
        assert_eq!(shown(1, 60), [(1, 60)]);
        assert_eq!(shown(9, 1), [(9, 1)]);
        let rounds = rounds(9, 9);
        assert_eq!(
            [0, 8, 9, 11, 12, 13].map(|trial| place(&rounds, trial)),
            [Some((0, 0)), Some((0, 8)), Some((1, 0)), Some((1, 2)), Some((2, 0)), None]
        );
    }
}
