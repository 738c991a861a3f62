//! The page: reads the address, starts the worker, shows what the worker reports.

use js_sys::{JSON, Reflect};
use wasm_bindgen::prelude::*;
use web::{Report, Settings};
use web_sys::{
    Document, HtmlElement, HtmlInputElement, HtmlSelectElement, MessageEvent, UrlSearchParams, Worker,
    WorkerOptions, WorkerType,
};

fn main() {
    console_error_panic_hook::set_once();
    let Some(document) = web_sys::window().and_then(|window| window.document()) else { return };
    let Some(body) = document.body() else { return };
    if let Err(error) = start(&document, &body) {
        show_error(&body, &describe(&error));
    }
}

/// Presets the controls from the address and starts the worker.
fn start(document: &Document, body: &HtmlElement) -> Result<(), JsValue> {
    let settings = settings_from_address(document)?;
    control::<HtmlSelectElement>(document, "engine")?.set_value(settings.engine.as_str());
    control::<HtmlInputElement>(document, "seed")?.set_value(&settings.seed.to_string());
    control::<HtmlInputElement>(document, "epochs")?.set_value(&settings.epochs.to_string());

    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    let worker = Worker::new_with_options("./worker_loader.js", &options)?;

    let shown = body.clone();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let text = event.data().as_string().unwrap_or_default();
        match serde_json::from_str(&text) {
            Ok(report) => show(&shown, &report),
            Err(error) => show_error(&shown, &format!("a message of the worker cannot be read: {error}")),
        }
    });
    worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    // The handlers live as long as the page.
    on_message.forget();

    let shown = body.clone();
    let on_error = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
        // A script that cannot be fetched gives an event without a message.
        let message = Reflect::get(&event, &"message".into()).ok().and_then(|message| message.as_string());
        match message.filter(|message| !message.is_empty()) {
            Some(message) => show_error(&shown, &format!("the worker stopped: {message}")),
            None => show_error(&shown, "the worker could not be loaded; reload the page"),
        }
    });
    worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    on_error.forget();
    Ok(())
}

fn settings_from_address(document: &Document) -> Result<Settings, JsValue> {
    let search = document.location().ok_or("the document has no address")?.search()?;
    let params = UrlSearchParams::new_with_str(&search)?;
    let pairs = js_sys::try_iter(&params)?
        .into_iter()
        .flatten()
        .map(|pair| {
            let pair = js_sys::Array::from(&pair?);
            Ok((pair.get(0).as_string().unwrap_or_default(), pair.get(1).as_string().unwrap_or_default()))
        })
        .collect::<Result<Vec<_>, JsValue>>()?;
    Settings::from_pairs(pairs).map_err(|message| JsValue::from_str(&message))
}

fn control<T: JsCast>(document: &Document, id: &str) -> Result<T, JsValue> {
    let element = document.get_element_by_id(id).ok_or_else(|| format!("the page has no #{id}"))?;
    element.dyn_into::<T>().map_err(|_| format!("#{id} is another kind of element").into())
}

fn show(body: &HtmlElement, report: &Report) {
    match report {
        Report::Ready => set(body, "data-state", "ready"),
        Report::Failed { message, help, .. } => show_error(body, &format!("{message}. {help}")),
    }
}

fn show_error(body: &HtmlElement, message: &str) {
    set(body, "data-error", message);
    set(body, "data-state", "error");
    if let Ok(Some(status)) = body.query_selector("#status") {
        status.set_text_content(Some(message));
    }
}

fn set(body: &HtmlElement, attribute: &str, value: &str) {
    // Fails only for names that are not attributes.
    let _ = body.set_attribute(attribute, value);
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
