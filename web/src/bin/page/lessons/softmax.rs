//! 1. The softmax over all films, and what it costs when there are many. Works without the engine.

use std::fmt::Write;

use web::{
    Parameters,
    text::{bytes, digits, escape, grouped, percent},
    toy::{self, Places, Toy},
};

use super::{Context, Lesson, Pace};
use crate::{
    dom::{Act, Kind},
    failure,
    plane::{self, Dot},
};
use fastvae_study::chart::{Frame, Scale, Series, lines};
use serde_json::json;

/// Sizes of the catalogue that the slider offers; the first is the one with names.
const SIZES: [u32; 16] = [
    12,
    30,
    100,
    300,
    1_000,
    3_000,
    10_000,
    30_000,
    100_000,
    300_000,
    1_000_000,
    3_000_000,
    10_000_000,
    30_000_000,
    100_000_000,
    1_000_000_000,
];
/// Beyond this the curve is not drawn: a page that took as long as it needs would stand still.
const DRAWN: u32 = 30_000;
/// Of a model as people train it: width of the item vectors, users a step.
const WIDTH: f64 = 200.0;
const BATCH: f64 = 256.0;

/// The parts of a softmax, in the order in which it is computed.
const STAGES: [&str; 4] = ["score", "power", "sum", "share"];

/// Place in [`SIZES`], taste and seed.
type Asked = (usize, (f32, f32), u32);

pub struct Softmax {
    toy: Option<Toy>,
    taste: (f32, f32),
    /// Place in [`SIZES`].
    size: usize,
    /// The film that the formula speaks of.
    picked: usize,
    /// The part that is lit; all are, past the end.
    stage: usize,
    /// The large catalogue.
    places: Places,
    /// Probabilities of the large catalogue, best first, and for which size and taste they are.
    curve: Option<(Asked, Vec<f32>)>,
}

impl Softmax {
    pub fn new(_: &Parameters) -> Self {
        Self {
            toy: None,
            taste: (2.1, 0.9),
            size: 0,
            picked: 0,
            stage: STAGES.len(),
            places: Places::default(),
            curve: None,
        }
    }

    fn films(&mut self, context: &mut Context<'_>) -> Option<&Toy> {
        if self.toy.is_none() {
            match Toy::new(SIZES[0] as usize, 2, context.parameters.seed()) {
                Ok(toy) => self.toy = Some(toy),
                Err(error) => *context.failure = failure("data", error.to_string(), "Choose another seed."),
            }
        }
        self.toy.as_ref()
    }

    fn table(&self, toy: &Toy) -> String {
        let logits = toy.logits(&toy::query(self.taste, 2, 0));
        let shares = toy::softmax(&logits);
        let widest = shares.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let lit = |stage: usize| if self.stage == stage { " lit" } else { "" };
        let mut order: Vec<usize> = (0..toy.len()).collect();
        order.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
        let mut html = format!(
            "<table class=\"films\"><caption class=\"sr\">Films with score, power and probability</caption><thead><tr>\
             <th scope=\"col\">film</th><th scope=\"col\" class=\"num{}\">score</th>\
             <th scope=\"col\" class=\"num{}\">e<sup>score</sup></th>\
             <th scope=\"col\" class=\"wide{}\">probability</th></tr></thead><tbody>",
            lit(0),
            lit(1),
            lit(3)
        );
        for item in order {
            let picked = if item == self.picked { " picked" } else { "" };
            let (title, width) = (escape(&toy.titles[item]), shares[item] / widest * 100.0);
            let _ = write!(
                html,
                "<tr class=\"row{picked}\" data-hover=\"film\" data-value=\"{item}\">\
                 <th scope=\"row\"><button type=\"button\" class=\"plain\" data-act=\"film\" data-value=\"{item}\" \
                 aria-pressed=\"{}\">{title}</button></th>\
                 <td class=\"num{}\">{}</td><td class=\"num{}\">{}</td>\
                 <td class=\"wide{}\"><svg class=\"meter\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" \
                 aria-hidden=\"true\"><rect class=\"full-fill\" width=\"{width:.2}\" height=\"10\" rx=\"1\"/></svg>\
                 <span class=\"num\">{}</span></td></tr>",
                item == self.picked,
                lit(0),
                digits(f64::from(logits[item])),
                lit(1),
                digits(f64::from(logits[item].exp())),
                lit(3),
                percent(f64::from(shares[item])),
            );
        }
        html + "</tbody></table>"
    }

