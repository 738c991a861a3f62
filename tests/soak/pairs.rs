//! Pairwise settings: a short list of configurations in which every value of a setting meets every value of every other.
//!
//! Two settings that do not work together at all would hide the pairs beside them, so a pair counts as met only once a
//! configuration with it was accepted, and it counts as refused only after it was tried with defaults for the rest.

use std::collections::BTreeMap;

use ::tests::mutation::Random;

/// A setting's name and the values it is tried with; it may also keep its default.
pub type Setting = (&'static str, &'static [&'static str]);

/// Refused configurations that a pair is part of before it is tried alone.
const TRIES: u32 = 4;

/// Two choices: places of two settings and of their values, the lower setting first.
type Pair = [(usize, usize); 2];

/// The pairs of values, settled and not.
pub struct Pairs {
    settings: &'static [Setting],
    /// How many refused configurations each was part of.
    open: BTreeMap<Pair, u32>,
    /// Pairs that an accepted configuration has had.
    pub met: usize,
    /// Pairs that the program refuses.
    pub refused: Vec<String>,
}

/// A configuration to try: for each setting the place of its value, if it is not the default.
pub struct Row {
    choices: Vec<Option<usize>>,
    /// The pair that it is for.
    pair: Pair,
    alone: bool,
}

impl Pairs {
    /// All pairs of these settings.
    pub fn new(settings: &'static [Setting]) -> Self {
        let mut open = BTreeMap::new();
        for (first, (_, values)) in settings.iter().enumerate() {
            for (second, (_, others)) in settings.iter().enumerate().skip(first + 1) {
                for value in 0..values.len() {
                    open.extend((0..others.len()).map(|other| ([(first, value), (second, other)], 0)));
                }
            }
        }
        Self { settings, open, met: 0, refused: Vec::new() }
    }

    /// Pairs that are not settled.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// A configuration for one of the open pairs that has as many others as it can; none if all are settled.
    pub fn row(&self, random: &mut Random) -> Option<Row> {
        let place = random.below(self.open.len());
        let (&pair, &tries) = self.open.iter().nth(place)?;
        let mut choices = vec![None; self.settings.len()];
        for (setting, value) in pair {
            choices[setting] = Some(value);
        }
        let alone = tries >= TRIES;
        if !alone {
            let mut order: Vec<usize> =
                (0..self.settings.len()).filter(|at| choices[*at].is_none()).collect();
            for last in (1..order.len()).rev() {
                order.swap(last, random.below(last + 1));
            }
            for setting in order {
                // A pair that was refused with others may be the reason, and counts for less each time.
                let weight = |pair| self.open.get(&pair).map_or(0, |tries| TRIES.saturating_sub(*tries));
                let gain = |value: usize| -> u32 {
                    let chosen = choices.iter().enumerate().filter_map(|(at, choice)| Some((at, (*choice)?)));
                    chosen.map(|other| weight(ordered((setting, value), other))).sum()
                };
                choices[setting] = (0..self.settings[setting].1.len())
                    .map(|value| (gain(value), random.below(1000), value))
                    .max()
                    .filter(|(gain, ..)| *gain > 0)
                    .map(|(.., value)| value);
            }
        }
        Some(Row { choices, pair, alone })
    }

    /// Settles what a configuration has shown.
    pub fn settle(&mut self, row: &Row, accepted: bool) {
        if row.alone && !accepted {
            self.open.remove(&row.pair);
            self.refused.push(row.pair.map(|choice| self.flag(choice)).join(" "));
            return;
        }
        let chosen: Vec<(usize, usize)> =
            row.choices.iter().enumerate().filter_map(|(at, choice)| Some((at, (*choice)?))).collect();
        for (at, &one) in chosen.iter().enumerate() {
            for &other in &chosen[at + 1..] {
                let pair = ordered(one, other);
                if accepted {
                    self.met += usize::from(self.open.remove(&pair).is_some());
                } else if let Some(tries) = self.open.get_mut(&pair) {
                    *tries += 1;
                }
            }
        }
    }

    /// The flags of a configuration.
    pub fn flags(&self, row: &Row) -> Vec<String> {
        let chosen = row.choices.iter().enumerate().filter_map(|(at, choice)| Some((at, (*choice)?)));
        chosen.map(|choice| self.flag(choice)).collect()
    }

    fn flag(&self, (setting, value): (usize, usize)) -> String {
        let (name, values) = self.settings[setting];
        format!("--{name}={}", values[value])
    }
}

fn ordered(one: (usize, usize), other: (usize, usize)) -> Pair {
    if one.0 < other.0 { [one, other] } else { [other, one] }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &[Setting] = &[
        ("loss", &["full", "midx", "dns"]),
        ("row-updates", &["dense", "replay", "lazy"]),
        ("kmeans", &["plain", "balanced", "none"]),
        ("split", &["weak", "strong", "last"]),
    ];

    #[test]
    fn every_pair_is_met_or_refused() {
        let mut pairs = Pairs::new(SETTINGS);
        assert_eq!(pairs.open(), 6 * 9);
        let mut random = Random(3);
        let mut rows = 0;
        while let Some(row) = pairs.row(&mut random) {
            let flags = pairs.flags(&row);
            let has = |wanted: &str| flags.iter().any(|flag| flag == wanted);
            pairs.settle(&row, !(has("--loss=full") && has("--kmeans=none")));
            rows += 1;
            assert!(rows < 100);
        }
        assert_eq!((pairs.open(), pairs.met), (0, 6 * 9 - 1));
        assert_eq!(pairs.refused, ["--loss=full --kmeans=none"]);
        assert!(rows < 6 * 9 / 2, "{rows} configurations for 54 pairs");
    }
}
