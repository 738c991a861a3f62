//! The data set that runs learn from: what it is, how much of it, and a place to drop another.

use web::{
    DataView, Parameters, Report,
    text::{bytes, escape, grouped},
};

use super::Context;

/// The set as a lesson shows it.
#[derive(Default)]
pub struct Data {
    pub view: Option<DataView>,
    reading: Option<(f64, f64)>,
    /// Files that the sender of a link had and the link has not.
    pub missing: Option<String>,
    /// Whether there is no set, because the one that was asked for cannot be had.
    lacks: bool,
}

impl Data {
    /// The markup; `lesson` tells its parts from those of other lessons.
    pub fn html(lesson: &str, parameters: &Parameters) -> String {
        if !parameters.shows("data") {
            return String::new();
        }
        format!(
            "<div class=\"data\"><div data-part=\"{lesson}-data\"></div>\
             <div class=\"controls\"><label class=\"slider\">Most popular items \
             <input type=\"range\" min=\"1\" max=\"100\" value=\"100\" data-act=\"subset\" data-part=\"{lesson}-subset\">\
             <output data-part=\"{lesson}-subset-shown\"></output></label>\
             <label class=\"button\">Open files or a model<input class=\"sr\" type=\"file\" multiple data-act=\"file\" \
             accept=\".zip,.csv,.gz,.dat,.data,.txt,.tsv,.inter,.item,.jsonl,.json,.safetensors\"></label>\
             <span class=\"note\">or drop them anywhere here, ratings and titles together; they stay on your machine</span></div>\
             <div class=\"reading\" data-part=\"{lesson}-reading\" hidden>\
             <progress data-part=\"{lesson}-progress\" max=\"1\" value=\"0\" aria-label=\"Reading\"></progress>\
             <button type=\"button\" data-act=\"cancel\">Cancel</button></div></div>"
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
        let untitled = self.view.as_ref().filter(|view| !view.titled).map_or("", |_| {
            "<p class=\"note\">The films have no titles here. They come from a file of their own: drop it together with the \
             ratings (movies.csv, movies.dat, u.item), or take the whole zip.</p>"
        });
        let set = if self.lacks {
            let told = match &self.missing {
                Some(name) => format!(
                    "This link was made with <b>{}</b>, which stayed with its owner. Open it here to see the same.",
                    escape(name)
                ),
                None => "The data set of this page cannot be read.".into(),
            };
            format!(
                "<p class=\"missing\">{told} <button type=\"button\" data-act=\"built-in\">Take the built-in films</button></p>"
            )
        } else {
            format!("<p>{text}</p>{untitled}")
        };
        page.fill(&part("data"), set);
        if let Some(view) = &self.view {
            let share = (100 * view.items).div_ceil(view.all_items.max(1));
            page.set_value(&part("subset"), &share.to_string());
            page.fill(&part("subset-shown"), grouped(view.items as u64));
        }
        page.show(&part("reading"), self.reading.is_some());
        if let Some((done, total)) = self.reading {
            let value = if total > 0.0 { (done / total).to_string() } else { String::new() };
            page.attribute(&part("progress"), "value", &value);
            page.fill(&part("subset-shown"), format!("reading {}", bytes(done)));
        }
    }

    /// Hears what the worker says of data; whether there is another set now.
    pub fn report(&mut self, report: &Report) -> bool {
        match report {
            Report::Reading { done, total } => self.reading = Some((*done, *total)),
            Report::Data(view) => {
                (self.missing, self.lacks, self.reading) = (None, false, None);
                self.view = Some((**view).clone());
                return true;
            }
            Report::Missing => self.lacks = true,
            Report::Reread => (self.lacks, self.reading) = (false, None),
            Report::Failed(_) | Report::Revived => self.reading = None,
            _ => {}
        }
        false
    }

    /// The name of a set that is the reader's own, for links.
    pub fn own(&self) -> Option<String> {
        let own = self.view.as_ref().filter(|view| view.own).map(|view| view.name.clone());
        own.or_else(|| self.missing.clone())
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
