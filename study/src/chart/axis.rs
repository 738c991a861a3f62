//! Maps values to positions: ranges, ticks and labels.

/// How an axis maps values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Linear: equal differences have equal distances.
    #[default]
    Linear,
    /// Logarithmic: equal ratios have equal distances; values that are not positive are left out.
    Log,
}

impl Scale {
    /// Whether the axis can show the value.
    pub(super) fn shows(self, value: f64) -> bool {
        value.is_finite() && (self == Self::Linear || value > 0.0)
    }
}

/// Range of an axis, and its ticks.
pub(super) struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

impl Axis {
    /// An axis over the values that `scale` can show, with about `count` ticks; `None` if it can show none.
    /// With `snug` it ends at the data, otherwise at the next tick (on a log axis: slightly beyond the
    /// data).
    pub(super) fn over(scale: Scale, values: &[f64], count: usize, snug: bool) -> Option<Self> {
        let shown = || values.iter().copied().filter(|&value| scale.shows(value));
        let (mut low, mut high) = (shown().reduce(f64::min)?, shown().reduce(f64::max)?);
        if scale == Scale::Log {
            let room = if low == high {
                2.0
            } else if snug {
                1.0
            } else {
                (high / low).powf(0.05)
            };
            (low, high) = (low / room, high * room);
            return Some(Self { scale, low, high, ticks: log_ticks(low, high, count) });
        }
        if low == high {
            let room = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            (low, high) = if shown().all(|value| value.fract() == 0.0) {
                (low - 1.0, high + 1.0)
            } else {
                (low - room, high + room)
            };
        }
        let mut step = nice_step((high - low) / count as f64);
        if shown().all(|value| value.fract() == 0.0) {
            step = step.max(1.0); // counts have no halves
        }
        if !snug {
            // A sum of shares may exceed one slightly by rounding.
            (low, high) = ((low / step + 1e-6).floor() * step, (high / step - 1e-6).ceil() * step);
        }
        Some(Self { scale, low, high, ticks: linear_ticks(low, high, step) })
    }

    /// Position of the value: 0 at the low end, 1 at the high end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let map = |value: f64| if self.scale == Scale::Log { value.ln() } else { value };
        (map(value) - map(self.low)) / (map(self.high) - map(self.low))
    }

    /// The smallest value of the axis.
    pub(super) fn low(&self) -> f64 {
        self.low
    }

    /// Whether the axis can show the value.
    pub(super) fn shows(&self, value: f64) -> bool {
        self.scale.shows(value)
    }

    /// Ticks from low to high: position (0 to 1) and label.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let step = self.ticks.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
        let label = |value: f64| {
            // Linear labels have the same number of decimals; on a log axis each label needs its own.
            let step = if self.scale == Scale::Log { value } else { step };
            number(value, if step.is_finite() { step } else { value.abs() / 100.0 })
        };
        self.ticks.iter().map(|&value| (self.at(value), label(value))).collect()
    }
}

/// The smallest of 1, 2, 5, 10, 20, ... (times a power of ten) that is at least `rough`.
fn nice_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|lead| lead * power)
        .find(|&step| step >= rough * 0.999)
        .unwrap_or(10.0 * power)
}

fn linear_ticks(low: f64, high: f64, step: f64) -> Vec<f64> {
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    (first..=last).map(|index| index as f64 * step).collect()
}

/// Ticks of a log axis: powers of ten (every other one if many), or with 2 and 5 between them, or all
/// digits; the first choice that gives three ticks.
fn log_ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let stride = 1 + (high / low).log10() as usize / (count + 2);
    let inside = |value: &f64| (low * 0.999_999..=high * 1.000_001).contains(value);
    for leads in [&[1.0][..], &[1.0, 2.0, 5.0], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]] {
        let powers = (first..=last).filter(|power| power.rem_euclid(stride as i32) == 0);
        let ticks: Vec<f64> = powers
            .flat_map(|power| leads.iter().map(move |lead| lead * 10f64.powi(power)))
            .filter(inside)
            .collect();
        if ticks.len() >= 3 {
            return ticks;
        }
    }
    linear_ticks(low, high, nice_step((high - low) / count as f64))
}

