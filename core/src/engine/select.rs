//! Selects the engine of a run, with a reason.

use super::{Engine, GpuEngine};
use crate::{Error, Result};

/// The engine that the user requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    /// A GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// A GPU; an error if there is none.
    Gpu,
    /// Threads of this machine.
    Cpu,
}

impl Engine {
    /// Opens the engine, and gives the reason for the choice in one line. `adapter` is an adapter's number
    /// in [`adapters`](super::gpu::adapters), part of its name in any case, a backend (`vulkan`, `metal`, `dx12`) for its
    /// best GPU, or a backend and part of a name (`vulkan:nvidia`); a software adapter (llvmpipe, SwiftShader, WARP)
    /// is used only by number or name.
    ///
    /// # Errors
    /// [`Error::Setting`] if an adapter is given for the CPU engine; [`Error::Device`] if a GPU was requested
    /// and there is none.
    pub async fn select(kind: EngineKind, adapter: Option<&str>) -> Result<(Self, String)> {
        match (kind, adapter) {
            (EngineKind::Cpu, Some(_)) => Err(Error::setting(
                "adapter",
                "the CPU engine has no adapters: leave it out, or take `engine = gpu`",
            )),
            (EngineKind::Cpu, None) => Ok((Self::cpu(), "asked for".to_owned())),
            (EngineKind::Gpu, name) => Ok((Self::gpu(name).await?, "asked for".to_owned())),
            (EngineKind::Auto, Some(name)) => {
                Ok((Self::gpu(Some(name)).await?, format!("`adapter` is \"{name}\"")))
            }
            (EngineKind::Auto, None) => match Self::gpu(None).await {
                Ok(engine) => Ok((engine, "the best GPU of this machine".to_owned())),
                Err(error) => Ok((Self::cpu(), error.to_string())),
            },
        }
    }

    /// The GPU engine, on the adapter that [`GpuEngine::new`] chooses.
    ///
    /// # Errors
    /// As [`GpuEngine::new`].
    pub async fn gpu(adapter: Option<&str>) -> Result<Self> {
        GpuEngine::new(adapter).await.map(Self::Gpu)
    }
}
