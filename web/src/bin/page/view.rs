//! The elements of the page.

use wasm_bindgen::prelude::*;
use web::{EngineChoice, Settings};
use web_sys::{
    Document, Element, HtmlButtonElement, HtmlElement, HtmlFieldSetElement, HtmlInputElement,
    HtmlProgressElement, HtmlSelectElement,
};

use crate::run::{Run, grouped};

/// What the page is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Loading,
    Ready,
    Training,
    Paused,
    Done,
    Error,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Ready => "ready",
            Self::Training => "training",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Error => "error",
        }
    }

    /// What the main button does next.
    fn action(self) -> &'static str {
        match self {
            Self::Training => "Pause",
            Self::Paused => "Resume",
            _ => "Start",
        }
    }
}

/// Handles on what is read and written.
pub struct View {
    body: HtmlElement,
    settings: HtmlFieldSetElement,
    engine: HtmlSelectElement,
    loss: HtmlSelectElement,
    seed: HtmlInputElement,
    epochs: HtmlInputElement,
    go: HtmlButtonElement,
    reset: HtmlButtonElement,
    status: Element,
    progress: HtmlProgressElement,
    badge_name: Element,
    badge_reason: Element,
    tested: Element,
    set: Element,
    shown_epoch: Element,
    shown_loss: Element,
    shown_ndcg: Element,
    shown_speed: Element,
    loss_chart: HtmlElement,
    ndcg_chart: HtmlElement,
}

impl View {
    /// # Errors
    /// Names the element that the markup lacks.
    pub fn new(document: &Document) -> Result<Self, JsValue> {
        Ok(Self {
            body: document.body().ok_or("the page has no body")?,
            settings: element(document, "settings")?,
            engine: element(document, "engine")?,
            loss: element(document, "loss")?,
            seed: element(document, "seed")?,
            epochs: element(document, "epochs")?,
            go: element(document, "go")?,
            reset: element(document, "reset")?,
            status: element(document, "status")?,
            progress: element(document, "progress")?,
            badge_name: element(document, "badge-name")?,
            badge_reason: element(document, "badge-reason")?,
            tested: element(document, "tested")?,
            set: element(document, "set")?,
            shown_epoch: element(document, "shown-epoch")?,
            shown_loss: element(document, "shown-loss")?,
            shown_ndcg: element(document, "shown-ndcg")?,
            shown_speed: element(document, "shown-speed")?,
            loss_chart: element(document, "loss-chart")?,
            ndcg_chart: element(document, "ndcg-chart")?,
        })
    }

    /// Puts settings into the controls.
    pub fn preset(&self, settings: &Settings) {
        self.engine.set_value(settings.engine.as_str());
        self.loss.set_value(settings.loss_name());
        self.seed.set_value(&settings.seed.to_string());
        self.epochs.set_value(&settings.epochs.to_string());
    }

    /// What the controls say.
    ///
    /// # Errors
    /// A sentence about the control whose value does not do.
    pub fn settings(&self) -> Result<Settings, String> {
        let whole = |input: &HtmlInputElement, what: &str, range: std::ops::RangeInclusive<u32>| {
            let wrong = || format!("{what} must be a whole number from {} to {}", range.start(), range.end());
            input.value().trim().parse().ok().filter(|value| range.contains(value)).ok_or_else(wrong)
        };
        Ok(Settings {
            engine: EngineChoice::parse(&self.engine.value()).ok_or("Choose an engine")?,
            loss: Settings::parse_loss(&self.loss.value()).ok_or("Choose a loss")?,
            seed: whole(&self.seed, "The seed", 0..=u32::MAX)?,
            epochs: whole(&self.epochs, "Epochs", 1..=Settings::MAX_EPOCHS)?,
            ..Settings::default()
        })
    }

    /// Sets the body's attribute `data-{name}`.
    pub fn set(&self, name: &str, value: &str) {
        // Fails only for names that are not attributes.
        let _ = self.body.set_attribute(&format!("data-{name}"), value);
    }

    /// Takes it away.
    pub fn unset(&self, name: &str) {
        let _ = self.body.remove_attribute(&format!("data-{name}"));
    }

    /// Shows a state: the attribute, the line for people, and which controls work.
    pub fn state(&self, state: State, status: &str) {
        self.status.set_text_content(Some(status));
        let running = matches!(state, State::Training | State::Paused);
        self.settings.set_disabled(running);
        self.go.set_text_content(Some(state.action()));
        self.go.set_disabled(state == State::Loading);
        self.reset.set_disabled(state == State::Loading);
        self.set("state", state.name());
    }

    /// Which engine, and why.
    pub fn badge(&self, name: &str, reason: &str) {
        self.badge_name.set_text_content(Some(name));
        self.badge_reason.set_text_content(Some(reason));
    }

    /// The outcome of the self-tests.
    pub fn tested(&self, text: &str) {
        self.tested.set_text_content(Some(text));
    }

    /// Where the run stands.
    pub fn numbers(&self, run: &Run) {
        let shown = |value: Option<String>| value.unwrap_or_else(|| "–".into());
        let epoch = (run.epochs > 0).then(|| format!("{} of {}", run.epoch, run.epochs));
        self.shown_epoch.set_text_content(Some(&shown(epoch)));
        self.shown_loss.set_text_content(Some(&shown(run.loss().map(|loss| format!("{loss:.2}")))));
        self.shown_ndcg.set_text_content(Some(&shown(run.ndcg().map(|ndcg| format!("{ndcg:.4}")))));
        self.shown_speed
            .set_text_content(Some(&shown(run.speed.map(|speed| grouped(speed.round() as usize)))));
        self.progress.set_value(run.progress());
        if !run.set.is_empty() {
            self.set.set_text_content(Some(&run.set));
        }
    }

    /// Both charts, as wide as there is room.
    pub fn charts(&self, run: &Run) {
        let size = |place: &HtmlElement| ((place.client_width().clamp(260, 1000)) as u32, 260);
        self.loss_chart.set_inner_html(&run.loss_chart(size(&self.loss_chart)));
        self.ndcg_chart.set_inner_html(&run.ndcg_chart(size(&self.ndcg_chart)));
    }
}

/// The element with an id.
///
/// # Errors
/// If there is none, or it is of another kind.
pub fn element<T: JsCast>(document: &Document, id: &str) -> Result<T, JsValue> {
    let element = document.get_element_by_id(id).ok_or_else(|| format!("the page has no #{id}"))?;
    element.dyn_into::<T>().map_err(|_| format!("#{id} is another kind of element").into())
}
