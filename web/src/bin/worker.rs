//! The worker: holds the engine, so that training never stops the page.

use wasm_bindgen::prelude::*;
use web::Report;
use web_sys::DedicatedWorkerGlobalScope;

fn main() -> Result<(), JsValue> {
    console_error_panic_hook::set_once();
    let scope: DedicatedWorkerGlobalScope = js_sys::global().dyn_into()?;
    report(&scope, &Report::Ready)
}

fn report(scope: &DedicatedWorkerGlobalScope, report: &Report) -> Result<(), JsValue> {
    let text = serde_json::to_string(report).map_err(|error| error.to_string())?;
    scope.post_message(&JsValue::from_str(&text))
}
