//! 6. What a step costs on this machine, by the number of films.

use std::fmt::Write;

use serde_json::json;
use web::{
    Command, Parameters, Report, samplers,
    text::{digits, escape, grouped},
};

use super::{Context, Lesson, Pace};
use crate::{
    dom::{self, Act, Kind},
    share,
};
use fastvae::config::Method;
use fastvae_study::chart::{Frame, Scale as AxisScale, Series, lines};

const SIZES: [u32; 6] = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000];
/// A sampler whose step takes longer is not tried with more films.
const PATIENCE: f64 = 0.25;

pub struct Scale {
    samplers: Vec<Method>,
    /// What is left, smallest first.
    plan: Vec<(Method, u32)>,
    measured: Vec<(Method, u32, f64)>,
    notes: Vec<String>,
    waiting: bool,
    engine: String,
}

impl Scale {
    pub fn new(parameters: &Parameters) -> Self {
        let samplers = parameters.samplers.clone();
        // The largest first: they are the last to be taken off the end.
        let plan =
            SIZES.iter().rev().flat_map(|&items| samplers.iter().rev().map(move |&s| (s, items))).collect();
        Self { samplers, plan, measured: Vec::new(), notes: Vec::new(), waiting: false, engine: "CPU".into() }
    }

    /// The exponent of N that fits the largest sizes: the slope on logarithmic axes.
    fn slope(&self, sampler: Method) -> Option<f64> {
        let points: Vec<(f64, f64)> = self
            .measured
            .iter()
            .filter(|(s, ..)| *s == sampler)
            .map(|&(_, items, seconds)| (f64::from(items).ln(), seconds.ln()))
            .collect();
        let points = &points[points.len().saturating_sub(3)..];
        if points.len() < 3 {
            return None;
        }
        let n = points.len() as f64;
        let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
        let over: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
        Some(over / points.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>())
    }

    fn chart(&self, size: (u32, u32), styled: bool) -> String {
        let series: Vec<Series> = self
            .samplers
            .iter()
            .map(|&sampler| {
                let points = self.measured.iter().filter(|(s, ..)| *s == sampler);
                Series::new(samplers::name(sampler), points.map(|&(_, n, t)| (f64::from(n), t * 1000.0)))
            })
            .filter(|series| !series.points.is_empty())
            .collect();
        let frame = Frame {
            title: "Time of a training step on this machine".into(),
            description:
                "On logarithmic axes, proportional cost is a line that rises by one decade per decade.".into(),
            x_label: "films N".into(),
            y_label: "milliseconds a step".into(),
            x_scale: AxisScale::Log,
            y_scale: AxisScale::Log,
            size,
            styled,
            ..Frame::default()
        };
        lines(&frame, &series)
    }

    fn table(&self) -> String {
        if self.measured.is_empty() {
            return "<p class=\"note\">Press play to measure. It takes a minute, and your machine for itself.</p>".into();
        }
        let heads: String =
            SIZES.iter().map(|n| format!("<th scope=\"col\" class=\"num\">{}</th>", grouped(*n))).collect();
        let mut html = format!(
            "<table class=\"numbers\"><caption class=\"sr\">Milliseconds a step</caption><thead><tr><th scope=\"col\">ms a step, N =</th>{heads}\
             <th scope=\"col\" class=\"num\">slope</th></tr></thead><tbody>"
        );
        for &sampler in &self.samplers {
            let cell = |items: &u32| {
                let found = self.measured.iter().find(|(s, n, _)| (s, n) == (&sampler, items));
                let text = found.map_or("–".into(), |(.., seconds)| digits(seconds * 1000.0));
                format!("<td class=\"num\">{text}</td>")
            };
            let cells: String = SIZES.iter().map(cell).collect();
            let _ = write!(
                html,
                "<tr><th scope=\"row\"><span class=\"dot s-{}\"></span>{}</th>{cells}<td class=\"num\">{}</td></tr>",
                samplers::name(sampler),
                samplers::title(sampler),
                self.slope(sampler).map_or("–".into(), |slope| format!("N<sup>{}</sup>", digits(slope)))
            );
        }
        html.push_str("</tbody></table>");
        for note in &self.notes {
            let _ = write!(html, "<p class=\"note\">{}</p>", escape(note));
        }
        html
    }

