//! What lesson 4 shows.

use std::fmt::Write;

use fastvae::config::Method;
use fastvae_study::chart::{Frame, Scale, Series, lines};
use web::{samplers, text::digits};

use super::Fidelity;

impl Fidelity {
    pub(super) fn curves(&self, size: (u32, u32), styled: bool) -> String {
        let Some(answer) = &self.answer else { return String::new() };
        let points = |curve: &[f64]| -> Vec<(f64, f64)> {
            answer.places.iter().map(|&place| f64::from(place)).zip(curve.iter().copied()).collect()
        };
        let mut series: Vec<Series> = answer
            .proposals
            .iter()
            .map(|one| Series::new(samplers::name(one.sampler), points(&one.curve)))
            .collect();
        series.push(Series::new("full softmax", points(&answer.truth)));
        let frame = Frame {
            title: "Cumulative probability, films by popularity".into(),
            description: "The nearer a curve is to that of the softmax, the better the proposal.".into(),
            x_label: "films, most popular first".into(),
            y_label: "probability so far".into(),
            x_scale: Scale::Log,
            size,
            styled,
            ..Frame::default()
        };
        lines(&frame, &series)
    }

    pub(super) fn by_codewords(&self, size: (u32, u32)) -> String {
        let mut series = Vec::new();
        for method in Method::all() {
            let name = method.name();
            let mut points: Vec<(f64, f64)> = self
                .by_codewords
                .iter()
                .filter(|(_, sampler, _)| *sampler == method)
                .map(|&(k, _, divergence)| (f64::from(k), divergence))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            if !points.is_empty() {
                series.push(Series::new(name, points));
            }
        }
        let frame = Frame {
            title: "Divergence by number of codewords".into(),
            description: "Move the slider to add points.".into(),
            x_label: "codewords K".into(),
            y_label: "KL, nats".into(),
            x_scale: Scale::Log,
            size,
            styled: false,
            ..Frame::default()
        };
        lines(&frame, &series)
    }

    pub(super) fn table(&self) -> String {
        let Some(answer) = &self.answer else { return String::new() };
        let top = answer.proposals.iter().flat_map(|one| one.fifths.iter().copied()).fold(1e-12, f64::max);
        let mut html = String::from(
            "<table class=\"numbers\"><thead><tr><th scope=\"col\">proposal q</th>\
             <th scope=\"col\" class=\"num\">KL(q ‖ softmax)</th><th scope=\"col\" class=\"num\">bound</th>\
             <th scope=\"col\" class=\"num\">KL(softmax ‖ q)</th>\
             <th scope=\"col\" class=\"wide\">by residual, small to large</th></tr></thead><tbody>",
        );
        for one in &answer.proposals {
            let name = samplers::name(one.sampler);
            let mut fifths = String::new();
            if !one.fifths.is_empty() {
                let _ = write!(
                    fifths,
                    "<svg class=\"fifths s-{name}\" viewBox=\"0 0 100 20\" aria-hidden=\"true\">"
                );
                for (n, part) in one.fifths.iter().enumerate() {
                    let high = (part / top * 20.0).clamp(0.4, 20.0);
                    let _ = write!(
                        fifths,
                        "<rect class=\"bar-fill\" x=\"{}\" y=\"{:.2}\" width=\"17\" height=\"{high:.2}\"/>",
                        n * 20,
                        20.0 - high
                    );
                }
                let parts: Vec<String> = one.fifths.iter().map(|part| digits(*part)).collect();
                let _ = write!(fifths, "</svg><span class=\"sr\">{}</span>", parts.join(", "));
            }
            let _ = write!(
                html,
                "<tr><th scope=\"row\"><span class=\"dot s-{name}\"></span>{}</th><td class=\"num\">{}</td>\
                 <td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"wide\">{fifths}</td></tr>",
                samplers::title(one.sampler),
                nats(one.divergence),
                one.bound.map_or("–".into(), |bound| format!("≤ {}", digits(bound))),
                nats(one.reverse),
            );
        }
        html + "</tbody></table>"
    }
}

/// A divergence; what rounding leaves of none is none.
fn nats(divergence: f64) -> String {
    if divergence < 1e-6 { "0".into() } else { digits(divergence) }
}
