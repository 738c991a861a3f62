//! 4. How close proposals are to the softmax of a trained model.

mod view;

use std::fmt::Write;

use serde_json::json;
use web::{
    Closeness, Command, FidelityQuestion, Parameters, Report, RunSettings, samplers, settings::Field,
    text::percent,
};

use super::{Context, Lesson, Pace};
use crate::{
    dom::{Act, Kind},
    share,
};
use fastvae::{
    config::{Method, ProposalKind},
    event::Event,
};

/// The run that this lesson and the recommendations look at.
pub const GROUP: &str = "study";
/// Codewords that the slider offers.
const CODEWORDS: [u32; 7] = [2, 4, 8, 16, 32, 64, 128];
const PIECE: u32 = 40;

/// How the model of this lesson is trained.
pub fn study(parameters: &Parameters) -> RunSettings {
    let mut values = parameters.settings.clone();
    values.put("proposal", "codewords", 16.into());
    RunSettings { group: GROUP.into(), samplers: vec![Method::Sampled(ProposalKind::MidxPopularity)], values }
}

/// Whether the model of this lesson is another one after a parameter changed.
pub fn changes_study(key: &str) -> bool {
    Field::find(key).is_some_and(|field| field.name() != "k")
}

/// The number of epochs that a link has behind it.
pub fn trained(value: &str) -> u32 {
    let most = Field::find("epochs").map_or(u64::MAX, |field| field.most());
    u64::from(value.parse::<u32>().unwrap_or(0)).min(most) as u32
}

struct Answer {
    places: Vec<u32>,
    truth: Vec<f64>,
    proposals: Vec<Closeness>,
    epochs: (u32, u32),
}

pub struct Fidelity {
    started: bool,
    finished: bool,
    waiting: bool,
    asking: bool,
    stale: bool,
    /// Epochs behind the model.
    epochs: u32,
    steps: (u32, u32),
    until: u32,
    /// Epochs of a worker that is gone, or of a link, to be run again.
    again: u32,
    /// The epoch that is looked at; the last without.
    epoch: Option<u32>,
    /// Epochs that the index is behind the model.
    late: u32,
    user: u32,
    /// Place in [`CODEWORDS`].
    codewords: usize,
    answer: Option<Answer>,
    /// Divergence of each proposal by K, for the second chart.
    by_codewords: Vec<(u32, Method, f64)>,
}

impl Fidelity {
    pub fn new(_: &Parameters) -> Self {
        Self {
            started: false,
            finished: false,
            waiting: false,
            asking: false,
            stale: false,
            epochs: 0,
            steps: (0, 1),
            until: 0,
            again: 0,
            epoch: None,
            late: 0,
            user: 0,
            codewords: 3,
            answer: None,
            by_codewords: Vec::new(),
        }
    }

    fn go_on(&mut self, context: &mut Context<'_>, single: bool) {
        self.waiting = true;
        if self.started {
            context.ask(Command::Advance { group: GROUP.into(), milliseconds: PIECE, single });
        } else {
            context.ask(Command::Start(study(context.parameters)));
        }
    }

    fn ask(&mut self, context: &mut Context<'_>) {
        self.ask_with(context, CODEWORDS[self.codewords]);
    }

    /// Asks for a number of codewords that the chart by codewords has not yet.
    fn sweep(&mut self, context: &mut Context<'_>) {
        let known = |k: u32| self.by_codewords.iter().any(|(known, ..)| *known == k);
        if let Some(&missing) = CODEWORDS.iter().find(|&&k| !known(k)) {
            self.ask_with(context, missing);
        }
    }

    fn ask_with(&mut self, context: &mut Context<'_>, codewords: u32) {
        if !self.started {
            return;
        }
        if self.asking {
            self.stale = true;
            return;
        }
        self.asking = true;
        let epoch = self.epoch.unwrap_or(self.epochs);
        context.ask(Command::Fidelity(FidelityQuestion {
            group: GROUP.into(),
            epoch,
            index_epoch: epoch.saturating_sub(self.late),
            user: self.user,
            samplers: Method::all().collect(),
            codewords,
            seed: context.parameters.seed(),
        }));
    }
}

