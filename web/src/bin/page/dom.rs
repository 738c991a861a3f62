//! The page as lessons see it: parts to fill, and what people do to them.
//!
//! A lesson writes its markup once; parts that change carry `data-part`. One listener for each kind of event sits
//! on the container, so markup may come and go: `data-act` is what a click, a key or a change means, `data-hover`
//! what pointing at it or focusing it means, `data-drag` marks areas that follow the pointer.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use wasm_bindgen::prelude::*;
use web_sys::{
    Document, DragEvent, Element, Event, HtmlElement, HtmlInputElement, HtmlSelectElement,
    HtmlTextAreaElement, KeyboardEvent, MouseEvent, PointerEvent,
};

/// The container of a page or widget.
pub struct Page {
    /// What everything lies in.
    pub root: Element,
    /// What each part shows.
    shown: RefCell<HashMap<String, String>>,
}

impl Page {
    pub fn new(root: Element) -> Self {
        Self { root, shown: RefCell::default() }
    }

    pub fn document(&self) -> Option<Document> {
        self.root.owner_document()
    }

    /// The element that carries `data-part`.
    pub fn part(&self, name: &str) -> Option<Element> {
        self.root.query_selector(&format!("[data-part=\"{name}\"]")).ok().flatten()
    }

    /// Gives a part its content, if that is another than it has.
    pub fn fill(&self, name: &str, html: impl AsRef<str>) {
        let html = html.as_ref();
        let mut shown = self.shown.borrow_mut();
        if shown.get(name).is_some_and(|before| before == html) {
            return;
        }
        if let Some(part) = self.part(name) {
            part.set_inner_html(html);
            shown.insert(name.to_owned(), html.to_owned());
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

    /// Gives an element the focus, if there is one for the selector.
    pub fn focus(&self, selector: &str) {
        let element = self.root.query_selector(selector).ok().flatten();
        if let Some(element) = element.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
            // Elements that cannot have it leave it where it is.
            let _ = element.focus();
        }
    }

    /// Sets the value of a control.
    pub fn set_value(&self, name: &str, value: &str) {
        let Some(part) = self.part(name) else { return };
        if value_of(&part) == value {
            return;
        }
        if let Some(input) = part.dyn_ref::<HtmlInputElement>() {
            input.set_value(value);
        } else if let Some(select) = part.dyn_ref::<HtmlSelectElement>() {
            select.set_value(value);
        } else if let Some(area) = part.dyn_ref::<HtmlTextAreaElement>() {
            area.set_value(value);
        }
    }

    /// Width of a part in CSS pixels, within reason.
    pub fn width(&self, name: &str) -> u32 {
        let width = self.part(name).and_then(|part| part.dyn_into::<HtmlElement>().ok());
        width.map_or(640, |part| part.client_width()).clamp(240, 1400) as u32
    }

    /// Size of a chart that fills a part.
    pub fn chart_size(&self, name: &str, height: u32) -> (u32, u32) {
        (self.width(name), height)
    }
}

/// What a control holds; a box that is ticked or not holds `1` or `0`.
pub fn value_of(element: &Element) -> String {
    if let Some(input) = element.dyn_ref::<HtmlInputElement>() {
        if matches!(input.type_().as_str(), "checkbox") {
            return if input.checked() { "1".into() } else { "0".into() };
        }
        return input.value();
    }
    if let Some(select) = element.dyn_ref::<HtmlSelectElement>() {
        return select.value();
    }
    if let Some(area) = element.dyn_ref::<HtmlTextAreaElement>() {
        return area.value();
    }
    element.get_attribute("data-value").unwrap_or_default()
}

/// What somebody did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pressed a button.
    Click,
    /// Moves a slider, types.
    Input,
    /// Has chosen.
    Change,
    /// Pressed a key; its name is in [`Act::key`].
    Key,
    /// Points at something, or has the focus on it.
    Hover,
    /// Does so no more.
    Leave,
    /// Drags over an area; the place is in [`Act::at`].
    Drag,
    /// Let go.
    Release,
    /// Dropped files, or chose some.
    Files,
}

/// Something that somebody did to an element.
#[derive(Clone, Debug)]
pub struct Act {
    pub kind: Kind,
    /// What the element stands for.
    pub name: String,
    /// The part of the lesson that it lies in.
    pub lesson: Option<String>,
    /// What the control holds, or the element's `data-value`.
    pub value: String,
    /// The key.
    pub key: String,
    /// Where in the element, from 0 to 1 from its left and its top.
    pub at: (f64, f64),
    /// The event itself.
    pub event: Event,
}

impl Act {
    /// The value as a number.
    pub fn number<T: std::str::FromStr>(&self) -> Option<T> {
        self.value.trim().parse().ok()
    }
}

