//! The data set that runs learn from. The page holds it and gives it to every worker, so that a worker that went away
//! takes nothing with it.

use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};
use web::{Command, DataView, Failure, Report, Source, text::grouped};
use web_sys::{DragEvent, File, FileList, HtmlInputElement};

use super::App;
use crate::{
    dom::{Act, Kind},
    share,
};

/// A command that brings a set, and the files beside it.
type Order = (Command, JsValue);

/// Endings of the files that are read.
const ENDINGS: [&str; 11] =
    ["zip", "csv", "gz", "dat", "data", "txt", "tsv", "inter", "item", "jsonl", "json"];

/// What the page holds of data.
#[derive(Default)]
pub struct Held {
    /// Brings the set that is shown.
    order: Option<Order>,
    /// Brings the set that was asked for and has not come yet.
    asked: Option<Order>,
    view: Option<DataView>,
}

impl App {
    /// What a new worker has to read, with the settings as they are now.
    pub(super) fn data_for_worker(&self) -> Option<Order> {
        let (command, files) = self.held.asked.as_ref().or(self.held.order.as_ref())?.clone();
        Some((self.with_settings(command), files))
    }

    fn with_settings(&self, command: Command) -> Command {
        match command {
            Command::Data(source) => {
                Command::Data(Source { items: self.parameters.items, seed: self.parameters.seed, ..source })
            }
            command => command,
        }
    }

    /// Asks for the set of the parameters.
    pub(super) fn send_data(&mut self) {
        // Elsewhere `items` is the size of the small catalogue.
        if !matches!(self.parameters.lesson.as_deref(), None | Some("fidelity" | "race" | "recommend")) {
            return;
        }
        match self.parameters.data.as_deref().map(share::data_address).transpose() {
            Ok(name) => {
                let source = Source { fetch: name.is_some(), name, items: None, seed: 0 };
                self.order((Command::Data(source), JsValue::UNDEFINED));
            }
            Err(failure) => self.fail(&failure),
        }
    }

    /// Asks for a set.
    fn order(&mut self, (command, files): Order) {
        let command = self.with_settings(command);
        self.held.asked = Some((command.clone(), files.clone()));
        self.send_with(command, files);
    }

    /// Asks for the set that is there, with the settings as they are now.
    pub(super) fn read_data_again(&mut self) {
        if let Some(order) = self.held.order.clone() {
            self.order(order);
        }
    }

    /// Somebody does something about data; whether that was so.
    pub(super) fn act_on_data(&mut self, act: &Act) -> bool {
        match (act.name.as_str(), act.kind) {
            ("subset", Kind::Change) => {
                let (Some(view), Some(share)) = (&self.held.view, act.number::<usize>()) else { return true };
                let items = (view.all_items * share / 100).max(16);
                self.parameters.items = (items < view.all_items).then_some(items as u32);
                self.read_data_again();
            }
            ("file", Kind::Change) | ("files", Kind::Files) => {
                let files = files_of(act);
                if !files.is_empty() {
                    self.open(&files);
                }
            }
            ("cancel", Kind::Click) => {
                self.held.asked = None;
                self.parameters.data = None;
                // Whatever the worker is reading ends with it; the next one gets the set that was there.
                self.restart("Given up; the set that was there stays.");
            }
            _ => return false,
        }
        true
    }

    fn open(&mut self, files: &[File]) {
        let names: Vec<String> = files.iter().map(File::name).collect();
        let ending = |name: &str| name.rsplit('.').next().unwrap_or("").to_ascii_lowercase();
        let models = names.iter().filter(|name| ending(name) == "safetensors").count();
        let unknown = names
            .iter()
            .find(|name| ending(name) != "safetensors" && !ENDINGS.contains(&ending(name).as_str()));
        if let Some(name) = unknown {
            return self.fail(&Failure::new(
                "data",
                format!("{name} is no kind of file that is read here"),
                "Drop a MovieLens zip, csv files of ratings and titles, or a model.safetensors.",
            ));
        }
        if models > 0 && names.len() > 1 {
            return self.fail(&Failure::new(
                "data",
                format!("{} are a model and other files", names.join(" and ")),
                "Drop the model alone; it has its films with it.",
            ));
        }
        let name = names.join(" + ");
        let command = if models > 0 {
            Command::Import { name }
        } else {
            Command::Data(Source { name: Some(name), fetch: false, items: None, seed: 0 })
        };
        (self.parameters.data, self.parameters.items) = (None, None);
        let files: Array = files.iter().collect();
        self.order((command, files.into()));
    }

    /// A set has come; whether it is another one than before. One that a new worker has read again is not.
    pub(super) fn data_came(&mut self, view: &DataView) -> bool {
        if let Some(asked) = self.held.asked.take() {
            self.held.order = Some(asked);
        }
        let before = self.held.view.replace(view.clone());
        let another = before.as_ref().is_none_or(|before| !before.is_same_set(view));
        if another && before.is_some() {
            self.say(&format!(
                "Another data set: {}, {} viewers, {} films. Curves begin anew.",
                view.name,
                grouped(view.users as u64),
                grouped(view.items as u64)
            ));
        }
        another
    }

    /// What was asked for last did not work: the set that was there stays.
    pub(super) fn data_failed(&mut self) {
        self.held.asked = None;
    }

    /// Ends the worker and starts another one.
    pub(super) fn restart(&mut self, status: &str) {
        self.drop_worker();
        self.playing = false;
        let choice = self.parameters.engine;
        self.send(Command::Engine { choice });
        for index in 0..self.lessons.len() {
            self.with_lesson(index, |lesson, context| lesson.report(context, &Report::Revived));
        }
        self.say(status);
    }
}

fn files_of(act: &Act) -> Vec<File> {
    let all = |list: Option<FileList>| -> Vec<File> {
        list.map(|list| (0..list.length()).filter_map(|place| list.get(place)).collect()).unwrap_or_default()
    };
    if let Some(drop) = act.event.dyn_ref::<DragEvent>() {
        return all(drop.data_transfer().and_then(|transfer| transfer.files()));
    }
    let Some(input) = act.element.dyn_ref::<HtmlInputElement>() else { return Vec::new() };
    let files = all(input.files());
    // The same file can be chosen again.
    input.set_value("");
    files
}
