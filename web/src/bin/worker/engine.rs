//! Which engine this browser gets, and why, in words for its user.

use fastvae::engine::{Engine, gpu::adapters};
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web::{EngineChoice, Failure};

/// An engine and how it came about.
pub struct Chosen {
    pub engine: Engine,
    /// What the browser calls the GPU; the CPU engine has none.
    pub adapter: Option<String>,
    /// Why this engine.
    pub reason: String,
}

/// The engine of a choice.
pub async fn choose(choice: EngineChoice) -> Result<Chosen, Failure> {
    let cpu = |reason: &str| Chosen { engine: Engine::cpu(), adapter: None, reason: reason.into() };
    if choice == EngineChoice::Cpu {
        return Ok(cpu("you chose it"));
    }
    let asked_for = choice == EngineChoice::Gpu;
    match gpu(asked_for).await {
        Ok((engine, adapter)) => {
            let reason = if asked_for { "you chose it" } else { "this browser offers a GPU" };
            Ok(Chosen { engine, adapter: Some(adapter), reason: reason.into() })
        }
        Err(reason) if asked_for => Err(Failure::new(
            "device",
            format!("No WebGPU: {reason}"),
            "Choose the CPU engine, or another browser.",
        )),
        Err(reason) => Ok(cpu(&reason)),
    }
}

/// WebGPU's engine and its adapter, or why there is none. A software adapter is slower than the CPU engine,
/// and taken only where `software` is welcome.
async fn gpu(software: bool) -> Result<(Engine, String), String> {
    let scope = js_sys::global();
    if get(&scope, "isSecureContext").is_falsy() {
        return Err("browsers offer WebGPU on https pages only".into());
    }
    let webgpu = get(&get(&scope, "navigator"), "gpu");
    if webgpu.is_falsy() {
        return Err("this browser has no WebGPU".into());
    }
    // Asked before wgpu asks: it takes for granted that the answer is a promise, and that it is kept.
    let offered = request_adapter(&webgpu).await?;
    let Some(adapter) = adapters().await.into_iter().next().filter(|_| !offered.is_null()) else {
        return Err("this browser's WebGPU finds no GPU".into());
    };
    let name = told_name(&offered).unwrap_or_else(|| adapter.name.clone());
    if adapter.software && !software {
        return Err(format!(
            "this browser offers only a software GPU ({name}), which is slower than the CPU engine"
        ));
    }
    let engine = Engine::gpu(Some(&adapter.name)).await.map_err(|error| error.to_string())?;
    Ok((engine, name))
}

/// The adapter that the browser offers, null where it has none.
async fn request_adapter(webgpu: &JsValue) -> Result<JsValue, String> {
    let refused = |problem: JsValue| {
        let problem = get(&problem, "message").as_string().unwrap_or_else(|| "it does not say why".into());
        format!("this browser's WebGPU gives no GPU: {problem}")
    };
    let request: Function = get(webgpu, "requestAdapter").dyn_into().map_err(refused)?;
    let answer = request.call0(webgpu).map_err(refused)?;
    JsFuture::from(Promise::resolve(&answer)).await.map_err(refused)
}

/// What the browser tells of an adapter: a description, or `nvidia ampere`.
fn told_name(adapter: &JsValue) -> Option<String> {
    let info = get(adapter, "info");
    let word = |name: &str| get(&info, name).as_string().filter(|word| !word.is_empty());
    word("description").or_else(|| {
        let words: Vec<String> = ["vendor", "architecture"].into_iter().filter_map(word).collect();
        (!words.is_empty()).then(|| words.join(" "))
    })
}

fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}
