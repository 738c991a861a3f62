//! Charts: snapshots, contrast of colours, and unusual data.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::collections::BTreeSet;

use fastvae_study::chart::{Frame, Scale, Series, bars, colour_of, lines};

const SAMPLERS: [&str; 8] =
    ["uniform", "popularity", "midx", "midx-uniform", "midx-popularity", "full", "kernel", "dns"];

fn learning_curves() -> String {
    let curve = |name: &str, top: f64, pace: f64| {
        Series::new(
            name,
            (1..=30).map(move |epoch| (f64::from(epoch), top * (1.0 - (-f64::from(epoch) / pace).exp()))),
        )
    };
    lines(
        &Frame {
            title: "NDCG@50 by epoch".into(),
            description: "Full softmax and MIDX approach .34; uniform negatives stay below .31.".into(),
            x_label: "epoch".into(),
            y_label: "NDCG@50 (validation)".into(),
            ..Frame::default()
        },
        &[
            curve("full", 0.338, 5.0),
            curve("midx-popularity", 0.335, 5.5),
            curve("midx-uniform", 0.331, 6.0),
            curve("uniform", 0.305, 9.0),
        ],
    )
}

fn cumulative_on_log_axes() -> String {
    let curve = |name: &str, power: f64| {
        Series::new(
            name,
            (0..=200).map(move |at| {
                let rank = 10f64.powf(f64::from(at) / 50.0);
                (rank, (rank / 1e4).powf(power))
            }),
        )
    };
    lines(
        &Frame {
            title: "Share of the softmax mass by rank".into(),
            description: "Cumulative probability over items in order of their score.".into(),
            x_label: "items, best first".into(),
            y_label: "cumulative probability".into(),
            x_scale: Scale::Log,
            y_scale: Scale::Log,
            ..Frame::default()
        },
        &[curve("full", 0.2), curve("midx K=16", 0.35), curve("midx K=64", 0.27), curve("uniform", 1.0)],
    )
}

fn seconds_by_sampler() -> String {
    bars(
        &Frame {
            title: "Seconds an epoch".into(),
            description: "Full softmax takes longest.".into(),
            x_label: "seconds".into(),
            size: (720, 300),
            ..Frame::default()
        },
        &[
            ("full", 5.5),
            ("midx-popularity", 1.94),
            ("midx-uniform", 1.87),
            ("popularity", 1.21),
            ("uniform", 1.2),
        ]
        .map(|(label, value)| (label.to_string(), value)),
    )
}

#[test]
fn a_line_chart() {
    insta::assert_snapshot!(learning_curves());
}

#[test]
fn a_chart_on_log_axes() {
    insta::assert_snapshot!(cumulative_on_log_axes());
}

#[test]
fn a_bar_chart() {
    insta::assert_snapshot!(seconds_by_sampler());
}

/// Writes the charts to the folder in `FASTVAE_FIGURES`, for inspection.
#[test]
fn figures_for_the_eye() {
    let Some(folder) = std::env::var_os("FASTVAE_FIGURES") else {
        println!("not written: set FASTVAE_FIGURES to a folder to look at the charts");
        return;
    };
    for (name, svg) in
        [("lines", learning_curves()), ("log", cumulative_on_log_axes()), ("bars", seconds_by_sampler())]
    {
        std::fs::write(std::path::Path::new(&folder).join(name).with_extension("svg"), svg).unwrap();
    }
}

/// Relative luminance of `#rrggbb` (WCAG 2).
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value =
            f64::from(u8::from_str_radix(&colour[at..at + 2], 16).expect("two hexadecimal digits")) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

#[test]
fn colours_are_distinct_and_show_on_both_grounds() {
    let colours: BTreeSet<&str> = SAMPLERS.into_iter().chain(["loss"]).map(colour_of).collect();
    assert_eq!(colours.len(), SAMPLERS.len() + 1);
    for colour in colours {
        for ground in ["#ffffff", "#15181e"] {
            let (a, b) = (luminance(colour), luminance(ground));
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(contrast >= 3.0, "{colour} on {ground}: {contrast:.2}");
        }
    }
    assert_eq!(colour_of("midx K=64"), colour_of("midx"));
}

#[test]
fn gaps_empty_charts_and_markup_in_names() {
    let frame = Frame { title: "a < b & \"c\"".into(), ..Frame::default() };
    for svg in [lines(&frame, &[]), bars(&frame, &[]), lines(&frame, &[Series::new("x", [(f64::NAN, 1.0)])])]
    {
        assert!(svg.contains("no data") && svg.contains("a &lt; b &amp; &quot;c&quot;"), "{svg}");
    }
    let nan = [(1.0, 1.0), (2.0, 2.0), (3.0, f64::NAN), (4.0, 1.0), (5.0, f64::INFINITY)];
    let svg = lines(&frame, &[Series::new("<x>", nan)]);
    assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("<x>"), "{svg}");
    let path = svg.lines().find(|line| line.contains("class=\"line\"")).unwrap();
    assert_eq!(path.matches('M').count(), 2, "a gap where there is no value: {path}");
    let negative = bars(&frame, &[("a".into(), -2.0), ("b".into(), 1.0), ("c".into(), f64::NAN)]);
    assert_eq!(negative.matches("<rect x=").count(), 2);
    assert!(!negative.contains("width=\"-"), "{negative}");
}
