//! Which engine this browser gets, and why, in words for its user.

use fastvae::engine::{Engine, gpu::adapters};
use js_sys::Reflect;
use wasm_bindgen::JsValue;
use web::{EngineChoice, Failure};

/// The engine of a choice, and the reason.
pub async fn choose(choice: EngineChoice) -> Result<(Engine, String), Failure> {
    if choice == EngineChoice::Cpu {
        return Ok((Engine::cpu(), "you chose it".into()));
    }
    match (gpu(choice == EngineChoice::Gpu).await, choice) {
        (Ok(engine), EngineChoice::Gpu) => Ok((engine, "you chose it".into())),
        (Ok(engine), _) => Ok((engine, "this browser offers a GPU".into())),
        (Err(reason), EngineChoice::Gpu) => Err(Failure::new(
            "device",
            format!("No WebGPU: {reason}"),
            "Choose the CPU engine, or another browser.",
        )),
        (Err(reason), _) => Ok((Engine::cpu(), reason)),
    }
}

/// WebGPU's engine, or why there is none. A software adapter is slower than the CPU engine, and taken only
/// where `software` is welcome.
async fn gpu(software: bool) -> Result<Engine, String> {
    let scope = js_sys::global();
    let get = |object: &JsValue, name: &str| Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED);
    if get(&scope, "isSecureContext").is_falsy() {
        return Err("browsers offer WebGPU on https pages only".into());
    }
    if get(&get(&scope, "navigator"), "gpu").is_falsy() {
        return Err("this browser has no WebGPU".into());
    }
    let Some(adapter) = adapters().await.into_iter().next() else {
        return Err("this browser's WebGPU finds no GPU".into());
    };
    if adapter.software && !software {
        return Err(format!(
            "this browser offers only a software GPU ({}), which is slower than the CPU engine",
            adapter.name
        ));
    }
    Engine::gpu(Some(&adapter.name)).await.map_err(|error| error.to_string())
}
