//! 5. Training with several samplers side by side: same start, same batches.

mod curves;

use fastvae::config::Method;
use serde_json::json;
use web::{
    Command, Parameters, RecommendQuestion, Report, RunSettings, samplers,
    settings::Field,
    text::{digits, escape},
};

use self::curves::{Axis, Curves};
use super::{Context, Lesson, Pace, data::Data, fidelity};
use crate::{
    dom::{Act, Kind, options},
    share,
};

const GROUP: &str = "race";
/// Most runs at once.
const MOST: usize = 6;
/// Milliseconds of the worker at a time.
const PIECE: u32 = 40;

/// An epoch and the films that it recommends, with their scores.
type Recommended = (u32, Vec<(u32, f32)>);

pub struct Race {
    data: Data,
    runs: Curves,
    started: bool,
    finished: bool,
    waiting: bool,
    /// Go on to this epoch, whether playing or not.
    until: Option<u32>,
    /// Epochs of a worker that is gone, or of a link: the next worker runs them again, and they come out alike.
    again: u32,
    axis: Axis,
    /// The epoch that is looked back at; the present without.
    back: Option<u32>,
    /// Epochs that can be looked at, of each run.
    kept: Vec<Vec<u32>>,
    /// Run, epoch, and what it recommends.
    lists: Vec<Option<Recommended>>,
    /// Films that the viewer of the lists likes.
    liked: Vec<u32>,
}

impl Race {
    pub fn new(_: &Parameters) -> Self {
        Self {
            data: Data::default(),
            runs: Curves::default(),
            started: false,
            finished: false,
            waiting: false,
            until: None,
            again: 0,
            axis: Axis::Epochs,
            back: None,
            kept: Vec::new(),
            lists: Vec::new(),
            liked: Vec::new(),
        }
    }

    fn settings(parameters: &Parameters) -> RunSettings {
        RunSettings {
            group: GROUP.into(),
            samplers: parameters.samplers.iter().copied().take(MOST).collect(),
            values: parameters.settings.clone(),
        }
    }

    fn forget(&mut self, parameters: &Parameters) {
        self.runs = Curves::new(&Self::settings(parameters));
        (self.started, self.finished, self.waiting, self.until, self.back) =
            (false, false, false, None, None);
        (self.kept, self.lists, self.again) = (Vec::new(), Vec::new(), 0);
    }

    fn advance(&mut self, context: &mut Context<'_>, single: bool) {
        self.waiting = true;
        if self.started {
            context.ask(Command::Advance { group: GROUP.into(), milliseconds: PIECE, single });
        } else {
            if self.again == 0 {
                self.forget(context.parameters);
                self.waiting = true;
            }
            context.ask(Command::Start(Self::settings(context.parameters)));
        }
    }

    /// Asks what each run recommends at the epoch that is looked at.
    fn ask_lists(&mut self, context: &mut Context<'_>) {
        if self.liked.is_empty() {
            self.liked = viewer(&self.data);
        }
        for run in 0..self.runs.len() {
            context.ask(Command::Recommend(RecommendQuestion {
                to: "race".into(),
                group: GROUP.into(),
                run,
                epoch: self.back,
                liked: self.liked.clone(),
                count: 6,
            }));
        }
    }

    fn marks(&self, context: &Context<'_>) {
        context.mark("epoch", &self.runs.epochs().to_string());
        if let Some((loss, ndcg)) = self.runs.first() {
            context.mark("loss", &loss.to_string());
            if let Some(ndcg) = ndcg {
                context.mark("ndcg", &ndcg.to_string());
            }
        }
    }

