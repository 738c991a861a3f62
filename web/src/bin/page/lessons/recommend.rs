//! 7. Recommendations for films that the reader marks.

use std::fmt::Write;

use serde_json::json;
use web::{
    Command, Parameters, RecommendQuestion, Report,
    text::{digits, escape, percent},
};

use super::{Context, Lesson, Pace, data::Data, fidelity, systems::Systems};
use crate::{
    dom::{Act, Kind},
    failure,
};
use fastvae::event::Event;

const GROUP: &str = fidelity::GROUP;
const PIECE: u32 = 40;
/// Films of a list to choose from.
const OFFERED: usize = 24;
const PLACES: u32 = 20;

pub struct Recommend {
    data: Data,
    started: bool,
    finished: bool,
    waiting: bool,
    asking: bool,
    stale: bool,
    epochs: u32,
    /// Steps of the epoch under way, of how many.
    steps: (u32, u32),
    until: u32,
    /// Epochs of a worker that is gone, or of a link, to be run again.
    again: u32,
    loss: Option<f64>,
    ndcg: Option<f64>,
    search: String,
    liked: Vec<u32>,
    items: Vec<(u32, f32)>,
    code: Vec<f32>,
    systems: Systems,
}

impl Recommend {
    pub fn new(_: &Parameters) -> Self {
        Self {
            data: Data::default(),
            started: false,
            finished: false,
            waiting: false,
            asking: false,
            stale: false,
            epochs: 0,
            steps: (0, 1),
            until: 0,
            again: 0,
            loss: None,
            ndcg: None,
            search: String::new(),
            liked: Vec::new(),
            items: Vec::new(),
            code: Vec::new(),
            systems: Systems::default(),
        }
    }

    fn go_on(&mut self, context: &mut Context<'_>, single: bool) {
        self.waiting = true;
        if self.started {
            context.ask(Command::Advance { group: GROUP.into(), milliseconds: PIECE, single });
        } else {
            context.ask(Command::Start(fidelity::study(context.parameters)));
        }
    }

    fn ask(&mut self, context: &mut Context<'_>) {
        if self.liked.is_empty() || !self.started {
            (self.items, self.code) = (Vec::new(), Vec::new());
            return;
        }
        if self.asking {
            self.stale = true;
            return;
        }
        self.asking = true;
        context.ask(Command::Recommend(RecommendQuestion {
            to: "recommend".into(),
            group: GROUP.into(),
            run: 0,
            epoch: None,
            liked: self.liked.clone(),
            count: PLACES,
        }));
    }

    /// Films whose titles or genres hold the words that were typed, most popular first.
    fn offered(&self) -> Vec<u32> {
        let Some(view) = &self.data.view else { return Vec::new() };
        let words: Vec<String> = self.search.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let fits = |item: &u32| {
            let text = format!("{} {}", view.titles[*item as usize], self.data.genres(*item)).to_lowercase();
            words.iter().all(|word| text.contains(word))
        };
        let mut found: Vec<u32> = (0..view.titles.len() as u32).filter(fits).collect();
        found.sort_by_key(|&item| std::cmp::Reverse(view.counts.get(item as usize).copied().unwrap_or(0)));
        found.truncate(OFFERED);
        found
    }

    fn film(&self, item: u32, button: &str, sign: &str) -> String {
        let title = escape(&self.data.title(item));
        format!(
            "<li><button type=\"button\" class=\"plain\" data-act=\"{button}\" data-value=\"{item}\"><span aria-hidden=\"true\">{sign}</span> \
             {title}</button> <span class=\"note\">{}</span></li>",
            escape(self.data.genres(item))
        )
    }

    fn draw_offered(&self, context: &Context<'_>) {
        let list: String = self
            .offered()
            .into_iter()
            .map(|item| {
                if self.liked.contains(&item) {
                    self.film(item, "unlike", "✓")
                } else {
                    self.film(item, "like", "+")
                }
            })
            .collect();
        let list = if list.is_empty() && self.data.view.is_some() {
            "<li class=\"note\">No film has these words.</li>".into()
        } else {
            list
        };
        context.page.fill("recommend-offered", list);
    }

    fn code_chart(&self) -> String {
        if self.code.is_empty() {
            return String::new();
        }
        let top = self.code.iter().map(|x| x.abs()).fold(0.5f32, f32::max);
        let step = 320.0 / self.code.len() as f32;
        let mut svg = String::from(
            "<h3>The viewer's latent code</h3><svg class=\"code\" viewBox=\"0 0 320 80\" role=\"img\" aria-label=\"Latent code\"><path class=\"axis\" d=\"M0 40H320\"/>",
        );
        for (n, value) in self.code.iter().enumerate() {
            let high = (value.abs() / top * 38.0).max(0.5);
            let y = if *value > 0.0 { 40.0 - high } else { 40.0 };
            let _ = write!(
                svg,
                "<rect class=\"bar-fill\" x=\"{:.2}\" y=\"{y:.2}\" width=\"{:.2}\" height=\"{high:.2}\"><title>z{} = {}</title></rect>",
                n as f32 * step + 1.0,
                step - 2.0,
                n + 1,
                digits(f64::from(*value))
            );
        }
        svg + "</svg>"
    }
}

