//! A worker's side of the browser: messages, files and panics.

use js_sys::{Array, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, ReadableStreamDefaultReader, Response};

use super::Queue;
use crate::{Failure, Report};

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
///
/// # Errors
/// If this is no worker.
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

/// Milliseconds without a byte after which a server is given up.
const SILENCE: i32 = 30_000;

/// Fetches a file of at most `most` bytes, with reports on the way.
///
/// # Errors
/// What the browser says.
pub async fn fetch(address: &str, most: f64) -> Result<Vec<u8>, JsValue> {
    post(&Report::Reading { done: 0.0, total: 0.0 });
    let response: Response = in_time(&scope()?.fetch_with_str(address)).await?.dyn_into()?;
    if !response.ok() {
        return Err(format!("the server answers {} {}", response.status(), response.status_text()).into());
    }
    let length = response.headers().get("content-length")?.and_then(|length| length.parse().ok());
    let total: f64 = length.unwrap_or(0.0);
    let mut bytes = Vec::new();
    let Some(body) = response.body() else { return Ok(bytes) };
    let reader: ReadableStreamDefaultReader = body.get_reader().dyn_into()?;
    loop {
        if bytes.len() as f64 > most || total > most {
            // Nobody waits for the answer.
            let _ = reader.cancel();
            return Err(
                format!("it has more than the {} that fit into a page", crate::text::bytes(most)).into()
            );
        }
        let piece = in_time(&reader.read()).await?;
        if Reflect::get(&piece, &"done".into())?.is_truthy() {
            return Ok(bytes);
        }
        bytes.extend(Uint8Array::new(&Reflect::get(&piece, &"value".into())?).to_vec());
        post(&Report::Reading { done: bytes.len() as f64, total });
    }
}

/// Awaits a promise, no longer than [`SILENCE`].
async fn in_time(promise: &Promise) -> Result<JsValue, JsValue> {
    let scope = scope()?;
    let late = Promise::new(&mut |_, reject| {
        let refuse = Closure::once_into_js(move || {
            let seconds = SILENCE / 1000;
            // The function that rejects a promise does not throw.
            let _ = reject.call1(&JsValue::UNDEFINED, &format!("no answer for {seconds} seconds").into());
        });
        // Fails only without a scope.
        let _ = scope.set_timeout_with_callback_and_timeout_and_arguments_0(refuse.unchecked_ref(), SILENCE);
    });
    JsFuture::from(Promise::race(&Array::of2(promise, &late))).await
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
