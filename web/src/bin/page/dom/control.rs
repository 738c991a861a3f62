//! What a control holds, and the rule that protects it: while a control has the focus, nothing is written to it but
//! the answer to its own change. Everything else waits until the focus leaves.

use std::cell::RefCell;

use wasm_bindgen::JsCast;
use web::text::escape;
use web_sys::{Element, HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};

/// Options of a select.
pub fn options<'a>(all: impl IntoIterator<Item = (&'a str, &'a str)>, chosen: &str) -> String {
    all.into_iter()
        .map(|(value, title)| {
            let selected = if value == chosen { " selected" } else { "" };
            format!("<option value=\"{value}\"{selected}>{}</option>", escape(title))
        })
        .collect()
}

/// Values on their way into controls.
#[derive(Default)]
pub struct Controls {
    /// The control whose change is being handled.
    answered: RefCell<Option<Element>>,
    /// Controls with the focus, and what each is to hold afterwards.
    waiting: RefCell<Vec<(Element, String)>>,
}

impl Controls {
    /// Gives a control its value, now or when the focus leaves it.
    pub fn write(&self, control: &Element, value: &str) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|(known, _)| known != control);
        if held(control) == value {
            return;
        }
        let answered = self.answered.borrow().as_ref() == Some(control);
        if answered || !has_focus(control) {
            put(control, value);
        } else {
            waiting.push((control.clone(), value.to_owned()));
        }
    }

    /// Handles the change of a control: what `act` writes to it is the answer to that change.
    pub fn answer(&self, control: Option<Element>) {
        *self.answered.borrow_mut() = control;
    }

    /// The focus has left a control.
    pub fn left(&self, control: &Element) {
        let mut waiting = self.waiting.borrow_mut();
        if let Some(place) = waiting.iter().position(|(known, _)| known == control) {
            put(control, &waiting.swap_remove(place).1);
        }
    }
}

/// Whether an element has the focus, in a shadow root too.
fn has_focus(element: &Element) -> bool {
    element.matches(":focus").unwrap_or(false)
}

/// Whether an element is a control that reports what it holds by `input` and `change`.
pub fn is_control(element: &Element) -> bool {
    element.is_instance_of::<HtmlInputElement>()
        || element.is_instance_of::<HtmlSelectElement>()
        || element.is_instance_of::<HtmlTextAreaElement>()
}

/// Whether what a control holds is read while it moves: sliders and search fields. Others are read when the change is
/// complete, so that a number is not taken before its last digit.
pub fn is_live(element: &Element) -> bool {
    element
        .dyn_ref::<HtmlInputElement>()
        .is_some_and(|input| matches!(input.type_().as_str(), "range" | "search"))
}

/// What a control holds; a check box holds `1` or `0`. Elements that are no controls have `data-value`.
pub fn held(element: &Element) -> String {
    if let Some(input) = element.dyn_ref::<HtmlInputElement>() {
        if input.type_() == "checkbox" {
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

fn put(control: &Element, value: &str) {
    if let Some(input) = control.dyn_ref::<HtmlInputElement>() {
        if input.type_() == "checkbox" {
            input.set_checked(value == "1");
        } else {
            input.set_value(value);
        }
    } else if let Some(select) = control.dyn_ref::<HtmlSelectElement>() {
        select.set_value(value);
    } else if let Some(area) = control.dyn_ref::<HtmlTextAreaElement>() {
        area.set_value(value);
    }
}
