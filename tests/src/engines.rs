//! The engines under test.

use std::sync::OnceLock;

use fastvae::engine::{Engine, GpuEngine};
use pollster::block_on;

/// The CPU engine and a GPU engine. `FASTVAE_TEST_ADAPTER` names the adapter (default: the best one found,
/// including software adapters).
///
/// # Panics
/// Without an adapter, unless `FASTVAE_ALLOW_NO_GPU=1`: skipping the GPU half of a test must be requested.
pub fn engines() -> Vec<&'static Engine> {
    static ENGINES: OnceLock<Vec<Engine>> = OnceLock::new();
    ENGINES.get_or_init(|| std::iter::once(Engine::cpu()).chain(gpu()).collect()).iter().collect()
}

/// As [`engines`], and a software adapter a second time, as if it were hardware: kernels divide their work among
/// workgroups in another way there.
///
/// # Panics
/// As [`engines`].
pub fn engines_and_divisions() -> Vec<&'static Engine> {
    static HARDWARE: OnceLock<Option<Engine>> = OnceLock::new();
    let software = |engine: &&Engine| match engine {
        Engine::Gpu(gpu) if gpu.adapter().software => Some(Engine::Gpu(gpu.as_hardware())),
        _ => None,
    };
    let mut all = engines();
    let hardware = HARDWARE.get_or_init(|| all.iter().find_map(software));
    all.extend(hardware);
    all
}

fn gpu() -> Option<Engine> {
    let name = std::env::var("FASTVAE_TEST_ADAPTER").ok().or_else(|| {
        block_on(fastvae::engine::gpu::adapters()).into_iter().next().map(|adapter| adapter.name)
    });
    let Some(name) = name else {
        assert!(
            std::env::var("FASTVAE_ALLOW_NO_GPU").is_ok_and(|value| value == "1"),
            "no GPU adapter: install a Vulkan driver (mesa-vulkan-drivers has one in software), or set \
             FASTVAE_ALLOW_NO_GPU=1 to test the CPU engine alone"
        );
        println!("GPU engine: not run, no adapter and FASTVAE_ALLOW_NO_GPU=1");
        return None;
    };
    let gpu = block_on(GpuEngine::new(Some(&name))).unwrap_or_else(|error| panic!("{error}"));
    println!("GPU engine: {}", gpu.adapter());
    Some(Engine::Gpu(gpu))
}