    fn formula(&self, toy: &Toy) -> String {
        let logits = toy.logits(&toy::query(self.taste, 2, 0));
        let share = toy::softmax(&logits)[self.picked];
        let power = |logit: f32| f64::from(logit.exp());
        let sum: f64 = logits.iter().map(|&logit| power(logit)).sum();
        let lit = |stage: usize| if self.stage == stage { " class=\"lit\"" } else { "" };
        format!(
            "<math display=\"block\"><mrow><mi>P</mi><mo stretchy=\"false\">(</mo><mtext>{}</mtext><mo stretchy=\"false\">)</mo><mo>=</mo>\
             <mfrac><mrow{}><msup><mi>e</mi><mrow{}><mn>{}</mn></mrow></msup></mrow>\
             <mrow{}><munder><mo>∑</mo><mrow><mtext>all {} films</mtext></mrow></munder>\
             <msup><mi>e</mi><msub><mi>o</mi><mi>j</mi></msub></msup></mrow></mfrac><mo>=</mo>\
             <mfrac><mn{}>{}</mn><mn{}>{}</mn></mfrac><mo>=</mo><mn{}>{}</mn></mrow></math>",
            escape(&toy.titles[self.picked]),
            lit(1),
            lit(0),
            digits(f64::from(logits[self.picked])),
            lit(2),
            toy.len(),
            lit(1),
            digits(power(logits[self.picked])),
            lit(2),
            digits(sum),
            lit(3),
            digits(f64::from(share)),
        )
    }

    /// The cumulative curve of the catalogue of the slider's size.
    fn curve(&mut self, seed: u32) -> &[f32] {
        let key = (self.size, self.taste, seed);
        if self.curve.as_ref().is_none_or(|(known, _)| *known != key) {
            let mut shares = toy::softmax(&self.places.logits(SIZES[self.size].min(DRAWN), self.taste, seed));
            shares.sort_by(|a, b| b.total_cmp(a));
            self.curve = Some((key, shares));
        }
        self.curve.as_ref().map_or(&[], |(_, shares)| shares)
    }

    fn chart(&mut self, seed: u32, size: (u32, u32)) -> String {
        let shares = self.curve(seed).to_vec();
        let count = shares.len();
        let mut sum = 0.0;
        let mut points: Vec<(f64, f64)> = Vec::new();
        let mut next = 1.0;
        for (place, share) in shares.iter().enumerate() {
            sum += f64::from(*share);
            let rank = (place + 1) as f64;
            if rank >= next || place + 1 == count {
                points.push((rank, f64::min(sum, 1.0)));
                next = (rank * 1.04).max(rank + 1.0);
            }
        }
        let half = shares
            .iter()
            .scan(0.0, |sum, share| {
                *sum += share;
                Some(*sum)
            })
            .position(|sum| sum >= 0.5);
        let frame = Frame {
            title: format!("How many of {} films hold the probability", grouped(count as u64)),
            description: format!(
                "Cumulative probability of the films, most probable first; half of it lies on the first {}.",
                grouped(half.map_or(count, |place| place + 1) as u64)
            ),
            x_label: "films, most probable first".into(),
            y_label: "probability so far".into(),
            x_scale: Scale::Log,
            size,
            styled: false,
            ..Frame::default()
        };
        lines(&frame, &[Series::new("full", points)])
    }

