//! What people do: one listener for each kind of event on the container, read into an [`Act`].

use std::rc::Rc;

use wasm_bindgen::prelude::*;
use web_sys::{DragEvent, Element, Event, HtmlElement, KeyboardEvent, MouseEvent, PointerEvent};

use super::control;

/// What somebody did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pressed a button.
    Click,
    /// Moves a slider, or types into a search field.
    Input,
    /// Has chosen, ticked, or finished typing.
    Change,
    /// Has left a control.
    Left,
    /// Pressed a key; its name is in [`Act::key`].
    Key,
    /// Points at something, or has the focus on it.
    Hover,
    /// Does so no more.
    Leave,
    /// Drags over an area; the place is in [`Act::at`].
    Drag,
    /// Dropped files, or chose some.
    Files,
}

/// Something that somebody did to an element.
#[derive(Clone, Debug)]
pub struct Act {
    pub kind: Kind,
    /// What was touched.
    pub element: Element,
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
        for event in ["keydown", "keypress", "keyup"] {
            // Slides turn and searches open by the same keys: what a control uses ends here.
            listeners.on(event, |event| {
                if uses_key(&event) {
                    event.stop_propagation();
                }
            });
        }
        for enter in ["pointerover", "focusin"] {
            listeners.on(enter, told(Kind::Hover, "data-hover"));
        }
        listeners.on("focusout", told(Kind::Left, "data-act"));
        for leave in ["pointerout", "focusout"] {
            listeners.on(leave, told(Kind::Leave, "data-hover"));
        }
        let drag = told(Kind::Drag, "data-drag");
        listeners.on("pointerdown", {
            let drag = drag.clone();
            move |event| {
                if let Some((area, pointer)) = dragged(&event) {
                    // Without capture the drag only ends at the area's edge.
                    let _ = area.set_pointer_capture(pointer.pointer_id());
                    if let Some(area) = area.dyn_ref::<HtmlElement>() {
                        let options = web_sys::FocusOptions::new();
                        options.set_prevent_scroll(true);
                        let _ = area.focus_with_options(&options);
                    }
                    // A finger may be about to scroll; it means the area once it has moved across or gone.
                    if pointer.pointer_type() != "touch" {
                        event.prevent_default();
                        drag(event);
                    }
                }
            }
        });
        listeners.on("pointermove", {
            let drag = drag.clone();
            move |event| {
                if dragged(&event)
                    .is_some_and(|(area, pointer)| area.has_pointer_capture(pointer.pointer_id()))
                {
                    drag(event);
                }
            }
        });
        listeners.on("pointerup", move |event| {
            if dragged(&event).is_some_and(|(_, pointer)| pointer.pointer_type() == "touch") {
                drag(event);
            }
        });
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

/// Whether the control that has the focus makes use of the key that was pressed.
fn uses_key(event: &Event) -> bool {
    let (Some(pressed), Some(target)) = (
        event.dyn_ref::<KeyboardEvent>(),
        event.target().and_then(|target| target.dyn_into::<Element>().ok()),
    ) else {
        return false;
    };
    if pressed.ctrl_key() || pressed.meta_key() || pressed.alt_key() {
        return false;
    }
    let key = pressed.key();
    let moves = matches!(
        key.as_str(),
        "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown" | "Home" | "End" | "PageUp" | "PageDown"
    );
    let presses = matches!(key.as_str(), "Enter" | " ");
    let tag = target.tag_name().to_ascii_lowercase();
    if control::is_control(&target) {
        // Fields take every character; of the others, lists take letters too.
        return moves
            || presses
            || key.chars().count() == 1
            || matches!(key.as_str(), "Backspace" | "Delete");
    }
    match tag.as_str() {
        "button" | "a" => presses,
        _ => moves || presses,
    }
}

/// The area that a pointer drags over.
fn dragged(event: &Event) -> Option<(Element, &PointerEvent)> {
    Some((closest(event, "data-drag")?, event.dyn_ref::<PointerEvent>()?))
}

fn read(kind: Kind, attribute: &str, event: Event) -> Option<Act> {
    let element = closest(&event, attribute)?;
    let is_control = control::is_control(&element);
    let means = match kind {
        // A control reports by input and change; the click on it says nothing more.
        Kind::Click => !is_control,
        Kind::Input => control::is_live(&element),
        Kind::Left => is_control,
        _ => true,
    };
    if !means || element.has_attribute("disabled") {
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
        element: element.clone(),
        name: element.get_attribute(attribute)?,
        lesson: lesson.and_then(|lesson| lesson.get_attribute("data-lesson")),
        value: control::held(&element),
        key,
        at,
        event,
    })
}
