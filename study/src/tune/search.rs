//! Which trial comes next.

use fastvae::model::ModelKind;
use serde_json::Value;

use super::{
    draws::Draws,
    halving::{self, Round},
    space::{Dimension, Space, Values},
    tpe,
    trial::Trial,
};

/// How trials are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// By the tree-structured Parzen estimator.
    Tpe,
    /// At random.
    Random,
    /// At random for a few epochs; the best go on for more.
    Halving,
}

impl Strategy {
    /// Every strategy by its name.
    pub const NAMED: [(&'static str, Self); 3] =
        [("tpe", Self::Tpe), ("random", Self::Random), ("halving", Self::Halving)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(_, strategy)| *strategy == self).map_or("", |(name, _)| name)
    }

    /// The strategy of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(known, _)| *known == name).map(|(_, strategy)| *strategy)
    }
}

/// What each system may spend.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget {
    /// Trials; under halving, those of the first round.
    pub trials: Option<u32>,
    /// Seconds of all trials together, with validation.
    pub seconds: Option<f64>,
}

/// A search: proposes trials from those that are finished.
pub struct Search<'a> {
    /// What is searched.
    pub space: &'a Space,
    /// How.
    pub strategy: Strategy,
    /// What each system may spend.
    pub budget: Budget,
    /// The seed of proposals.
    pub seed: u64,
    /// For each system of the space the epochs of a whole trial; `None` if it has none.
    pub epochs: Vec<Option<u32>>,
}

/// A trial to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The kind of model.
    pub system: ModelKind,
    /// Its number among the trials of the system, from 0.
    pub number: u32,
    /// The searched settings.
    pub values: Values,
    /// The number of epochs, if the strategy sets it.
    pub epochs: Option<u32>,
}

/// Draws for a proposal that differs from all earlier ones; if none does, all combinations were tried.
const ATTEMPTS: u32 = 200;

impl Search<'_> {
    /// The next trial; `None` if every system has spent its budget or has nothing new to try. The system that has done
    /// the fewest trials comes first, so an interrupted search has given all of them about the same.
    pub fn next(&self, done: &[Trial]) -> Option<Proposal> {
        let of = |kind: ModelKind| {
            let mut own: Vec<&Trial> = done.iter().filter(|trial| trial.system == kind.name()).collect();
            own.sort_by_key(|trial| trial.number);
            own
        };
        let mut systems: Vec<(usize, Vec<&Trial>)> =
            self.space.systems.iter().map(|&kind| of(kind)).enumerate().collect();
        systems.sort_by_key(|(at, own)| (own.len(), *at));
        systems.iter().find_map(|(at, own)| self.propose(*at, own))
    }

    /// Seconds that a system has left; `None` without a limit.
    pub fn seconds_left(&self, kind: ModelKind, done: &[Trial]) -> Option<f64> {
        let own = done.iter().filter(|trial| trial.system == kind.name());
        self.budget.seconds.map(|budget| budget - own.map(|trial| trial.seconds).sum::<f64>())
    }

    /// Seconds until all systems have spent their budgets, going by the trials so far; `None` before the first one, or
    /// if there is no end.
    pub fn seconds_expected(&self, done: &[Trial]) -> Option<f64> {
        let mean = |trials: &mut dyn Iterator<Item = &Trial>| {
            let (count, sum) =
                trials.fold((0u32, 0.0), |(count, sum), trial| (count + 1, sum + trial.seconds));
            (count > 0).then(|| sum / f64::from(count))
        };
        let all = mean(&mut done.iter())?;
        let left = |(at, &kind): (usize, &ModelKind)| {
            let own = || done.iter().filter(|trial| trial.system == kind.name());
            let trials = self.most_trials(at).map(|most| {
                let rest = f64::from(most) - own().count() as f64;
                rest.max(0.0) * mean(&mut own()).unwrap_or(all)
            });
            let seconds = self.seconds_left(kind, done).map(|left| left.max(0.0));
            [trials, seconds].into_iter().flatten().reduce(f64::min)
        };
        self.space.systems.iter().enumerate().map(left).sum()
    }

    /// Checks that the strategy suits the space.
    ///
    /// # Errors
    /// What does not go together.
    pub fn check(&self) -> Result<(), String> {
        if self.strategy != Strategy::Halving {
            return Ok(());
        }
        if self.budget.trials.is_none() {
            return Err("halving begins with a number of trials; give one".into());
        }
        if self.space.dimensions.iter().any(|dimension| dimension.name() == "training.epochs") {
            return Err("halving sets the epochs of trials; give one number of epochs in the space".into());
        }
        match self.space.systems.iter().zip(&self.epochs).find(|(_, epochs)| epochs.is_none()) {
            Some((kind, _)) => Err(format!("{} has no epochs to halve; take tpe or random", kind.name())),
            None => Ok(()),
        }
    }

    /// The most trials of a system.
    pub fn most_trials(&self, system: usize) -> Option<u32> {
        match self.strategy {
            Strategy::Halving => Some(self.rounds(system).iter().map(|round| round.trials).sum()),
            _ => self.budget.trials,
        }
    }

    fn rounds(&self, system: usize) -> Vec<Round> {
        halving::rounds(self.budget.trials.unwrap_or(1), self.epochs[system].unwrap_or(1))
    }

    fn propose(&self, system: usize, own: &[&Trial]) -> Option<Proposal> {
        let kind = self.space.systems[system];
        let spent: f64 = own.iter().map(|trial| trial.seconds).sum();
        if self.budget.seconds.is_some_and(|budget| spent >= budget) {
            return None;
        }
        // A damaged line of the log leaves a gap, which is filled first.
        let number = (0..).zip(own).find(|(number, trial)| trial.number != *number);
        let number = number.map_or(own.len() as u32, |(number, _)| number);
        if self.most_trials(system).is_some_and(|most| number >= most) {
            return None;
        }
        let before: Vec<&Trial> = own.iter().copied().filter(|trial| trial.number < number).collect();
        let (values, epochs) = match self.strategy {
            Strategy::Halving => {
                let rounds = self.rounds(system);
                let (round, place) = halving::place(&rounds, number)?;
                let values = match round {
                    0 => self.untried(system, number, &before, &[])?,
                    _ => promoted(&rounds, round, place, &before)?.values.clone(),
                };
                (values, Some(rounds[round].epochs))
            }
            Strategy::Tpe if before.len() >= tpe::STARTUP => {
                (self.untried(system, number, &before, &before)?, None)
            }
            Strategy::Tpe | Strategy::Random => (self.untried(system, number, &before, &[])?, None),
        };
        Some(Proposal { system: kind, number, values, epochs })
    }

    /// Values that were not tried before, estimated from `known`, or at random if that is empty.
    fn untried(&self, system: usize, number: u32, before: &[&Trial], known: &[&Trial]) -> Option<Values> {
        let kind = self.space.systems[system];
        let mut draws = Draws::new(self.seed, system as u32, number);
        let mut ranked = known.to_vec();
        ranked.sort_by(|a, b| b.score().total_cmp(&a.score()).then(a.number.cmp(&b.number)));
        let (best, others) = ranked.split_at(tpe::best_count(ranked.len()).min(ranked.len()));
        (0..ATTEMPTS).find_map(|attempt| {
            // In a space of few combinations the estimate may repeat itself; half of the attempts are at random.
            let values = if known.is_empty() || attempt >= ATTEMPTS / 2 {
                self.space.draw(kind, &mut draws)
            } else {
                self.space.fill(kind, |dimension| {
                    let (best, others) = (observed(dimension, best), observed(dimension, others));
                    tpe::propose(&dimension.domain, &best, &others, &mut draws)
                })
            };
            (!before.iter().any(|trial| trial.values == values)).then_some(values)
        })
    }
}