    fn cost(&self, width: u32) -> String {
        let items = f64::from(SIZES[self.size]);
        let memory = BATCH * items * 4.0;
        let walls = [
            ("second-level cache", 1024.0 * 1024.0),
            ("largest WebGPU buffer", 128.0 * 1024.0 * 1024.0),
            ("a laptop's graphics memory", 8.0 * 1024f64.powi(3)),
            ("the largest accelerators", 192.0 * 1024f64.powi(3)),
        ];
        let (low, high) = (8192f64, 2f64.powi(41));
        let width = f64::from(width.max(320));
        let x = |bytes: f64| ((bytes / low).ln() / (high / low).ln()).clamp(0.0, 1.0) * width;
        let past = walls.iter().filter(|(_, wall)| memory > *wall).count();
        let mut svg = format!(
            "<svg class=\"cost\" width=\"{width}\" height=\"96\" viewBox=\"0 0 {width} 96\" role=\"img\" \
             aria-label=\"Memory for the logits of one step: {}\">\
             <rect class=\"track\" y=\"8\" width=\"{width}\" height=\"18\" rx=\"3\"/>\
             <rect class=\"fill past-{past}\" y=\"8\" width=\"{:.1}\" height=\"18\" rx=\"3\"/>",
            bytes(memory),
            x(memory).max(3.0)
        );
        for (index, (name, wall)) in walls.iter().enumerate() {
            let (at, y) = (x(*wall), 44 + 16 * index);
            let (anchor, shift) = if at > width * 0.55 { ("end", -4.0) } else { ("start", 4.0) };
            let _ = write!(
                svg,
                "<path class=\"wall\" d=\"M{at:.1} 4V{}\"/><text class=\"tick\" x=\"{:.1}\" y=\"{y}\" \
                 text-anchor=\"{anchor}\">{name}, {}</text>",
                y + 2,
                at + shift,
                bytes(*wall)
            );
        }
        svg + "</svg>"
    }

    fn words(&self) -> String {
        let items = f64::from(SIZES[self.size]);
        format!(
            "<dl class=\"facts\"><div><dt>films</dt><dd>{}</dd></div>\
             <div><dt>multiplications a user</dt><dd>{}</dd></div>\
             <div><dt>logits of a step</dt><dd>{}</dd></div></dl>",
            grouped(u64::from(SIZES[self.size])),
            grouped((items * WIDTH) as u64),
            bytes(BATCH * items * 4.0),
        )
    }

    /// The small catalogue: plane, table and formula.
    fn draw_films(&mut self, context: &mut Context<'_>) {
        let taste = self.taste;
        let Some(toy) = self.films(context).cloned() else { return };
        self.picked = self.picked.min(toy.len() - 1);
        let shares = toy::softmax(&toy.logits(&toy::query(taste, 2, 0)));
        let dots: Vec<Dot> = (0..toy.len())
            .map(|item| Dot {
                item,
                radius: 4.0 + 22.0 * shares[item].sqrt(),
                class: if item == self.picked { "full picked" } else { "full" },
            })
            .collect();
        let page = context.page;
        page.fill("softmax-plane", plane::svg(&toy, taste, &dots, "", ""));
        page.attribute("softmax-plane", "aria-valuetext", &plane::describe(&toy, taste));
        page.fill("softmax-table", self.table(&toy));
        if context.parameters.shows("formula") {
            page.fill("softmax-formula", self.formula(&toy));
        }
    }
}

