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

/// A request for a set.
#[derive(Clone)]
pub(super) struct Order {
    pub command: Command,
    /// Files beside the command.
    pub files: JsValue,
}

/// Endings of the files that are read.
const ENDINGS: [&str; 11] =
    ["zip", "csv", "gz", "dat", "data", "txt", "tsv", "inter", "item", "jsonl", "json"];

/// What the page holds of data.
#[derive(Default)]
pub struct Held {
    /// Brings the set that runs learn from, or says that there is none.
    order: Option<Order>,
    /// Bring sets that were asked for and have not come yet.
    asked: Vec<Order>,
    /// Requests so far.
    number: u32,
    view: Option<DataView>,
}

impl App {
    /// What a new worker has to read, with the settings as they are now: the set that is there, which stays if one that
    /// was asked for fails, and those that were asked for.
    pub(super) fn data_for_worker(&self) -> Vec<Order> {
        let mut orders: Vec<Order> = self.held.order.iter().chain(&self.held.asked).cloned().collect();
        for order in &mut orders {
            self.give_settings(&mut order.command);
        }
        orders
    }

    fn give_settings(&self, command: &mut Command) {
        if let Command::Data(source) = command {
            (source.items, source.seed) = (self.parameters.items, self.parameters.seed());
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
                let source = Source { fetch: name.is_some(), name, ..Source::default() };
                self.order(Command::Data(source), JsValue::UNDEFINED);
            }
            Err(failure) => {
                self.lack(failure.clone());
                self.fail(&failure);
            }
        }
    }

    /// The set of the parameters cannot be had: nothing is trained until the reader chooses another one.
    pub(super) fn lack(&mut self, failure: Failure) {
        let command = Command::Lack(failure);
        self.held.order = Some(Order { command: command.clone(), files: JsValue::UNDEFINED });
        self.send(command);
        self.report_to_lessons(&Report::Missing);
    }

    /// Asks for a set.
    fn order(&mut self, mut command: Command, files: JsValue) {
        self.held.number += 1;
        if let Command::Data(Source { order, .. }) | Command::Import { order, .. } = &mut command {
            *order = self.held.number;
        }
        self.give_settings(&mut command);
        self.held.asked.push(Order { command: command.clone(), files: files.clone() });
        self.send_with(command, files);
    }

    /// Asks for the set that is there, with the settings as they are now.
    pub(super) fn read_data_again(&mut self) {
        if let Some(Order { command, files, .. }) = self.held.order.clone() {
            self.order(command, files);
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
                // Whatever the worker is reading ends with it; the next one gets the set that was there.
                self.held.asked.clear();
                if self.held.order.is_none() {
                    return self.take_built_in();
                }
                self.set_data_parameters();
                self.restart("Given up; the set that was there stays.");
            }
            ("built-in", Kind::Click) => return self.take_built_in(),
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
            Command::Import { name, order: 0 }
        } else {
            Command::Data(Source { name: Some(name), ..Source::default() })
        };
        (self.parameters.data, self.parameters.items) = (None, None);
        let files: Array = files.iter().collect();
        self.order(command, files.into());
    }

    /// In place of a set that is missing or was given up.
    fn take_built_in(&mut self) -> bool {
        self.parameters.data = None;
        (self.held.order, self.held.asked) = (None, Vec::new());
        self.restart("The built-in films.");
        self.send_data();
        true
    }

    /// The parameters are those of the set that is there.
    fn set_data_parameters(&mut self) {
        let source = self.held.order.as_ref().and_then(|order| match &order.command {
            Command::Data(source) => Some(source),
            _ => None,
        });
        self.parameters.items = source.and_then(|source| source.items);
        self.parameters.data = source.filter(|source| source.fetch).and_then(|source| source.name.clone());
    }

    /// A set has come; whether curves begin anew: somebody asked for it, or it is another one than before. One that a
    /// new worker has read again is neither.
    pub(super) fn data_came(&mut self, view: &DataView) -> bool {
        let place = self.held.asked.iter().position(|order| order.command.order() == view.order);
        let asked = place.map(|place| self.held.asked.remove(place));
        let another =
            asked.is_some() || self.held.view.as_ref().is_none_or(|before| !before.is_same_set(view));
        if asked.is_some() {
            self.held.order = asked;
        }
        if self.held.view.replace(view.clone()).is_some() && another {
            self.say(&format!(
                "Another data set: {}, {} viewers, {} films. Curves begin anew.",
                view.name,
                grouped(view.users as u64),
                grouped(view.items as u64)
            ));
        }
        another
    }

    /// A set that was asked for cannot be used; whether runs are without a set now. The set of before stays where
    /// somebody opened another one, but not where the page is to show the set at an address.
    pub(super) fn data_failed(&mut self, number: u32) -> bool {
        let number = Some(number);
        if let Some(place) = self.held.asked.iter().position(|order| order.command.order() == number) {
            let failed = self.held.asked.remove(place);
            if is_fetched(&failed.command) {
                // Another worker tries again.
                self.held.order = Some(failed);
            } else {
                self.set_data_parameters();
            }
        }
        self.held
            .order
            .as_ref()
            .is_some_and(|order| order.command.order() == number && is_fetched(&order.command))
    }

    /// The worker has died: files that it was reading may be what it died of.
    pub(super) fn forget_files_asked_for(&mut self) {
        self.held.asked.retain(|order| !order.files.is_truthy());
    }

    /// Ends the worker and starts another one.
    fn restart(&mut self, status: &str) {
        self.drop_worker();
        self.playing = false;
        let choice = self.parameters.engine;
        self.send(Command::Engine { choice });
        self.report_to_lessons(&Report::Revived);
        self.say(status);
    }
}

fn is_fetched(command: &Command) -> bool {
    matches!(command, Command::Data(Source { fetch: true, .. }))
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