/// The values of a setting in these trials, where it was active over this domain.
fn observed<'a>(dimension: &Dimension, trials: &[&'a Trial]) -> Vec<&'a Value> {
    let name = dimension.name();
    let own = |value: &&Value| dimension.domain.place(value).is_some();
    trials.iter().filter_map(|trial| trial.values.get(&name)).filter(own).collect()
}

/// The trial of the round before that goes on at this place: by its metric, the best first.
fn promoted<'a>(rounds: &[Round], round: usize, place: u32, before: &[&'a Trial]) -> Option<&'a Trial> {
    let first: u32 = rounds[..round - 1].iter().map(|round| round.trials).sum();
    let numbers = first..first + rounds[round - 1].trials;
    let mut ranked: Vec<&Trial> =
        before.iter().copied().filter(|trial| numbers.contains(&trial.number)).collect();
    ranked.sort_by(|a, b| b.score().total_cmp(&a.score()).then(a.number.cmp(&b.number)));
    ranked.get(place as usize).copied()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tune::trial::Ended;

    /// A search over two numbers and a word, for one or two systems.
    fn space(kinds: &[&str]) -> Space {
        let given = json!({
            "model": { "kind": kinds, "factors": [8, 16, 32, 64, 128] },
            "optimizer": {
                "learning-rate": { "from": 1e-4, "to": 1.0, "scale": "log" },
                "schedule": ["constant", "cosine"],
            },
            "training": { "epochs": { "from": 1, "to": 100 } },
        });
        Space::parse(&given, &json!({})).unwrap()
    }

    fn search(space: &Space, strategy: Strategy, trials: u32, seed: u64) -> Search<'_> {
        let budget = Budget { trials: Some(trials), seconds: None };
        Search { space, strategy, budget, seed, epochs: vec![Some(27); space.systems.len()] }
    }

    /// A function with its largest value, 0, at a rate of 0.02, 70 epochs, 32 factors and the cosine.
    fn toy(values: &Values) -> f64 {
        let number = |name: &str| values[name].as_f64().unwrap();
        let rate = (number("optimizer.learning-rate") / 0.02).log10();
        let epochs = (number("training.epochs") - 70.0) / 50.0;
        let factors = (number("model.factors") / 32.0).log2() / 4.0;
        let word = if values["optimizer.schedule"] == "cosine" { 0.0 } else { 0.5 };
        -(rate * rate + epochs * epochs + factors * factors + word)
    }

    fn finished(proposal: Proposal, score: f64) -> Trial {
        Trial {
            system: proposal.system.name().into(),
            number: proposal.number,
            values: proposal.values,
            epochs: proposal.epochs.unwrap_or(1),
            best_epoch: Some(1),
            score: Some(score),
            metrics: Default::default(),
            ended: Ended::Done,
            seconds: 1.0,
        }
    }

    fn all(search: &Search<'_>) -> Vec<Trial> {
        let mut done = Vec::new();
        while let Some(proposal) = search.next(&done) {
            let score = toy(&proposal.values);
            done.push(finished(proposal, score));
        }
        done
    }

    #[test]
    fn proposals_depend_on_the_seed_and_the_finished_trials_alone() {
        let space = space(&["elsa", "bpr"]);
        for (_, strategy) in Strategy::NAMED {
            let search = search(&space, strategy, 20, 5);
            let done = all(&search);
            for cut in [0, 1, 7, done.len() - 1] {
                let mut again = done[..cut].to_vec();
                // The order of the lines does not matter.
                again.reverse();
                let next = search.next(&again).unwrap();
                assert_eq!(next.values, done[cut].values, "{strategy:?} {cut}");
            }
            // A trial whose line was damaged is done again, with the same values.
            let mut gap = done.clone();
            let lost = gap.remove(3);
            let next = search.next(&gap).unwrap();
            assert_eq!((next.number, &next.values), (lost.number, &lost.values));
            let other = Search { seed: 6, epochs: search.epochs.clone(), ..search };
            assert_ne!(other.next(&[]).unwrap().values, done[0].values);
        }
    }

    #[test]
    fn every_system_has_the_same_budget() {
        let space = space(&["elsa", "bpr"]);
        let done = all(&search(&space, Strategy::Tpe, 15, 1));
        let count = |name: &str| done.iter().filter(|trial| trial.system == name).count();
        assert_eq!((count("elsa"), count("bpr")), (15, 15));
        assert!(done.chunks(2).all(|pair| pair[0].system != pair[1].system));
        let budget = Budget { trials: None, seconds: Some(3.5) };
        let limited = Search { budget, ..search(&space, Strategy::Random, 1, 1) };
        assert_eq!(all(&limited).len(), 2 * 4);
        let halved = all(&search(&space, Strategy::Halving, 9, 1));
        let epochs: Vec<u32> =
            halved.iter().filter(|trial| trial.system == "bpr").map(|trial| trial.epochs).collect();
        assert_eq!(epochs, [[3; 9].as_slice(), &[9; 3], &[27]].concat());
        let best = |epochs: u32| {
            let own = halved.iter().filter(|trial| trial.system == "bpr" && trial.epochs == epochs);
            own.map(Trial::score).fold(f64::NEG_INFINITY, f64::max)
        };
        assert!(best(3) == best(9) && best(9) == best(27));
    }

    #[test]
    fn the_estimator_comes_closer_than_chance() {
        let space = space(&["elsa"]);
        let mean = |strategy: Strategy, trials: u32| {
            let best = |seed: u64| {
                let done = all(&search(&space, strategy, trials, seed));
                assert_eq!(done.len(), trials as usize);
                done.iter().map(Trial::score).fold(f64::NEG_INFINITY, f64::max)
            };
            (0..20).map(best).sum::<f64>() / 20.0
        };
        let (tpe, random) = (mean(Strategy::Tpe, 60), mean(Strategy::Random, 60));
        assert!(tpe > 0.5 * random, "TPE {tpe}, random {random}");
        // Twice as many trials at random do not reach it either.
        assert!(tpe > mean(Strategy::Random, 120), "TPE {tpe}");
    }

    #[test]
    fn a_small_space_ends_when_all_of_it_was_tried() {
        let given = json!({ "model": { "kind": "ease", "lambda": [1, 2, 3] } });
        let space = Space::parse(&given, &json!({})).unwrap();
        let budget = Budget::default();
        let search = Search { space: &space, strategy: Strategy::Tpe, budget, seed: 0, epochs: vec![None] };
        let mut done = Vec::new();
        while let Some(proposal) = search.next(&done) {
            done.push(finished(proposal, 0.0));
        }
        let mut tried: Vec<i64> =
            done.iter().filter_map(|trial| trial.values["model.lambda"].as_i64()).collect();
        tried.sort_unstable();
        assert_eq!(tried, [1, 2, 3]);
    }
}
