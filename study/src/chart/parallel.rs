//! Parallel coordinates: an upright axis for each quantity, and a line through all of them for each thing that has them.

use std::fmt::Write;

use super::{Escaped, Frame, Svg, TITLE, axis::Axis, axis::Scale};

/// An upright axis of parallel coordinates.
#[derive(Clone, Debug, PartialEq)]
pub struct Upright {
    /// What it shows; written under it.
    pub label: String,
    /// Places from 0 (bottom) to 1 (top), with their labels.
    pub ticks: Vec<(f64, String)>,
}

impl Upright {
    /// An axis of numbers from `from` to `to`.
    pub fn numbers(label: impl Into<String>, from: f64, to: f64, scale: Scale) -> Self {
        let axis = Axis::over(scale, &[from, to], 5, true);
        let ticks = if from < to { axis.map(|axis| axis.ticks()) } else { None };
        let only = || vec![(0.5, super::three_digits(from))];
        Self { label: label.into(), ticks: ticks.unwrap_or_else(only) }
    }

    /// An axis of words, evenly spaced.
    pub fn words(label: impl Into<String>, words: &[String]) -> Self {
        let last = words.len().saturating_sub(1).max(1) as f64;
        let at = |at: usize| if words.len() == 1 { 0.5 } else { at as f64 / last };
        let ticks = words.iter().enumerate().map(|(index, word)| (at(index), word.clone())).collect();
        Self { label: label.into(), ticks }
    }
}

/// A line of parallel coordinates.
#[derive(Clone, Debug, PartialEq)]
pub struct Thread {
    /// Its place on each axis, from 0 to 1; an axis without one is passed by.
    pub places: Vec<Option<f64>>,
    /// How strongly it is drawn, from 0 to 1. The strongest is on top of the others and broader.
    pub weight: f64,
    /// Its description on hover.
    pub title: String,
}

/// Draws threads over upright axes, the weakest first. Of the frame, the scales and the labels of axes have no effect.
pub fn parallel(frame: &Frame, colour: &str, axes: &[Upright], threads: &[Thread]) -> String {
    let mut svg = Svg::open(frame);
    if axes.is_empty() || threads.is_empty() {
        return svg.close_empty();
    }
    let (width, height) = (f64::from(frame.size.0), f64::from(frame.size.1));
    let labels = axes[0].ticks.iter().map(|(_, label)| label.chars().count());
    let left = (22.0 + 7.2 * labels.max().unwrap_or(0) as f64).max(64.0);
    let (right, top, bottom) = (width - 64.0, TITLE + 8.0, height - 44.0);
    let x = |axis: usize| match axes.len() {
        1 => (left + right) / 2.0,
        many => left + (right - left) * axis as f64 / (many - 1) as f64,
    };
    let y = |place: f64| bottom - place * (bottom - top);
    let mut order: Vec<&Thread> = threads.iter().collect();
    order.sort_by(|a, b| a.weight.total_cmp(&b.weight));
    let last = order.len() - 1;
    for (index, thread) in order.into_iter().enumerate() {
        let (mut path, mut pen) = (String::new(), 'M');
        for (axis, place) in thread.places.iter().enumerate() {
            let Some(place) = place else { continue };
            let _ = write!(path, "{pen}{:.1} {:.1}", x(axis), y(*place));
            pen = 'L';
        }
        let (strength, broad) =
            (0.12 + 0.8 * thread.weight * thread.weight, if index == last { 3 } else { 1 });
        svg.put(format_args!(
            "<path fill=\"none\" stroke=\"{}\" stroke-opacity=\"{strength:.2}\" stroke-width=\"{broad}\" \
             stroke-linejoin=\"round\" d=\"{path}\"><title>{}</title></path>",
            Escaped(colour),
            Escaped(&thread.title)
        ));
    }
    for (index, axis) in axes.iter().enumerate() {
        let at = x(index);
        svg.put(format_args!("<path class=\"axis\" d=\"M{at:.1} {top:.1}V{bottom:.1}\"/>"));
        for (place, label) in &axis.ticks {
            svg.put(format_args!(
                "<path class=\"axis\" d=\"M{:.1} {:.1}h4\"/><text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{}</text>",
                at - 4.0,
                y(*place),
                at - 7.0,
                y(*place) + 4.0,
                Escaped(label)
            ));
        }
        // Neighbouring labels take turns on two lines.
        let below = bottom + if index % 2 == 0 { 19.0 } else { 35.0 };
        svg.put(format_args!(
            "<text class=\"label\" x=\"{at:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{}</text>",
            Escaped(&axis.label)
        ));
    }
    svg.close()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_and_every_tick_is_drawn() {
        let axes = [
            Upright::numbers("rate", 1e-3, 1.0, Scale::Log),
            Upright::words("loss", &["full".into(), "a<b".into()]),
            Upright::numbers("NDCG", 0.25, 0.25, Scale::Linear),
        ];
        let thread =
            |places: [Option<f64>; 3], weight| Thread { places: places.into(), weight, title: "t".into() };
        let threads =
            [thread([Some(0.0), Some(1.0), Some(0.5)], 1.0), thread([Some(1.0), None, Some(0.0)], 0.0)];
        let svg = parallel(&Frame::default(), "#123456", &axes, &threads);
        assert_eq!(svg.matches("#123456").count(), 2);
        assert!(svg.contains("0.001") && svg.contains("a&lt;b") && svg.contains("0.25"), "{svg}");
        let weak = svg.find("stroke-opacity=\"0.12\"").unwrap();
        assert!(weak < svg.find("stroke-opacity=\"0.92\"").unwrap(), "the best is on top");
        let path = svg[weak..].split("d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(
            (path.matches('M').count(), path.matches('L').count()),
            (1, 1),
            "the axis between is passed by"
        );
        assert!(parallel(&Frame::default(), "#123456", &axes, &[]).contains("no data"));
    }
}