/// A label as precise as `step` requires: `0.25`, `30`, `12.5k`, `3M`, `1e-6`; with a true minus sign.
pub(super) fn number(value: f64, step: f64) -> String {
    let size = value.abs();
    if size > 0.0 && size < 1e-4 {
        return format!("{value:.0e}").replace('-', "−");
    }
    let (unit, suffix) = match size {
        1e9.. => (1e9, "G"),
        1e6.. => (1e6, "M"),
        1e4.. => (1e3, "k"),
        _ => (1.0, ""),
    };
    let decimals = (-(step / unit * 1.000_001).log10().floor()).clamp(0.0, 6.0) as usize;
    let mut digits = format!("{:.decimals$}", size / unit);
    if !suffix.is_empty() && decimals > 0 {
        digits.truncate(digits.trim_end_matches('0').trim_end_matches('.').len());
    }
    if value < 0.0 { format!("−{digits}{suffix}") } else { digits + suffix }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, values: &[f64], snug: bool) -> Vec<String> {
        Axis::over(scale, values, 5, snug).unwrap().ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn linear_ticks_are_round() {
        assert_eq!(labels(Scale::Linear, &[0.312, 0.338], false), ["0.31", "0.32", "0.33", "0.34"]);
        assert_eq!(labels(Scale::Linear, &[1.0, 60.0], true), ["20", "40", "60"]);
        assert_eq!(labels(Scale::Linear, &[1.0, 3.0], true), ["1", "2", "3"]);
        assert_eq!(labels(Scale::Linear, &[-0.4, 0.4], false), ["−0.4", "−0.2", "0.0", "0.2", "0.4"]);
        assert_eq!(labels(Scale::Linear, &[0.0, 50_000.0], true), ["0", "10k", "20k", "30k", "40k", "50k"]);
        assert_eq!(
            labels(Scale::Linear, &[10_000.0, 12_500.0], true),
            ["10k", "10.5k", "11k", "11.5k", "12k", "12.5k"]
        );
    }

    #[test]
    fn log_ticks_fit_the_range() {
        assert_eq!(labels(Scale::Log, &[1.0, 1e8], true), ["1", "100", "10k", "1M", "100M"]);
        assert_eq!(labels(Scale::Log, &[0.001, 1.0], true), ["0.001", "0.01", "0.1", "1"]);
        assert_eq!(labels(Scale::Log, &[3.0, 80.0], true), ["5", "10", "20", "50"]);
        assert_eq!(labels(Scale::Log, &[41.0, 59.0], true), ["45", "50", "55"]);
        assert_eq!(labels(Scale::Log, &[0.0, -4.0, 1.0, 100.0], true), ["1", "10", "100"]);
    }

    #[test]
    fn one_value_has_room_and_no_value_no_axis() {
        for (scale, value) in
            [(Scale::Linear, 0.0), (Scale::Linear, -3.2), (Scale::Linear, 7.0), (Scale::Log, 7.0)]
        {
            let axis = Axis::over(scale, &[value], 5, true).unwrap();
            assert!((axis.at(value) - 0.5).abs() < 1e-9 && axis.ticks().len() > 1, "{value}");
        }
        assert!(Axis::over(Scale::Linear, &[f64::NAN, f64::INFINITY], 5, false).is_none());
        assert!(Axis::over(Scale::Log, &[0.0, -1.0], 5, false).is_none());
    }

    #[test]
    fn every_range_has_ticks_within() {
        for power in -12..12 {
            for span in [1.01, 1.3, 2.0, 7.0, 300.0, 1e9] {
                let low = 10f64.powi(power) * 1.7;
                for (scale, snug) in
                    [(Scale::Linear, true), (Scale::Linear, false), (Scale::Log, true), (Scale::Log, false)]
                {
                    let ticks = Axis::over(scale, &[low, low * span], 5, snug).unwrap().ticks();
                    assert!((2..=12).contains(&ticks.len()), "{low} x {span}: {ticks:?}");
                    assert!(
                        ticks.iter().all(|(at, _)| (-1e-6..=1.0 + 1e-6).contains(at)),
                        "{low} x {span}: {ticks:?}"
                    );
                }
            }
        }
    }
}