impl Lesson for Fidelity {
    fn name(&self) -> &'static str {
        "fidelity"
    }

    fn title(&self) -> &'static str {
        "Fidelity: how close is close"
    }

    fn html(&self, parameters: &Parameters) -> String {
        let text = |html: &str| if parameters.shows("text") { html.to_owned() } else { String::new() };
        let formula = if parameters.shows("formula") {
            "<div class=\"formula\"><math display=\"block\"><mi>KL</mi><mo stretchy=\"false\">(</mo><msub><mi>q</mi><mtext>uni</mtext></msub>\
             <mo stretchy=\"false\">‖</mo><mtext>softmax</mtext><mo stretchy=\"false\">)</mo><mo>≤</mo><mn>2</mn><mo>·</mo><munder><mi>max</mi><mi>i</mi></munder>\
             <mo stretchy=\"false\">‖</mo><msub><mover><mi>q</mi><mo>~</mo></mover><mi>i</mi></msub><mo stretchy=\"false\">‖</mo><mo>·</mo><mo stretchy=\"false\">‖</mo>\
             <msub><mi>z</mi><mi>u</mi></msub><mo stretchy=\"false\">‖</mo></math></div>"
        } else {
            ""
        };
        let slider = |act: &str, title: &str, max: usize, value: u32| {
            format!(
                "<label class=\"slider\">{title} <input type=\"range\" min=\"0\" max=\"{max}\" value=\"{value}\" \
                 data-act=\"{act}\" data-part=\"fidelity-{act}\"><output data-part=\"fidelity-{act}-shown\"></output></label>"
            )
        };
        text(
            "<p>Now a real model: press play, and it trains. At each moment every proposal is compared with the softmax of \
             one viewer, exactly and over all films. What the two codewords leave of a film's vector, its <b>residual</b>, \
             is all that MIDX ignores; theorem 5.3 bounds the divergence by the longest residual.</p>",
        ) + formula
            + &format!(
                "<div class=\"figure\"><div class=\"controls\">{}{}{}{}</div>\
                 <p class=\"note\" data-part=\"fidelity-note\" role=\"status\"></p>\
                 <div class=\"halves\"><div class=\"chart\" data-part=\"fidelity-curves\"></div>\
                 <div class=\"chart\" data-part=\"fidelity-codewords-chart\"></div></div>\
                 <div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Divergences\" data-part=\"fidelity-table\"></div>\
                 <div class=\"controls\"><button type=\"button\" data-act=\"csv\">Table as csv</button>\
                 <button type=\"button\" data-act=\"svg\">Figure as svg</button></div></div>",
                slider("user", "Viewer", 99, self.user),
                slider("codewords", "Codewords K", CODEWORDS.len() - 1, self.codewords as u32),
                slider("epoch", "Model of epoch", 1, 1),
                slider("late", "Index older by", 10, self.late),
            )
            + &text(
                "<p>More codewords, smaller residuals, less divergence. An index made from the item vectors of some epochs ago \
                 is still a proper proposal, for its probabilities are those it draws with; it is only less close.</p>",
            )
    }

    fn draw(&mut self, context: &mut Context<'_>) {
        let page = context.page;
        let epoch = self.epoch.unwrap_or(self.epochs);
        page.attribute("fidelity-epoch", "max", &self.epochs.max(1).to_string());
        page.set_value("fidelity-epoch", &epoch.to_string());
        page.fill("fidelity-epoch-shown", epoch.to_string());
        page.set_value("fidelity-user", &self.user.to_string());
        page.fill("fidelity-user-shown", (self.user + 1).to_string());
        page.set_value("fidelity-codewords", &self.codewords.to_string());
        page.fill("fidelity-codewords-shown", CODEWORDS[self.codewords].to_string());
        page.set_value("fidelity-late", &self.late.to_string());
        page.fill("fidelity-late-shown", format!("{} epochs", self.late));
        let note = match (&self.answer, self.started) {
            (Some(answer), _) => {
                let training = if self.finished {
                    "Training is over.".into()
                } else {
                    let share = f64::from(self.steps.0) / f64::from(self.steps.1.max(1));
                    format!("Training: {} epochs and {} of the next.", self.epochs, percent(share))
                };
                format!(
                    "Model after epoch {}, index from epoch {}. {training}",
                    answer.epochs.0, answer.epochs.1
                )
            }
            (None, false) => {
                "Press play: the model trains, epoch by epoch, and is measured after each.".into()
            }
            (None, true) => "Training.".into(),
        };
        page.fill("fidelity-note", note);
        if self.answer.is_some() {
            // Read before anything is drawn, which would make the browser lay out the page in between.
            let sizes =
                ["fidelity-curves", "fidelity-codewords-chart"].map(|part| page.chart_size(part, 340));
            page.fill("fidelity-curves", self.curves(sizes[0], false));
            page.fill("fidelity-codewords-chart", self.by_codewords(sizes[1]));
            page.fill("fidelity-table", self.table());
        } else {
            for part in ["fidelity-curves", "fidelity-codewords-chart", "fidelity-table"] {
                page.fill(part, "");
            }
        }
    }

    fn act(&mut self, context: &mut Context<'_>, act: &Act) {
        match (act.name.as_str(), act.kind) {
            ("user", Kind::Input) => {
                self.user = act.number().unwrap_or(0);
                self.by_codewords.clear();
            }
            ("codewords", Kind::Input) => {
                self.codewords = act.number().unwrap_or(0).min(CODEWORDS.len() - 1);
            }
            ("epoch", Kind::Input) => {
                let epoch = act.number().unwrap_or(0);
                self.epoch = (epoch < self.epochs).then_some(epoch);
                self.by_codewords.clear();
            }
            ("late", Kind::Input) => {
                self.late = act.number().unwrap_or(0);
                self.by_codewords.clear();
            }
            ("csv", Kind::Click) => {
                let mut csv = String::from("sampler,codewords,kl_q_softmax,bound,kl_softmax_q\n");
                for one in self.answer.iter().flat_map(|answer| &answer.proposals) {
                    let bound = one.bound.map(|bound| bound.to_string()).unwrap_or_default();
                    let _ = writeln!(
                        csv,
                        "{},{},{},{bound},{}",
                        samplers::name(one.sampler),
                        CODEWORDS[self.codewords],
                        one.divergence,
                        one.reverse
                    );
                }
                return share::save("fastvae-fidelity.csv", "text/csv", &csv);
            }
            ("svg", Kind::Click) => {
                return share::save("fastvae-fidelity.svg", "image/svg+xml", &self.curves((720, 420), true));
            }
            _ => return,
        }
        self.ask(context);
        self.draw(context);
    }

    fn step(&mut self, context: &mut Context<'_>, pace: Pace) {
        if self.waiting || self.finished {
            return;
        }
        if self.again == 0 {
            self.epoch = None;
        }
        self.until =
            if pace == Pace::Step { self.epochs + 1 } else { 0 }.max(std::mem::take(&mut self.again));
        self.go_on(context, pace == Pace::Part);
    }

    fn reset(&mut self, context: &mut Context<'_>) {
        *self = Self {
            user: self.user,
            codewords: self.codewords,
            late: self.late,
            ..Self::new(context.parameters)
        };
        self.draw(context);
    }

    fn parameters(&mut self, context: &mut Context<'_>, keys: &[&str]) {
        if keys.iter().any(|key| changes_study(key)) {
            self.reset(context);
        }
    }

    fn report(&mut self, context: &mut Context<'_>, report: &Report) {
        match report {
            Report::Data(_) => {
                // A run that is being set up learns from this set already.
                let waits = self.waiting && !self.started;
                let (again, until, epoch) =
                    if self.started { (0, 0, None) } else { (self.again, self.until, self.epoch) };
                self.reset(context);
                (self.again, self.epoch) = (again, epoch);
                if waits {
                    (self.waiting, self.until) = (true, until);
                }
            }
            Report::Revived => {
                let again = self.again.max(self.epochs);
                self.reset(context);
                self.again = again;
            }
            Report::Ready if self.again > 0 && !self.started => self.step(context, Pace::Step),
            Report::Started { group, .. } if group == GROUP => {
                (self.started, self.finished, self.epochs) = (true, false, 0);
            }
            Report::Progress { group, events, kept, finished } if group == GROUP && self.started => {
                let before = self.epochs;
                for (_, event) in events {
                    match event {
                        Event::Started { steps_per_epoch, .. } => self.steps = (0, *steps_per_epoch),
                        Event::Step { step, .. } => self.steps.0 = *step,
                        Event::Epoch { epoch, .. } => (self.epochs, self.steps.0) = (*epoch, 0),
                        _ => {}
                    }
                }
                // A model from a file has its epochs behind it.
                self.epochs =
                    self.epochs.max(kept.first().and_then(|kept| kept.last().copied()).unwrap_or(0));
                self.finished = *finished;
                if self.epochs > before || (self.answer.is_none() && !self.asking) {
                    self.by_codewords.clear();
                    if self.epochs > before {
                        context.tell("step", json!({ "lesson": "fidelity", "epoch": self.epochs }));
                    }
                    self.ask(context);
                }
                if self.epochs < self.until && !*finished && self.waiting {
                    self.go_on(context, false);
                } else {
                    (self.waiting, self.until) = (false, 0);
                }
                self.draw(context);
            }
            Report::Fidelity { epochs, user, codewords, places, truth, proposals } => {
                self.asking = false;
                let present = self.epoch.unwrap_or(self.epochs);
                let current = (*user, epochs.0) == (self.user, present);
                if current {
                    for one in proposals {
                        self.by_codewords
                            .retain(|(k, sampler, _)| (*k, *sampler) != (*codewords, one.sampler));
                        self.by_codewords.push((*codewords, one.sampler, one.divergence));
                    }
                }
                if *codewords == CODEWORDS[self.codewords] {
                    self.answer = Some(Answer {
                        places: places.clone(),
                        truth: truth.clone(),
                        proposals: proposals.clone(),
                        epochs: *epochs,
                    });
                }
                if std::mem::take(&mut self.stale) {
                    self.ask(context);
                } else if current && !self.waiting && !*context.playing {
                    self.sweep(context);
                }
                self.draw(context);
            }
            Report::Failed(_) => (self.waiting, self.asking, self.until) = (false, false, 0),
            _ => {}
        }
    }

    fn busy(&self) -> bool {
        self.waiting || (self.asking && self.answer.is_none())
    }

    fn finished(&self) -> bool {
        self.finished
    }

    fn state(&self) -> Vec<(&'static str, String)> {
        let mut state = Vec::new();
        for (key, value, standard) in [
            ("user", self.user, 0),
            ("codewords", CODEWORDS[self.codewords], 16),
            ("late", self.late, 0),
            ("trained", self.epochs, 0),
        ] {
            if value != standard {
                state.push((key, value.to_string()));
            }
        }
        if let Some(epoch) = self.epoch {
            state.push(("epoch", epoch.to_string()));
        }
        state
    }

    fn restore(&mut self, key: &str, value: &str) {
        let Ok(number) = value.parse::<u32>() else { return };
        match key {
            "user" => self.user = number.min(99),
            "codewords" => {
                self.codewords = CODEWORDS.iter().position(|&k| k == number).unwrap_or(self.codewords);
            }
            "late" => self.late = number.min(10),
            "trained" => self.again = trained(value),
            "epoch" => self.epoch = Some(number),
            _ => {}
        }
    }
}
