//! 3. The inverted multi-index: two codebooks, a grid of cells, and a draw in three stages.

mod draws;
mod view;

use std::collections::VecDeque;

use serde_json::json;
use web::{Parameters, Report, samplers, settings::Field, text::grouped, toy::Toy};

use super::{Context, Lesson, Pace};
use crate::{
    dom::{Act, Kind, options},
    failure, plane,
};
use fastvae::config::{Method, ProposalKind};

/// The most codewords that the slider offers: a larger grid cannot be read.
const MOST_SHOWN: u64 = 24;

/// What the last stage may be, in the words of the lesson.
const VARIANTS: [(&str, &str, Method); 3] = [
    ("midx-uniform", "uniform (MIDX_Uni)", Method::Sampled(ProposalKind::MidxUniform)),
    ("midx-popularity", "by popularity (MIDX_Pop)", Method::Sampled(ProposalKind::MidxPopularity)),
    ("midx", "by the residual (exact MIDX)", Method::Sampled(ProposalKind::Midx)),
];
/// Draws that are asked for at a time, and counted at once by the button and at full speed. The n-th draw of a proposal
/// is the same on every machine, so a link only has to say how many there were.
const BLOCK: u32 = 1000;
/// Most draws that a link brings back.
const MOST: u32 = 100_000;

/// The proposal as the worker told it, with what follows from it.
pub struct Shown {
    pub k: usize,
    /// Cell of each film.
    pub cells: Vec<usize>,
    pub codewords: Vec<f32>,
    /// q of each film.
    pub q: Vec<f64>,
    /// P(k1).
    pub rows: Vec<f64>,
    /// P(k1, k2), K x K.
    pub joint: Vec<f64>,
    /// The softmax itself.
    pub p: Vec<f64>,
}

pub struct Midx {
    toy: Option<Toy>,
    taste: (f32, f32),
    variant: usize,
    shown: Option<Shown>,
    /// The viewer as he was asked about.
    query: Vec<f32>,
    /// The cell that is lit, k1 and k2, and the film.
    cell: (usize, usize),
    film: Option<usize>,
    /// Stages of the present draw that have been shown, 3 when it is complete.
    stage: u32,
    /// Draws that came from the worker and have not been counted.
    ready: VecDeque<u32>,
    /// How often each film was drawn.
    counts: Vec<u32>,
    draws: u32,
    /// Blocks of draws that have come.
    blocks: u32,
    /// Tells one proposal from the next: answers about one before come too late.
    proposal: u32,
    waiting: bool,
    /// Whether the viewer has moved since the worker was asked.
    stale: bool,
    /// Draws to be counted as soon as they are there.
    owed: u32,
}

impl Midx {
    pub fn new(parameters: &Parameters) -> Self {
        let variant = VARIANTS
            .iter()
            .position(|(.., loss)| parameters.samplers.contains(loss) && parameters.samplers.len() == 1)
            .unwrap_or(1);
        Self {
            toy: None,
            taste: (1.9, 1.2),
            variant,
            shown: None,
            query: Vec::new(),
            cell: (0, 0),
            film: None,
            stage: 3,
            ready: VecDeque::new(),
            counts: Vec::new(),
            draws: 0,
            blocks: 0,
            proposal: 0,
            waiting: false,
            stale: false,
            owed: 0,
        }
    }

    fn items(parameters: &Parameters) -> u32 {
        parameters.items.unwrap_or(120).clamp(12, 2000)
    }

    fn films(&mut self, context: &mut Context<'_>) -> bool {
        if self.toy.is_none() {
            let parameters = &*context.parameters;
            match Toy::new(Self::items(parameters) as usize, parameters.dim as usize, parameters.seed()) {
                Ok(toy) => {
                    self.counts = vec![0; toy.len()];
                    self.toy = Some(toy);
                }
                Err(error) => *context.failure = failure("data", error.to_string(), "Choose another seed."),
            }
        }
        self.toy.is_some()
    }

    /// Lights a film with its cell.
    fn point(&mut self, film: usize) {
        if let Some(shown) = &self.shown
            && let Some(&cell) = shown.cells.get(film)
        {
            self.cell = (cell / shown.k, cell % shown.k);
            self.film = Some(film);
        }
    }

    /// The films of the cell that is lit.
    fn members(&self) -> Vec<usize> {
        let Some(shown) = &self.shown else { return Vec::new() };
        let cell = self.cell.0 * shown.k + self.cell.1;
        (0..shown.cells.len()).filter(|&film| shown.cells[film] == cell).collect()
    }

