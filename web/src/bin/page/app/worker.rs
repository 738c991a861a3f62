//! The app's side of the worker: when there is one, what it is sent, and what it says.

use serde_json::json;
use wasm_bindgen::JsValue;
use web::{Command, Failure, Report};

use super::{App, State, waiting_for, with};
use crate::{describe, link::Link};

impl App {
    /// Sends a command, to a new worker where there is none.
    pub(super) fn send(&mut self, command: Command) {
        self.send_with(command, JsValue::UNDEFINED);
    }

    /// Sends a command with the file that it speaks of.
    pub(super) fn send_with(&mut self, command: Command, file: JsValue) {
        if self.parked {
            return self.pending.push((command, file));
        }
        if self.link.is_none() {
            if let Err(failure) = self.start_worker() {
                return self.fail(&failure);
            }
            let known = |(sent, _): &(Command, JsValue)| *sent == command;
            if self.pending.iter().any(known) {
                return;
            }
        }
        match &self.link {
            Some(link) if self.ready => {
                if let Err(error) = link.send(&command, &file) {
                    self.drop_worker();
                    self.fail(&Failure::new("worker", describe(&error), "Reload the page."));
                }
            }
            _ => self.pending.push((command, file)),
        }
    }

    /// A new worker; the first that it gets is the choice of engine, then the data set.
    fn start_worker(&mut self) -> Result<(), Failure> {
        let choice = self.parameters.engine;
        self.page.fill("badge-name", "Engine");
        self.page.fill("badge-reason", waiting_for(choice));
        let this = self.this.clone();
        let receive = move |report: Report| with(&this, move |app| app.receive(&report));
        let link = Link::start("worker_loader.js", receive).map_err(|error| {
            Failure::new(
                "worker",
                format!("the engine cannot be started: {}", describe(&error)),
                "The page may forbid workers; a course page needs worker-src blob: in its policy.",
            )
        })?;
        self.link = Some(link);
        self.pending.insert(0, (Command::Engine { choice }, JsValue::UNDEFINED));
        let orders = self.data_for_worker().into_iter().map(|order| (order.command, order.files));
        self.pending.splice(1..1, orders);
        Ok(())
    }

    /// Ends the worker and frees all that it holds.
    pub(super) fn drop_worker(&mut self) {
        self.link = None;
        self.ready = false;
        self.pending.clear();
    }

    /// Another engine was chosen: a new worker, and the lessons ask anew.
    pub(super) fn change_engine(&mut self) {
        let choice = self.parameters.engine;
        self.playing = false;
        self.drop_worker();
        self.set_state(State::Loading, "Loading the engine.");
        self.send(Command::Engine { choice });
        for index in 0..self.lessons.len() {
            self.with_lesson(index, |lesson, context| lesson.reset(context));
        }
    }

    /// Gives the worker up, and with it what it holds; the surface stays as it is.
    pub fn park(&mut self) {
        self.pause();
        self.drop_systems();
        self.link = None;
        self.ready = false;
        self.parked = true;
        self.page.fill("badge-name", "Parked");
        self.page.fill("badge-reason", "press play to go on");
    }

    /// Takes a worker again.
    pub fn unpark(&mut self) {
        if !std::mem::take(&mut self.parked) {
            return;
        }
        let waiting = std::mem::take(&mut self.pending);
        let choice = self.parameters.engine;
        self.send(Command::Engine { choice });
        for (command, file) in waiting {
            // The worker gets the latest set anyway.
            if !matches!(command, Command::Data(_) | Command::Import { .. }) {
                self.send_with(command, file);
            }
        }
        self.report_to_lessons(&Report::Revived);
    }

    /// Lets all lessons hear a report.
    pub(super) fn report_to_lessons(&mut self, report: &Report) {
        for index in 0..self.lessons.len() {
            self.with_lesson(index, |lesson, context| lesson.report(context, report));
        }
    }

    /// The worker says something.
    fn receive(&mut self, report: &Report) {
        let failed;
        let (mut report, mut missing, mut died) = (report, false, false);
        match report {
            Report::Ready => {
                self.ready = true;
                for (command, file) in std::mem::take(&mut self.pending) {
                    self.send_with(command, file);
                }
                if self.state == State::Loading {
                    self.set_state(State::Ready, "Ready.");
                }
                if std::mem::take(&mut self.parameters.autostart) {
                    self.play();
                }
            }
            Report::Engine { adapter, reason } => self.show_engine(adapter.as_deref(), reason),
            Report::Tested { passed, failures, draws } => {
                if let Some(draws) = draws {
                    self.set_attribute("draws", &format!("{draws:08x}"));
                }
                self.show_tested(*passed, failures);
            }
            Report::Lost { message, engine } => {
                self.tell("devicelost", json!({ "message": message, "engine": engine }));
            }
            // Nothing to worry about: what was asked has been replaced meanwhile.
            Report::Failed(failure) if failure.code == "stale" && !self.playing => return,
            Report::Failed(failure) | Report::Unread { failure, .. } => {
                missing = matches!(report, Report::Unread { order, .. } if self.data_failed(*order));
                // What the worker held may be broken: the next command gets a new one.
                died = failure.is_fatal();
                if died {
                    self.forget_files_asked_for();
                    self.drop_worker();
                }
                self.fail(failure);
                failed = Report::Failed(failure.clone());
                report = &failed;
            }
            Report::Data(view) => {
                if self.data_came(view) {
                    self.drop_systems();
                    self.unset_progress();
                } else {
                    report = &Report::Reread;
                }
            }
            _ => {}
        }
        self.report_to_lessons(report);
        if missing {
            self.report_to_lessons(&Report::Missing);
        }
        if missing || died {
            self.report_to_lessons(&Report::Revived);
        }
        if self.playing {
            self.advance();
        }
        self.go_on_with_steps();
        self.refresh();
    }

    fn show_engine(&mut self, adapter: Option<&str>, reason: &str) {
        let engine = if adapter.is_some() { "gpu" } else { "cpu" };
        self.set_attribute("engine", engine);
        self.set_attribute("reason", reason);
        match adapter {
            Some(adapter) => {
                self.set_attribute("adapter", adapter);
                self.page.fill("badge-name", "WebGPU");
                self.page.fill("badge-reason", web::text::escape(&format!("{adapter}; {reason}")));
            }
            None => {
                self.unset_attribute("adapter");
                self.page.fill("badge-name", "CPU");
                self.page.fill("badge-reason", web::text::escape(reason));
            }
        }
        self.tell("engine", json!({ "engine": engine, "adapter": adapter, "reason": reason }));
        if self.state == State::Loading {
            self.set_state(State::Ready, "Ready.");
        }
    }

    fn show_tested(&mut self, passed: usize, failures: &[String]) {
        let (attribute, text) = if failures.is_empty() {
            (
                format!("passed {passed}"),
                format!("Self-test: {passed} of {passed} checks passed on this engine."),
            )
        } else {
            let list = failures.join("; ");
            (
                format!("failed: {list}"),
                format!("Self-test: {} checks failed on this engine: {list}", failures.len()),
            )
        };
        self.set_attribute("selftest", &attribute);
        self.page.fill("tested", web::text::escape(&text));
    }
}
