//! 2. Importance sampling: a few films stand for all of them, each weighed by how likely it was to be asked.

mod view;

use std::fmt::Write;

use serde_json::json;
use web::{
    Command, Parameters, Question, Report, samplers,
    theory::{self, Estimate},
    toy::{self, Toy},
};

use self::view::{describe, mean_vector};
use super::{Context, Lesson, Pace};
use crate::{
    dom::{Act, Kind, options},
    failure,
    plane::{self, Dot},
};
use fastvae::config::{Method, ProposalKind};

/// Sets of draws that are compared.
const SETS: u32 = 200;
/// Numbers of draws that the slider offers.
const DRAWS: [u32; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/// The proposals to choose from; the last is drawn by hand.
const PROPOSALS: [(&str, &str); 4] = [
    ("uniform", "uniform"),
    ("popularity", "by popularity"),
    ("midx", "the softmax itself"),
    ("drawn", "drawn by hand"),
];

pub struct Importance {
    toy: Option<Toy>,
    taste: (f32, f32),
    proposal: usize,
    /// Weights of the proposal that is drawn by hand.
    weights: Vec<f32>,
    /// The film whose weight the arrow keys change.
    film: Option<usize>,
    /// Place in [`DRAWS`].
    draws: usize,
    corrected: bool,
    step: u32,
    waiting: bool,
    /// Whether a setting has changed while the worker was at work.
    stale: bool,
    log_q: Vec<f32>,
    estimates: [Vec<Estimate>; 2],
    last: Vec<u32>,
}

impl Importance {
    pub fn new(_: &Parameters) -> Self {
        Self {
            toy: None,
            taste: (1.6, -1.4),
            proposal: 0,
            weights: Vec::new(),
            film: None,
            draws: 3,
            corrected: true,
            step: 1,
            waiting: false,
            stale: false,
            log_q: Vec::new(),
            estimates: Default::default(),
            last: Vec::new(),
        }
    }

    fn items(parameters: &Parameters) -> u32 {
        parameters.items.unwrap_or(24).clamp(4, 48)
    }

    fn films(&mut self, context: &mut Context<'_>) -> bool {
        if self.toy.is_none() {
            let parameters = &*context.parameters;
            match Toy::new(Self::items(parameters) as usize, 2, parameters.seed()) {
                Ok(toy) => {
                    if self.weights.len() != toy.len() {
                        self.weights = vec![1.0; toy.len()];
                    }
                    self.toy = Some(toy);
                }
                Err(error) => *context.failure = failure("data", error.to_string(), "Choose another seed."),
            }
        }
        self.toy.is_some()
    }

    fn ask(&mut self, context: &mut Context<'_>) {
        if self.waiting {
            self.stale = true;
            return;
        }
        if !self.films(context) {
            return;
        }
        let (name, _) = PROPOSALS[self.proposal];
        let parameters = &*context.parameters;
        self.waiting = true;
        let question = Question {
            to: "importance".into(),
            items: Self::items(parameters),
            dim: 2,
            seed: parameters.seed(),
            sampler: samplers::parse(name).unwrap_or(Method::Sampled(ProposalKind::Uniform)),
            weights: if name == "drawn" { self.weights.clone() } else { Vec::new() },
            codewords: 4,
            query: toy::query(self.taste, 2, parameters.seed()),
            rows: SETS,
            draws: DRAWS[self.draws],
            step: self.step,
        };
        context.ask(Command::Draw(question));
    }

    /// Begins a proposal by hand with the weights of the one that is shown.
    fn take_in_hand(&mut self) {
        if PROPOSALS[self.proposal].0 == "drawn" {
            return;
        }
        self.proposal = PROPOSALS.len() - 1;
        let q = self.q();
        if q.len() == self.weights.len() {
            self.weights = q.iter().map(|&q| q as f32).collect();
        }
    }

    /// The weight that counts as a full column.
    fn top_weight(&self) -> f32 {
        self.weights.iter().copied().fold(0.02, f32::max)
    }

    /// Arrow keys choose a column and make it higher or lower; whether its weight has changed.
    fn key(&mut self, act: &Act) -> bool {
        let last = self.weights.len().saturating_sub(1);
        let film = self.film.unwrap_or(0).min(last);
        let chosen = match act.key.as_str() {
            "ArrowLeft" => film.saturating_sub(1),
            "ArrowRight" => self.film.map_or(0, |film| (film + 1).min(last)),
            "Home" => 0,
            "End" => last,
            "ArrowUp" | "ArrowDown" => film,
            _ => return false,
        };
        act.event.prevent_default();
        self.film = Some(chosen);
        let factor = match act.key.as_str() {
            "ArrowUp" => 1.25,
            "ArrowDown" => 0.8,
            _ => return false,
        };
        self.take_in_hand();
        let top = self.top_weight();
        if let Some(weight) = self.weights.get_mut(chosen) {
            *weight = (*weight * factor).max(top * 1e-3);
        }
        true
    }

    fn class(&self) -> &'static str {
        match PROPOSALS[self.proposal].0 {
            "drawn" => "kernel",
            "midx" => "full",
            name => name,
        }
    }

    fn q(&self) -> Vec<f64> {
        self.log_q.iter().map(|&log_q| f64::from(log_q).exp()).collect()
    }
}