    /// Arrow keys walk over the grid; Enter and Space go through the films of a cell.
    fn key(&mut self, context: &mut Context<'_>, act: &Act) {
        let Some(k) = self.shown.as_ref().map(|shown| shown.k) else { return };
        let (row, column) = self.cell;
        self.cell = match act.key.as_str() {
            "ArrowUp" => (row.saturating_sub(1), column),
            "ArrowDown" => ((row + 1).min(k - 1), column),
            "ArrowLeft" => (row, column.saturating_sub(1)),
            "ArrowRight" => (row, (column + 1).min(k - 1)),
            "Home" => (row, 0),
            "End" => (row, k - 1),
            "Enter" | " " => {
                let members = self.members();
                let next =
                    self.film.and_then(|film| members.iter().position(|&m| m == film)).map_or(0, |at| at + 1);
                self.film = members.get(next % members.len().max(1)).copied();
                self.stage = 3;
                act.event.prevent_default();
                context.tell("select", json!({ "lesson": "midx", "cell": [row, column], "item": self.film }));
                return self.draw(context);
            }
            _ => return,
        };
        act.event.prevent_default();
        (self.film, self.stage) = (None, 3);
        context.tell("select", json!({ "lesson": "midx", "cell": [self.cell.0, self.cell.1] }));
        self.draw(context);
    }
}

