//! What the page says of itself: state, status, errors, theme.

use serde_json::json;
use web::Failure;

use super::{App, State, with};
use crate::{bar, dom};

impl App {
    /// Theme and language.
    pub(super) fn dress(&self) {
        let root = &self.page.root;
        // Both are names of attributes.
        let _ = root.set_attribute("data-theme", self.parameters.theme.name());
        let _ = root.set_attribute("lang", &self.parameters.lang);
    }

    /// Bar and controls, as things stand.
    pub(super) fn refresh(&mut self) {
        let seen = self.lessons.get(self.seen).map(Box::as_ref);
        let playing = self.lessons.get(self.current).filter(|_| self.playing).map(|lesson| lesson.name());
        bar::refresh(&self.page, &self.parameters, seen, playing, &self.lessons);
        self.fit();
    }

    /// What did not fit into this task is drawn in the next ones.
    pub(super) fn draw_rest(&mut self) {
        if self.page.waits() && !std::mem::replace(&mut self.drawing, true) {
            let this = self.this.clone();
            dom::later(0, move || {
                with(&this, |app| {
                    app.drawing = false;
                    app.page.draw_waiting();
                });
            });
        }
    }

    /// A compact page fits into its height and into the window, soon after something was drawn.
    fn fit(&mut self) {
        if self.parameters.compact.is_none() || std::mem::replace(&mut self.fitting, true) {
            return;
        }
        let this = self.this.clone();
        dom::later(120, move || {
            with(&this, |app| {
                app.fitting = false;
                let window = dom::window().and_then(|window| window.inner_height().ok()?.as_f64());
                if let Some(height) = app.parameters.compact {
                    app.page.fit(height.min(window.unwrap_or(f64::INFINITY) as u32));
                }
            });
        });
    }

    /// Shows the settings where there is little room for them, or hides them.
    pub(super) fn toggle_settings(&self) {
        let open = self.page.part("bar").is_some_and(|bar| !bar.has_attribute("data-open"));
        if let Some(bar) = self.page.part("bar") {
            // A name of an attribute.
            let _ = bar.toggle_attribute_with_force("data-open", open);
        }
        self.page.attribute("more", "aria-expanded", if open { "true" } else { "false" });
    }

    pub(super) fn page_state(&mut self, state: State, status: &str) {
        if state != State::Error && self.state == State::Loading && !self.ready && state != State::Ready {
            // The engine is still on its way; that is what the state says until it has come.
            self.page.fill("status", status);
            return;
        }
        self.set_state(state, status);
    }

    pub(super) fn set_state(&mut self, state: State, status: &str) {
        self.state = state;
        self.set_attribute("state", state.name());
        self.page.fill("status", web::text::escape(status));
    }

    /// Says something aloud; the state stays.
    pub(super) fn say(&self, status: &str) {
        self.page.fill("status", web::text::escape(status));
    }

    pub(super) fn set_attribute(&self, name: &str, value: &str) {
        // Fails only for names that are not attributes.
        let _ = self.page.root.set_attribute(&format!("data-{name}"), value);
    }

    pub(super) fn unset_attribute(&self, name: &str) {
        let _ = self.page.root.remove_attribute(&format!("data-{name}"));
    }

    /// A curve begins anew.
    pub(super) fn unset_progress(&self) {
        for name in ["epoch", "loss", "ndcg"] {
            self.unset_attribute(name);
        }
    }

    pub(super) fn clear_error(&mut self) {
        self.unset_attribute("error");
        self.page.show("error", false);
        if self.state == State::Error {
            self.set_state(if self.ready { State::Ready } else { State::Loading }, "Ready.");
        }
    }

    /// Shows what went wrong and what to do, and tells the host.
    pub fn fail(&mut self, failure: &Failure) {
        let Failure { code, message, help } = failure;
        self.playing = false;
        self.settle();
        let text = format!("{message}. {help}");
        self.set_attribute("error", &text);
        self.page.fill("error-text", web::text::escape(&text));
        self.page.show("error", true);
        self.set_state(State::Error, &text);
        self.tell("error", json!({ "code": code, "message": message, "help": help }));
        self.refresh();
    }
}
