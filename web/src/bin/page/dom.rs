//! The page as lessons see it: parts to fill, and what people do to them.
//!
//! A lesson writes its markup once; parts that change carry `data-part`. One listener for each kind of event sits
//! on the container, so markup may come and go: `data-act` is what a click, a key or a change means, `data-hover`
//! what pointing at it or focusing it means, `data-drag` marks areas that follow the pointer.
//!
//! Content is changed in place ([`patch`]), and a control with the focus is left alone ([`control`]), so nothing that
//! is drawn anew takes a control out of somebody's hands.

mod control;
mod events;
mod patch;
pub mod policy;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use wasm_bindgen::prelude::*;
use web_sys::{Document, Element, HtmlElement};

use self::control::Controls;
pub use self::control::options;
pub use self::events::{Act, Kind, Listeners};

/// Milliseconds of a task after which what is still to be drawn waits for the next one, so that no slow machine stands
/// still for long.
const TASK: f64 = 6.0;
/// Content of at most so many bytes never waits.
const SMALL: usize = 300;

/// The container of a page or widget.
pub struct Page {
    /// What everything lies in.
    pub root: Element,
    /// What each part shows.
    shown: RefCell<HashMap<String, String>>,
    /// Parts and the content that they are to get, after this task.
    waiting: RefCell<Vec<(String, String)>>,
    /// When this task began.
    began: Cell<f64>,
    /// Parts that were found; looking for one goes through all elements.
    parts: RefCell<HashMap<String, Element>>,
    controls: Controls,
}

impl Page {
    pub fn new(root: Element) -> Self {
        Self {
            root,
            shown: RefCell::default(),
            waiting: RefCell::default(),
            began: Cell::new(0.0),
            parts: RefCell::default(),
            controls: Controls::default(),
        }
    }

    /// A task begins.
    pub fn begin_task(&self) {
        self.began.set(js_sys::Date::now());
    }

    fn is_late(&self) -> bool {
        js_sys::Date::now() - self.began.get() > TASK
    }

    /// Whether something is still to be drawn.
    pub fn waits(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    /// Draws what waits, as much as fits into this task.
    pub fn draw_waiting(&self) {
        while !self.is_late() && self.waits() {
            let (name, html) = self.waiting.borrow_mut().remove(0);
            self.put(&name, html);
        }
    }

    pub fn document(&self) -> Option<Document> {
        self.root.owner_document()
    }

    /// The element that carries `data-part`.
    pub fn part(&self, name: &str) -> Option<Element> {
        let mut parts = self.parts.borrow_mut();
        if let Some(part) = parts.get(name).filter(|part| part.is_connected()) {
            return Some(part.clone());
        }
        let part = self.root.query_selector(&format!("[data-part=\"{name}\"]")).ok().flatten()?;
        parts.insert(name.to_owned(), part.clone());
        Some(part)
    }

    /// Gives a part its content, if that is another than it has: now, or in a later task if this one has lasted for long.
    pub fn fill(&self, name: &str, html: impl Into<String>) {
        let html = html.into();
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|(known, _)| known != name);
        if self.shown.borrow().get(name) == Some(&html) {
            return;
        }
        if html.len() > SMALL && (!waiting.is_empty() || self.is_late()) {
            return waiting.push((name.to_owned(), html));
        }
        drop(waiting);
        self.put(name, html);
    }

    fn put(&self, name: &str, html: String) {
        if let Some(part) = self.part(name)
            && patch::fill(&part, &html).is_ok()
        {
            self.shown.borrow_mut().insert(name.to_owned(), html);
        }
    }

    /// Sets an attribute of a part.
    pub fn attribute(&self, name: &str, attribute: &str, value: &str) {
        if let Some(part) = self.part(name)
            && part.get_attribute(attribute).as_deref() != Some(value)
        {
            // Fails only for names that are not attributes.
            let _ = part.set_attribute(attribute, value);
        }
    }

    /// Shows a part or hides it.
    pub fn show(&self, name: &str, visible: bool) {
        if let Some(part) = self.part(name) {
            let _ = part.toggle_attribute_with_force("hidden", !visible);
        }
    }

    /// Sets the value of a control, now or when the focus leaves it; `1` ticks a check box.
    pub fn set_value(&self, name: &str, value: &str) {
        if let Some(part) = self.part(name) {
            self.controls.write(&part, value);
        }
    }

    /// What is written to this control from now on is the answer to its own change.
    pub fn answer(&self, control: Option<Element>) {
        self.controls.answer(control);
    }

    /// The focus has left a control.
    pub fn left(&self, control: &Element) {
        self.controls.left(control);
    }

    /// Width of a part in CSS pixels, within reason.
    pub fn width(&self, name: &str) -> u32 {
        let width = self.part(name).and_then(|part| part.dyn_into::<HtmlElement>().ok());
        width.map_or(640, |part| part.client_width()).clamp(240, 1400) as u32
    }

    /// Size of a chart that fills a part.
    pub fn chart_size(&self, name: &str, height: u32) -> (u32, u32) {
        let height = if self.root.has_attribute("data-compact") { height * 7 / 10 } else { height };
        (self.width(name), height)
    }

    /// Makes the page smaller where it is higher than it may be.
    pub fn fit(&self, height: u32) {
        let Some(root) = self.root.dyn_ref::<HtmlElement>() else { return };
        // Smaller text needs fewer lines, so the second look is closer than the first.
        let mut zoom = 1.0;
        for _ in 0..3 {
            // An element takes any declaration; a browser that does not know this one shows all, and scrolls.
            let _ = root.style().set_property("zoom", &format!("{zoom:.3}"));
            let needed = self.root.get_bounding_client_rect().height();
            if needed <= f64::from(height) {
                return;
            }
            zoom *= f64::from(height) / needed * 0.995;
        }
        let _ = root.style().set_property("zoom", &format!("{zoom:.3}"));
    }
}

/// The window.
pub fn window() -> Option<web_sys::Window> {
    web_sys::window()
}

/// Calls back after so many milliseconds.
pub fn later(milliseconds: u32, act: impl FnOnce() + 'static) {
    if let Some(window) = window() {
        let call = Closure::once_into_js(act);
        // Fails only without a window.
        let _ = window.set_timeout_with_callback_and_timeout_and_arguments_0(
            call.unchecked_ref(),
            i32::try_from(milliseconds).unwrap_or(i32::MAX),
        );
    }
}

/// Calls back when everything under way has been done.
pub fn soon(act: impl FnOnce() + 'static) {
    wasm_bindgen_futures::spawn_local(async move { act() });
}