    fn csv(&self) -> String {
        let browser =
            dom::window().and_then(|window| window.navigator().user_agent().ok()).unwrap_or_default();
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let mut csv = String::from("sampler,items,milliseconds,engine,browser\n");
        for (sampler, items, seconds) in &self.measured {
            let _ = writeln!(
                csv,
                "{},{items},{},{},{}",
                samplers::name(*sampler),
                seconds * 1000.0,
                quoted(&self.engine),
                quoted(&browser)
            );
        }
        csv
    }
}

impl Lesson for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn title(&self) -> &'static str {
        "Scale: your machine, more and more films"
    }

    fn html(&self, parameters: &Parameters) -> String {
        let text = if parameters.shows("text") {
            "<p>A step of the full softmax asks every film, so its time grows with their number. A sampled step asks as many \
             as you tell it to. Measured here, on what you are reading this with: 64 viewers a step, vectors of 32 numbers.</p>"
        } else {
            ""
        };
        format!(
            "{text}<div class=\"figure\"><div class=\"chart\" data-part=\"scale-chart\"></div>\
             <div class=\"scroll\" tabindex=\"0\" data-part=\"scale-table\" role=\"status\"></div>\
             <div class=\"controls\"><button type=\"button\" data-act=\"csv\">Measurements as csv</button>\
             <button type=\"button\" data-act=\"svg\">Figure as svg</button></div></div>"
        )
    }

    fn draw(&mut self, context: &mut Context<'_>) {
        let page = context.page;
        page.fill(
            "scale-chart",
            if self.measured.is_empty() {
                String::new()
            } else {
                self.chart(page.chart_size("scale-chart", 360), false)
            },
        );
        page.fill("scale-table", self.table());
    }

    fn act(&mut self, _: &mut Context<'_>, act: &Act) {
        match (act.name.as_str(), act.kind) {
            ("csv", Kind::Click) => share::save("fastvae-scale.csv", "text/csv", &self.csv()),
            ("svg", Kind::Click) => {
                share::save("fastvae-scale.svg", "image/svg+xml", &self.chart((720, 420), true))
            }
            _ => {}
        }
    }

    fn step(&mut self, context: &mut Context<'_>, _: Pace) {
        if self.waiting {
            return;
        }
        if let Some(&(sampler, items)) = self.plan.last() {
            self.waiting = true;
            let parameters = &*context.parameters;
            let (negatives, codewords) = (parameters.integer("negatives"), parameters.codewords());
            context.ask(Command::Time { sampler, items, negatives, codewords, seed: parameters.seed() });
        }
    }

    fn reset(&mut self, context: &mut Context<'_>) {
        *self = Self { engine: std::mem::take(&mut self.engine), ..Self::new(context.parameters) };
        self.draw(context);
    }

    fn parameters(&mut self, context: &mut Context<'_>, keys: &[&str]) {
        if keys.iter().any(|key| ["samplers", "negatives", "k"].contains(key)) {
            self.reset(context);
        }
    }

    fn report(&mut self, context: &mut Context<'_>, report: &Report) {
        match report {
            Report::Engine { adapter, .. } => {
                self.engine = adapter.as_ref().map_or("CPU".into(), |adapter| format!("WebGPU, {adapter}"));
            }
            Report::Timed { sampler, items, seconds, problem } => {
                if self.plan.last() != Some(&(*sampler, *items)) {
                    return;
                }
                self.waiting = false;
                self.plan.pop();
                if let Some(seconds) = seconds {
                    self.measured.push((*sampler, *items, *seconds));
                    context.tell(
                        "step",
                        json!({ "lesson": "scale", "sampler": samplers::name(*sampler), "items": items, "seconds": seconds }),
                    );
                }
                if let Some(problem) = problem {
                    self.notes.push(format!(
                        "{}, {} films: {problem}",
                        samplers::title(*sampler),
                        grouped(*items)
                    ));
                }
                if seconds.is_none_or(|seconds| seconds > PATIENCE) {
                    self.plan.retain(|(s, _)| s != sampler);
                }
                self.draw(context);
            }
            Report::Failed(_) | Report::Revived => self.waiting = false,
            _ => {}
        }
    }

    fn busy(&self) -> bool {
        self.waiting
    }

    fn finished(&self) -> bool {
        self.plan.is_empty()
    }
}