    fn draw_lists(&self, context: &Context<'_>) {
        let mut html = String::new();
        for (run, list) in self.lists.iter().enumerate() {
            let Some((epoch, items)) = list else { continue };
            let sampler = self.runs.sampler(run);
            let rows: String = items
                .iter()
                .map(|(item, _)| format!("<li>{}</li>", escape(&self.data.title(*item))))
                .collect();
            html.push_str(&format!(
                "<div><h3><span class=\"dot s-{}\"></span>{}, epoch {epoch}</h3><ol>{rows}</ol></div>",
                samplers::name(sampler),
                samplers::title(sampler)
            ));
        }
        if !html.is_empty() {
            let liked: Vec<String> = self.liked.iter().map(|&item| escape(&self.data.title(item))).collect();
            html = format!(
                "<p class=\"note\">For a viewer of {}:</p><div class=\"lists\">{html}</div>",
                liked.join(", ")
            );
        }
        context.page.fill("race-lists", html);
    }
}

/// The settings with a control here: all but the seed, which is in the bar.
fn fields() -> impl Iterator<Item = Field> {
    Field::all().filter(|field| field.name() != "seed")
}

/// Three well-known films of one genre.
fn viewer(data: &Data) -> Vec<u32> {
    let Some(view) = &data.view else { return vec![0, 1, 2] };
    let mut order: Vec<u32> = (0..view.items as u32).collect();
    order.sort_by_key(|&item| std::cmp::Reverse(view.counts.get(item as usize).copied().unwrap_or(0)));
    let main = |item: u32| data.genres(item).split(", ").next().unwrap_or("").to_owned();
    let genre = order.first().map(|&item| main(item)).unwrap_or_default();
    order.into_iter().filter(|&item| main(item) == genre).take(3).collect()
}

