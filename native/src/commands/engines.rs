//! `fastvae engines`: lists the engines of this machine.

use fastvae::{
    Result,
    engine::{CpuEngine, Engine, EngineKind, gpu::adapters},
};
use serde_json::json;

use crate::{
    Outcome,
    args::EnginesArgs,
    output::{Table, print, print_json},
};

/// Lists the engines and prints which one `auto` selects.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(args: &EnginesArgs) -> Result<Outcome> {
    let found = pollster::block_on(adapters());
    let (auto, why) = pollster::block_on(Engine::select(EngineKind::Auto, None))?;
    let cpu = CpuEngine::new().describe();
    if args.json {
        let adapters: Vec<_> = found
            .iter()
            .enumerate()
            .map(|(number, one)| {
                json!({
                    "number": number, "name": one.name, "kind": one.kind, "backend": one.backend, "driver": one.driver,
                    "software": one.software, "max_binding_bytes": one.max_binding_bytes,
                    "max_buffer_bytes": one.max_buffer_bytes,
                })
            })
            .collect();
        let engine = if auto.is_cpu() { "cpu" } else { "gpu" };
        print_json(&json!({
            "cpu": cpu, "adapters": adapters,
            "auto": { "engine": engine, "description": auto.describe(), "why": why },
        }))?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::new(["engine", "what", "kind", "driver", "largest table", "taken by"]);
    let taken = |cpu: bool| if cpu == auto.is_cpu() { "auto, " } else { "" };
    table.row([
        "cpu".into(),
        cpu,
        "threads".into(),
        String::new(),
        "memory".into(),
        format!("{}--engine cpu", taken(true)),
    ]);
    let mut first = true;
    for (number, one) in found.iter().enumerate() {
        let by_number = format!("--adapter {number}");
        let how = if first && !one.software {
            first = false;
            format!("{}--engine gpu, {by_number}", taken(false))
        } else {
            by_number
        };
        table.row([
            "gpu".into(),
            one.name.clone(),
            format!("{}, {}", one.kind, one.backend),
            one.driver.clone(),
            binary(one.max_binding_bytes),
            how,
        ]);
    }
    print(&format!("{table}\nauto: {}\n  because: {why}\n", auto.describe()))?;
    Ok(Outcome::Done)
}

/// Formats bytes: `128 MiB`, `2.0 GiB`.
fn binary(bytes: u64) -> String {
    match bytes >> 20 {
        small @ ..1024 => format!("{small} MiB"),
        large => format!("{:.1} GiB", large as f64 / 1024.0),
    }
}
