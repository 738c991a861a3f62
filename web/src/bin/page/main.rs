//! The surface: the full page, or one lesson inside another page.

#![forbid(unsafe_code)]

mod app;
mod bar;
mod dom;
mod lessons;
mod link;
mod look;
mod plane;
mod share;

use std::{cell::RefCell, rc::Rc};

use js_sys::{Array, JSON, Object, Promise};
use wasm_bindgen::prelude::*;
use web::{Failure, Parameters};
use web_sys::{Element, EventTarget};

use self::app::{App, with};

/// Starts the full page: where the document's body asks for it with `data-fastvae="page"`. Elsewhere this module
/// waits for [`mount`].
fn main() {
    console_error_panic_hook::set_once();
    let Some(body) = web_sys::window().and_then(|window| window.document()?.body()) else { return };
    if body.get_attribute("data-fastvae").as_deref() != Some("page") {
        return;
    }
    match start(&body, &share::page_pairs(), None) {
        // Lives as long as the page; everything else holds it weakly.
        Ok(app) => std::mem::forget(app),
        // What started this module shows it.
        Err(error) => wasm_bindgen::throw_val(error),
    }
}

/// Parameters and state from pairs; what cannot be used becomes failures.
fn start(
    root: &Element,
    pairs: &[(String, String)],
    host: Option<EventTarget>,
) -> Result<Rc<RefCell<App>>, JsValue> {
    let (mut parameters, mut failures) = (Parameters::default(), Vec::new());
    for (key, value) in pairs {
        if let Err(failure) = parameters.set(key, value) {
            failures.push(failure);
        }
    }
    App::mount(root, parameters, failures, pairs, host)
}

/// A mounted page or widget.
#[wasm_bindgen]
pub struct Widget {
    app: Rc<RefCell<App>>,
}

/// Shows the lesson inside `root`, which may lie in a shadow root. `parameters` has the attributes' names as keys.
/// Events are dispatched on `host`: `ready`, `engine`, `step`, `eval`, `select`, `error`, `devicelost`.
///
/// # Errors
/// If the browser refuses elements. Parameters that cannot be used are `error` events.
#[wasm_bindgen]
pub fn mount(root: &Element, parameters: &Object, host: Option<EventTarget>) -> Result<Widget, JsValue> {
    start(root, &pairs_of(parameters), host).map(|app| Widget { app })
}

#[wasm_bindgen]
impl Widget {
    fn with(&self, act: impl FnOnce(&mut App) + 'static) {
        with(&Rc::downgrade(&self.app), act);
    }

    /// Goes on step by step.
    pub fn play(&self) {
        self.with(|app| {
            app.unpark();
            app.play();
        });
    }

    /// Holds.
    pub fn pause(&self) {
        self.with(App::pause);
    }

    /// Goes `n` steps, one without. The promise is kept when they are done, or something else is asked for meanwhile.
    pub fn step(&self, n: Option<u32>) -> Promise {
        Promise::new(&mut |resolve, _| self.with(move |app| app.steps(n.unwrap_or(1), resolve)))
    }

    /// Back to the beginning.
    pub fn reset(&self) {
        self.with(App::reset);
    }

    /// Changes some parameters; what cannot be used is an `error` event.
    #[wasm_bindgen(js_name = setParameters)]
    pub fn set_parameters(&self, parameters: &Object) {
        let pairs = pairs_of(parameters);
        self.with(move |app| app.set_parameters(&pairs));
    }

    /// Parameters and state as an object with text values, which [`mount`] takes back.
    #[wasm_bindgen(js_name = getState)]
    pub fn get_state(&self) -> Result<JsValue, JsValue> {
        let app = self.app.try_borrow().map_err(|_| JsValue::from_str("the widget is at work; ask again"))?;
        JSON::parse(&app.get_state().to_string())
    }

    /// Takes everything down and frees it.
    pub fn destroy(&self) {
        self.with(App::destroy);
    }

    /// Gives the worker up; what is shown stays.
    pub fn park(&self) {
        self.with(App::park);
    }

    /// Takes a worker again.
    pub fn unpark(&self) {
        self.with(App::unpark);
    }
}

/// The entries of an object as text. What is null goes back to its default, what is undefined is left out.
fn pairs_of(object: &Object) -> Vec<(String, String)> {
    Object::entries(object)
        .iter()
        .filter_map(|entry| {
            let entry = Array::from(&entry);
            let (key, value) = (entry.get(0).as_string()?, entry.get(1));
            if value.is_undefined() {
                return None;
            }
            if value.is_null() {
                let flag = matches!(key.as_str(), "background" | "autostart" | "selftest" | "compact");
                return Some((key, if flag { "0".into() } else { String::new() }));
            }
            let text = match value.as_string() {
                Some(text) => text,
                None if Array::is_array(&value) => Array::from(&value).join(",").into(),
                None => value
                    .as_bool()
                    .map(|flag| u8::from(flag).to_string())
                    .or_else(|| JSON::stringify(&value).ok().map(String::from))?,
            };
            Some((key, text))
        })
        .collect()
}

/// An error of the browser in words.
fn describe(error: &JsValue) -> String {
    if let Some(text) = error.as_string() {
        return text;
    }
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => JSON::stringify(error).map(String::from).unwrap_or_default(),
    }
}

/// A failure that a lesson reports by itself.
fn failure(code: &str, message: impl Into<String>, help: &str) -> Option<Failure> {
    Some(Failure::new(code, message, help))
}
