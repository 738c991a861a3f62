//! A worker, and the line to it.

use js_sys::{Array, Reflect};
use wasm_bindgen::prelude::*;
use web::{Command, Failure, Report};
use web_sys::{Blob, BlobPropertyBag, MessageEvent, Url, Worker};

use crate::{describe, dom, share};

/// A worker; dropping it ends the worker and frees all that it holds, whatever it is doing.
pub struct Link {
    worker: Worker,
    _listeners: [Closure<dyn FnMut(JsValue)>; 2],
}

impl Link {
    /// Starts the worker `loader` that was published beside this script and hands its reports to `receive`.
    pub fn start(loader: &str, receive: impl Fn(Report) + Clone + 'static) -> Result<Self, JsValue> {
        let worker = spawn(&share::beside(loader))?;
        let hear = receive.clone();
        let on_message = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            let data = event.dyn_ref::<MessageEvent>().map_or(JsValue::UNDEFINED, MessageEvent::data);
            let (text, bytes) = match data.dyn_ref::<Array>() {
                Some(pair) => (pair.get(0), pair.get(1)),
                None => (data, JsValue::UNDEFINED),
            };
            let report = serde_json::from_str(&text.as_string().unwrap_or_default())
                .unwrap_or_else(|error| failed(format!("a message of the worker cannot be read: {error}")));
            if let Report::File { name } = &report
                && let Err(error) = share::download(name, "application/octet-stream", &bytes)
            {
                return hear(failed(format!("{name} cannot be saved: {}", describe(&error))));
            }
            hear(report);
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));

        let on_error = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            // A script that cannot be fetched gives an event without a message.
            let message =
                Reflect::get(&event, &"message".into()).ok().and_then(|message| message.as_string());
            receive(stopped(message.filter(|message| !message.is_empty())));
        });
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Self { worker, _listeners: [on_message, on_error] })
    }

    /// Sends a command, with a file where it speaks of one; those sent before [`Report::Ready`] are lost.
    pub fn send(&self, command: &Command, file: &JsValue) -> Result<(), JsValue> {
        let text = serde_json::to_string(command).map_err(|error| error.to_string())?.into();
        if file.is_undefined() {
            self.worker.post_message(&text)
        } else {
            self.worker.post_message(&Array::of2(&text, file))
        }
    }
}

/// A worker of the script at `address`. Browsers start workers from the page's own site only, so a line of our own
/// imports it, in a classic script: an opaque sandbox starts no others from there. Policies judge that import by
/// script-src; a static one by worker-src, like the worker itself.
fn spawn(address: &str) -> Result<Worker, JsValue> {
    let line = format!(
        "import({}).catch((error) => postMessage(JSON.stringify({{ report: \"failed\", code: \"worker\", \
         message: `the engine cannot be loaded: ${{error.message}}`, \
         help: \"Check the connection, and that the page's policy allows this address in script-src and \
         connect-src; then reload the page.\" }})));",
        serde_json::Value::from(address)
    );
    let kind = BlobPropertyBag::new();
    kind.set_type("text/javascript");
    let blob = Blob::new_with_str_sequence_and_options(&Array::of1(&line.into()), &kind)?;
    let blob = Url::create_object_url_with_blob(&blob)?;
    let worker = dom::policy::start_worker(&blob);
    // The worker has its script by the time that the address goes.
    dom::later(10_000, move || {
        let _ = Url::revoke_object_url(&blob);
    });
    worker
}

impl Drop for Link {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

/// What became of a worker that said nothing itself. Where it panics it does, so a trap is an allocation that failed.
fn stopped(message: Option<String>) -> Report {
    match message {
        None => Report::Failed(Failure::new(
            "worker",
            "the worker could not be started",
            "The page's policy may forbid it: it needs worker-src blob: in its Content-Security-Policy.",
        )),
        Some(message) if message.contains("unreachable") || message.contains("memory") => {
            Report::Failed(Failure::new(
                "worker",
                "the engine ran out of memory",
                "Close other pages, or take fewer films or samplers, and press play.",
            ))
        }
        Some(message) => failed(format!("the worker stopped: {message}")),
    }
}

fn failed(message: String) -> Report {
    Report::Failed(Failure::new("worker", message, "Reload the page."))
}