impl Lesson for Importance {
    fn name(&self) -> &'static str {
        "importance"
    }

    fn title(&self) -> &'static str {
        "Importance sampling: a few for all"
    }

    fn html(&self, parameters: &Parameters) -> String {
        let text = |html: &str| if parameters.shows("text") { html.to_owned() } else { String::new() };
        let formula = if parameters.shows("formula") {
            "<div class=\"formula\"><math display=\"block\"><mi>Z</mi><mo>=</mo><munder><mo>∑</mo><mi>i</mi></munder>\
             <msup><mi>e</mi><msub><mi>o</mi><mi>i</mi></msub></msup><mo>≈</mo><mfrac><mn>1</mn><mi>n</mi></mfrac>\
             <munderover><mo>∑</mo><mrow><mi>s</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover>\
             <msup><mi>e</mi><mrow><msub><mi>o</mi><msub><mi>i</mi><mi>s</mi></msub></msub><mo>−</mo><mi>ln</mi><mo>⁡</mo>\
             <mi>q</mi><mo stretchy=\"false\">(</mo><msub><mi>i</mi><mi>s</mi></msub><mo stretchy=\"false\">)</mo></mrow></msup><mo>,</mo><mspace width=\"1em\"/>\
             <msub><mi>i</mi><mi>s</mi></msub><mo>∼</mo><mi>q</mi></math></div>"
        } else {
            ""
        };
        text(
            "<p>Nobody counts a crowd by asking everyone. Draw a few films from a <b>proposal</b> q, and divide each by the \
             probability of drawing it: on average that gives the whole sum. How far single estimates are off depends on \
             how much q resembles the softmax, the line on each column.</p>",
        ) + formula
            + &format!(
                "<div class=\"figure\"><div class=\"controls\"><label>Proposal <select data-act=\"proposal\" \
                 data-part=\"importance-proposal\">{}</select></label>\
                 <label class=\"slider\">Draws <input type=\"range\" min=\"0\" max=\"{}\" data-act=\"draws\" \
                 data-part=\"importance-draws\" value=\"{}\"><output data-part=\"importance-n\"></output></label>\
                 <label><input type=\"checkbox\" data-act=\"corrected\" data-part=\"importance-corrected\"{}> subtract ln q</label>\
                 </div><div class=\"two\"><div>{}<p class=\"note\">Arrows: the gradient that these draws give; bold, the true one.</p></div>\
                 <div><h3>Proposal (columns) and softmax (lines)</h3>\
                 <div class=\"columns-area\" data-part=\"importance-bars\" data-drag=\"weights\" data-keys=\"weights\" tabindex=\"0\" \
                 role=\"slider\" aria-valuemin=\"0\" aria-valuemax=\"100\" aria-valuenow=\"0\" aria-orientation=\"vertical\" \
                 aria-label=\"Proposal and softmax, film by film. Drag to draw a proposal by hand; left and right choose a film, \
                 up and down change its share.\"></div>\
                 <h3>200 estimates of ln Z</h3><div data-part=\"importance-strip\"></div>\
                 <div data-part=\"importance-told\" role=\"status\"></div></div></div></div>",
                options(PROPOSALS, PROPOSALS[self.proposal].0),
                DRAWS.len() - 1,
                self.draws,
                if self.corrected { " checked" } else { "" },
                plane::area("importance-plane"),
            )
            + &text(
                "<p>Take the correction away, and films that are drawn often count too much: the estimates gather at a wrong \
                 place, and no number of draws brings them back. Draw a proposal by hand that leaves out a film with a high \
                 line, and see what happens.</p>",
            )
    }

    fn draw(&mut self, context: &mut Context<'_>) {
        if !self.films(context) {
            return;
        }
        let page = context.page;
        page.set_value("importance-proposal", PROPOSALS[self.proposal].0);
        page.set_value("importance-draws", &self.draws.to_string());
        page.fill("importance-n", DRAWS[self.draws].to_string());
        let Some(toy) = &self.toy else { return };
        let logits = toy.logits(&toy::query(self.taste, 2, 0));
        let p: Vec<f64> = theory::log_softmax(&logits).into_iter().map(f64::exp).collect();
        let truth = theory::log_sum_exp(logits.iter().map(|&o| f64::from(o)));
        let gradient = mean_vector(toy, &p);
        let dots: Vec<Dot> = (0..toy.len())
            .map(|item| Dot {
                item,
                radius: 3.0 + 18.0 * toy::softmax(&logits)[item].sqrt(),
                class: if self.last.contains(&(item as u32)) { "member" } else { "" },
            })
            .collect();
        let mut arrows = String::new();
        for one in self.estimates[usize::from(!self.corrected)].iter().take(60) {
            let (x, y) = plane::pixels((one.gradient.0 as f32, one.gradient.1 as f32));
            let _ = write!(arrows, "<path class=\"guess s-{}\" d=\"M180 180L{x:.1} {y:.1}\"/>", self.class());
        }
        let (x, y) = plane::pixels((gradient.0 as f32, gradient.1 as f32));
        let _ = write!(arrows, "<path class=\"true-gradient\" d=\"M180 180L{x:.1} {y:.1}\"/>");
        page.fill("importance-plane", plane::svg(toy, self.taste, &dots, &arrows, ""));
        page.attribute("importance-plane", "aria-valuetext", &plane::describe(toy, self.taste));
        page.fill("importance-bars", self.bars(toy, &p));
        let film = self.film.unwrap_or(0);
        let share = self.q().get(film).copied().unwrap_or(0.0);
        page.attribute("importance-bars", "aria-valuenow", &format!("{:.0}", 100.0 * share));
        page.attribute("importance-bars", "aria-valuetext", &describe(toy, film, share, p[film]));
        page.fill("importance-strip", self.strip(truth));
        page.fill("importance-told", self.told(truth, gradient));
    }

    fn act(&mut self, context: &mut Context<'_>, act: &Act) {
        match (act.name.as_str(), act.kind) {
            ("taste", _) => match plane::moved(self.taste, act) {
                Some(taste) => self.taste = taste,
                None => return,
            },
            ("proposal", Kind::Change) => {
                self.proposal = PROPOSALS.iter().position(|(name, _)| *name == act.value).unwrap_or(0);
                if PROPOSALS[self.proposal].0 == "drawn" && self.weights.iter().all(|&w| w == 1.0) {
                    let q = self.q();
                    if q.len() == self.weights.len() {
                        self.weights = q.iter().map(|&q| q as f32).collect();
                    }
                }
            }
            ("draws", Kind::Input) => {
                self.draws = act.number().filter(|&draws: &usize| draws < DRAWS.len()).unwrap_or(self.draws);
            }
            ("corrected", Kind::Change) => {
                self.corrected = act.value == "1";
                return self.draw(context);
            }
            ("weights", Kind::Key) => {
                if !self.key(act) {
                    return self.draw(context);
                }
            }
            ("weights", Kind::Drag) => {
                let (film, high) = ((act.at.0 * self.weights.len() as f64) as usize, 1.0 - act.at.1);
                self.take_in_hand();
                let top = self.top_weight();
                if let Some(weight) = self.weights.get_mut(film) {
                    *weight = (high.clamp(0.0, 1.0) as f32 * top).max(top * 1e-3);
                }
            }
            _ => return,
        }
        self.step += 1;
        self.ask(context);
        self.draw(context);
    }

    fn step(&mut self, context: &mut Context<'_>, pace: Pace) {
        if *context.playing && pace == Pace::Step && context.parameters.speed == web::Speed::Max {
            self.draws = (self.draws + 1) % DRAWS.len();
        }
        self.step += 1;
        context.tell("step", json!({ "lesson": "importance", "set": self.step }));
        self.ask(context);
    }

    fn reset(&mut self, context: &mut Context<'_>) {
        *self = Self::new(context.parameters);
        self.ask(context);
        self.draw(context);
    }

    fn parameters(&mut self, context: &mut Context<'_>, keys: &[&str]) {
        if keys.iter().any(|key| ["seed", "items"].contains(key)) {
            (self.toy, self.log_q, self.estimates) = (None, Vec::new(), Default::default());
            self.weights.clear();
            self.ask(context);
        }
    }

    fn report(&mut self, context: &mut Context<'_>, report: &Report) {
        match report {
            Report::Ready => {
                self.waiting = false;
                self.ask(context);
            }
            Report::Drawn { to, draws, log_q, estimates, .. } if to == "importance" => {
                self.waiting = false;
                self.log_q.clone_from(log_q);
                self.estimates.clone_from(estimates);
                self.last = draws.iter().take(DRAWS[self.draws] as usize).copied().collect();
                if std::mem::take(&mut self.stale) {
                    self.ask(context);
                }
                self.draw(context);
            }
            Report::Failed(_) => self.waiting = false,
            _ => {}
        }
    }

    fn busy(&self) -> bool {
        self.waiting
    }

    fn state(&self) -> Vec<(&'static str, String)> {
        let start = Self::new(&Parameters::default());
        let mut state = Vec::new();
        if self.taste != start.taste {
            state.push(("taste", plane::written(self.taste)));
        }
        if self.proposal != start.proposal {
            state.push(("proposal", PROPOSALS[self.proposal].0.into()));
        }
        if self.draws != start.draws {
            state.push(("draws", DRAWS[self.draws].to_string()));
        }
        if !self.corrected {
            state.push(("corrected", "0".into()));
        }
        if self.step != start.step {
            state.push(("set", self.step.to_string()));
        }
        if PROPOSALS[self.proposal].0 == "drawn" {
            let weights: Vec<String> = self.weights.iter().map(|weight| format!("{weight:.4}")).collect();
            state.push(("weights", weights.join(",")));
        }
        state
    }

    fn restore(&mut self, key: &str, value: &str) {
        match key {
            "taste" => self.taste = plane::read(value).unwrap_or(self.taste),
            "proposal" => {
                self.proposal =
                    PROPOSALS.iter().position(|(name, _)| *name == value).unwrap_or(self.proposal);
            }
            "draws" => self.draws = DRAWS.iter().position(|d| d.to_string() == value).unwrap_or(self.draws),
            "corrected" => self.corrected = value != "0",
            "set" => self.step = value.parse().unwrap_or(self.step),
            "weights" => {
                let weights: Vec<f32> = value.split(',').filter_map(|weight| weight.parse().ok()).collect();
                if weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0)
                    && weights.iter().sum::<f32>() > 0.0
                {
                    self.weights = weights;
                }
            }
            _ => {}
        }
    }
}