impl Lesson for Recommend {
    fn name(&self) -> &'static str {
        "recommend"
    }

    fn title(&self) -> &'static str {
        "Recommend: films you like, films you might"
    }

    fn html(&self, parameters: &Parameters) -> String {
        let text = if parameters.shows("text") {
            "<p>Mark a few films. The encoder turns them into a latent code, the decoder into a score for every film; the best \
             twenty are below, and they change while the model trains. Take MovieLens instead of made-up films by dropping its \
             zip anywhere in the frame; nothing leaves this page.</p>"
        } else {
            ""
        };
        // A slide has no place for more lists.
        let systems = if parameters.compact.is_none() { Systems::html() } else { "" };
        format!(
            "{text}<div class=\"figure\">{}<p class=\"note\" data-part=\"recommend-note\" role=\"status\"></p>\
             <div class=\"halves\"><div><h3><label for=\"fv-search\">Find films you like</label></h3>\
             <input id=\"fv-search\" class=\"wide-input\" type=\"search\" data-act=\"search\" data-part=\"recommend-search\" \
             placeholder=\"title or genre\"><ul class=\"offered\" data-part=\"recommend-offered\"></ul></div>\
             <div><h3>You like</h3><ul class=\"liked\" data-part=\"recommend-liked\"></ul>\
             <div data-part=\"recommend-code\"></div><h3>You might like</h3>\
             <ol class=\"places\" data-part=\"recommend-list\" aria-live=\"polite\"></ol></div></div>\
             <div class=\"controls\"><button type=\"button\" data-act=\"model\">Model as safetensors</button>\
             <span class=\"note\">for <code>fastvae recommend</code>, and to drop in here again</span></div>{systems}</div>",
            Data::html("recommend", parameters)
        )
    }

    fn draw(&mut self, context: &mut Context<'_>) {
        self.data.draw(context, "recommend");
        let page = context.page;
        let note = match (self.started, self.loss) {
            (false, _) => "Press play to train the model that recommends.".into(),
            (true, None) if self.finished => "The model comes from a file.".into(),
            (true, loss) => {
                let shown = |value: Option<f64>| value.map_or("–".into(), digits);
                let next = f64::from(self.steps.0) / f64::from(self.steps.1.max(1));
                let next =
                    if next > 0.0 { format!(" {} of the next.", percent(next)) } else { String::new() };
                format!("Epoch {}: loss {}, NDCG@50 {}.{next}", self.epochs, shown(loss), shown(self.ndcg))
            }
        };
        page.fill("recommend-note", note);
        page.set_value("recommend-search", &self.search);
        self.draw_offered(context);
        let liked: String = self.liked.iter().map(|&item| self.film(item, "unlike", "×")).collect();
        page.fill(
            "recommend-liked",
            if liked.is_empty() { "<li class=\"note\">nothing yet</li>".into() } else { liked },
        );
        page.fill("recommend-code", self.code_chart());
        let list: String = self
            .items
            .iter()
            .map(|(item, score)| {
                format!(
                    "<li>{} <span class=\"note\">{} · {}</span></li>",
                    escape(&self.data.title(*item)),
                    escape(self.data.genres(*item)),
                    digits(f64::from(*score))
                )
            })
            .collect();
        let empty = if self.started { "Mark a film." } else { "Train, and mark a film." };
        page.fill(
            "recommend-list",
            if list.is_empty() { format!("<li class=\"note\">{empty}</li>") } else { list },
        );
        self.systems.draw(context, &self.data, &self.items);
    }

    fn act(&mut self, context: &mut Context<'_>, act: &Act) {
        let item = act
            .number()
            .filter(|&item: &u32| self.data.view.as_ref().is_some_and(|view| (item as usize) < view.items));
        match (act.name.as_str(), act.kind, item) {
            ("search", Kind::Input, _) => {
                self.search.clone_from(&act.value);
                return self.draw_offered(context);
            }
            ("like", Kind::Click, Some(item)) if !self.liked.contains(&item) => self.liked.push(item),
            ("unlike", Kind::Click, Some(item)) => self.liked.retain(|&known| known != item),
            ("systems", Kind::Click, _) => {
                self.systems.toggle();
                self.systems.ask(context, &self.liked);
                return self.draw(context);
            }
            ("model", Kind::Click, _) => {
                if self.started {
                    context.ask(Command::Export { group: GROUP.into(), run: 0 });
                } else {
                    *context.failure =
                        failure("stale", "there is no trained model yet", "Press play to train one first.");
                }
                return;
            }
            _ => return,
        }
        context.tell("select", json!({ "lesson": "recommend", "liked": self.liked }));
        if !self.started && !self.waiting {
            // Whoever marks a film wants to see something.
            *context.playing = true;
        }
        self.ask(context);
        self.systems.ask(context, &self.liked);
        self.draw(context);
    }

    fn step(&mut self, context: &mut Context<'_>, pace: Pace) {
        if self.waiting || self.finished {
            return;
        }
        self.until =
            if pace == Pace::Step { self.epochs + 1 } else { 0 }.max(std::mem::take(&mut self.again));
        self.go_on(context, pace == Pace::Part);
    }

    fn reset(&mut self, context: &mut Context<'_>) {
        *self = Self {
            data: std::mem::take(&mut self.data),
            liked: std::mem::take(&mut self.liked),
            search: std::mem::take(&mut self.search),
            systems: std::mem::take(&mut self.systems),
            ..Self::new(context.parameters)
        };
        self.draw(context);
    }

    fn parameters(&mut self, context: &mut Context<'_>, keys: &[&str]) {
        if keys.iter().any(|key| fidelity::changes_study(key)) {
            self.reset(context);
        }
    }

    fn report(&mut self, context: &mut Context<'_>, report: &Report) {
        let first = self.data.view.is_none();
        if self.data.report(report) {
            let (waits, until, again) = (self.waiting && !self.started, self.until, self.again);
            if !first {
                self.liked.clear();
            }
            self.systems.forget();
            self.systems.ask(context, &self.liked);
            self.reset(context);
            self.again = if first { again } else { 0 };
            // A run that is being set up learns from this set already.
            if waits {
                (self.waiting, self.until) = (true, until);
            }
            self.draw(context);
        }
        if self.systems.report(report) {
            return self.systems.draw(context, &self.data, &self.items);
        }
        match report {
            Report::Reading { .. } | Report::Reread | Report::Missing => self.data.draw(context, "recommend"),
            // On the full page the lesson on fidelity trains the model of both.
            Report::Ready
                if self.again > 0
                    && self.epochs == 0
                    && self.data.missing.is_none()
                    && context.parameters.lesson.is_some() =>
            {
                self.step(context, Pace::Step);
            }
            Report::Revived => {
                let again = self.again.max(self.epochs);
                self.reset(context);
                self.again = again;
                self.systems.ask(context, &self.liked);
            }
            Report::Started { group, .. } if group == GROUP => {
                (self.started, self.finished, self.epochs) = (true, false, 0);
                self.ask(context);
            }
            Report::Progress { group, events, kept, finished } if group == GROUP && self.started => {
                let before = self.epochs;
                for (_, event) in events {
                    match event {
                        Event::Started { steps_per_epoch, .. } => self.steps = (0, *steps_per_epoch),
                        Event::Step { step, .. } => self.steps.0 = *step,
                        Event::Epoch { epoch, loss, .. } => {
                            (self.epochs, self.loss, self.steps.0) = (*epoch, Some(*loss), 0);
                        }
                        Event::Evaluated { epoch, metrics, .. } => {
                            self.ndcg = metrics.get("ndcg@50").copied();
                            context.tell(
                                "eval",
                                json!({ "lesson": "recommend", "epoch": epoch, "ndcg": self.ndcg }),
                            );
                        }
                        _ => {}
                    }
                }
                self.epochs =
                    self.epochs.max(kept.first().and_then(|kept| kept.last().copied()).unwrap_or(0));
                self.finished = *finished;
                if self.epochs > before {
                    self.ask(context);
                }
                if self.epochs < self.until && !*finished && self.waiting {
                    self.go_on(context, false);
                } else {
                    (self.waiting, self.until) = (false, 0);
                }
                self.draw(context);
            }
            Report::Recommended { to, items, code, .. } if to == "recommend" => {
                self.asking = false;
                self.items.clone_from(items);
                self.code.clone_from(code);
                if std::mem::take(&mut self.stale) {
                    self.ask(context);
                }
                self.draw(context);
            }
            Report::Failed(_) => {
                (self.waiting, self.asking, self.until) = (false, false, 0);
                self.data.draw(context, "recommend");
            }
            _ => {}
        }
    }

    fn systems_gone(&mut self) {
        self.systems.forget();
    }

    fn busy(&self) -> bool {
        self.waiting
    }

    fn finished(&self) -> bool {
        self.finished
    }

    fn state(&self) -> Vec<(&'static str, String)> {
        let liked: Vec<String> = self.liked.iter().map(u32::to_string).collect();
        let mut state = Vec::new();
        if !liked.is_empty() {
            state.push(("liked", liked.join(",")));
        }
        if self.epochs > 0 {
            state.push(("trained", self.epochs.to_string()));
        }
        if self.systems.is_open() {
            state.push(("systems", "1".into()));
        }
        if !self.search.is_empty() {
            state.push(("search", self.search.clone()));
        }
        state.extend(self.data.own().map(|name| ("own", name)));
        state
    }

    fn restore(&mut self, key: &str, value: &str) {
        match key {
            "liked" => self.liked = value.split(',').filter_map(|item| item.parse().ok()).take(50).collect(),
            "trained" => self.again = fidelity::trained(value),
            "search" => self.search = value.into(),
            "systems" => self.systems.toggle(),
            "own" => self.data.missing = Some(value.into()),
            _ => {}
        }
    }
}
