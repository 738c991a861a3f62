//! The page: reads the address, starts the worker, shows what the worker reports.

mod app;
mod link;
mod run;
mod view;

use std::{cell::RefCell, rc::Rc};

use js_sys::{Array, JSON};
use wasm_bindgen::prelude::*;
use web::{EngineChoice, Settings};
use web_sys::{Document, Event, UrlSearchParams};

use self::{app::App, view::View};

fn main() {
    console_error_panic_hook::set_once();
    let Some(document) = web_sys::window().and_then(|window| window.document()) else { return };
    if let Err(error) = start(&document) {
        // Only a page whose markup does not fit this program gets here.
        let message = describe(&error);
        if let Some(body) = document.body() {
            let _ = body.set_attribute("data-error", &message);
            let _ = body.set_attribute("data-state", "error");
        }
        wasm_bindgen::throw_str(&message);
    }
}

fn start(document: &Document) -> Result<(), JsValue> {
    let address = settings_from_address(document)?;
    let view = View::new(document)?;
    let app = App::new(view);
    connect(document, &app)?;
    app.borrow_mut().open(address);
    Ok(())
}

/// The controls' events.
fn connect(document: &Document, app: &Rc<RefCell<App>>) -> Result<(), JsValue> {
    on(app, &view::element(document, "controls")?, "submit", |app, event| {
        event.prevent_default();
        app.go();
    })?;
    on(app, &view::element(document, "reset")?, "click", |app, _| app.reset())?;
    on(app, &view::element(document, "engine")?, "change", |app, _| app.change_engine())?;
    let window = web_sys::window().ok_or("no window")?;
    on(app, &window, "resize", |app, _| app.draw())
}

fn on(
    app: &Rc<RefCell<App>>,
    target: &web_sys::EventTarget,
    event: &str,
    act: impl Fn(&mut App, Event) + 'static,
) -> Result<(), JsValue> {
    let app = app.clone();
    let listener = Closure::<dyn FnMut(Event)>::new(move |event: Event| act(&mut app.borrow_mut(), event));
    target.add_event_listener_with_callback(event, listener.as_ref().unchecked_ref())?;
    // Lives as long as the page.
    listener.forget();
    Ok(())
}

/// The settings in the address; a value that is none becomes a sentence about it.
fn settings_from_address(document: &Document) -> Result<Result<Settings, String>, JsValue> {
    let search = document.location().ok_or("the document has no address")?.search()?;
    let params = UrlSearchParams::new_with_str(&search)?;
    let pairs = js_sys::try_iter(&params)?
        .into_iter()
        .flatten()
        .map(|pair| {
            let pair = Array::from(&pair?);
            Ok((pair.get(0).as_string().unwrap_or_default(), pair.get(1).as_string().unwrap_or_default()))
        })
        .collect::<Result<Vec<_>, JsValue>>()?;
    Ok(Settings::from_pairs(pairs))
}

/// What the badge says of a choice whose engine is not known yet.
fn waiting_for(choice: EngineChoice) -> &'static str {
    match choice {
        EngineChoice::Auto => "looking for a GPU",
        EngineChoice::Gpu => "opening WebGPU",
        EngineChoice::Cpu => "loading",
    }
}

fn describe(error: &JsValue) -> String {
    if let Some(text) = error.as_string() {
        return text;
    }
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => JSON::stringify(error).map(String::from).unwrap_or_default(),
    }
}
