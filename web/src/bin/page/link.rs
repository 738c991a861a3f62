//! The worker, and the line to it.

use js_sys::Reflect;
use wasm_bindgen::prelude::*;
use web::{Command, Failure, Report};
use web_sys::{MessageEvent, Worker, WorkerOptions, WorkerType};

/// A worker; dropping it ends the worker and frees all that it holds, whatever it is doing.
pub struct Link {
    worker: Worker,
    _listeners: [Closure<dyn FnMut(JsValue)>; 2],
}

impl Link {
    /// Starts a worker and hands its reports to `receive`.
    pub fn start(receive: impl Fn(Report) + Clone + 'static) -> Result<Self, JsValue> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options("./worker_loader.js", &options)?;

        let hear = receive.clone();
        let on_message =
            Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
                let text = event.dyn_ref::<MessageEvent>().and_then(|event| event.data().as_string());
                hear(serde_json::from_str(&text.unwrap_or_default()).unwrap_or_else(|error| {
                    failed(format!("a message of the worker cannot be read: {error}"))
                }));
            });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));

        let on_error = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            // A script that cannot be fetched gives an event without a message.
            let message =
                Reflect::get(&event, &"message".into()).ok().and_then(|message| message.as_string());
            receive(failed(match message.filter(|message| !message.is_empty()) {
                Some(message) => format!("the worker stopped: {message}"),
                None => "the worker could not be loaded".into(),
            }));
        });
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Self { worker, _listeners: [on_message, on_error] })
    }

    /// Sends a command; those sent before [`Report::Ready`] are lost.
    pub fn send(&self, command: &Command) -> Result<(), JsValue> {
        let text = serde_json::to_string(command).map_err(|error| error.to_string())?;
        self.worker.post_message(&JsValue::from_str(&text))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

fn failed(message: String) -> Report {
    Report::Failed(Failure::new("worker", message, "Reload the page."))
}