impl Lesson for Race {
    fn name(&self) -> &'static str {
        "race"
    }

    fn title(&self) -> &'static str {
        "The race: what good negatives are worth"
    }

    fn html(&self, parameters: &Parameters) -> String {
        let boxes: String = Method::all()
            .map(|method| {
                let name = method.name();
                let on = if parameters.samplers.contains(&method) { " checked" } else { "" };
                format!(
                    "<label><input type=\"checkbox\" data-act=\"sampler-{name}\" data-part=\"race-{name}\"{on}>\
                     <span class=\"dot s-{name}\"></span>{}</label>",
                    samplers::title(method)
                )
            })
            .collect();
        let controls: String = fields().map(|field| field.html("race-", &parameters.settings)).collect();
        let text = if parameters.shows("text") {
            "<p>The same network, the same start, the same batches; only the negatives come from elsewhere. Each sampler \
             trains for an epoch with the machine to itself, then the next one does, so their seconds can be compared. \
             Press play, and choose what the horizontal axis counts. Losses of different samplers are not comparable: each is \
             taken over the films that were drawn. NDCG is.</p>"
        } else {
            ""
        };
        format!(
            "{text}<div class=\"figure\">{}<div class=\"controls\"><fieldset><legend>Samplers</legend>{boxes}</fieldset>\
             </div><div class=\"controls\">{controls}<label>Axis <select data-act=\"axis\" data-part=\"race-axis\">{}</select>\
             </label></div><div class=\"halves\"><div class=\"chart\" data-part=\"race-loss\"></div>\
             <div class=\"chart\" data-part=\"race-ndcg\"></div></div>\
             <label class=\"slider\">Look back <input type=\"range\" min=\"0\" max=\"1\" value=\"1\" data-act=\"back\" \
             data-part=\"race-back\"><output data-part=\"race-back-shown\">now</output></label>\
             <div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Standings\" data-part=\"race-table\"></div><div data-part=\"race-lists\"></div>\
             <div class=\"controls\"><button type=\"button\" data-act=\"csv\">Curves as csv</button>\
             <button type=\"button\" data-act=\"svg\">Figure as svg</button>\
             <button type=\"button\" data-act=\"model\">Model as safetensors</button></div></div>",
            Data::html("race", parameters),
            options(Axis::ALL.iter().map(|(name, title, _)| (*name, *title)), self.axis.name()),
        )
    }

    fn draw(&mut self, context: &mut Context<'_>) {
        if self.runs.len() == 0 {
            self.runs = Curves::new(&Self::settings(context.parameters));
        }
        let page = context.page;
        self.data.draw(context, "race");
        for method in Method::all() {
            let on = context.parameters.samplers.contains(&method);
            page.set_value(&format!("race-{}", method.name()), if on { "1" } else { "0" });
        }
        for field in fields() {
            page.set_value(&format!("race-{}", field.name()), &context.parameters.settings.text(field));
        }
        // Read before anything is drawn, which would make the browser lay out the page in between.
        let sizes = ["race-loss", "race-ndcg"].map(|part| page.chart_size(part, 300));
        page.fill("race-loss", self.runs.chart(true, self.axis, self.back, sizes[0], false));
        page.fill("race-ndcg", self.runs.chart(false, self.axis, self.back, sizes[1], false));
        let most = self.runs.epochs();
        page.attribute("race-back", "max", &most.max(1).to_string());
        page.set_value("race-back", &self.back.unwrap_or(most.max(1)).to_string());
        page.fill("race-back-shown", self.back.map_or("now".into(), |epoch| format!("epoch {epoch}")));
        page.fill("race-table", self.runs.table(self.back));
        self.draw_lists(context);
    }

    fn act(&mut self, context: &mut Context<'_>, act: &Act) {
        if act.kind == Kind::Change
            && let Some(name) = act.name.strip_prefix("sampler-")
            && let Some(sampler) = samplers::parse(name)
        {
            let chosen = &mut context.parameters.samplers;
            if act.value == "1" && !chosen.contains(&sampler) {
                if chosen.len() < MOST {
                    chosen.push(sampler);
                }
            } else if act.value == "0" && chosen.len() > 1 {
                chosen.retain(|&known| known != sampler);
            }
            *context.playing = false;
            self.forget(context.parameters);
            return self.draw(context);
        }
        match (act.name.as_str(), act.kind) {
            (name, Kind::Change) if Field::find(name).is_some() => {
                match context.parameters.set(&act.name, &act.value) {
                    Ok(_) => {
                        *context.playing = false;
                        self.forget(context.parameters);
                    }
                    Err(problem) => *context.failure = Some(problem),
                }
                self.draw(context);
            }
            ("axis", Kind::Change) => {
                self.axis = Axis::parse(&act.value).unwrap_or(self.axis);
                self.draw(context);
            }
            ("back", Kind::Input) => {
                let epoch = act.number().unwrap_or(0);
                self.back = (epoch < self.runs.epochs()).then_some(epoch);
                if self.started {
                    self.ask_lists(context);
                }
                self.draw(context);
            }
            ("csv", Kind::Click) => share::save("fastvae-race.csv", "text/csv", &self.runs.csv()),
            ("svg", Kind::Click) => {
                let figure = self.runs.chart(false, self.axis, self.back, (720, 420), true);
                share::save("fastvae-race.svg", "image/svg+xml", &figure);
            }
            ("model", Kind::Click) => {
                if self.started {
                    context.ask(Command::Export { group: GROUP.into(), run: 0 });
                } else {
                    *context.failure = crate::failure(
                        "stale",
                        "there is no trained model yet",
                        "Press play to train one first.",
                    );
                }
            }
            _ => {}
        }
    }

    fn step(&mut self, context: &mut Context<'_>, pace: Pace) {
        if self.waiting || self.finished {
            return;
        }
        if self.again == 0 {
            self.back = None;
        }
        let until = (pace == Pace::Step).then(|| self.runs.epochs() + 1);
        let again = (self.again > 0).then_some(self.again);
        self.advance(context, pace == Pace::Part);
        self.until = until.max(again);
    }

    fn reset(&mut self, context: &mut Context<'_>) {
        self.forget(context.parameters);
        self.draw(context);
    }

    fn parameters(&mut self, context: &mut Context<'_>, keys: &[&str]) {
        if keys.iter().any(|key| *key == "samplers" || Field::find(key).is_some()) {
            self.forget(context.parameters);
        }
    }

    fn report(&mut self, context: &mut Context<'_>, report: &Report) {
        let first = self.data.view.is_none();
        if self.data.report(report) && first {
            self.draw(context);
        } else if matches!(report, Report::Data(_)) {
            self.liked.clear();
            // A run that is being set up learns from this set already.
            let waits = (self.waiting && !self.started).then_some(self.until);
            self.forget(context.parameters);
            if let Some(until) = waits {
                (self.waiting, self.until) = (true, until);
            }
            self.draw(context);
        }
        match report {
            Report::Reading { .. } | Report::Reread | Report::Missing => self.data.draw(context, "race"),
            Report::Started { group, settings } if group == GROUP && self.waiting => {
                self.started = true;
                if std::mem::take(&mut self.again) == 0 {
                    self.runs = Curves::new(settings);
                }
                self.lists = vec![None; settings.samplers.len()];
            }
            Report::Progress { group, events, kept, finished } if group == GROUP && self.started => {
                let before = self.runs.epochs();
                let evaluated = self.runs.note(events);
                self.kept.clone_from(kept);
                self.finished = *finished;
                for (run, epoch, ndcg) in evaluated {
                    let sampler = samplers::name(self.runs.sampler(run));
                    context.tell(
                        "eval",
                        json!({ "lesson": "race", "sampler": sampler, "epoch": epoch, "ndcg": ndcg }),
                    );
                }
                self.marks(context);
                let now = self.runs.epochs();
                if now > before {
                    context.tell("step", json!({ "lesson": "race", "epoch": now }));
                    self.ask_lists(context);
                }
                let goes_on = self.until.is_some_and(|until| now < until) && !*finished;
                if goes_on {
                    self.advance(context, false);
                } else {
                    (self.waiting, self.until) = (false, None);
                }
                if now > before || !goes_on {
                    self.draw(context);
                } else {
                    context.page.fill("race-table", self.runs.table(self.back));
                }
            }
            // A link has epochs behind it.
            Report::Ready if self.again > 0 && self.runs.epochs() == 0 && self.data.missing.is_none() => {
                self.step(context, Pace::Step);
            }
            Report::Lost { .. } => self.runs.mark_lost(),
            Report::Recommended { to, run, epoch, items, .. } if to == "race" => {
                if let Some(list) = self.lists.get_mut(*run) {
                    *list = Some((*epoch, items.clone()));
                    self.draw_lists(context);
                }
            }
            Report::Failed(_) => {
                (self.waiting, self.until) = (false, None);
                self.data.draw(context, "race");
            }
            Report::Revived => {
                self.again = self.again.max(self.runs.epochs());
                (self.started, self.waiting, self.until) = (false, false, None);
                self.data.draw(context, "race");
            }
            _ => {}
        }
    }

    fn busy(&self) -> bool {
        self.waiting
    }

    fn finished(&self) -> bool {
        self.finished
    }

    fn state(&self) -> Vec<(&'static str, String)> {
        let mut state = Vec::new();
        if self.axis != Axis::Epochs {
            state.push(("axis", self.axis.name().into()));
        }
        if let Some(back) = self.back {
            state.push(("back", back.to_string()));
        }
        if self.runs.epochs() > 0 {
            state.push(("trained", self.runs.epochs().to_string()));
        }
        state.extend(self.data.own().map(|name| ("own", name)));
        state
    }

    fn restore(&mut self, key: &str, value: &str) {
        match key {
            "axis" => self.axis = Axis::parse(value).unwrap_or(self.axis),
            "back" => self.back = value.parse().ok(),
            "trained" => self.again = fidelity::trained(value),
            "own" => self.data.missing = Some(value.into()),
            _ => {}
        }
    }
}

/// A number, or a dash.
fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), digits)
}
