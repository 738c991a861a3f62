//! The worker's side of the browser: messages, panics, and letting others have their turn.

use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web::{Failure, Report};
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel, MessageEvent};

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

/// Puts the page's messages into the queue.
pub fn listen(commands: Queue) -> Result<(), JsValue> {
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        match serde_json::from_str(&event.data().as_string().unwrap_or_default()) {
            Ok(command) => commands.push(command),
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

/// Lets the browser deliver what is waiting. A resolved promise would not: only a new task does. Timers are
/// held back by browsers, messages are not.
pub struct Turn(MessageChannel);

impl Turn {
    pub fn new() -> Result<Self, JsValue> {
        MessageChannel::new().map(Self)
    }

    /// Comes back in a task of its own.
    pub async fn give(&self) {
        let (here, there) = (self.0.port1(), self.0.port2());
        let delivered = Promise::new(&mut |resolve, _| {
            here.set_onmessage(Some(&resolve));
            // Null can always be posted.
            let _ = there.post_message(&JsValue::NULL);
        });
        // Nothing rejects this promise.
        let _ = JsFuture::from(delivered).await;
    }
}
