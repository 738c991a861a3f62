//! Going on: by the button, step by step, and back to the beginning.

use serde_json::json;
use web::Speed;

use super::{App, State, with};
use crate::{dom, lessons::Pace};

impl App {
    pub(super) fn toggle(&mut self) {
        if self.playing {
            self.pause();
        } else {
            self.unpark();
            self.play();
        }
    }

    /// Goes on step by step until the lesson is through or someone pauses.
    pub fn play(&mut self) {
        self.settle();
        self.clear_error();
        if self.lessons.get(self.current).is_some_and(|lesson| lesson.finished()) {
            self.with_current(|lesson, context| lesson.reset(context));
        }
        self.playing = true;
        self.tell("play", json!({}));
        self.page_state(State::Training, "Playing.");
        self.advance();
        self.refresh();
    }

    /// Stops going on.
    pub fn pause(&mut self) {
        self.settle();
        if self.playing {
            self.playing = false;
            self.page_state(State::Paused, "Paused.");
            self.remember();
            self.refresh();
        }
    }

    /// Goes one step, after those that the lesson is still at.
    pub(super) fn step(&mut self, pace: Pace) {
        self.unpark();
        if self.playing || !self.owes(pace) {
            self.pause();
        }
        self.clear_error();
        self.owe(pace);
        self.refresh();
    }

    /// Back to the beginning of the lesson, with all that the worker holds for it.
    pub fn reset(&mut self) {
        self.playing = false;
        self.settle();
        self.clear_error();
        self.unset_progress();
        self.with_current(|lesson, context| lesson.reset(context));
        self.page_state(if self.ready { State::Ready } else { State::Loading }, "Ready.");
        self.refresh();
    }

    /// One step of play.
    pub(super) fn advance(&mut self) {
        let Some(lesson) = self.lessons.get(self.current).filter(|_| self.playing) else { return };
        if lesson.finished() {
            self.playing = false;
            self.page_state(State::Done, "Done.");
            self.remember();
            self.refresh();
        } else if !lesson.busy() {
            let pace = if self.parameters.speed == Speed::Slow { Pace::Part } else { Pace::Step };
            self.with_current(|lesson, context| lesson.step(context, pace));
        }
        self.schedule();
    }

    /// Sees to it that play goes on.
    pub(super) fn schedule(&mut self) {
        let hidden = self.page.document().is_some_and(|document| document.hidden());
        let waits = hidden && !self.parameters.background;
        let busy = self.lessons.get(self.current).is_some_and(|lesson| lesson.busy());
        if !self.playing || self.timer || busy || waits {
            return;
        }
        self.timer = true;
        let this = self.this.clone();
        dom::later(self.parameters.speed.interval(), move || {
            with(&this, |app| {
                app.timer = false;
                app.advance();
                app.refresh();
            });
        });
    }

    /// The page was hidden or is seen again.
    pub fn visibility(&mut self) {
        self.schedule();
    }
}