impl Lesson for Midx {
    fn name(&self) -> &'static str {
        "midx"
    }

    fn title(&self) -> &'static str {
        "The inverted multi-index: three small draws for one large one"
    }

    fn html(&self, parameters: &Parameters) -> String {
        let text = |html: &str| if parameters.shows("text") { html.to_owned() } else { String::new() };
        let variants = VARIANTS.iter().map(|(name, title, _)| (*name, *title));
        text(
            "<p>Cut every film's vector into two halves, and give each half the nearest of K <b>codewords</b>. A pair of \
             codewords is a <b>cell</b>; films that are alike share one. Whoever knows 2K inner products knows the \
             weight of all K × K cells. So a film is drawn in three stages: a row, a cell of the row, a film of the \
             cell. Only the last stage is an approximation, and only inside a cell.</p>",
        ) + &format!(
            "<div class=\"formula\" data-part=\"midx-formula\"></div>\
             <div class=\"figure\"><div class=\"controls\">\
             {}<label>Inside a cell <select data-act=\"variant\" data-part=\"midx-variant\">{}</select></label></div>\
             <div class=\"halves\"><div><h3>The films and the grid</h3>{}</div>\
             <div><h3>The K × K cells</h3><div class=\"grid-area\" data-part=\"midx-grid\" data-keys=\"grid\" \
             data-drag=\"grid\" tabindex=\"0\" role=\"application\" aria-describedby=\"fv-midx-help\" \
             aria-label=\"Cells of the index\"></div>\
             <p class=\"note\" id=\"fv-midx-help\">Arrow keys walk from cell to cell, Enter goes through the films of a \
             cell.</p></div></div>\
             <p class=\"told-cell\" data-part=\"midx-told\" role=\"status\"></p>\
             <div class=\"halves\"><div><h3>Inside the cell</h3><div data-part=\"midx-cell\"></div></div>\
             <div><h3>Draws against theory</h3><div data-part=\"midx-draws\"></div></div></div></div>",
            Field::find("k").map_or_else(String::new, |field| field.slider(
                "midx-",
                &parameters.settings,
                MOST_SHOWN
            )),
            options(variants, VARIANTS[self.variant].0),
            plane::area("midx-plane"),
        ) + &text(
            "<p>Each draw costs 2K inner products and K² additions, however many films there are. With K = 64 that stands \
             against a million. The popularity variant takes from the cell by how often films are watched; the exact \
             variant asks every film of the cell, and is exactly the softmax.</p>",
        )
    }

    fn draw(&mut self, context: &mut Context<'_>) {
        if !self.films(context) {
            return;
        }
        let page = context.page;
        let codewords = context.parameters.codewords();
        page.set_value("midx-k", &u64::from(codewords).min(MOST_SHOWN).to_string());
        page.fill("midx-k-shown", codewords.to_string());
        page.set_value("midx-variant", VARIANTS[self.variant].0);
        let Some(toy) = &self.toy else { return };
        page.fill("midx-plane", view::plane(self, toy));
        page.attribute("midx-plane", "aria-valuetext", &plane::describe(toy, self.taste));
        let Some(shown) = &self.shown else {
            page.fill("midx-grid", "<p class=\"note\">The index is built when the engine has come.</p>");
            return;
        };
        page.fill("midx-grid", view::grid(self, shown));
        page.fill("midx-told", view::told(self, toy, shown));
        page.fill("midx-cell", view::cell(self, toy, shown));
        page.fill("midx-draws", view::draws(self, toy, shown));
        if context.parameters.shows("formula") {
            page.fill("midx-formula", view::formula(self, toy, shown));
        }
    }

    fn act(&mut self, context: &mut Context<'_>, act: &Act) {
        match (act.name.as_str(), act.kind) {
            ("taste", _) => {
                if let Some(taste) = plane::moved(self.taste, act) {
                    self.taste = taste;
                    if self.waiting {
                        // One question at a time, however fast the arrow moves.
                        self.stale = true;
                    } else {
                        self.changed(context);
                    }
                    self.draw(context);
                }
            }
            ("k", Kind::Input) => match context.parameters.set(&act.name, &act.value) {
                Ok(_) => {
                    self.shown = None;
                    self.changed(context);
                    self.draw(context);
                }
                Err(problem) => *context.failure = Some(problem),
            },
            ("variant", Kind::Change) => {
                if let Some(variant) = VARIANTS.iter().position(|(name, ..)| *name == act.value) {
                    self.variant = variant;
                    self.changed(context);
                }
            }
            ("grid", Kind::Key) => self.key(context, act),
            ("grid", Kind::Drag) => {
                let cell = self.shown.as_ref().and_then(|shown| view::cell_at(shown, act.at));
                if let Some(cell) = cell.filter(|&cell| cell != self.cell) {
                    (self.cell, self.film, self.stage) = (cell, None, 3);
                    context.tell("select", json!({ "lesson": "midx", "cell": [cell.0, cell.1] }));
                    self.draw(context);
                }
            }
            ("cell" | "film", Kind::Hover) if !*context.playing => {
                let before = (self.cell, self.film);
                match (act.name.as_str(), act.number::<usize>(), &self.shown) {
                    // The grid of another K may be seen a moment longer.
                    ("cell", Some(cell), Some(shown)) if cell < shown.joint.len() => {
                        (self.cell, self.film) = ((cell / shown.k, cell % shown.k), None);
                    }
                    ("film", Some(film), _) => self.point(film),
                    _ => {}
                }
                if before != (self.cell, self.film) {
                    self.stage = 3;
                    self.draw(context);
                }
            }
            ("thousand", Kind::Click) => {
                self.owed += BLOCK;
                self.settle(context);
                self.draw(context);
            }
            _ => {}
        }
    }

    fn step(&mut self, context: &mut Context<'_>, pace: Pace) {
        if self.waiting {
            return;
        }
        if *context.playing && context.parameters.speed == web::Speed::Max {
            self.owed += BLOCK;
            self.settle(context);
            return self.draw(context);
        }
        if self.ready.is_empty() {
            // It is counted when it comes.
            self.owed += 1;
            self.settle(context);
        }
        self.stage(context);
        while pace == Pace::Step && self.stage < 3 {
            self.stage(context);
        }
        self.draw(context);
    }

    fn reset(&mut self, context: &mut Context<'_>) {
        let proposal = self.proposal + 1;
        *self = Self { taste: self.taste, variant: self.variant, proposal, ..Self::new(context.parameters) };
        self.ask(context);
        self.draw(context);
    }

    fn parameters(&mut self, context: &mut Context<'_>, keys: &[&str]) {
        if keys.iter().any(|key| ["seed", "items", "dim", "k"].contains(key)) {
            self.toy = None;
            self.shown = None;
            if self.films(context) {
                self.changed(context);
            }
        }
    }

    fn report(&mut self, context: &mut Context<'_>, report: &Report) {
        match report {
            // Another worker draws the same: what has come stays.
            Report::Ready if self.waiting || self.shown.is_none() => {
                // What was asked before counts no more, so that no draw comes twice.
                self.proposal += 1;
                self.ask(context);
            }
            Report::Drawn { to, draws, log_q, cells, codewords, .. } if *to == self.name_of_proposal() => {
                self.waiting = false;
                if std::mem::take(&mut self.stale) {
                    return self.changed(context);
                }
                let dim = self.toy.as_ref().map_or(2, |toy| toy.dim);
                self.take(draws, log_q, cells, codewords, codewords.len() / dim.max(1));
                self.settle(context);
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
        let mut state = vec![("cell", format!("{},{}", self.cell.0, self.cell.1))];
        if self.draws > 0 {
            state.push(("draws", self.draws.to_string()));
        }
        if self.taste != (1.9, 1.2) {
            state.push(("taste", plane::written(self.taste)));
        }
        if self.variant != 1 {
            state.push(("variant", VARIANTS[self.variant].0.into()));
        }
        state
    }

    fn restore(&mut self, key: &str, value: &str) {
        match key {
            "taste" => self.taste = plane::read(value).unwrap_or(self.taste),
            "variant" => {
                self.variant = VARIANTS.iter().position(|(name, ..)| *name == value).unwrap_or(self.variant);
            }
            "draws" => self.owed = value.parse().unwrap_or(0).min(MOST),
            "cell" => {
                if let Some((Ok(row), Ok(column))) =
                    value.split_once(',').map(|(row, column)| (row.parse(), column.parse()))
                {
                    self.cell = (row, column);
                }
            }
            _ => {}
        }
    }
}

/// The name of the sampler in style sheets.
fn class(midx: &Midx) -> &'static str {
    samplers::name(VARIANTS[midx.variant].2)
}

/// How often, in words.
fn times(count: u32) -> String {
    if count == 1 { "once".into() } else { format!("{} times", grouped(count)) }
}
