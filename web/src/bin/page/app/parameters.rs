//! Parameters and the lessons' own state: changed, told, shared.

use serde_json::Value;
use web::{Failure, LESSONS, text};

use super::{App, with};
use crate::{dom, share};

impl App {
    /// Changes parameters: all that can be used are, and each that cannot is an error.
    pub fn set_parameters(&mut self, pairs: &[(String, String)]) {
        let before = self.parameters.clone();
        let mut keys = Vec::new();
        let mut failures = Vec::new();
        for (key, value) in pairs {
            match self.parameters.set(key, value) {
                Ok(true) => keys.push(key.as_str()),
                Ok(false) => failures.push(Failure::new(
                    "parameter",
                    format!("there is no parameter {key}"),
                    "Look at the list of attributes in the documentation.",
                )),
                Err(failure) => failures.push(failure),
            }
        }
        if self.parameters != before && failures.is_empty() {
            self.clear_error();
        }
        if self.parameters.engine != before.engine {
            self.change_engine();
        }
        if self.parameters.data != before.data {
            self.send_data();
        } else if self.parameters.items != before.items {
            self.read_data_again();
        }
        if self.parameters.lesson != before.lesson
            && let Some(index) = self
                .lessons
                .iter()
                .position(|lesson| Some(lesson.name()) == self.parameters.lesson.as_deref())
        {
            self.steer(index);
        }
        for index in 0..self.lessons.len() {
            self.with_lesson(index, |lesson, context| {
                lesson.parameters(context, &keys);
                lesson.draw(context);
            });
        }
        self.dress();
        self.refresh();
        for failure in failures {
            self.fail(&failure);
        }
    }

    /// Parameters, progress and the lessons' own state, for scripts.
    pub fn get_state(&self) -> Value {
        let mut state = serde_json::Map::new();
        for (key, value) in self.parameters.pairs() {
            state.insert(key.into(), value.into());
        }
        for lesson in &self.lessons {
            for (key, value) in lesson.state() {
                state.insert(format!("{}.{key}", lesson.name()), value.into());
            }
        }
        state.insert("playing".into(), self.playing.into());
        state.insert("state".into(), self.state.name().into());
        Value::Object(state)
    }

    /// The fragment of the address of exactly what is shown: parameters, and the state of every lesson.
    pub(super) fn address(&self) -> String {
        let encoded = |key: String, value: &str| format!("{key}={}", text::encode(value));
        let mut pairs: Vec<String> = self
            .parameters
            .pairs()
            .into_iter()
            .map(|(key, value)| encoded(key.to_string(), &value))
            .collect();
        for lesson in &self.lessons {
            let state = lesson.state().into_iter();
            pairs.extend(state.map(|(key, value)| encoded(format!("{}.{key}", lesson.name()), &value)));
        }
        pairs.join("&")
    }

    pub(super) fn share(&mut self) {
        let address = share::link(&self.address());
        share::copy(&address);
        self.page.set_value("share-text", &address);
        self.page.show("share-panel", true);
        self.page.fill("share-title", "Link to exactly this. It is on the clipboard.");
    }

    /// Notes in the page's own address what it shows, a moment after somebody did something.
    pub(super) fn remember(&mut self) {
        if std::mem::replace(&mut self.remembering, true) || !share::is_own_page() {
            return;
        }
        let this = self.this.clone();
        dom::later(400, move || {
            with(&this, |app| {
                app.remembering = false;
                if !app.lessons.is_empty() {
                    share::replace_fragment(&app.address());
                }
            });
        });
    }

    pub(super) fn show_embed(&mut self) {
        let name = self.lessons.get(self.seen).map_or(LESSONS[0], |lesson| lesson.name());
        let code = share::embed_code(name, &self.parameters);
        share::copy(&code);
        self.page.set_value("share-text", &code);
        self.page.show("share-panel", true);
        self.page.fill("share-title", "Code for a course page. It is on the clipboard.");
    }
}
