//! What the page does: from controls to commands, from reports to what is shown.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

use wasm_bindgen::JsValue;
use web::{Command, Failure, Report, Settings};

use crate::{
    describe,
    link::Link,
    run::Run,
    view::{State, View},
    waiting_for,
};

/// The page.
pub struct App {
    /// Itself, for the worker's reports.
    this: Weak<RefCell<App>>,
    view: View,
    state: State,
    link: Option<Link>,
    /// Whether the worker takes commands.
    ready: bool,
    /// Sent once it does.
    pending: Vec<Command>,
    /// Train as soon as the worker is ready.
    autostart: bool,
    run: Run,
}

impl App {
    pub fn new(view: View) -> Rc<RefCell<Self>> {
        Rc::new_cyclic(|this| {
            RefCell::new(Self {
                this: this.clone(),
                view,
                state: State::Loading,
                link: None,
                ready: false,
                pending: Vec::new(),
                autostart: false,
                run: Run::default(),
            })
        })
    }

    /// Shows the settings of the address and does what they ask.
    pub fn open(&mut self, address: Result<Settings, String>) {
        self.draw();
        let settings = match address {
            Ok(settings) => settings,
            Err(problem) => {
                self.view.preset(&Settings::default());
                return self.show_error(&problem);
            }
        };
        self.view.preset(&settings);
        self.set_state(State::Loading, "Loading the engine.");
        self.view.badge("Engine", waiting_for(settings.engine));
        self.send(Command::Engine { choice: settings.engine });
        if settings.selftest {
            self.view.set("selftest", "running");
            self.send(Command::Test { choice: settings.engine });
        }
        self.autostart = settings.autostart;
    }

    /// The main button: start, pause, resume.
    pub fn go(&mut self) {
        match self.state {
            State::Training => {
                self.set_state(State::Paused, "Paused.");
                self.send(Command::Pause);
            }
            State::Paused => {
                self.set_state(State::Training, "Training.");
                self.send(Command::Resume);
            }
            _ => self.start(),
        }
    }

    fn start(&mut self) {
        match self.view.settings() {
            Ok(settings) => {
                self.forget_run();
                self.run = Run::new(&settings);
                self.draw();
                self.set_state(State::Training, "Training.");
                self.send(Command::Train { settings });
            }
            Err(problem) => self.show_error(&problem),
        }
    }

    /// Ends the run, with all that the worker holds.
    pub fn reset(&mut self) {
        self.forget_run();
        self.draw();
        self.drop_worker();
        self.load_engine();
    }

    /// Another engine was chosen.
    pub fn change_engine(&mut self) {
        if matches!(self.state, State::Ready | State::Done | State::Error) {
            self.load_engine();
        }
    }

    /// Draws the charts at the width they have.
    pub fn draw(&self) {
        self.view.charts(&self.run);
    }

    fn load_engine(&mut self) {
        match self.view.settings() {
            Ok(settings) => {
                self.view.unset("error");
                self.set_state(State::Loading, "Loading the engine.");
                self.view.badge("Engine", waiting_for(settings.engine));
                self.send(Command::Engine { choice: settings.engine });
            }
            Err(problem) => self.show_error(&problem),
        }
    }

    fn forget_run(&mut self) {
        self.autostart = false;
        self.run = Run::default();
        for name in ["epoch", "loss", "ndcg", "error"] {
            self.view.unset(name);
        }
        self.view.numbers(&self.run);
    }

    fn drop_worker(&mut self) {
        self.link = None;
        self.ready = false;
        self.pending.clear();
    }

    /// Sends a command, to a new worker where there is none.
    fn send(&mut self, command: Command) {
        if self.link.is_none() {
            let this = self.this.clone();
            let receive = move |report| {
                if let Some(app) = this.upgrade() {
                    app.borrow_mut().receive(report);
                }
            };
            match Link::start(receive) {
                Ok(link) => self.link = Some(link),
                Err(error) => return self.show_error(&describe(&error)),
            }
        }
        match &self.link {
            Some(link) if self.ready => {
                if let Err(error) = link.send(&command) {
                    self.lost(&error);
                }
            }
            _ => self.pending.push(command),
        }
    }

    fn lost(&mut self, error: &JsValue) {
        self.drop_worker();
        self.show_error(&describe(error));
    }

    fn receive(&mut self, report: Report) {
        match report {
            Report::Ready => {
                self.ready = true;
                for command in std::mem::take(&mut self.pending) {
                    self.send(command);
                }
                if self.state == State::Loading {
                    self.set_state(State::Ready, "Ready.");
                }
                if std::mem::take(&mut self.autostart) {
                    self.start();
                }
            }
            Report::Engine { adapter, reason } => {
                self.view.set("engine", if adapter.is_some() { "gpu" } else { "cpu" });
                self.view.set("reason", &reason);
                match &adapter {
                    Some(adapter) => {
                        self.view.set("adapter", adapter);
                        self.view.badge("WebGPU", &format!("{adapter}; {reason}"));
                    }
                    None => {
                        self.view.unset("adapter");
                        self.view.badge("CPU", &reason);
                    }
                }
                if self.state == State::Loading {
                    self.set_state(State::Ready, "Ready.");
                }
            }
            Report::Tested { passed, failures } => {
                if failures.is_empty() {
                    self.view.set("selftest", &format!("passed {passed}"));
                    self.view
                        .tested(&format!("Self-test: {passed} of {passed} checks passed on this engine."));
                } else {
                    let list = failures.join("; ");
                    self.view.set("selftest", &format!("failed: {list}"));
                    self.view.tested(&format!(
                        "Self-test: {} checks failed on this engine: {list}",
                        failures.len()
                    ));
                }
            }
            Report::Events { events } => {
                let grown = events.iter().fold(false, |grown, event| self.run.note(event) | grown);
                self.show_run(grown);
            }
            Report::Failed(Failure { message, help, .. }) => {
                // What the worker held may be broken: the next command gets a new one.
                self.drop_worker();
                self.show_error(&format!("{message}. {help}"));
            }
        }
    }

    fn show_run(&mut self, grown: bool) {
        self.view.numbers(&self.run);
        if !grown && self.run.done.is_none() {
            return;
        }
        self.draw();
        let run = &self.run;
        self.view.set("epoch", &run.epoch.to_string());
        for (name, value) in [("loss", run.loss()), ("ndcg", run.ndcg())] {
            if let Some(value) = value {
                self.view.set(name, &value.to_string());
            }
        }
        if let Some(best) = run.done {
            let best = best.and_then(|epoch| run.ndcg_of(epoch).map(|ndcg| (epoch, ndcg)));
            let text = match best {
                Some((epoch, ndcg)) => format!("Done: NDCG@50 was best after epoch {epoch}, {ndcg:.4}."),
                None => "Done.".into(),
            };
            self.set_state(State::Done, &text);
        }
    }

    fn set_state(&mut self, state: State, status: &str) {
        self.state = state;
        self.view.state(state, status);
    }

    fn show_error(&mut self, message: &str) {
        self.view.set("error", message);
        self.set_state(State::Error, message);
    }
}
