//! Steps that were asked for, by a button or by a script: one after the other, each when the lesson is through with the
//! one before.

use js_sys::Function;
use wasm_bindgen::JsValue;

use super::{App, State};
use crate::lessons::Pace;

/// Steps still to go, and who is told when they are done.
#[derive(Default)]
pub struct Owed {
    steps: u32,
    pace: Option<Pace>,
    resolve: Option<Function>,
}

impl App {
    /// Goes so many steps. `resolve` is called after the last one, or when something else is asked for meanwhile.
    pub fn steps(&mut self, steps: u32, resolve: Function) {
        self.unpark();
        self.pause();
        self.owed = Owed { steps, pace: Some(Pace::Step), resolve: Some(resolve) };
        self.go_on_with_steps();
        self.refresh();
    }

    /// Whether steps of this kind are under way.
    pub(super) fn owes(&self, pace: Pace) -> bool {
        self.owed.pace == Some(pace)
    }

    /// One step more.
    pub(super) fn owe(&mut self, pace: Pace) {
        (self.owed.steps, self.owed.pace) = (self.owed.steps + 1, Some(pace));
        self.go_on_with_steps();
    }

    /// The next of the steps, if it is its turn.
    pub(super) fn go_on_with_steps(&mut self) {
        let at_work = |app: &Self| app.lessons.get(app.current).is_some_and(|lesson| lesson.busy());
        while self.owed.steps > 0 && !at_work(self) {
            self.owed.steps -= 1;
            let pace = self.owed.pace.unwrap_or(Pace::Step);
            self.with_current(|lesson, context| lesson.step(context, pace));
            if self.lessons.get(self.current).is_some_and(|lesson| lesson.finished()) {
                self.page_state(State::Done, "Done.");
            }
        }
        if !at_work(self) {
            self.settle();
        }
    }

    /// Nothing is owed any longer.
    pub(super) fn settle(&mut self) {
        if let Owed { resolve: Some(resolve), .. } = std::mem::take(&mut self.owed) {
            // The function that settles a promise does not throw.
            let _ = resolve.call0(&JsValue::UNDEFINED);
        }
    }
}
