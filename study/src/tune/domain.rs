//! The values of one setting that a search tries.

use serde_json::{Value, json};

use super::draws::Draws;

/// The values that a search tries for a setting.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// One of these.
    Choice(Vec<Value>),
    /// Numbers from `from` to `to`, both included.
    Range {
        /// The smallest value.
        from: f64,
        /// The largest value.
        to: f64,
        /// Whether equal ratios, not equal differences, are equally likely.
        log: bool,
        /// Whether the values are whole numbers.
        integer: bool,
    },
}

impl Domain {
    /// A value at random; in a range, uniformly on its scale.
    pub fn draw(&self, draws: &mut Draws) -> Value {
        match self {
            Self::Choice(values) => values[draws.below(values.len())].clone(),
            Self::Range { .. } => self.at(draws.unit()),
        }
    }

    /// The value at a place of a range: 0 is its low end, 1 its high end. Values have four significant digits, so that
    /// files show what was tried.
    pub fn at(&self, place: f64) -> Value {
        match *self {
            Self::Choice(ref values) => {
                values[((place * values.len() as f64) as usize).min(values.len() - 1)].clone()
            }
            Self::Range { from, to, log, integer } => {
                let place = place.clamp(0.0, 1.0);
                let value = if log {
                    (from.ln() + place * (to.ln() - from.ln())).exp()
                } else {
                    from + place * (to - from)
                };
                if integer {
                    return json!(value.round().clamp(from, to) as u64);
                }
                let short: f64 = format!("{value:.3e}").parse().unwrap_or(value);
                json!(short.clamp(from, to))
            }
        }
    }

    /// The place of a value: in a range from 0 to 1 on its scale, in a list evenly between 0 and 1. `None` if it is not
    /// one of its values.
    pub fn place(&self, value: &Value) -> Option<f64> {
        match *self {
            Self::Choice(ref values) => {
                let at = values.iter().position(|other| other == value)?;
                Some(if values.len() == 1 { 0.5 } else { at as f64 / (values.len() - 1) as f64 })
            }
            Self::Range { from, to, log, .. } => {
                let value = value.as_f64().filter(|value| (from..=to).contains(value))?;
                let scaled = |number: f64| if log { number.ln() } else { number };
                let width = scaled(to) - scaled(from);
                Some(if width > 0.0 { (scaled(value) - scaled(from)) / width } else { 0.5 })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_values_are_inverse() {
        let rate = Domain::Range { from: 1e-4, to: 0.1, log: true, integer: false };
        assert_eq!((rate.at(0.0), rate.at(1.0), rate.at(2.0)), (json!(1e-4), json!(0.1), json!(0.1)));
        assert_eq!(rate.at(1.0 / 3.0), json!(0.001));
        for place in [0.0, 0.123, 0.5, 0.99, 1.0] {
            assert!((rate.place(&rate.at(place)).unwrap() - place).abs() < 1e-3, "{place}");
        }
        let width = Domain::Range { from: 8.0, to: 11.0, log: false, integer: true };
        assert_eq!([0.0, 0.4, 0.5, 1.0].map(|place| width.at(place)), [8, 9, 10, 11].map(|n| json!(n)));
        assert_eq!(width.place(&json!(12)), None);
        let words = Domain::Choice(vec![json!("a"), json!("b"), json!("c")]);
        assert_eq!([0.0, 0.4, 1.0].map(|place| words.at(place)), ["a", "b", "c"].map(|word| json!(word)));
        assert_eq!((words.place(&json!("b")), words.place(&json!("d"))), (Some(0.5), None));
    }
}
