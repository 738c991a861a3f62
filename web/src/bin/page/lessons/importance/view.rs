//! What lesson 2 shows.

use std::fmt::Write;

use web::{
    text::{digits, escape, percent},
    theory,
    toy::Toy,
};

use super::{DRAWS, Importance};

impl Importance {
    /// Proposal and softmax, film by film. With the proposal drawn by hand, a film's column can be dragged.
    pub(super) fn bars(&self, toy: &Toy, p: &[f64]) -> String {
        let q = self.q();
        let (width, height) = (480.0, 190.0);
        let top = p.iter().chain(&q).copied().fold(1e-9, f64::max);
        let step = width / toy.len() as f64;
        let mut svg = format!(
            "<svg class=\"columns s-{}\" viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
            self.class()
        );
        for (film, p) in p.iter().enumerate() {
            let x = film as f64 * step;
            let high = |value: f64| value / top * (height - 6.0);
            let share = q.get(film).copied().unwrap_or(0.0);
            let _ = write!(
                svg,
                "<rect class=\"bar-fill{}\" x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\"><title>{}</title></rect>\
                 <path class=\"truth\" d=\"M{:.2} {:.2}h{:.2}\"/>",
                if self.film == Some(film) { " lit-bar" } else { "" },
                x + 1.0,
                height - high(share),
                (step - 2.0).max(1.0),
                high(share),
                escape(&describe(toy, film, share, *p)),
                x,
                height - high(*p),
                step
            );
        }
        svg + "</svg>"
    }

    /// Where the estimates of ln Z lie, one point a set of draws.
    pub(super) fn strip(&self, truth: f64) -> String {
        let estimates = &self.estimates[usize::from(!self.corrected)];
        let values: Vec<f64> = estimates.iter().map(|one| one.log_z).collect();
        let (low, high) =
            values.iter().fold((truth - 1.5, truth + 1.0), |(low, high), &v| (low.min(v), high.max(v)));
        let (width, height) = (480.0, 120.0);
        let x = |value: f64| (value - low) / (high - low) * (width - 24.0) + 12.0;
        let bins = 60;
        let mut piles = vec![0usize; bins + 1];
        let mut svg = format!(
            "<svg class=\"strip s-{}\" viewBox=\"0 0 {width} {height}\" aria-hidden=\"true\">",
            self.class()
        );
        let tallest = {
            let mut counts = vec![0usize; bins + 1];
            for value in &values {
                counts[((value - low) / (high - low) * bins as f64) as usize] += 1;
            }
            counts.into_iter().max().unwrap_or(1)
        };
        let rise = ((height - 30.0) / tallest as f64).min(5.0);
        for value in &values {
            let bin = ((value - low) / (high - low) * bins as f64) as usize;
            let y = height - 22.0 - piles[bin] as f64 * rise;
            piles[bin] += 1;
            let _ =
                write!(svg, "<circle class=\"estimate\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"2.6\"/>", x(*value));
        }
        let (mean, _) = theory::spread(&values);
        let _ = write!(
            svg,
            "<path class=\"axis\" d=\"M0 {b}H{width}\"/><path class=\"truth\" d=\"M{t:.1} 2V{b}\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"12\">ln Z = {}</text>",
            x(truth) + 7.0,
            digits(truth),
            t = x(truth),
            b = height - 18.0,
        );
        if !values.is_empty() {
            let _ = write!(
                svg,
                "<path class=\"mean\" d=\"M{m:.1} {a}l5 9h-10z\"/>",
                m = x(mean),
                a = height - 18.0
            );
        }
        svg + "</svg>"
    }

    pub(super) fn told(&self, truth: f64, gradient: (f64, f64)) -> String {
        let estimates = &self.estimates[usize::from(!self.corrected)];
        let values: Vec<f64> = estimates.iter().map(|one| one.log_z).collect();
        let (mean, deviation) = theory::spread(&values);
        let effective =
            estimates.iter().map(|one| one.effective).sum::<f64>() / estimates.len().max(1) as f64;
        let error = estimates
            .iter()
            .map(|one| (one.gradient.0 - gradient.0).hypot(one.gradient.1 - gradient.1))
            .sum::<f64>()
            / estimates.len().max(1) as f64;
        format!(
            "<dl class=\"facts\"><div><dt>estimates of ln Z, true {}</dt><dd>{} ± {}</dd></div>\
             <div><dt>effective draws of {}</dt><dd>{}</dd></div>\
             <div><dt>error of the gradient</dt><dd>{}</dd></div></dl>",
            digits(truth),
            digits(mean),
            digits(deviation),
            DRAWS[self.draws],
            digits(effective),
            digits(error)
        )
    }
}

/// A film's column in words.
pub fn describe(toy: &Toy, film: usize, q: f64, p: f64) -> String {
    format!("{}: proposal {}, softmax {}", toy.titles[film], percent(q), percent(p))
}

/// The mean item vector under probabilities.
pub fn mean_vector(toy: &Toy, p: &[f64]) -> (f64, f64) {
    p.iter().enumerate().fold((0.0, 0.0), |(x, y), (film, p)| {
        let place = toy.place(film);
        (x + p * f64::from(place.0), y + p * f64::from(place.1))
    })
}
