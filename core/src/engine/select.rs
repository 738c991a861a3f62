//! Which engine a run takes, and why.

use super::{Engine, GpuEngine};
use crate::{Error, Result};

/// The engine that a user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    /// A GPU where there is one, else the CPU.
    #[default]
    Auto,
    /// A GPU or an error.
    Gpu,
    /// Threads of this machine.
    Cpu,
}

impl Engine {
    /// The engine to use, and one line that says why. `adapter` is part of an adapter's name, in any case;
    /// a software adapter (llvmpipe, SwiftShader, WARP) is used only when named so.
    ///
    /// # Errors
    /// [`Error::Setting`] for an adapter of the CPU engine; [`Error::Device`] if a GPU was asked for and
    /// there is none.
    pub async fn select(kind: EngineKind, adapter: Option<&str>) -> Result<(Self, String)> {
        match (kind, adapter) {
            (EngineKind::Cpu, Some(_)) => Err(Error::setting(
                "adapter",
                "the CPU engine has no adapters: leave it out, or take `engine = gpu`",
            )),
            (EngineKind::Cpu, None) => Ok((Self::cpu(), "asked for".to_owned())),
            (EngineKind::Gpu, name) => Ok((Self::gpu(name).await?, "asked for".to_owned())),
            (EngineKind::Auto, Some(name)) => {
                Ok((Self::gpu(Some(name)).await?, format!("its name contains \"{name}\"")))
            }
            (EngineKind::Auto, None) => match Self::gpu(None).await {
                Ok(engine) => Ok((engine, "the best GPU of this machine".to_owned())),
                Err(error) => Ok((Self::cpu(), error.to_string())),
            },
        }
    }

    /// The GPU engine, on an adapter as [`GpuEngine::new`] chooses it.
    ///
    /// # Errors
    /// As [`GpuEngine::new`].
    pub async fn gpu(adapter: Option<&str>) -> Result<Self> {
        GpuEngine::new(adapter).await.map(Self::Gpu)
    }
}