type Listener = Closure<dyn FnMut(Event)>;

/// Listeners on the container; they end when this is dropped.
pub struct Listeners {
    root: Element,
    all: Vec<(&'static str, Listener)>,
}

impl Listeners {
    /// Hands what people do in the container to `act`.
    pub fn new(root: &Element, act: impl Fn(Act) + 'static) -> Self {
        let act = Rc::new(act);
        let mut listeners = Self { root: root.clone(), all: Vec::new() };
        let told = |kind, attribute: &'static str| {
            let act = act.clone();
            move |event: Event| {
                if let Some(done) = read(kind, attribute, event) {
                    act(done);
                }
            }
        };
        listeners.on("click", told(Kind::Click, "data-act"));
        listeners.on("input", told(Kind::Input, "data-act"));
        listeners.on("change", told(Kind::Change, "data-act"));
        listeners.on("keydown", told(Kind::Key, "data-keys"));
        for enter in ["pointerover", "focusin"] {
            listeners.on(enter, told(Kind::Hover, "data-hover"));
        }
        for leave in ["pointerout", "focusout"] {
            listeners.on(leave, told(Kind::Leave, "data-hover"));
        }
        let drag = told(Kind::Drag, "data-drag");
        listeners.on("pointerdown", {
            let drag = drag.clone();
            move |event| {
                if let (Some(pointer), Some(area)) =
                    (event.dyn_ref::<PointerEvent>(), closest(&event, "data-drag"))
                {
                    // Without capture the drag only ends at the area's edge.
                    let _ = area.set_pointer_capture(pointer.pointer_id());
                    event.prevent_default();
                    if let Some(area) = area.dyn_ref::<HtmlElement>() {
                        let _ = area.focus();
                    }
                    drag(event);
                }
            }
        });
        listeners.on("pointermove", move |event| {
            let pressed = event.dyn_ref::<PointerEvent>().is_some_and(|pointer| pointer.buttons() & 1 == 1);
            if pressed {
                drag(event);
            }
        });
        listeners.on("pointerup", told(Kind::Release, "data-drag"));
        listeners.on("dragover", |event| {
            if closest(&event, "data-drop").is_some() {
                event.prevent_default();
            }
        });
        let files = told(Kind::Files, "data-drop");
        listeners.on("drop", move |event| {
            event.prevent_default();
            files(event);
        });
        listeners
    }

    fn on(&mut self, event: &'static str, act: impl Fn(Event) + 'static) {
        let listener = Closure::<dyn FnMut(Event)>::new(act);
        if self.root.add_event_listener_with_callback(event, listener.as_ref().unchecked_ref()).is_ok() {
            self.all.push((event, listener));
        }
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        for (event, listener) in &self.all {
            // It was added, so it can be removed.
            let _ = self.root.remove_event_listener_with_callback(event, listener.as_ref().unchecked_ref());
        }
    }
}

fn closest(event: &Event, attribute: &str) -> Option<Element> {
    let target: Element = event.target()?.dyn_into().ok()?;
    target.closest(&format!("[{attribute}]")).ok().flatten()
}

fn read(kind: Kind, attribute: &str, event: Event) -> Option<Act> {
    let element = closest(&event, attribute)?;
    // A control tells by input and change; the click on it says nothing more.
    let is_control = element.is_instance_of::<HtmlInputElement>()
        || element.is_instance_of::<HtmlSelectElement>()
        || element.is_instance_of::<HtmlTextAreaElement>();
    if kind == Kind::Click && is_control || element.has_attribute("disabled") {
        return None;
    }
    if kind == Kind::Click && element.tag_name().eq_ignore_ascii_case("a") {
        event.prevent_default();
    }
    let key = event.dyn_ref::<KeyboardEvent>().map(KeyboardEvent::key).unwrap_or_default();
    let mouse = event
        .dyn_ref::<MouseEvent>()
        .or_else(|| event.dyn_ref::<DragEvent>().map(AsRef::as_ref))
        .map(|mouse| (f64::from(mouse.client_x()), f64::from(mouse.client_y())));
    let at = mouse.map_or((0.0, 0.0), |(x, y)| {
        let area = element.get_bounding_client_rect();
        ((x - area.left()) / area.width().max(1.0), (y - area.top()) / area.height().max(1.0))
    });
    let lesson = element.closest("[data-lesson]").ok().flatten();
    Some(Act {
        kind,
        name: element.get_attribute(attribute)?,
        lesson: lesson.and_then(|lesson| lesson.get_attribute("data-lesson")),
        value: value_of(&element),
        key,
        at,
        event,
    })
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
