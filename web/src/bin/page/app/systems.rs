//! The worker of systems other than the network: loaded for the first question, with the set that the page holds, and
//! given up with it.

use wasm_bindgen::JsValue;
use web::{Command, Failure, Report, Source};

use super::{App, with};
use crate::{describe, link::Link};

/// The worker, and what it is sent once it takes commands.
pub struct Systems {
    link: Link,
    ready: bool,
    pending: Vec<(Command, JsValue)>,
}

impl App {
    /// Sends a command, to a new worker where there is none.
    pub(super) fn send_to_systems(&mut self, command: Command) {
        if self.systems.is_none() {
            match self.start_systems() {
                Ok(systems) => self.systems = Some(systems),
                Err(error) => {
                    let message = format!("the other systems cannot be loaded: {}", describe(&error));
                    return self.systems_failed(&Failure::new("worker", message, "Reload the page."));
                }
            }
        }
        if let Some(systems) = &mut self.systems {
            systems.pending.push((command, JsValue::UNDEFINED));
        }
        self.send_pending_to_systems();
    }

    fn start_systems(&self) -> Result<Systems, JsValue> {
        let this = self.this.clone();
        let receive = move |report: Report| with(&this, move |app| app.hear_systems(&report));
        let link = Link::start("systems_loader.js", receive)?;
        // The first that it gets is the data set.
        let built_in =
            Source { seed: self.parameters.seed(), items: self.parameters.items, ..Source::default() };
        let data = self.data_for_worker().into_iter().next();
        let first =
            data.map_or((Command::Data(built_in), JsValue::UNDEFINED), |order| (order.command, order.files));
        Ok(Systems { link, ready: false, pending: vec![first] })
    }

    fn send_pending_to_systems(&mut self) {
        let Some(systems) = self.systems.as_mut().filter(|systems| systems.ready) else { return };
        let mut sent = Ok(());
        for (command, files) in systems.pending.drain(..) {
            sent = sent.and(systems.link.send(&command, &files));
        }
        if let Err(error) = sent {
            self.systems_failed(&Failure::new("worker", describe(&error), "Reload the page."));
        }
    }

    fn hear_systems(&mut self, report: &Report) {
        match report {
            Report::Ready => {
                if let Some(systems) = &mut self.systems {
                    systems.ready = true;
                }
                self.send_pending_to_systems();
            }
            Report::Failed(failure) => self.systems_failed(failure),
            Report::Progress { .. } | Report::Recommended { .. } => self.report_to_lessons(report),
            _ => {}
        }
        self.refresh();
    }

    fn systems_failed(&mut self, failure: &Failure) {
        self.drop_systems();
        self.fail(failure);
    }

    /// Ends the worker and frees all that it holds. Lessons no longer show what it said.
    pub(super) fn drop_systems(&mut self) {
        if self.systems.take().is_some() {
            for lesson in &mut self.lessons {
                lesson.systems_gone();
            }
        }
    }
}
