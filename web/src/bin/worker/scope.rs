//! The worker's side of the browser: messages, files and panics.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web::{Failure, Report};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, Response};

use crate::queue::Queue;

const BUG: &str = "Reload the page, and please report this.";

fn scope() -> Result<DedicatedWorkerGlobalScope, JsValue> {
    js_sys::global().dyn_into().map_err(Into::into)
}

/// Sends a report to the page.
pub fn post(report: &Report) {
    let text = serde_json::to_string(report).unwrap_or_else(|error| {
        format!(r#"{{"report":"failed","code":"bug","message":"{error}","help":"{BUG}"}}"#)
    });
    // Fails only where there is no page to tell.
    let _ = scope().and_then(|scope| scope.post_message(&JsValue::from_str(&text)));
}

/// A panic ends the worker; the page has to know.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        post(&Report::Failed(Failure::new("bug", format!("the engine stopped: {panic}"), BUG)));
    }));
}

/// Sends a report with bytes beside it.
pub fn post_with(report: &Report, bytes: &[u8]) {
    let text = serde_json::to_string(report).unwrap_or_default();
    let message = Array::of2(&text.into(), &Uint8Array::from(bytes));
    // As above.
    let _ = scope().and_then(|scope| scope.post_message(&message));
}

/// Puts the page's messages into the queue: a command as text, or text and the file it speaks of.
pub fn listen(commands: Queue) -> Result<(), JsValue> {
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let data = event.data();
        let (text, beside) = match data.dyn_ref::<Array>() {
            Some(pair) => (pair.get(0), pair.get(1)),
            None => (data, JsValue::UNDEFINED),
        };
        match serde_json::from_str(&text.as_string().unwrap_or_default()) {
            Ok(command) => commands.push(command, beside),
            Err(error) => {
                let message = format!("a message of the page cannot be read: {error}");
                post(&Report::Failed(Failure::new("bug", message, BUG)));
            }
        }
    });
    scope()?.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    // Lives as long as the worker.
    on_message.forget();
    Ok(())
}

/// Fetches a file.
pub async fn fetch(address: &str) -> Result<Vec<u8>, JsValue> {
    let response: Response = JsFuture::from(scope()?.fetch_with_str(address)).await?.dyn_into()?;
    if !response.ok() {
        return Err(format!("the server answers {} {}", response.status(), response.status_text()).into());
    }
    let content = JsFuture::from(response.array_buffer()?).await?;
    Ok(Uint8Array::new(&content).to_vec())
}

/// An error of the browser in words.
pub fn describe(error: &JsValue) -> String {
    if let Some(text) = error.as_string() {
        return text;
    }
    error
        .dyn_ref::<js_sys::Error>()
        .map_or_else(|| format!("{error:?}"), |error| String::from(error.message()))
}