impl Lesson for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn title(&self) -> &'static str {
        "Softmax: every film has to be asked"
    }

    fn html(&self, parameters: &Parameters) -> String {
        let text = |html: &str| if parameters.shows("text") { html.to_owned() } else { String::new() };
        let mut html = text(
            "<p>A viewer is an arrow, a film is a point. Their inner product is the film's <b>score</b>; the softmax \
             makes probabilities of the scores. Drag the arrow, and watch the films that lie in its direction take \
             the probability of the others.</p>",
        );
        let _ = write!(
            html,
            "<div class=\"figure two\"><div>{}</div><div data-part=\"softmax-table\"></div></div>\
             <div class=\"formula\" data-part=\"softmax-formula\"></div>",
            plane::area("softmax-plane")
        );
        html.push_str(&text(
            "<p>The sum below the line runs over <b>all</b> films, for every viewer, at every step. With twelve \
             that is nothing. Make the catalogue larger:</p>",
        ));
        let _ = write!(
            html,
            "<div class=\"figure\"><label class=\"slider\">Films <input type=\"range\" min=\"0\" max=\"{}\" \
             data-act=\"size\" data-part=\"softmax-size\" value=\"{}\"><output data-part=\"softmax-n\"></output></label>\
             <div data-part=\"softmax-facts\"></div><div class=\"chart\" data-part=\"softmax-cost\"></div>\
             <div class=\"chart\" data-part=\"softmax-chart\"></div><p class=\"note\" data-part=\"softmax-note\"></p></div>",
            SIZES.len() - 1,
            self.size
        );
        html.push_str(&text(
            "<p class=\"note\">The meter counts what one training step of 256 viewers holds at once, four bytes for \
             each score, with item vectors of 200 numbers.</p>",
        ));
        html
    }

    fn draw(&mut self, context: &mut Context<'_>) {
        let seed = context.parameters.seed();
        let page = context.page;
        let (size, width) = (page.chart_size("softmax-chart", 300), page.width("softmax-cost"));
        self.draw_films(context);
        page.set_value("softmax-size", &self.size.to_string());
        let items = SIZES[self.size];
        page.fill("softmax-n", grouped(items));
        page.attribute("softmax-size", "aria-valuetext", &format!("{} films", grouped(items)));
        page.fill("softmax-facts", self.words());
        page.fill("softmax-cost", self.cost(width));
        page.fill("softmax-chart", self.chart(seed, size));
        page.fill(
            "softmax-note",
            if items > DRAWN {
                format!(
                    "The curve is that of the first {} films: this page would stand still for longer than you would \
                     wait if it asked all {}. That is the point.",
                    grouped(DRAWN),
                    grouped(items)
                )
            } else {
                String::new()
            },
        );
    }

    fn act(&mut self, context: &mut Context<'_>, act: &Act) {
        match (act.name.as_str(), act.kind) {
            ("taste", _) => {
                if let Some(taste) = plane::moved(self.taste, act) {
                    self.taste = taste;
                    self.draw(context);
                }
            }
            ("film", Kind::Click | Kind::Hover) => {
                if let Some(item) = act.number().filter(|&item: &usize| item < SIZES[0] as usize) {
                    if act.kind == Kind::Click {
                        context.tell("select", json!({ "lesson": "softmax", "item": item }));
                    }
                    if item != self.picked {
                        self.picked = item;
                        self.draw_films(context);
                    }
                }
            }
            ("size", Kind::Input) => {
                if let Some(size) = act.number().filter(|&size: &usize| size < SIZES.len()) {
                    self.size = size;
                    self.draw(context);
                }
            }
            _ => {}
        }
    }

    fn step(&mut self, context: &mut Context<'_>, pace: Pace) {
        if pace == Pace::Part && self.size == 0 {
            self.stage = if self.stage >= STAGES.len() { 0 } else { self.stage + 1 };
            if self.stage == STAGES.len() && *context.playing {
                self.size += 1;
            }
        } else {
            self.stage = STAGES.len();
            self.size = (self.size + 1).min(SIZES.len() - 1);
        }
        context.tell("step", json!({ "lesson": "softmax", "films": SIZES[self.size] }));
        self.draw(context);
    }

    fn reset(&mut self, context: &mut Context<'_>) {
        *self = Self::new(context.parameters);
        self.draw(context);
    }

    fn parameters(&mut self, _: &mut Context<'_>, keys: &[&str]) {
        if keys.contains(&"seed") {
            self.toy = None;
        }
    }

    fn finished(&self) -> bool {
        self.size == SIZES.len() - 1
    }

    fn state(&self) -> Vec<(&'static str, String)> {
        let start = Self::new(&Parameters::default());
        let mut state = Vec::new();
        if self.taste != start.taste {
            state.push(("taste", plane::written(self.taste)));
        }
        if self.size != start.size {
            state.push(("size", self.size.to_string()));
        }
        if self.picked != start.picked {
            state.push(("film", self.picked.to_string()));
        }
        if self.stage != start.stage {
            state.push(("stage", self.stage.to_string()));
        }
        state
    }

    fn restore(&mut self, key: &str, value: &str) {
        match key {
            "taste" => self.taste = plane::read(value).unwrap_or(self.taste),
            "size" => {
                self.size =
                    value.parse().ok().filter(|&size: &usize| size < SIZES.len()).unwrap_or(self.size);
            }
            "stage" => self.stage = value.parse().unwrap_or(self.stage).min(STAGES.len()),
            "film" => {
                self.picked = value
                    .parse()
                    .ok()
                    .filter(|&item: &usize| item < SIZES[0] as usize)
                    .unwrap_or(self.picked);
            }
            _ => {}
        }
    }
}
