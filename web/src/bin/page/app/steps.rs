//! Steps that a script asks for: one after the other, each when the lesson is through with the one before.

use js_sys::Function;
use wasm_bindgen::JsValue;

use super::App;
use crate::lessons::Pace;

/// Steps still to go, and who is told when they are done.
#[derive(Default)]
pub struct Owed {
    steps: u32,
    resolve: Option<Function>,
}

impl App {
    /// Goes so many steps. `resolve` is called after the last one, or when something else is asked for meanwhile.
    pub fn steps(&mut self, steps: u32, resolve: Function) {
        self.unpark();
        self.pause();
        self.owed = Owed { steps, resolve: Some(resolve) };
        self.go_on_with_steps();
        self.refresh();
    }

    /// The next of the steps, if it is its turn.
    pub(super) fn go_on_with_steps(&mut self) {
        let at_work = |app: &Self| app.lessons.get(app.current).is_some_and(|lesson| lesson.busy());
        while self.owed.steps > 0 && !at_work(self) {
            self.owed.steps -= 1;
            self.with_current(|lesson, context| lesson.step(context, Pace::Step));
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
