//! The data set that runs learn from: what it is, how much of it, and a place to drop another.

use wasm_bindgen::{JsCast, JsValue};
use web::{
    Command, DataView, Parameters, Report, Source,
    text::{bytes, escape, grouped},
};
use web_sys::{DragEvent, File, HtmlInputElement};

use super::Context;
use crate::{
    dom::{Act, Kind},
    failure,
};

/// The set as a lesson shows it.
#[derive(Default)]
pub struct Data {
    pub view: Option<DataView>,
    /// The file that was dropped, to be read again when the subset changes.
    file: Option<(String, JsValue)>,
    reading: Option<(f64, f64)>,
}

impl Data {
    /// The markup; `lesson` tells its parts from those of other lessons.
    pub fn html(lesson: &str, parameters: &Parameters) -> String {
        if !parameters.shows("data") {
            return String::new();
        }
        format!(
            "<div class=\"data\" data-drop=\"files\"><div data-part=\"{lesson}-data\"></div>\
             <div class=\"controls\"><label class=\"slider\">Most popular items \
             <input type=\"range\" min=\"1\" max=\"100\" value=\"100\" data-act=\"subset\" data-part=\"{lesson}-subset\">\
             <output data-part=\"{lesson}-subset-shown\"></output></label>\
             <label class=\"button\">Open a zip, csv or model<input class=\"sr\" type=\"file\" data-act=\"file\" \
             accept=\".zip,.csv,.gz,.dat,.data,.txt,.tsv,.inter,.jsonl,.json,.safetensors\"></label>\
             <span class=\"note\">or drop it here; it stays on your machine</span></div>\
             <progress data-part=\"{lesson}-progress\" max=\"1\" value=\"0\" aria-label=\"Reading\" hidden></progress></div>"
        )
    }

    /// Draws what is known.
    pub fn draw(&self, context: &Context<'_>, lesson: &str) {
        let page = context.page;
        let part = |name: &str| format!("{lesson}-{name}");
        let text = match &self.view {
            Some(view) => {
                let of = if view.all_items > view.items {
                    format!(" (of {})", grouped(view.all_items as u64))
                } else {
                    String::new()
                };
                format!(
                    "<b>{}</b>: {} viewers, {}{of} films, {} ratings. <span class=\"note\">{}</span>",
                    escape(&view.name),
                    grouped(view.users as u64),
                    grouped(view.items as u64),
                    grouped(view.interactions as u64),
                    escape(&view.form)
                )
            }
            None => "<b>built-in films</b>: made up, and made anew from the seed.".into(),
        };
        page.fill(&part("data"), format!("<p>{text}</p>"));
        if let Some(view) = &self.view {
            let share = (100 * view.items).div_ceil(view.all_items.max(1));
            page.set_value(&part("subset"), &share.to_string());
            page.fill(&part("subset-shown"), grouped(view.items as u64));
        }
        page.show(&part("progress"), self.reading.is_some());
        if let Some((done, total)) = self.reading {
            let value = if total > 0.0 { (done / total).to_string() } else { String::new() };
            page.attribute(&part("progress"), "value", &value);
            page.fill(&part("subset-shown"), format!("reading {}", bytes(done)));
        }
    }

    /// Files, and how much of them.
    pub fn act(&mut self, context: &mut Context<'_>, act: &Act) {
        match (act.name.as_str(), act.kind) {
            ("subset", Kind::Change) => {
                let (Some(view), Some(share)) = (&self.view, act.number::<usize>()) else { return };
                let items = (view.all_items * share / 100).max(16);
                context.parameters.items = (items < view.all_items).then_some(items as u32);
                self.ask(context);
            }
            ("file", Kind::Change) | ("files", Kind::Files) => {
                if let Some(file) = file_of(act) {
                    self.open(context, file);
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, context: &mut Context<'_>, file: File) {
        let name = file.name();
        context.parameters.data = None;
        if name.to_ascii_lowercase().ends_with(".safetensors") {
            return context.ask_about(Command::Import { name }, file.into());
        }
        let known = ["zip", "csv", "gz", "dat", "data", "txt", "tsv", "inter", "jsonl", "json"];
        let ending = name.rsplit('.').next().unwrap_or("").to_ascii_lowercase();
        if !known.contains(&ending.as_str()) {
            *context.failure = failure(
                "data",
                format!("{name} is no kind of file that is read here"),
                "Drop a MovieLens zip, a csv file of ratings, or a model.safetensors.",
            );
            return;
        }
        self.file = Some((name, file.into()));
        context.parameters.items = None;
        self.ask(context);
    }

    fn ask(&self, context: &mut Context<'_>) {
        let (items, seed) = (context.parameters.items, context.parameters.seed);
        match (&self.file, &context.parameters.data) {
            (Some((name, file)), _) => {
                let source = Source { name: Some(name.clone()), fetch: false, items, seed };
                context.ask_about(Command::Data(source), file.clone());
            }
            (None, Some(address)) => {
                let address = crate::share::beside(context.parameters.base.as_deref(), address);
                context.ask(Command::Data(Source { name: Some(address), fetch: true, items, seed }));
            }
            (None, None) => context.ask(Command::Data(Source { name: None, fetch: false, items, seed })),
        }
    }

    /// Hears what the worker says of data; whether there is another set now.
    pub fn report(&mut self, report: &Report) -> bool {
        match report {
            Report::Reading { done, total } => self.reading = Some((*done, *total)),
            Report::Data(view) => {
                self.view = Some((**view).clone());
                self.reading = None;
                return true;
            }
            Report::Failed(_) => self.reading = None,
            _ => {}
        }
        false
    }

    /// An item's title.
    pub fn title(&self, item: u32) -> String {
        let title = self.view.as_ref().and_then(|view| view.titles.get(item as usize).cloned());
        title.unwrap_or_else(|| format!("item {item}"))
    }

    /// Its genres.
    pub fn genres(&self, item: u32) -> &str {
        self.view.as_ref().and_then(|view| view.genres.get(item as usize)).map_or("", String::as_str)
    }
}

fn file_of(act: &Act) -> Option<File> {
    if let Some(drop) = act.event.dyn_ref::<DragEvent>() {
        return drop.data_transfer()?.files()?.get(0);
    }
    let input: HtmlInputElement = act.event.target()?.dyn_into().ok()?;
    let file = input.files()?.get(0);
    // The same file can be chosen again.
    input.set_value("");
    file
}
