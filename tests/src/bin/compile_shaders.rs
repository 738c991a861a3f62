//! Compiles every shader on a GPU, with its name on standard error before whatever the driver says of it:
//!
//! `cargo run -p tests --bin compile_shaders -- [ADAPTER]`
//!
//! tests/noop_devices.py reads it.

use fastvae::{Result, engine::GpuEngine};
use pollster::block_on;

fn main() -> Result<()> {
    let adapter = std::env::args().nth(1);
    let gpu = block_on(GpuEngine::new(adapter.as_deref()))?;
    eprintln!("adapter: {}", gpu.adapter());
    for shader in fastvae_shaders::ALL {
        eprintln!("\nfastvae: {}", shader.name);
        gpu.prepare(shader)?;
    }
    eprintln!("\nfastvae: {} shaders", fastvae_shaders::ALL.len());
    Ok(())
}
